#include "coordinator/runner.h"

#include "common/base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ACTIONS_MAX = 512, ATTEMPTS_MAX = 3, CHUNK_TARGET_US = 100000 };

struct runner {
    struct sched *sched;
    struct source *source;
    const struct runner_link *link;
    void *link_arg;
    enum runner_outcome outcome;
    bool begun;
    bool ended_said;
    bool cancelled;
    bool performing; /* going through `list`, which every event overwrites */
    uint64_t now_us; /* the latest that was told */
    uint64_t begun_us;
    uint64_t ended_us;

    /* Bytes of chunks in flight, by the scheduler's dense slot: a retry needs them again. */
    struct blob **payloads;
    size_t payload_count;

    uint64_t told_available; /* what the scheduler knows of the source */
    bool told_final;

    struct runner_failure failures[RUNNER_FAILURES_MAX]; /* ascending by index */
    size_t failure_count;
    struct err_text error;
    struct sched_action list[ACTIONS_MAX];
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
    struct sched_options sched = {
        .workers_max = options->workers_max,
        .chunk_items = options->chunk_items,
        .chunk_target_us = CHUNK_TARGET_US,
        .attempts_max = ATTEMPTS_MAX,
        .lease_us = options->lease_us,
    };
    int rc = sched_new(&sched, &runner->sched);
    if (rc != 0) {
        err_set(ret_error, rc, "no memory for the scheduler");
        goto out;
    }
    rc = source_open(&options->items, ret_error, &runner->source);
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
    for (size_t i = 0; i < runner->payload_count; i++) {
        blob_unref(runner->payloads[i]);
    }
    free(runner->payloads);
    source_close(runner->source);
    sched_free(runner->sched);
    free(runner);
}

static void end(struct runner *runner, uint64_t now_us, enum runner_outcome outcome)
{
    if (runner->ended_said) {
        return;
    }
    runner->outcome = outcome;
    runner->ended_said = true;
    runner->ended_us = now_us;
    runner->link->ended(runner->link_arg);
}

static void fail(struct runner *runner, uint64_t now_us, int code, const char *what)
{
    if (runner->error.s[0] == '\0') {
        (void)err_set(&runner->error, code, "%s: %s", what, err_name(code));
    }
    end(runner, now_us, RUNNER_FAILED);
}

/* Keep the failures with the smallest indices. */
static void note_failure(struct runner *runner, uint64_t index, const char *text, size_t len)
{
    size_t at = runner->failure_count;
    while (at > 0 && runner->failures[at - 1].index > index) {
        at--;
    }
    if (at == RUNNER_FAILURES_MAX) {
        return;
    }
    if (runner->failure_count < RUNNER_FAILURES_MAX) {
        runner->failure_count++;
    }
    memmove(&runner->failures[at + 1],
            &runner->failures[at],
            (runner->failure_count - at - 1) * sizeof(runner->failures[0]));
    struct runner_failure *failure = &runner->failures[at];
    failure->index = index;
    (void)snprintf(failure->text, sizeof(failure->text), "%.*s", (int)len, text);
    err_one_line(failure->text);
}

static int reserve_payload(struct runner *runner, uint32_t slot)
{
    if (slot < runner->payload_count) {
        return 0;
    }
    size_t count = runner->payload_count == 0 ? 64 : runner->payload_count * 2;
    while (count <= slot) {
        count *= 2;
    }
    struct blob **payloads = realloc(runner->payloads, count * sizeof(struct blob *));
    if (payloads == NULL) {
        return ERR_NOMEM;
    }
    memset(payloads + runner->payload_count,
           0,
           (count - runner->payload_count) * sizeof(struct blob *));
    runner->payloads = payloads;
    runner->payload_count = count;
    return 0;
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
        int rc = reserve_payload(runner, action->slot);
        if (rc != 0) {
            return rc;
        }
        struct blob **payload = &runner->payloads[action->slot];
        /* The first time this chunk is sent its bytes are taken from the source; later attempts
         * find them here. */
        if (*payload == NULL) {
            rc = source_take(runner->source, action->first, action->count, payload);
            if (rc != 0) {
                return rc;
            }
        }
        chunk.payload = blob_ref(*payload);
        chunk.payload_len = (uint32_t)blob_len(*payload);
    }
    runner->link->queue(runner->link_arg, action->worker, &chunk);
    return 0;
}

static void release_payload(struct runner *runner, uint32_t slot)
{
    if (slot < runner->payload_count) {
        blob_unref(runner->payloads[slot]);
        runner->payloads[slot] = NULL;
    }
}

static void note_result_failure(struct runner *runner, const struct chunk_result *result)
{
    if (result != NULL && result->tally.failed > 0) {
        bool told = result->error != NULL;
        note_failure(runner,
                     result->error_index,
                     told ? result->error : "failed",
                     told ? result->error_len : strlen("failed"));
    }
}

static void note_abandoned(struct runner *runner, const struct sched_action *action)
{
    char text[CHUNK_ERROR_SIZE];
    int len = snprintf(
        text, sizeof(text), "lost together with the worker that ran it, %u times", action->attempt);
    note_failure(runner, action->first, text, (size_t)len);
}

/* `result`: the one of the event in hand, or NULL. */
static void perform(struct runner *runner,
                    uint64_t now_us,
                    const struct sched_action *action,
                    const struct chunk_result *result)
{
    switch (action->type) {
    case SCHED_SEND: {
        int rc = perform_send(runner, action);
        if (rc != 0) {
            fail(runner, now_us, rc, "sending a chunk failed");
        }
        break;
    }
    case SCHED_FINISHED:
        release_payload(runner, action->slot);
        note_result_failure(runner, result);
        break;
    case SCHED_SPLIT:
        release_payload(runner, action->slot); /* bytes are kept by slot: the pieces lack theirs */
        break;
    case SCHED_ABANDONED:
        release_payload(runner, action->slot);
        note_abandoned(runner, action);
        break;
    case SCHED_DROP_WORKER:
        runner->link->drop(runner->link_arg, action->worker);
        break;
    case SCHED_STALLED:
        end(runner, now_us, RUNNER_STALLED);
        break;
    case SCHED_DONE:
        end(runner, now_us, runner->cancelled ? RUNNER_CANCELLED : RUNNER_DONE);
        break;
    }
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
        fail(runner, now_us, rc, "the scheduler could not go on");
    }
    runner->performing = true;
    for (size_t i = 0; i < actions.count && !runner->ended_said; i++) {
        perform(runner, now_us, &actions.list[i], result);
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
        fail(runner, now_us, rc, "reading items failed");
        return;
    }
    announce_items(runner, now_us);
}

static bool wants_items(const struct runner *runner)
{
    return runner->begun && !runner->ended_said && sched_wants_items(runner->sched) &&
           !source_is_full(runner->source);
}

/* Perform one event and what follows from it: a full list of actions goes on with ticks, a
 * hungry scheduler gets more items. */
static int advance(struct runner *runner,
                   uint64_t now_us,
                   const struct sched_event *event,
                   const struct chunk_result *result)
{
    if (runner->ended_said) {
        return 0;
    }
    int rc = step(runner, now_us, event, result);
    struct sched_event tick = {.type = SCHED_TICK};
    while (!runner->ended_said && sched_deadline_us(runner->sched) <= now_us) {
        (void)step(runner, now_us, &tick, NULL);
    }
    while (wants_items(runner) && source_poll_fd(runner->source) < 0) {
        read_source(runner, now_us);
    }
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
    announce_items(runner, now_us);
    runner_tick(runner, now_us);
}

void runner_join(struct runner *runner,
                 uint64_t now_us,
                 struct worker_id worker,
                 uint32_t slots,
                 uint32_t credit)
{
    struct sched_event event = {.type = SCHED_WORKER_JOINED, .worker = worker};
    event.as.joined.slots = slots;
    event.as.joined.credit = credit;
    advance_and_flush(runner, now_us, &event);
}

int runner_results(struct runner *runner,
                   uint64_t now_us,
                   struct worker_id worker,
                   const struct chunk_result *results,
                   size_t count,
                   uint32_t credit)
{
    int refused = 0;
    for (size_t i = 0; i < count; i++) {
        struct sched_event event = {.type = SCHED_RESULT, .worker = worker};
        event.as.result.chunk = results[i].id;
        event.as.result.attempt = results[i].attempt;
        event.as.result.run_us = results[i].run_us;
        event.as.result.tally = results[i].tally;
        if (runner->ended_said) {
            return refused;
        }
        int rc = step(runner, now_us, &event, &results[i]);
        refused = rc == 0 ? refused : rc;
    }
    struct sched_event event = {.type = SCHED_CREDIT, .worker = worker};
    event.as.credit = credit;
    (void)advance(runner, now_us, &event, NULL);
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

void runner_no_more_workers(struct runner *runner, uint64_t now_us)
{
    struct sched_event event = {.type = SCHED_NO_MORE_WORKERS};
    advance_and_flush(runner, now_us, &event);
}

void runner_cancel(struct runner *runner, uint64_t now_us)
{
    runner->cancelled = true;
    struct sched_event event = {.type = SCHED_CANCEL};
    advance_and_flush(runner, now_us, &event);
}

uint64_t runner_deadline_us(const struct runner *runner)
{
    return runner->ended_said ? UINT64_MAX : sched_deadline_us(runner->sched);
}

void runner_tick(struct runner *runner, uint64_t now_us)
{
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

enum runner_outcome runner_outcome(const struct runner *runner)
{
    return runner->outcome;
}

const char *runner_error(const struct runner *runner)
{
    return runner->error.s;
}

void runner_stats(const struct runner *runner, struct sched_stats *ret_stats)
{
    sched_get_stats(runner->sched, ret_stats);
}

uint64_t runner_items_total(const struct runner *runner)
{
    return source_is_final(runner->source) ? source_available(runner->source) : 0;
}

size_t runner_failures(const struct runner *runner, const struct runner_failure **ret_failures)
{
    *ret_failures = runner->failures;
    return runner->failure_count;
}

/* Appends to `text` and returns the new length, never beyond `size` - 1. */
static size_t append_gap(char *text, size_t size, size_t len, uint64_t first, uint64_t end)
{
    int added = end - first == 1
                    ? snprintf(text + len, size - len, "%s%" PRIu64, len == 0 ? "" : ", ", first)
                    : snprintf(text + len,
                               size - len,
                               "%s%" PRIu64 " to %" PRIu64,
                               len == 0 ? "" : ", ",
                               first,
                               end - 1);
    size_t next = len + (size_t)added;
    return next < size ? next : size - 1;
}

char *runner_describe_missing(const struct runner *runner, char *ret_text, size_t size)
{
    enum { GAPS_MAX = 6 };

    uint64_t total = source_available(runner->source);
    uint64_t first = 0;
    uint64_t end = 0;
    uint64_t gap_from = 0;
    size_t spans = sched_done_spans(runner->sched, 0, &first, &end);
    size_t gaps = 0;
    size_t len = 0;
    ret_text[0] = '\0';
    for (size_t i = 0; i <= spans && gaps < GAPS_MAX; i++) {
        first = total;
        end = total;
        if (i < spans) {
            (void)sched_done_spans(runner->sched, i, &first, &end);
        }
        if (first > gap_from) {
            len = append_gap(ret_text, size, len, gap_from, first);
            gaps++;
        }
        gap_from = end;
    }
    if (gaps == GAPS_MAX) {
        (void)snprintf(ret_text + len, size - len, ", ...");
    }
    return ret_text;
}

void runner_fill_sample(const struct runner *runner, struct sample *ret_sample)
{
    struct sched_stats stats;
    sched_get_stats(runner->sched, &stats);
    memset(ret_sample, 0, sizeof(*ret_sample));
    ret_sample->wall_s = (double)(runner->ended_us - runner->begun_us) / 1e6;
    ret_sample->items = source_available(runner->source);
    ret_sample->ok = stats.tally.ok;
    ret_sample->failed = stats.tally.failed;
    ret_sample->retried = stats.chunks_retried;
    ret_sample->duplicates = stats.duplicates;
    ret_sample->workers_lost = stats.workers_lost;
    ret_sample->chunks = stats.chunks_finished;
    ret_sample->checksum = stats.tally.checksum;
    ret_sample->bytes_out = stats.tally.bytes_out;
    ret_sample->complete = runner->outcome == RUNNER_DONE;
    if (runner->failure_count > 0) {
        (void)snprintf(ret_sample->first_error,
                       sizeof(ret_sample->first_error),
                       "item %" PRIu64 ": %s",
                       runner->failures[0].index,
                       runner->failures[0].text);
    }
}
