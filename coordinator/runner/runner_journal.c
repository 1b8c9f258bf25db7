/* The runner's part in the journal: what is noted, when a group of it is closed, what is durable.
 *
 * A group is closed when the one before it is durable, and not more often than every GROUP_US: each
 * costs a write to the disk, and, when there are results, one for each file of them. */
#include "common/base/record.h"
#include "coordinator/journal/journal.h"
#include "coordinator/runner/runner_internal.h"
#include "coordinator/sink/sink.h"

#include <string.h>

enum { GROUP_US = 20000 };

static int note_done(struct runner *runner, uint64_t first, uint64_t count)
{
    runner->noted = true;
    return journal_note_done(runner->journal, first, count);
}

static int note_failure(struct runner *runner,
                        const struct sched_action *action,
                        uint64_t index,
                        const char *reason,
                        size_t len)
{
    return journal_note_failed(runner->journal, index, action->attempt, reason, len);
}

/* Records name every failed item, a result without them only the first. */
static int note_failures(struct runner *runner,
                         const struct sched_action *action,
                         const struct chunk_result *result)
{
    if (result->tally.failed == 0 || action->retried > 0) {
        return 0;
    }
    if (result->records == NULL) {
        bool told = result->error != NULL;
        return note_failure(runner,
                            action,
                            result->error_index,
                            told ? result->error : "failed",
                            told ? result->error_len : strlen("failed"));
    }
    struct record_cursor cursor;
    struct record record;
    int rc = 0;
    runner_walk_records(result, &cursor);
    for (uint64_t i = action->first; rc == 0 && record_cursor_next(&cursor, &record); i++) {
        if (record.status != RECORD_OK) {
            rc = note_failure(runner, action, i, record.reason, record.reason_len);
        }
    }
    return rc;
}

int runner_note_journal(struct runner *runner,
                        const struct sched_action *action,
                        const struct chunk_result *result,
                        const char *lost)
{
    if (runner->journal == NULL) {
        return 0;
    }
    if (result != NULL) {
        int rc = runner_for_accounted(runner, action, action->done, note_done);
        return rc != 0 ? rc : note_failures(runner, action, result);
    }
    int rc = note_done(runner, action->first, action->count);
    for (uint64_t i = 0; rc == 0 && i < action->count; i++) {
        rc = note_failure(runner, action, action->first + i, lost, strlen(lost));
    }
    return rc;
}

uint64_t runner_noted(const struct runner *runner)
{
    if (runner->journal == NULL) {
        return 0;
    }
    return journal_group(runner->journal) - (runner->noted ? 0 : 1);
}

uint64_t runner_durable(const struct runner *runner)
{
    return runner->journal == NULL ? 0 : journal_durable(runner->journal);
}

static void count(const struct runner *runner, uint64_t now_us, struct journal_counts *ret_counts)
{
    const struct journal_counts *before = &runner->counts_before;
    struct sched_stats stats;
    sched_get_stats(runner->sched, &stats);
    *ret_counts = (struct journal_counts){
        .tally = stats.tally, /* with that of earlier runs: see sched_restore */
        .elapsed_us = before->elapsed_us + (runner->begun ? now_us - runner->begun_us : 0),
        .chunks = before->chunks + stats.chunks_finished,
        .retried = before->retried + stats.chunks_retried,
        .items_retried = before->items_retried + stats.items_retried,
        .duplicates = before->duplicates + stats.duplicates,
        .workers_lost = before->workers_lost + stats.workers_lost,
    };
}

static void close_group(struct runner *runner, uint64_t now_us, bool last)
{
    uint64_t group = journal_group(runner->journal);
    struct journal_counts counts;
    struct journal_input input = {.items = source_available(runner->source),
                                  .final = source_is_final(runner->source)};
    count(runner, now_us, &counts);
    journal_close_group(runner->journal, &counts, &input, last);
    runner->noted = false;
    runner->completed = last;
    runner->closed_us = now_us;
    if (runner->sink != NULL && sink_put_mark(runner->sink, group) != 0) {
        (void)err_set(
            &runner->error, ERR_NOMEM, "no memory to keep the journal and results together");
    }
}

static bool may_close(const struct runner *runner)
{
    return runner->journal != NULL && runner->noted && journal_can_close(runner->journal);
}

void runner_follow_journal(struct runner *runner, uint64_t now_us)
{
    if (!runner->over && may_close(runner) && now_us - runner->closed_us >= GROUP_US) {
        close_group(runner, now_us, false);
    }
    uint64_t durable = runner_durable(runner);
    if (durable != runner->told_durable) {
        runner->told_durable = durable;
        runner->durable_us = now_us;
        if (runner->link->durable != NULL) {
            runner->link->durable(runner->link_arg);
        }
    }
}

uint64_t runner_journal_due_us(const struct runner *runner)
{
    return may_close(runner) && !runner->over ? runner->closed_us + GROUP_US : UINT64_MAX;
}

/* Nothing more becomes durable; then the runner's error says why. */
static bool has_failed(struct runner *runner)
{
    if (runner->error.s[0] != '\0') {
        return true;
    }
    int rc = runner->sink == NULL ? 0 : sink_error(runner->sink, &runner->error, NULL);
    rc = rc != 0 ? rc : journal_error(runner->journal, &runner->error);
    return rc != 0;
}

bool runner_journal_is_complete(const struct runner *runner)
{
    return runner->completed && runner_durable(runner) >= runner_noted(runner);
}

bool runner_finish_journal(struct runner *runner, uint64_t now_us, bool complete)
{
    if (has_failed(runner)) {
        return true;
    }
    bool due = runner->noted || (complete && !runner->completed);
    if (due && journal_can_close(runner->journal)) {
        close_group(runner, now_us, complete);
        due = false;
    }
    return !due && runner_durable(runner) >= runner_noted(runner);
}
