#include "coordinator/status/stall.h"

#include "common/base/units.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
    [STALL_NONE] = "none",
    [STALL_GATHERING] = "gathering",
    [STALL_STARTING] = "starting",
    [STALL_SILENT] = "silent",
    [STALL_NO_STRATEGY] = "no_strategy",
    [STALL_UNABLE] = "unable",
    [STALL_LOST] = "lost",
    [STALL_LEFT] = "left",
    [STALL_DRAINING] = "draining",
    [STALL_RETRY] = "retry",
    [STALL_RESULTS] = "results",
    [STALL_INPUT] = "input",
    [STALL_CREDIT] = "credit",
};

const char *stall_name(enum stall_reason reason)
{
    return names[reason];
}

/* Write the line and return the reason, so that a finding is one statement. */
__attribute__((format(printf, 3, 4))) static enum stall_reason found(enum stall_reason reason,
                                                                     char *ret_text,
                                                                     const char *format,
                                                                     ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(ret_text, STALL_TEXT_SIZE, format, arguments);
    va_end(arguments);
    return reason;
}

/* "1 worker", "3 workers". */
struct counted {
    char s[48];
};

static struct counted count_workers(uint64_t count, const char *all)
{
    struct counted text;
    const char *many = count == 1 ? "" : "s";
    /* "all 1 workers" is no English. */
    const char *prefix = count == 1 && all[0] != '\0' ? "the only" : all;
    if (count == 1 && all[0] != '\0') {
        (void)snprintf(text.s, sizeof(text.s), "%s worker", prefix);
    } else {
        (void)snprintf(text.s,
                       sizeof(text.s),
                       "%s%s%" PRIu64 " worker%s",
                       prefix,
                       prefix[0] == '\0' ? "" : " ",
                       count,
                       many);
    }
    return text;
}

static enum stall_reason judge_gathering(const struct stall_view *view, char *ret_text)
{
    const struct stall_workers *workers = &view->workers;
    if (workers->registered >= workers->expected) {
        return STALL_NONE;
    }
    return found(STALL_GATHERING,
                 ret_text,
                 "waiting for %" PRIu32 " of %s to %s%s%s%s",
                 workers->expected - workers->registered,
                 count_workers(workers->expected, "").s,
                 view->endpoint != NULL ? "come to " : "start",
                 view->endpoint != NULL ? view->endpoint : "",
                 view->launched != NULL ? "; " : "",
                 view->launched != NULL ? view->launched : "");
}

static enum stall_reason judge_starting(const struct stall_view *view, char *ret_text)
{
    const struct stall_workers *workers = &view->workers;
    if (view->local) {
        return found(STALL_STARTING, ret_text, "the engine is starting");
    }
    if (workers->starting == 0) {
        return STALL_NONE;
    }
    uint32_t total = workers->starting + workers->running + workers->leaving;
    return found(STALL_STARTING,
                 ret_text,
                 "waiting for %" PRIu32 " of %s to start %s",
                 workers->starting,
                 count_workers(total, "").s,
                 total == 1 ? "its engine" : "their engines");
}

/* Somebody has items. That is work under way, unless nobody who has some is heard of; but what is not
 * sent yet may wait for other workers than these. */
static enum stall_reason judge_held(const struct stall_view *view, char *ret_text)
{
    const struct stall_workers *workers = &view->workers;
    bool more = view->items.fresh > 0 || view->items.queued > 0;
    if (more && workers->leaving > 0 && workers->running + workers->starting == 0) {
        return found(STALL_DRAINING, ret_text, "every worker is draining");
    }
    if (view->local || view->silence_us == 0 || workers->heard_us < view->silence_us) {
        return STALL_NONE;
    }
    char silence[UNITS_TEXT_SIZE];
    return found(STALL_SILENT,
                 ret_text,
                 "%" PRIu64 " items are with workers of which nothing was heard for %s",
                 view->items.held,
                 units_format_seconds((double)workers->heard_us / 1e6, silence));
}

/* Nobody runs the job. Who could, and what became of them? */
static enum stall_reason judge_nobody(const struct stall_view *view, char *ret_text)
{
    const struct stall_workers *workers = &view->workers;
    const char *more = view->last_error[0] != '\0' ? ", last error: " : "";
    if (workers->registered > 0 && workers->offering == 0) {
        return found(STALL_NO_STRATEGY, ret_text, "no worker offers strategy %s", view->strategy);
    }
    if (workers->starting > 0) {
        return judge_starting(view, ret_text);
    }
    if (workers->restarting > 0) {
        return found(STALL_STARTING,
                     ret_text,
                     "%s of this machine ended and %s started again%s%s",
                     count_workers(workers->restarting, "").s,
                     workers->restarting == 1 ? "is" : "are",
                     more,
                     view->last_error);
    }
    if (workers->leaving > 0) {
        return found(STALL_DRAINING, ret_text, "every worker is draining");
    }
    if (workers->unable > 0) {
        return found(STALL_UNABLE,
                     ret_text,
                     "%s %s to run the job%s%s",
                     count_workers(workers->unable, "all").s,
                     workers->unable == 1 ? "is unable" : "are unable",
                     more,
                     view->last_error);
    }
    if (workers->lost > 0 && view->lost_since != NULL) {
        return found(STALL_LOST,
                     ret_text,
                     "%s lost since %s%s%s",
                     count_workers(workers->lost, "all").s,
                     view->lost_since,
                     more,
                     view->last_error);
    }
    return found(STALL_LEFT,
                 ret_text,
                 "every worker has left%s%s",
                 view->endpoint != NULL ? "; another one may come to " : "",
                 view->endpoint != NULL ? view->endpoint : "");
}

/* There are workers, and they hold nothing. */
static enum stall_reason judge_idle(const struct stall_view *view, char *ret_text)
{
    const struct stall_items *items = &view->items;
    char text[UNITS_TEXT_SIZE];
    if (items->retry_due_us != UINT64_MAX && items->fresh == 0) {
        return found(STALL_RETRY,
                     ret_text,
                     "items wait for their retry, next in %s",
                     units_format_seconds((double)items->retry_due_us / 1e6, text));
    }
    if (items->results_full && items->queued == 0) {
        return found(STALL_RESULTS, ret_text, "results are not taken: %s is slow", view->results);
    }
    if (items->fresh == 0 && items->queued == 0) {
        return items->input_empty
                   ? found(STALL_INPUT, ret_text, "input (%s) has nothing to read", view->input)
                   : STALL_NONE;
    }
    if (!view->local && view->workers.credit == 0) {
        return found(STALL_CREDIT,
                     ret_text,
                     "no worker has credit: none has asked for work for %s",
                     units_format_seconds((double)view->workers.result_us / 1e6, text));
    }
    return STALL_NONE;
}

enum stall_reason stall_judge(const struct stall_view *view, char ret_text[STALL_TEXT_SIZE])
{
    const struct stall_items *items = &view->items;
    ret_text[0] = '\0';
    switch (view->phase) {
    case STALL_PHASE_GATHERING:
        return judge_gathering(view, ret_text);
    case STALL_PHASE_STARTING:
        return judge_starting(view, ret_text);
    case STALL_PHASE_RUNNING:
        break;
    }
    if (items->held > 0) {
        return judge_held(view, ret_text);
    }
    if (items->final && items->fresh == 0 && items->queued == 0) {
        return STALL_NONE;
    }
    if (!view->local && view->workers.running == 0) {
        return judge_nobody(view, ret_text);
    }
    return judge_idle(view, ret_text);
}
