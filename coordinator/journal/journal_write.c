/* Writes a group to a journal; see journal_store.h. Every function here returns SQLite's code, as all
 * that can fail is the database. */
#include "common/base/check.h"
#include "common/base/items.h"
#include "coordinator/journal/journal_sql.h"
#include "coordinator/journal/journal_store.h"

#include <stdlib.h>
#include <string.h>

int journal_write_progress(struct journal_store *store)
{
    sqlite3_stmt *statement = store->statements[JOURNAL_PUT_PROGRESS];
    const struct journal_progress *progress = &store->progress;
    uint64_t numbers[JOURNAL_NUMBERS];
    journal_progress_to_numbers(progress, numbers);
    for (int i = 0; i < JOURNAL_NUMBERS; i++) {
        (void)journal_sql_bind(statement, i + 1, numbers[i]);
    }
    (void)journal_sql_bind(
        statement, JOURNAL_NUMBERS + 1, journal_seal(progress, &store->done, &store->sums));
    return journal_store_run(store, JOURNAL_PUT_PROGRESS);
}

/* --- what is done --- */

/* The span that has `value`, which one has. */
static const struct interval *span_of(const struct interval_set *set, uint64_t value)
{
    size_t low = 0;
    size_t high = set->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (set->spans[middle].first <= value) {
            low = middle;
        } else {
            high = middle;
        }
    }
    CHECK(set->count > 0 && set->spans[low].first <= value && set->spans[low].end > value);
    return &set->spans[low];
}

static int put_span(struct journal_store *store, const struct interval *span)
{
    sqlite3_stmt *statement = store->statements[JOURNAL_PUT_DONE];
    (void)journal_sql_bind(statement, 1, span->first);
    (void)journal_sql_bind(statement, 2, span->end);
    return journal_store_run(store, JOURNAL_PUT_DONE);
}

static int drop_span(struct journal_store *store, uint64_t first)
{
    (void)journal_sql_bind(store->statements[JOURNAL_DROP_DONE], 1, first);
    return journal_store_run(store, JOURNAL_DROP_DONE);
}

/* Add the group's spans, in order; rows that begin where one of them ends become part of another
 * row. */
static int merge_done(struct journal_store *store, const struct interval_set *group)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; i < group->count && rc == SQLITE_OK; i++) {
        const struct interval *span = &group->spans[i];
        if (interval_contains(&store->done, span->end)) {
            rc = drop_span(store, span->end);
        }
        int code = interval_add(&store->done, span->first, span->end);
        CHECK(code != ERR_INVALID); /* the owner's side refuses what is done already */
        rc = code == 0 ? rc : SQLITE_NOMEM;
    }
    return rc;
}

/* Only the rows that changed, each once. */
static int put_done(struct journal_store *store, const struct interval_set *group)
{
    int rc = merge_done(store, group);
    uint64_t put_to = 0;
    for (size_t i = 0; i < group->count && rc == SQLITE_OK; i++) {
        if (group->spans[i].first >= put_to) {
            const struct interval *span = span_of(&store->done, group->spans[i].first);
            rc = put_span(store, span);
            put_to = span->end;
        }
    }
    return rc;
}

static int put_failed(struct journal_store *store, const struct journal_group *group)
{
    sqlite3_stmt *statement = store->statements[JOURNAL_PUT_FAILED];
    int rc = SQLITE_OK;
    for (size_t i = 0; i < group->failed_count && rc == SQLITE_OK; i++) {
        const struct journal_failed *failed = &group->failed[i];
        const char *reason = group->reasons + failed->reason_offset;
        (void)journal_sql_bind(statement, 1, failed->index);
        (void)journal_sql_bind(statement, 2, failed->attempt);
        (void)sqlite3_bind_text(statement, 3, reason, (int)failed->reason_len, SQLITE_STATIC);
        rc = journal_store_run(store, JOURNAL_PUT_FAILED);
        store->sums.failed += journal_seal_failed(
            failed->index, failed->attempt, reason, failed->reason_len);
    }
    return rc;
}

/* --- the sink's mark --- */

/* Where the place is in the store; place_count: nowhere yet. They come in one order nearly always. */
static size_t find_place(const struct journal_store *store, size_t hint, const char *path)
{
    if (hint < store->place_count && strcmp(store->places[hint].path, path) == 0) {
        return hint;
    }
    size_t i = 0;
    while (i < store->place_count && strcmp(store->places[i].path, path) != 0) {
        i++;
    }
    return i;
}

static int add_place(struct journal_store *store, const struct sink_place *place)
{
    struct sink_place *places = reallocarray(
        store->places, store->place_count + 1, sizeof(*places));
    if (places == NULL) {
        return SQLITE_NOMEM;
    }
    store->places = places;
    places[store->place_count] = (struct sink_place){strdup(place->path), 0};
    if (places[store->place_count].path == NULL) {
        return SQLITE_NOMEM;
    }
    store->place_count++;
    return SQLITE_OK;
}

static int put_place(struct journal_store *store, size_t hint, const struct sink_place *place)
{
    size_t at = find_place(store, hint, place->path);
    bool is_new = at == store->place_count;
    int rc = is_new ? add_place(store, place) : SQLITE_OK;
    if (rc != SQLITE_OK || (!is_new && store->places[at].length == place->length)) {
        return rc;
    }
    if (!is_new) {
        store->sums.places -= journal_seal_place(&store->places[at]);
    }
    store->places[at].length = place->length;
    store->sums.places += journal_seal_place(&store->places[at]);
    sqlite3_stmt *statement = store->statements[JOURNAL_PUT_OUTPUT];
    (void)sqlite3_bind_text(statement, 1, place->path, -1, SQLITE_STATIC);
    (void)journal_sql_bind(statement, 2, place->length);
    return journal_store_run(store, JOURNAL_PUT_OUTPUT);
}

/* Rows whose items are all written. */
static int drop_waiting(struct journal_store *store, uint64_t next)
{
    sqlite3_stmt *statement = store->statements[JOURNAL_DROP_WAITING];
    int rc = SQLITE_ROW;
    (void)journal_sql_bind(statement, 1, next);
    while (rc == SQLITE_ROW) {
        rc = sqlite3_step(statement);
        if (rc == SQLITE_ROW) {
            store->sums.waiting -= journal_sql_column(statement, 0);
        }
    }
    int reset = sqlite3_reset(statement);
    return rc == SQLITE_DONE ? reset : rc;
}

/* The items of the batch alone, out of the payload that it may share with others. */
static int slice_items(const struct sink_batch *batch, char **ret_items, size_t *ret_len)
{
    *ret_items = NULL;
    *ret_len = 0;
    if (batch->payload == NULL) {
        return SQLITE_OK;
    }
    const void *payload = blob_bytes(batch->payload);
    uint64_t skip = batch->first - batch->payload_first;
    *ret_len = items_slice_size(payload, batch->payload_count, skip, batch->count);
    *ret_items = malloc(*ret_len);
    if (*ret_items == NULL) {
        return SQLITE_NOMEM;
    }
    items_slice(payload, batch->payload_count, skip, batch->count, *ret_items);
    return SQLITE_OK;
}

static int put_waiting(struct journal_store *store, const struct sink_batch *batch)
{
    sqlite3_stmt *statement = store->statements[JOURNAL_PUT_WAITING];
    const char *records = batch->records == NULL
                              ? NULL
                              : (const char *)blob_bytes(batch->records) + batch->records_offset;
    char *items;
    size_t items_len;
    int rc = slice_items(batch, &items, &items_len);
    if (rc != SQLITE_OK) {
        return rc;
    }
    uint64_t seal = journal_seal_waiting(batch, items, items_len);
    (void)journal_sql_bind(statement, 1, batch->first);
    (void)journal_sql_bind(statement, 2, batch->first + batch->count);
    (void)journal_sql_bind(statement, 3, batch->attempt);
    (void)journal_sql_bind(statement, 4, batch->withhold_failed);
    (void)sqlite3_bind_text(statement, 5, batch->worker, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(statement, 6, batch->lost, -1, SQLITE_STATIC);
    (void)sqlite3_bind_blob64(statement, 7, items, items_len, SQLITE_STATIC);
    (void)sqlite3_bind_blob64(statement, 8, records, batch->records_len, SQLITE_STATIC);
    (void)journal_sql_bind(statement, 9, seal);
    rc = journal_store_run(store, JOURNAL_PUT_WAITING);
    (void)sqlite3_clear_bindings(statement);
    free(items);
    store->sums.waiting += seal;
    return rc;
}

static int put_mark(struct journal_store *store, const struct journal_mark *mark)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; i < mark->place_count && rc == SQLITE_OK; i++) {
        rc = put_place(store, i, &mark->places[i]);
    }
    if (rc == SQLITE_OK && mark->next > store->progress.next) {
        rc = drop_waiting(store, mark->next);
    }
    for (size_t i = 0; i < mark->waiting_count && rc == SQLITE_OK; i++) {
        rc = put_waiting(store, &mark->waiting[i]);
    }
    store->progress.next = mark->next;
    return rc;
}

int journal_store_commit(struct journal_store *store,
                         const struct journal_group *group,
                         const struct journal_mark *mark,
                         struct err_text *ret_error)
{
    int rc = journal_store_run(store, JOURNAL_BEGIN);
    if (rc == SQLITE_OK) {
        rc = put_done(store, &group->done);
    }
    if (rc == SQLITE_OK) {
        rc = put_failed(store, group);
    }
    if (rc == SQLITE_OK && mark != NULL) {
        rc = put_mark(store, mark);
    }
    if (rc == SQLITE_OK) {
        store->progress.complete = group->last;
        store->progress.counts = group->counts;
        store->progress.input = group->input;
        rc = journal_write_progress(store);
    }
    if (rc == SQLITE_OK) {
        rc = journal_store_run(store, JOURNAL_COMMIT);
    }
    if (rc == SQLITE_NOMEM) { /* ours perhaps, of which SQLite knows nothing */
        return err_set(ret_error, ERR_NOMEM, "no memory for the journal '%s'", store->path);
    }
    return rc == SQLITE_OK ? 0 : journal_sql_error(store->db, store->path, ret_error);
}
