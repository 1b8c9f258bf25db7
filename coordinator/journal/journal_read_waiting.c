/* Reads the batches of a journal that wait; see journal_reader.h. */
#include "common/base/items.h"
#include "common/base/record.h"
#include "coordinator/journal/journal_reader.h"
#include "coordinator/journal/journal_sql.h"

#include <stdlib.h>
#include <string.h>

enum {
    WAITING_FIRST,
    WAITING_END,
    WAITING_ATTEMPT,
    WAITING_WITHHOLD,
    WAITING_WORKER,
    WAITING_LOST,
    WAITING_ITEMS,
    WAITING_RECORDS,
    WAITING_SEAL,
};

/* A copy of the row's bytes; `*ret_blob` is NULL where the row has NULL. */
static int blob_of(const struct journal_reader *reader, int column, struct blob **ret_blob)
{
    *ret_blob = NULL;
    if (sqlite3_column_type(reader->row, column) == SQLITE_NULL) {
        return 0;
    }
    const void *bytes = sqlite3_column_blob(reader->row, column);
    size_t len = (size_t)sqlite3_column_bytes(reader->row, column);
    char *copy = malloc(len + 1);
    if (copy == NULL || (len > 0 && bytes == NULL)) {
        free(copy);
        return ERR_NOMEM;
    }
    if (len > 0) {
        memcpy(copy, bytes, len);
    }
    *ret_blob = blob_new(copy, len, NULL, NULL);
    if (*ret_blob == NULL) {
        free(copy);
        return ERR_NOMEM;
    }
    return 0;
}

/* All but the blobs; copies of the texts. */
static int read_waiting_head(const struct journal_reader *reader, struct sink_batch *batch)
{
    const char *worker = journal_reader_text(reader, WAITING_WORKER, SINK_WORKER_SIZE - 1);
    const char *lost = journal_reader_text(reader, WAITING_LOST, ERR_TEXT_SIZE);
    uint64_t end;
    uint64_t attempt;
    uint64_t withhold;
    bool in_range = journal_reader_count(reader, WAITING_FIRST, &batch->first) &&
                    journal_reader_count(reader, WAITING_END, &end) &&
                    journal_reader_count(reader, WAITING_ATTEMPT, &attempt) &&
                    journal_reader_count(reader, WAITING_WITHHOLD, &withhold);
    if (!in_range || end <= batch->first || attempt > UINT32_MAX || withhold > 1 ||
        worker == NULL || lost == NULL) {
        return journal_reader_damaged(reader, "a result that waits is not what it should be");
    }
    batch->count = end - batch->first;
    batch->attempt = (uint32_t)attempt;
    batch->withhold_failed = withhold == 1;
    batch->waited = true;
    batch->worker = strdup(worker);
    batch->lost = strdup(lost);
    return batch->worker != NULL && batch->lost != NULL ? 0 : ERR_NOMEM;
}

static int read_waiting_blobs(const struct journal_reader *reader, struct sink_batch *batch)
{
    int code = blob_of(reader, WAITING_ITEMS, &batch->payload);
    if (code == 0) {
        code = blob_of(reader, WAITING_RECORDS, &batch->records);
    }
    if (code != 0) {
        return code;
    }
    if (batch->payload != NULL) {
        batch->payload_first = batch->first;
        batch->payload_count = batch->count;
        if (!items_payload_valid(
                blob_bytes(batch->payload), blob_len(batch->payload), batch->count)) {
            return journal_reader_damaged(reader, "the items of a result that waits are not whole");
        }
    }
    if (batch->records == NULL) {
        return batch->withhold_failed
                   ? journal_reader_damaged(reader, "a result waits that has nothing to write")
                   : 0;
    }
    batch->records_len = blob_len(batch->records);
    if (!records_valid(blob_bytes(batch->records), batch->records_len, batch->count)) {
        return journal_reader_damaged(reader, "the records of a result that waits are not whole");
    }
    return 0;
}

static int check_waiting_seal(struct journal_reader *reader, const struct sink_batch *batch)
{
    const void *items = batch->payload != NULL ? blob_bytes(batch->payload) : NULL;
    size_t items_len = batch->payload != NULL ? blob_len(batch->payload) : 0;
    uint64_t seal = journal_seal_waiting(batch, items, items_len);
    if (seal != journal_sql_column(reader->row, WAITING_SEAL)) {
        return journal_reader_damaged(reader,
                                      "a result that waits has changed since it was written");
    }
    reader->store->sums.waiting += seal;
    return 0;
}

int journal_reader_take_waiting(struct journal_reader *reader)
{
    struct journal_state *state = reader->state;
    struct sink_batch batch = {0};
    struct sink_batch *waiting = journal_reader_grown(
        state->waiting, state->waiting_count, sizeof(*waiting));
    if (waiting == NULL) {
        return ERR_NOMEM;
    }
    state->waiting = waiting;
    int code = read_waiting_head(reader, &batch);
    if (code == 0) {
        code = read_waiting_blobs(reader, &batch);
    }
    if (code == 0) {
        code = check_waiting_seal(reader, &batch);
    }
    if (code != 0) {
        journal_batch_deinit(&batch);
        return code;
    }
    state->waiting[state->waiting_count++] = batch;
    return 0;
}

/* Add the items of the batch that are not written and not withheld. ERR_INVALID: one is in it
 * already. */
static int add_waiting(const struct sink_batch *batch, uint64_t next, struct interval_set *set)
{
    struct record_cursor cursor = {0};
    struct record record = {.status = RECORD_OK};
    uint64_t end = batch->first + batch->count;
    uint64_t first = batch->first > next ? batch->first : next;
    int code = 0;
    if (!batch->withhold_failed) {
        return first < end ? interval_add(set, first, end) : 0;
    }
    record_cursor_init(&cursor, blob_bytes(batch->records), batch->count);
    for (uint64_t i = batch->first; i < end && code == 0; i++) {
        (void)record_cursor_next(&cursor, &record);
        if (i >= next && record.status == RECORD_OK) {
            code = interval_add(set, i, i + 1);
        }
    }
    return code;
}

int journal_reader_check_order(const struct journal_reader *reader)
{
    const struct journal_state *state = reader->state;
    struct interval_set all;
    interval_init(&all);
    int code = state->next > 0 ? interval_add(&all, 0, state->next) : 0;
    for (size_t i = 0; i < state->waiting_count && code == 0; i++) {
        code = add_waiting(&state->waiting[i], state->next, &all);
    }
    bool equal = code == 0 && all.count == state->done.count &&
                 (all.count == 0 ||
                  memcmp(all.spans, state->done.spans, all.count * sizeof(all.spans[0])) == 0);
    interval_deinit(&all);
    if (code == ERR_NOMEM || equal) {
        return code;
    }
    return journal_reader_damaged(reader, "what waits to be written does not fit to what is done");
}
