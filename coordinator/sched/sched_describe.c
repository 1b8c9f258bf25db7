/* Events and actions of the scheduler as text: the same in a log and in a trace of the
 * simulator. */
#include "coordinator/sched/sched.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const event_names[] = {
    [SCHED_ITEMS] = "ITEMS",
    [SCHED_WORKER_JOINED] = "WORKER_JOINED",
    [SCHED_CREDIT] = "CREDIT",
    [SCHED_HEARD] = "HEARD",
    [SCHED_RESULT] = "RESULT",
    [SCHED_CHUNK_RETURNED] = "CHUNK_RETURNED",
    [SCHED_WORKER_DRAINING] = "WORKER_DRAINING",
    [SCHED_WORKER_LEFT] = "WORKER_LEFT",
    [SCHED_WORKER_LOST] = "WORKER_LOST",
    [SCHED_NO_MORE_WORKERS] = "NO_MORE_WORKERS",
    [SCHED_TICK] = "TICK",
    [SCHED_CANCEL] = "CANCEL",
    [SCHED_HOLD] = "HOLD",
    [SCHED_STOP] = "STOP",
    [SCHED_LEASE] = "LEASE",
};

static const char *const action_names[] = {
    [SCHED_SEND] = "SEND",
    [SCHED_FINISHED] = "FINISHED",
    [SCHED_SPLIT] = "SPLIT",
    [SCHED_ABANDONED] = "ABANDONED",
    [SCHED_DROP_WORKER] = "DROP_WORKER",
    [SCHED_STALLED] = "STALLED",
    [SCHED_DONE] = "DONE",
};

enum { SPANS_SHOWN = 4 }; /* of a result */

/* Text that grows at its end and is cut when it is full. */
struct line {
    char *text;
    size_t size;
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct line *line, const char *format, ...)
{
    if (line->len >= line->size) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(line->text + line->len, line->size - line->len, format, arguments);
    va_end(arguments);
    line->len += len > 0 ? (size_t)len : 0;
}

static void add_result(struct line *line, const struct sched_event *event)
{
    const struct tally *tally = &event->as.result.tally;
    add(line,
        " chunk=%" PRIu64 " attempt=%" PRIu32 " ok=%" PRIu64 " failed=%" PRIu64 " run_us=%" PRIu64,
        event->as.result.chunk.value,
        event->as.result.attempt,
        tally->ok,
        tally->failed,
        event->as.result.run_us);
    for (size_t i = 0; i < event->as.result.failed_count; i++) {
        const struct sched_span *span = &event->as.result.failed[i];
        if (i == SPANS_SHOWN) {
            add(line, ",...");
            break;
        }
        add(line, "%s%" PRIu64 "+%" PRIu64, i == 0 ? " spans=" : ",", span->first, span->count);
    }
}

char *sched_describe_event(const struct sched_event *event, char *ret_text, size_t size)
{
    struct line line = {ret_text, size, 0};
    bool known = event->type >= SCHED_ITEMS && event->type <= SCHED_LEASE;
    add(&line, "%s", known ? event_names[event->type] : "?");
    if (event->worker.value != 0) {
        add(&line, " worker=%" PRIu64, event->worker.value);
    }
    switch (event->type) {
    case SCHED_ITEMS:
        add(&line,
            " available=%" PRIu64 "%s",
            event->as.items.available,
            event->as.items.final ? " final" : "");
        break;
    case SCHED_WORKER_JOINED:
        add(&line,
            " slots=%" PRIu32 " credit=%" PRIu32,
            event->as.joined.slots,
            event->as.joined.credit);
        if (event->as.joined.holding_count > 0) {
            add(&line, " holding=%zu", event->as.joined.holding_count);
        }
        break;
    case SCHED_CREDIT:
        add(&line, " credit=%" PRIu32, event->as.credit);
        break;
    case SCHED_RESULT:
        add_result(&line, event);
        break;
    case SCHED_CHUNK_RETURNED:
        add(&line, " chunk=%" PRIu64, event->as.returned.value);
        break;
    case SCHED_LEASE:
        add(&line, " lease_us=%" PRIu64, event->as.lease_us);
        break;
    case SCHED_HOLD:
        add(&line, event->as.hold ? " on" : " off");
        break;
    default:
        break;
    }
    return ret_text;
}

char *sched_describe_action(const struct sched_action *action, char *ret_text, size_t size)
{
    struct line line = {ret_text, size, 0};
    bool known = action->type >= SCHED_SEND && action->type <= SCHED_DONE;
    add(&line, "%s", known ? action_names[action->type] : "?");
    if (action->worker.value != 0) {
        add(&line, " worker=%" PRIu64, action->worker.value);
    }
    if (action->chunk.value != 0) {
        add(&line,
            " chunk=%" PRIu64 " slot=%" PRIu32 " attempt=%" PRIu32 " first=%" PRIu64
            " count=%" PRIu64,
            action->chunk.value,
            action->slot,
            action->attempt,
            action->first,
            action->count);
    }
    if (action->type == SCHED_FINISHED) {
        add(&line, " done=%" PRIu64 " retried=%" PRIu64, action->done, action->retried);
    }
    return ret_text;
}
