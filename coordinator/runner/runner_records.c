/* The runner's part in results of single items: which failed, and where they go. */
#include "common/base/err.h"
#include "common/base/record.h"
#include "coordinator/runner/runner_internal.h"
#include "coordinator/sink/sink.h"

#include <stdlib.h>

static int add_failed(struct runner *runner, uint64_t offset)
{
    struct sched_span *last = runner->failed_count > 0 ? &runner->failed[runner->failed_count - 1]
                                                       : NULL;
    if (last != NULL && last->first + last->count == offset) {
        last->count++;
        return 0;
    }
    if (runner->failed_count == runner->failed_capacity) {
        size_t capacity = runner->failed_capacity == 0 ? 64 : 2 * runner->failed_capacity;
        struct sched_span *failed = realloc(runner->failed, capacity * sizeof(*failed));
        if (failed == NULL) {
            return ERR_NOMEM;
        }
        runner->failed = failed;
        runner->failed_capacity = capacity;
    }
    runner->failed[runner->failed_count++] = (struct sched_span){.first = offset, .count = 1};
    return 0;
}

void runner_walk_records(const struct chunk_result *result, struct record_cursor *ret_cursor)
{
    record_cursor_init(ret_cursor,
                       (const char *)blob_bytes(result->records) + result->records_offset,
                       result->tally.ok + result->tally.failed);
}

int runner_find_failed(struct runner *runner, const struct chunk_result *result)
{
    runner->failed_count = 0;
    if (result->records == NULL || result->tally.failed == 0) {
        return 0;
    }
    struct record_cursor cursor;
    struct record record;
    runner_walk_records(result, &cursor);
    for (uint64_t offset = 0; record_cursor_next(&cursor, &record); offset++) {
        if (record.status != RECORD_OK && add_failed(runner, offset) != 0) {
            return ERR_NOMEM;
        }
    }
    return 0;
}

int runner_for_accounted(struct runner *runner,
                         const struct sched_action *action,
                         uint64_t count,
                         int (*done)(struct runner *runner, uint64_t first, uint64_t count))
{
    uint64_t at = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && action->retried > 0 && i < runner->failed_count; i++) {
        const struct sched_span *again = &runner->failed[i];
        if (again->first > at) {
            rc = done(runner, action->first + at, again->first - at);
        }
        at = again->first + again->count;
    }
    return rc == 0 && count > at ? done(runner, action->first + at, count - at) : rc;
}

static int forget_bytes(struct runner *runner, uint64_t first, uint64_t count)
{
    payloads_done(&runner->payloads, first, count);
    return 0;
}

/* The bytes of the items of a batch: an entry's, or, when they are in several, a copy. */
static int find_bytes(struct runner *runner, struct sink_batch *batch, struct blob **ret_copy)
{
    const struct payload_entry *entry = payloads_find(&runner->payloads, batch->first);
    if (entry == NULL) {
        return 0;
    }
    if (batch->first - entry->first + batch->count <= entry->count) {
        batch->payload = entry->blob;
        batch->payload_first = entry->first;
        batch->payload_count = entry->count;
        return 0;
    }
    int rc = payloads_get(&runner->payloads, batch->first, batch->count, ret_copy);
    batch->payload = *ret_copy;
    batch->payload_first = batch->first;
    batch->payload_count = batch->count;
    return rc;
}

int runner_put_items(struct runner *runner,
                     const struct sched_action *action,
                     const struct chunk_result *result,
                     const char *lost)
{
    uint64_t count = result != NULL ? action->done : action->count;
    int rc = 0;
    if (runner->sink != NULL && count > 0) {
        struct blob *copy = NULL;
        bool recorded = result != NULL && result->records != NULL;
        struct sink_batch batch = {
            .first = action->first,
            .count = count,
            .records = recorded ? result->records : NULL,
            .records_offset = recorded ? result->records_offset : 0,
            .records_len = recorded ? result->records_len : 0,
            .lost = recorded ? NULL : lost,
            .withhold_failed = action->retried > 0,
            .attempt = action->attempt,
            .worker = runner->worker_name != NULL ? runner->worker_name : "",
        };
        rc = find_bytes(runner, &batch, &copy);
        rc = rc != 0 ? rc : sink_put(runner->sink, &batch);
        blob_unref(copy);
    }
    (void)runner_for_accounted(runner, action, count, forget_bytes);
    return rc;
}
