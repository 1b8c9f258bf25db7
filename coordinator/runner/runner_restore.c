/* A job that goes on after its coordinator died: what is done is not run again, and the bytes of
 * what is not are at hand.
 *
 * The input is read again from its beginning. Items that are done are let go; the others, which
 * were in flight or had not been sent, are kept (payloads.c) as if they had been sent before. */
#include "coordinator/journal/journal.h"
#include "coordinator/runner/runner_internal.h"

#include <stdlib.h>
#include <string.h>

/* How many items beyond those that were read a worker may name as held. */
enum { HOLDING_AHEAD_MAX = 1024 * 1024 };

/* Take the items [runner->taken, end), all read, from the source. With `keep` their bytes stay. */
static int take(struct runner *runner, uint64_t end, bool keep)
{
    struct blob *payload = NULL;
    uint64_t first = runner->taken;
    if (first == end) {
        return 0;
    }
    int rc = source_take(runner->source, first, end - first, &payload);
    if (rc != 0) {
        return rc;
    }
    runner->taken = end;
    if (keep && payload != NULL) {
        rc = payloads_add(&runner->payloads, first, end - first, payload);
        if (rc == 0) {
            return 0;
        }
    }
    blob_unref(payload);
    return rc;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Read on and take everything up to `end`, or to the end of the input. */
static int take_until(struct runner *runner, uint64_t end, bool keep, struct err_text *ret_error)
{
    int rc = 0;
    while (rc == 0 && runner->taken < end) {
        uint64_t available = source_available(runner->source);
        if (available == runner->taken && source_is_final(runner->source)) {
            return 0;
        }
        rc = available == runner->taken ? source_read(runner->source, ret_error)
                                        : take(runner, least(available, end), keep);
        if (rc == ERR_NOMEM) {
            (void)err_set(ret_error, rc, "no memory for the items of the run");
        }
    }
    return rc;
}

/* The bytes of what is not done of the first `known` items. */
static int read_again(struct runner *runner,
                      const struct interval_set *done,
                      uint64_t known,
                      struct err_text *ret_error)
{
    if (source_chunk_items_max(runner->source) == 0) {
        return 0; /* numbers */
    }
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < done->count; i++) {
        rc = take_until(runner, done->spans[i].first, true, ret_error);
        rc = rc != 0 ? rc : take_until(runner, done->spans[i].end, false, ret_error);
    }
    rc = rc != 0 ? rc : take_until(runner, known, true, ret_error);
    if (rc == 0 && runner->taken < known) {
        return err_set(ret_error, ERR_INVALID, "the input has fewer items than when the run began");
    }
    return rc;
}

static int tell_scheduler(struct runner *runner,
                          const struct journal_state *state,
                          uint64_t known,
                          struct err_text *ret_error)
{
    const struct interval_set *done = &state->done;
    struct sched_span *spans = calloc(done->count + 1, sizeof(*spans));
    if (spans == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory to go on with the run");
    }
    for (size_t i = 0; i < done->count; i++) {
        spans[i].first = done->spans[i].first;
        spans[i].count = done->spans[i].end - done->spans[i].first;
    }
    int rc = sched_restore(runner->sched, spans, done->count, known, &state->counts.tally);
    free(spans);
    return rc == 0 ? 0 : err_set(ret_error, rc, "the run cannot go on: %s", err_name(rc));
}

static void take_over_failures(struct runner *runner, const struct journal_state *state)
{
    for (size_t i = 0; i < state->failure_count; i++) {
        const struct journal_failure *failure = &state->failures[i];
        runner_note_failure(runner, failure->index, failure->reason, strlen(failure->reason));
    }
}

int runner_restore(struct runner *runner,
                   const struct journal_state *state,
                   uint64_t items_count,
                   struct err_text *ret_error)
{
    runner->counts_before = state->counts;
    runner->items_before = state->done.members;
    take_over_failures(runner, state);
    int rc = read_again(runner, &state->done, state->input.items, ret_error);
    /* Also what the earlier run had read and not noted is known to be the same. */
    uint64_t known = items_count > state->input.items ? items_count : state->input.items;
    return rc != 0 ? rc : tell_scheduler(runner, state, known, ret_error);
}

int runner_read_until(struct runner *runner,
                      const struct sched_holding *holding,
                      size_t holding_count,
                      struct err_text *ret_error)
{
    uint64_t end = 0;
    uint64_t limit = source_available(runner->source) + HOLDING_AHEAD_MAX;
    for (size_t i = 0; i < holding_count; i++) {
        uint64_t held_end = holding[i].first + holding[i].count;
        end = held_end > end && held_end <= limit ? held_end : end;
    }
    return source_chunk_items_max(runner->source) == 0 ? 0
                                                       : take_until(runner, end, true, ret_error);
}
