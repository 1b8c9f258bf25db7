/* The runner: what happens becomes events of the scheduler, what it answers is done. */
#include "common/base/check.h"
#include "coordinator/runner/runner_internal.h"
#include "coordinator/sink/sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CRASH_LIMIT = 3,
    CHUNK_TARGET_US = 100000,
    RETRY_DELAY_US = 100000,
};

int runner_new(const struct runner_options *options,
               struct err_text *ret_error,
               struct runner **ret_runner)
{
    struct runner *runner = calloc(1, sizeof(*runner));
    if (runner == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for the run");
    }
    runner->link = options->link;
    runner->link_arg = options->link_arg;
    runner->sink = options->sink;
    runner->journal = options->journal;
    runner->grace_us = options->state != NULL ? options->grace_us : 0;
    runner->retries = options->retries_max > 0;
    runner->halt = options->halt;
    struct sched_options sched = {
        .workers_max = options->workers_max,
        .chunk_items = options->chunk_items,
        .chunk_target_us = CHUNK_TARGET_US,
        .crash_limit = options->crash_limit > 0 ? options->crash_limit : CRASH_LIMIT,
        .speculate = options->speculate,
        .epoch = options->state != NULL ? (uint8_t)(options->state->resumed + 1) : 0,
        .lease_us = options->lease_us,
        .retries_max = options->retries_max,
        .retry_delay_us = RETRY_DELAY_US,
    };
    int rc = sched_new(&sched, &runner->sched);
    if (rc != 0) {
        err_set(ret_error, rc, "no memory for the scheduler");
        goto out;
    }
    rc = source_open(&options->items, ret_error, &runner->source);
    if (rc == 0 && options->state != NULL) {
        rc = runner_restore(runner, options->state, options->items_count, ret_error);
    }
out:
    if (rc != 0) {
        runner_free(runner);
        return rc;
    }
    *ret_runner = runner;
    return 0;
}

void runner_free(struct runner *runner)
{
    if (runner == NULL) {
        return;
    }
    payloads_deinit(&runner->payloads);
    free(runner->failed);
    source_close(runner->source);
    sched_free(runner->sched);
    free(runner);
}

static int step(struct runner *runner,
                uint64_t now_us,
                const struct sched_event *event,
                const struct chunk_result *result)
{
    CHECK(!runner->performing);
    /* The flush of one event may lose a worker, which is an event of its own and of a later time:
     * who told of the first one may still tell of others with the time it had. */
    runner->now_us = now_us > runner->now_us ? now_us : runner->now_us;
    now_us = runner->now_us;
    struct sched_actions actions = {.list = runner->list, .capacity = ACTIONS_MAX};
    int rc = sched_step(runner->sched, now_us, event, &actions);
    if (rc == ERR_NOMEM) {
        runner_fail(runner, now_us, rc, "the scheduler could not go on");
    }
    runner->performing = true;
    for (size_t i = 0; i < actions.count && !runner->over; i++) {
        runner_perform(runner, now_us, &actions.list[i], result);
    }
    runner->performing = false;
    return rc;
}

/* Tell the scheduler what the source has come to. */
static void announce_items(struct runner *runner, uint64_t now_us)
{
    uint64_t available = source_available(runner->source);
    bool final = source_is_final(runner->source);
    if (available == runner->told_available && final == runner->told_final) {
        return;
    }
    runner->told_available = available;
    runner->told_final = final;
    struct sched_event event = {.type = SCHED_ITEMS};
    event.as.items.available = available;
    event.as.items.chunk_items_max = source_chunk_items_max(runner->source);
    event.as.items.final = final;
    CHECK(step(runner, now_us, &event, NULL) != ERR_INVALID);
}

static void read_source(struct runner *runner, uint64_t now_us)
{
    int rc = source_read(runner->source, &runner->error);
    if (rc != 0) {
        runner_fail(runner, now_us, rc, "reading items failed");
        return;
    }
    announce_items(runner, now_us);
}

static bool wants_items(const struct runner *runner)
{
    return runner->begun && !runner->over && sched_wants_items(runner->sched) &&
           !source_is_full(runner->source);
}

/* 0: there is none. */
static uint64_t grace_ends_us(const struct runner *runner)
{
    return runner->begun && runner->grace_us > 0 ? runner->begun_us + runner->grace_us : 0;
}

/* Fresh work waits while results wait to be written: memory stays bounded whoever reads them. */
static void follow_sink(struct runner *runner, uint64_t now_us)
{
    bool hold = now_us < grace_ends_us(runner) || (runner->early && !runner->begun) ||
                (runner->sink != NULL && sink_is_full(runner->sink));
    if (hold == runner->held || runner->over) {
        return;
    }
    runner->held = hold;
    struct sched_event event = {.type = SCHED_HOLD};
    event.as.hold = hold;
    (void)step(runner, now_us, &event, NULL);
}

static void follow_halt(struct runner *runner, uint64_t now_us)
{
    if (runner->halt.when == HALT_NEVER || runner->halting != HALT_NEVER || runner->over) {
        return;
    }
    struct sched_stats stats;
    sched_get_stats(runner->sched, &stats);
    runner->halting = halt_check(
        &runner->halt, stats.tally.ok, stats.tally.failed, runner_items_total(runner));
    if (runner->halting != HALT_NEVER) {
        struct sched_event event = {.type = runner->halting == HALT_SOON ? SCHED_STOP
                                                                         : SCHED_CANCEL};
        (void)step(runner, now_us, &event, NULL);
    }
}

/* Perform one event and what follows from it: a full list of actions goes on with ticks, a
 * hungry scheduler gets more items. */
static int advance(struct runner *runner,
                   uint64_t now_us,
                   const struct sched_event *event,
                   const struct chunk_result *result)
{
    if (runner->over) {
        return 0;
    }
    int rc = step(runner, now_us, event, result);
    struct sched_event tick = {.type = SCHED_TICK};
    while (!runner->over && sched_deadline_us(runner->sched) <= now_us) {
        (void)step(runner, now_us, &tick, NULL);
    }
    while (wants_items(runner) && source_poll_fd(runner->source) < 0) {
        read_source(runner, now_us);
    }
    follow_sink(runner, now_us);
    follow_halt(runner, now_us);
    runner_follow_journal(runner, now_us);
    return rc;
}

static void advance_and_flush(struct runner *runner,
                              uint64_t now_us,
                              const struct sched_event *event)
{
    (void)advance(runner, now_us, event, NULL);
    runner->link->flush(runner->link_arg);
}

void runner_begin(struct runner *runner, uint64_t now_us)
{
    CHECK(!runner->begun);
    runner->begun = true;
    runner->begun_us = now_us;
    follow_sink(runner, now_us); /* what holds fresh work back comes before the items do */
    announce_items(runner, now_us);
    runner_tick(runner, now_us);
}

/* A worker has chunks of an earlier run in hand. The scheduler must know their items to leave them to
 * it; before the run begins, nothing else comes of that. */
static void expect(struct runner *runner,
                   uint64_t now_us,
                   const struct sched_holding *holding,
                   size_t holding_count)
{
    runner->early = true;
    follow_sink(runner, now_us);
    int rc = runner_read_until(runner, holding, holding_count, &runner->error);
    if (rc != 0) {
        runner_fail(runner, now_us, rc, "reading items failed");
        return;
    }
    announce_items(runner, now_us);
}

void runner_join(struct runner *runner,
                 uint64_t now_us,
                 struct worker_id worker,
                 uint32_t slots,
                 uint32_t credit,
                 const struct sched_holding *holding,
                 size_t holding_count)
{
    struct sched_event event = {.type = SCHED_WORKER_JOINED, .worker = worker};
    if (holding_count > 0 && !runner->over) {
        expect(runner, now_us, holding, holding_count);
    }
    event.as.joined.slots = slots;
    event.as.joined.credit = credit;
    event.as.joined.holding = holding;
    event.as.joined.holding_count = holding_count;
    advance_and_flush(runner, now_us, &event);
}

int runner_results(struct runner *runner,
                   uint64_t now_us,
                   struct worker_id worker,
                   const char *worker_name,
                   const struct chunk_result *results,
                   size_t count,
                   uint32_t credit)
{
    int refused = 0;
    runner->worker_name = worker_name;
    /* One for all results: to clear it for each would cost as much as the rest of this loop. */
    struct sched_event event = {.type = SCHED_RESULT, .worker = worker};
    for (size_t i = 0; i < count; i++) {
        event.as.result.chunk = results[i].id;
        event.as.result.attempt = results[i].attempt;
        event.as.result.run_us = results[i].run_us;
        event.as.result.tally = results[i].tally;
        if (runner->over) {
            break;
        }
        int rc = runner->retries ? runner_find_failed(runner, &results[i]) : 0;
        if (rc != 0) {
            runner_fail(runner, now_us, rc, "results could not be kept");
            break;
        }
        event.as.result.failed = runner->failed;
        event.as.result.failed_count = runner->failed_count;
        rc = step(runner, now_us, &event, &results[i]);
        refused = rc == 0 ? refused : rc;
    }
    runner->worker_name = NULL;
    struct sched_event more = {.type = SCHED_CREDIT, .worker = worker};
    more.as.credit = credit;
    (void)advance(runner, now_us, &more, NULL);
    return refused;
}

void runner_returned(struct runner *runner,
                     uint64_t now_us,
                     struct worker_id worker,
                     struct chunk_id chunk)
{
    struct sched_event event = {.type = SCHED_CHUNK_RETURNED, .worker = worker};
    event.as.returned = chunk;
    advance_and_flush(runner, now_us, &event);
}

void runner_worker_event(struct runner *runner,
                         uint64_t now_us,
                         struct worker_id worker,
                         enum sched_event_type type)
{
    struct sched_event event = {.type = type, .worker = worker};
    advance_and_flush(runner, now_us, &event);
}

void runner_lease(struct runner *runner, uint64_t now_us, uint64_t lease_us)
{
    struct sched_event event = {.type = SCHED_LEASE, .as.lease_us = lease_us};
    advance_and_flush(runner, now_us, &event);
}

void runner_no_more_workers(struct runner *runner, uint64_t now_us)
{
    struct sched_event event = {.type = SCHED_NO_MORE_WORKERS};
    advance_and_flush(runner, now_us, &event);
}

void runner_cancel(struct runner *runner, uint64_t now_us)
{
    runner->cancelled = true;
    if (runner->over && runner->over_limit_us == UINT64_MAX) {
        runner->over_limit_us = now_us + CANCEL_LIMIT_US;
    }
    struct sched_event event = {.type = SCHED_CANCEL};
    advance_and_flush(runner, now_us, &event);
}

void runner_outputs_changed(struct runner *runner, uint64_t now_us)
{
    struct err_text error = {{0}};
    int rc = runner->sink == NULL ? 0 : sink_error(runner->sink, &error, NULL);
    rc = rc != 0 || runner->journal == NULL ? rc : journal_error(runner->journal, &error);
    if (rc != 0 && !runner->over) {
        runner->error = error;
        runner_fail(runner, now_us, rc, "results could not be written");
    }
    if (!runner->over) {
        runner_tick(runner, now_us);
        return;
    }
    runner_follow_journal(runner, now_us);
    runner_conclude(runner, now_us);
    runner->link->flush(runner->link_arg);
}

uint64_t runner_deadline_us(const struct runner *runner)
{
    if (runner->over) {
        return runner->ended_said ? UINT64_MAX : runner->over_limit_us;
    }
    uint64_t sched_us = sched_deadline_us(runner->sched);
    uint64_t grace_us = grace_ends_us(runner);
    if (runner->held && grace_us > runner->now_us && grace_us < sched_us) {
        sched_us = grace_us;
    }
    uint64_t journal_us = runner_journal_due_us(runner);
    return sched_us < journal_us ? sched_us : journal_us;
}

void runner_tick(struct runner *runner, uint64_t now_us)
{
    runner_conclude(runner, now_us);
    struct sched_event event = {.type = SCHED_TICK};
    advance_and_flush(runner, now_us, &event);
}

int runner_poll_fd(const struct runner *runner)
{
    return wants_items(runner) ? source_poll_fd(runner->source) : -1;
}

void runner_feed(struct runner *runner, uint64_t now_us)
{
    if (wants_items(runner)) {
        read_source(runner, now_us);
        runner_tick(runner, now_us);
    }
}
