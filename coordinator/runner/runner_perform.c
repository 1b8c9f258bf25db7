/* What the scheduler says is done: chunks are sent, their results kept, the run ends; see
 * runner_internal.h. */
#include "common/base/check.h"
#include "coordinator/runner/runner_internal.h"

#include <stdio.h>

/* With a journal a run is done when that says so: what is not durable has to be run again. */
static enum runner_outcome outcome_now(const struct runner *runner)
{
    bool kept = runner->journal == NULL || runner_journal_is_complete(runner);
    if (runner->outcome_due != RUNNER_DONE || kept) {
        return runner->outcome_due;
    }
    return runner->cancelled ? RUNNER_CANCELLED : RUNNER_FAILED;
}

void runner_conclude(struct runner *runner, uint64_t now_us)
{
    if (!runner->over || runner->ended_said) {
        return;
    }
    if (runner->journal != NULL && now_us < runner->over_limit_us &&
        !runner_finish_journal(runner, now_us, runner->outcome_due == RUNNER_DONE)) {
        return;
    }
    runner->outcome = outcome_now(runner);
    runner->ended_said = true;
    runner->ended_us = now_us;
    runner->link->ended(runner->link_arg);
}

static void end(struct runner *runner, uint64_t now_us, enum runner_outcome outcome)
{
    if (runner->over) {
        return;
    }
    runner->over = true;
    runner->outcome_due = outcome;
    runner->over_limit_us = outcome == RUNNER_CANCELLED ? now_us + CANCEL_LIMIT_US : UINT64_MAX;
    runner_conclude(runner, now_us);
}

void runner_fail(struct runner *runner, uint64_t now_us, int code, const char *what)
{
    if (runner->error.s[0] == '\0') {
        (void)err_set(&runner->error, code, "%s: %s", what, err_name(code));
    }
    end(runner, now_us, RUNNER_FAILED);
}

/* The first time these items are sent their bytes are taken from the source; later attempts find
 * them here, also those at a part of what was sent at first. */
static int find_payload(struct runner *runner,
                        const struct sched_action *action,
                        struct blob **ret_payload)
{
    uint64_t end = action->first + action->count;
    if (end > runner->taken) {
        struct blob *payload = NULL;
        uint64_t first = runner->taken;
        int rc = source_take(runner->source, first, end - first, &payload);
        rc = rc != 0 ? rc : payloads_add(&runner->payloads, first, end - first, payload);
        if (rc != 0) {
            blob_unref(payload);
            return rc;
        }
        runner->taken = end;
    }
    return payloads_get(&runner->payloads, action->first, action->count, ret_payload);
}

static int perform_send(struct runner *runner, const struct sched_action *action)
{
    struct chunk chunk = {
        .id = action->chunk,
        .first = action->first,
        .count = action->count,
        .attempt = action->attempt,
    };
    if (source_chunk_items_max(runner->source) > 0) {
        int rc = find_payload(runner, action, &chunk.payload);
        if (rc != 0) {
            return rc;
        }
        chunk.payload_len = (uint32_t)blob_len(chunk.payload);
    }
    runner->link->queue(runner->link_arg, action->worker, &chunk);
    return 0;
}

static void perform_finished(struct runner *runner,
                             uint64_t now_us,
                             const struct sched_action *action,
                             const struct chunk_result *result)
{
    CHECK(result != NULL);
    if (result->tally.failed > 0) {
        runner_note_result(runner, action, result);
    }
    if (runner->sink == NULL && runner->payloads.live == 0 && runner->journal == NULL) {
        return; /* numbers, of which nobody wants single results */
    }
    int rc = runner_put_items(runner, action, result, "no memory was left for its result");
    rc = rc != 0 ? rc : runner_note_journal(runner, action, result, NULL);
    if (rc != 0) {
        runner_fail(runner, now_us, rc, "results could not be kept");
    }
}

/* Not to be inlined: its text would make room on the stack of what runs for each result. */
__attribute__((noinline)) static void perform_abandoned(struct runner *runner,
                                                        uint64_t now_us,
                                                        const struct sched_action *action)
{
    char text[CHUNK_ERROR_SIZE];
    int len = snprintf(text,
                       sizeof(text),
                       "lost together with the worker that ran it (attempt %u)",
                       action->attempt);
    runner_note_failure(runner, action->first, text, (size_t)len);
    int rc = runner_put_items(runner, action, NULL, text);
    rc = rc != 0 ? rc : runner_note_journal(runner, action, NULL, text);
    if (rc != 0) {
        runner_fail(runner, now_us, rc, "results could not be kept");
    }
}

/* DONE is said for the last item, and also after CANCEL and STOP. */
static enum runner_outcome outcome_of_done(const struct runner *runner)
{
    struct sched_stats stats;
    sched_get_stats(runner->sched, &stats);
    if (stats.items_final && stats.items_done == stats.items_available) {
        return RUNNER_DONE;
    }
    return runner->halting != HALT_NEVER && !runner->cancelled ? RUNNER_HALTED : RUNNER_CANCELLED;
}

void runner_perform(struct runner *runner,
                    uint64_t now_us,
                    const struct sched_action *action,
                    const struct chunk_result *result)
{
    switch (action->type) {
    case SCHED_SEND: {
        int rc = perform_send(runner, action);
        if (rc != 0) {
            runner_fail(runner, now_us, rc, "sending a chunk failed");
        }
        break;
    }
    case SCHED_FINISHED:
        perform_finished(runner, now_us, action, result);
        break;
    case SCHED_SPLIT: /* its pieces find their bytes by item */
        break;
    case SCHED_ABANDONED:
        perform_abandoned(runner, now_us, action);
        break;
    case SCHED_DROP_WORKER:
        runner->link->drop(runner->link_arg, action->worker);
        break;
    case SCHED_STALLED:
        end(runner, now_us, RUNNER_STALLED);
        break;
    case SCHED_DONE:
        end(runner, now_us, outcome_of_done(runner));
        break;
    }
}
