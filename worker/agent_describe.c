/* Events and actions of the agent as one line each, the same in a log and in a trace of the
 * simulator. */
#include "common/base/check.h"
#include "worker/agent.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const event_names[] = {
    [AGENT_CONNECTED] = "CONNECTED",
    [AGENT_DISCONNECTED] = "DISCONNECTED",
    [AGENT_WELCOME] = "WELCOME",
    [AGENT_REJECT] = "REJECT",
    [AGENT_JOB] = "JOB",
    [AGENT_CANCEL] = "CANCEL",
    [AGENT_CHUNKS] = "CHUNKS",
    [AGENT_ACK] = "ACK",
    [AGENT_HEARD] = "HEARD",
    [AGENT_DRAIN] = "DRAIN",
    [AGENT_QUIT] = "QUIT",
    [AGENT_BYE] = "BYE",
    [AGENT_ENGINE_READY] = "ENGINE_READY",
    [AGENT_ENGINE_FAILED] = "ENGINE_FAILED",
    [AGENT_ENGINE_STOPPED] = "ENGINE_STOPPED",
    [AGENT_RESULTS] = "RESULTS",
    [AGENT_TAKEN_BACK] = "TAKEN_BACK",
    [AGENT_HOLDING] = "HOLDING",
    [AGENT_TICK] = "TICK",
};

static const char *const action_names[] = {
    [AGENT_SEND_HELLO] = "SEND_HELLO",
    [AGENT_SEND_READY] = "SEND_READY",
    [AGENT_SEND_RESULTS] = "SEND_RESULTS",
    [AGENT_SEND_HEARTBEAT] = "SEND_HEARTBEAT",
    [AGENT_SEND_RETURNED] = "SEND_RETURNED",
    [AGENT_SEND_BYE] = "SEND_BYE",
    [AGENT_START_ENGINE] = "START_ENGINE",
    [AGENT_STOP_ENGINE] = "STOP_ENGINE",
    [AGENT_SUBMIT] = "SUBMIT",
    [AGENT_DISCARD] = "DISCARD",
    [AGENT_TAKE_BACK] = "TAKE_BACK",
    [AGENT_ASK_HOLDING] = "ASK_HOLDING",
    [AGENT_SEND_HOLDING] = "SEND_HOLDING",
    [AGENT_RECONNECT] = "RECONNECT",
    [AGENT_EXIT] = "EXIT",
};

/* A line that grows; what does not fit is cut. */
struct line {
    char *text;
    size_t size;
    size_t len;
};

static void add(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct line *line, const char *format, ...)
{
    if (line->len + 1 >= line->size) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(line->text + line->len, line->size - line->len, format, arguments);
    va_end(arguments);
    line->len += written > 0 ? (size_t)written : 0;
}

static void add_header(struct line *line, uint64_t session, uint64_t job)
{
    if (session != 0) {
        add(line, " session=%" PRIu64, session);
    }
    if (job != 0) {
        add(line, " job=%" PRIu64, job);
    }
}

char *agent_describe_event(const struct agent_event *event, char *ret_text, size_t size)
{
    CHECK(event->type >= AGENT_CONNECTED && event->type <= AGENT_TICK && size > 0);
    struct line line = {.text = ret_text, .size = size};
    add(&line, "%s", event_names[event->type]);
    add_header(&line, event->session, event->job);
    switch (event->type) {
    case AGENT_WELCOME:
        add(&line,
            " heartbeat_us=%" PRIu64 " minor=%" PRIu32,
            event->as.welcome.heartbeat_us,
            event->as.welcome.minor);
        break;
    case AGENT_HEARD:
        if (event->as.heard.heartbeat_us > 0) {
            add(&line, " heartbeat_us=%" PRIu64, event->as.heard.heartbeat_us);
        }
        break;
    case AGENT_REJECT:
        add(&line,
            " reason=%" PRIu32 " \"%s\"",
            event->as.reject.reason,
            event->as.reject.text == NULL ? "" : event->as.reject.text);
        break;
    case AGENT_JOB:
        add(&line, " credit_fixed=%" PRIu32, event->as.job.credit_fixed);
        break;
    case AGENT_CHUNKS:
        add(&line, " count=%zu", event->as.chunks.count);
        break;
    case AGENT_ACK:
        add(&line, " seq=%" PRIu64, event->as.ack);
        break;
    case AGENT_ENGINE_READY:
        add(&line, " slots=%" PRIu32, event->as.ready.slots);
        break;
    case AGENT_RESULTS:
        add(&line, " count=%zu", event->as.results.count);
        break;
    case AGENT_TAKEN_BACK:
        add(&line, " count=%zu", event->as.taken_back.count);
        break;
    case AGENT_HOLDING:
        add(&line, " count=%zu", event->as.holding.count);
        break;
    default:
        break;
    }
    return ret_text;
}

char *agent_describe_action(const struct agent_action *action, char *ret_text, size_t size)
{
    CHECK(action->type >= AGENT_SEND_HELLO && action->type <= AGENT_EXIT && size > 0);
    struct line line = {.text = ret_text, .size = size};
    add(&line, "%s", action_names[action->type]);
    add_header(&line, action->session, action->job);
    switch (action->type) {
    case AGENT_SEND_READY:
        if (action->failed) {
            add(&line, " failed");
        } else {
            add(&line, " credit=%" PRIu32, action->credit);
        }
        break;
    case AGENT_SEND_RESULTS:
        add(&line,
            " seq=%" PRIu64 " first=%" PRIu64 " count=%" PRIu32 " credit=%" PRIu32,
            action->seq,
            action->first,
            action->count,
            action->credit);
        break;
    case AGENT_SEND_HEARTBEAT:
        if (action->coming > 0) {
            add(&line, " coming=%" PRIu64, action->coming);
        }
        break;
    case AGENT_SEND_RETURNED:
    case AGENT_SEND_HOLDING:
        add(&line, " first=%" PRIu64 " count=%" PRIu32, action->first, action->count);
        break;
    case AGENT_EXIT:
        add(&line, " status=%d", action->exit_status);
        break;
    default:
        break;
    }
    return ret_text;
}
