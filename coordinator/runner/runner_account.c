/* What a run came to: counts, the first failures, what was not run. */
#include "common/base/record.h"
#include "coordinator/runner/runner_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void runner_note_failure(struct runner *runner, uint64_t index, const char *text, size_t len)
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

/* Records name every failed item, a result without them only the first. */
static void note_records(struct runner *runner, uint64_t first, const struct chunk_result *result)
{
    struct record_cursor cursor;
    struct record record;
    uint64_t left = RUNNER_FAILURES_MAX;
    runner_walk_records(result, &cursor);
    for (uint64_t i = first; left > 0 && record_cursor_next(&cursor, &record); i++) {
        if (record.status != RECORD_OK) {
            runner_note_failure(runner, i, record.reason, record.reason_len);
            left--;
        }
    }
}

void runner_note_result(struct runner *runner,
                        const struct sched_action *action,
                        const struct chunk_result *result)
{
    if (action->retried > 0) {
        return;
    }
    if (result->records != NULL) {
        note_records(runner, action->first, result);
        return;
    }
    bool told = result->error != NULL;
    runner_note_failure(runner,
                        result->error_index,
                        told ? result->error : "failed",
                        told ? result->error_len : strlen("failed"));
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
    ret_sample->items_before = runner->items_before;
    ret_sample->ok = stats.tally.ok;
    ret_sample->failed = stats.tally.failed;
    ret_sample->retried = stats.chunks_retried;
    ret_sample->items_retried = stats.items_retried;
    ret_sample->duplicates = stats.duplicates;
    ret_sample->speculated = stats.chunks_speculated;
    ret_sample->speculations_won = stats.speculations_won;
    ret_sample->saved_s = (double)stats.speculation_saved_us / 1e6;
    ret_sample->adopted = stats.chunks_adopted;
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
