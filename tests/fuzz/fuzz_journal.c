/* A database as the reader of journals meets it when it is damaged, or was made to harm.
 *
 * The first byte chooses: the rest is the bytes of a database file, which SQLite mostly refuses; or
 * the rest are rows for tables that are right. These are sealed, so that what looks at the values is
 * reached. What is taken is looked at as its user does: what waits goes through the order
 * of the sink, which aborts on what must not be. */
#include "common/base/check.h"
#include "coordinator/journal/journal_schema.h"
#include "coordinator/journal/journal_sql.h"
#include "coordinator/journal/journal_store.h"
#include "coordinator/sink/sink_order.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Bytes that are taken from the front; zeros when there are none left. */
struct input {
    const uint8_t *bytes;
    size_t len;
};

static const uint8_t *take(struct input *input, size_t len)
{
    const uint8_t *at = input->bytes;
    CHECK(len <= input->len);
    input->bytes += len;
    input->len -= len;
    return at;
}

/* A number of 0, 1 or 8 bytes, as the low bits of a byte say: small ones are the likely ones. */
static int64_t take_number(struct input *input)
{
    uint8_t head = input->len > 0 ? *take(input, 1) : 0;
    int64_t number = head >> 1;
    if ((head & 1) != 0 && input->len >= sizeof(number)) {
        memcpy(&number, take(input, sizeof(number)), sizeof(number));
    }
    return number;
}

/* A text or a blob with its length in front. */
static const uint8_t *take_bytes(struct input *input, size_t *ret_len)
{
    size_t len = input->len > 0 ? *take(input, 1) : 0;
    *ret_len = len < input->len ? len : input->len;
    return take(input, *ret_len);
}

/* Bind what the letters say: n a number, t a text, z a blob or NULL. */
static void bind(sqlite3_stmt *statement, const char *columns, struct input *input)
{
    for (int i = 0; columns[i] != '\0'; i++) {
        if (columns[i] == 'n') {
            (void)sqlite3_bind_int64(statement, i + 1, take_number(input));
            continue;
        }
        size_t len;
        const uint8_t *bytes = take_bytes(input, &len);
        if (columns[i] == 't') {
            (void)sqlite3_bind_text(
                statement, i + 1, (const char *)bytes, (int)len, SQLITE_TRANSIENT);
        } else if (len > 0) {
            (void)sqlite3_bind_blob(statement, i + 1, bytes, (int)len, SQLITE_TRANSIENT);
        }
    }
}

/* The tables, with rows of the input: its first byte is the table, and so on. */
static void make_rows(sqlite3 *db, struct input *input)
{
    static const struct {
        const char *sql;
        const char *columns;
    } tables[] = {
        {"INSERT OR REPLACE INTO job VALUES(?, ?)", "nt"},
        {"INSERT OR REPLACE INTO progress VALUES(1,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
         "nnnnnnnnnnnnnnnn"},
        {"INSERT OR REPLACE INTO done VALUES(?, ?)", "nn"},
        {"INSERT OR REPLACE INTO failed VALUES(?, ?, ?)", "nnt"},
        {"INSERT OR REPLACE INTO outputs VALUES(?, ?)", "tn"},
        {"INSERT INTO waiting VALUES(NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "nnnnttzzn"},
    };

    sqlite3_stmt *statements[6];
    CHECK(journal_schema_create(db) == SQLITE_OK);
    for (size_t i = 0; i < 6; i++) {
        CHECK(sqlite3_prepare_v2(db, tables[i].sql, -1, &statements[i], NULL) == SQLITE_OK);
    }
    (void)sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
    while (input->len > 0) {
        size_t table = *take(input, 1) % 6;
        bind(statements[table], tables[table].columns, input);
        (void)sqlite3_step(statements[table]);
        (void)sqlite3_reset(statements[table]);
        (void)sqlite3_clear_bindings(statements[table]);
    }
    (void)sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    for (size_t i = 0; i < 6; i++) {
        (void)sqlite3_finalize(statements[i]);
    }
}

/* As the sink does that goes on. */
static void put_waiting(const struct journal_state *state)
{
    struct sink_order order = {.next = state->next};
    struct sink_held **held = calloc(state->waiting_count + 1, sizeof(struct sink_held *));
    struct sink_span span;
    struct sink_span run;
    struct sink_item item;
    CHECK(held != NULL);
    for (size_t i = 0; i < state->waiting_count; i++) {
        const struct sink_batch *batch = &state->waiting[i];
        if (batch->records == NULL && batch->count > 1000) {
            continue; /* nothing but a number says how many these are */
        }
        held[i] = sink_held_new(batch, 0);
        sink_span_init(&span, held[i]);
        sink_span_skip(&span, order.next);
        while (sink_span_next_run(&span, &run)) {
            CHECK(sink_order_push(&order, &run) == 0);
        }
    }
    while (sink_order_pop_any(&order, &run)) {
        while (sink_span_next(&run, &item)) {
            CHECK(interval_contains(&state->done, item.index));
        }
    }
    for (size_t i = 0; i < state->waiting_count; i++) {
        sink_held_free(held[i]);
    }
    free(held);
    sink_order_deinit(&order);
}

static void check_state(const struct journal_state *state)
{
    const struct interval_set *done = &state->done;
    uint64_t members = 0;
    for (size_t i = 0; i < done->count; i++) {
        CHECK(done->spans[i].first < done->spans[i].end);
        CHECK(i == 0 || done->spans[i - 1].end < done->spans[i].first);
        members += done->spans[i].end - done->spans[i].first;
    }
    CHECK(state->job[0] != '\0' && members == done->members);
    CHECK(members == state->counts.tally.ok + state->counts.tally.failed);
    for (size_t i = 0; i < state->cut_count; i++) {
        CHECK(state->cuts[i].path[0] == '/' && state->cuts[i].length <= INT64_MAX);
    }
    for (size_t i = 0; i < state->failure_count; i++) {
        CHECK(interval_contains(done, state->failures[i].index));
    }
    put_waiting(state);
}

static struct journal_store *new_store(sqlite3 *db)
{
    struct journal_store *store = calloc(1, sizeof(*store));
    CHECK(store != NULL);
    store->db = db;
    store->path = strdup("/journal");
    CHECK(store->path != NULL);
    return store;
}

/* Free the store but not the database. */
static void free_store(struct journal_store *store)
{
    store->db = NULL;
    journal_store_close(store, false);
}

static struct blob *column_blob(sqlite3_stmt *row, int column)
{
    size_t len = (size_t)sqlite3_column_bytes(row, column);
    if (sqlite3_column_type(row, column) == SQLITE_NULL) {
        return NULL;
    }
    char *copy = malloc(len + 1);
    CHECK(copy != NULL);
    if (len > 0) {
        memcpy(copy, sqlite3_column_blob(row, column), len);
    }
    return blob_new(copy, len, NULL, NULL);
}

/* Give the rows of `waiting` the seals that they would have. */
static void seal_waiting(sqlite3 *db)
{
    sqlite3_stmt *row;
    sqlite3_stmt *update;
    CHECK(sqlite3_prepare_v2(
              db,
              "SELECT number, first, \"end\" - first, attempt, withhold, worker, lost, "
              "items, records FROM waiting",
              -1,
              &row,
              NULL) == SQLITE_OK);
    CHECK(sqlite3_prepare_v2(
              db, "UPDATE waiting SET seal = ? WHERE number = ?", -1, &update, NULL) == SQLITE_OK);
    while (sqlite3_step(row) == SQLITE_ROW) {
        struct blob *items = column_blob(row, 7);
        struct sink_batch batch = {
            .first = journal_sql_column(row, 1),
            .count = journal_sql_column(row, 2),
            .attempt = (uint32_t)journal_sql_column(row, 3),
            .withhold_failed = journal_sql_column(row, 4) != 0,
            .worker = (const char *)sqlite3_column_text(row, 5),
            .lost = (const char *)sqlite3_column_text(row, 6),
            .records = column_blob(row, 8),
        };
        batch.records_len = batch.records != NULL ? blob_len(batch.records) : 0;
        uint64_t seal = journal_seal_waiting(
            &batch, items != NULL ? blob_bytes(items) : NULL, items != NULL ? blob_len(items) : 0);
        (void)journal_sql_bind(update, 1, seal);
        (void)sqlite3_bind_int64(update, 2, sqlite3_column_int64(row, 0));
        (void)sqlite3_step(update);
        (void)sqlite3_reset(update);
        blob_unref(items);
        blob_unref(batch.records);
    }
    (void)sqlite3_finalize(row);
    (void)sqlite3_finalize(update);
}

/* Give the whole its seal: reading comes as far as that, and leaves what it is made of. */
static void seal_all(sqlite3 *db)
{
    struct journal_store *store = new_store(db);
    struct journal_state state;
    sqlite3_stmt *row;
    sqlite3_stmt *update;
    if (journal_read_all(store, NULL, &state) == 0) {
        journal_state_deinit(&state);
    }
    store->done.count = 0;
    CHECK(sqlite3_prepare_v2(
              db, "SELECT first, \"end\" FROM done ORDER BY first", -1, &row, NULL) == SQLITE_OK);
    while (sqlite3_step(row) == SQLITE_ROW) {
        (void)interval_add(&store->done, journal_sql_column(row, 0), journal_sql_column(row, 1));
    }
    (void)sqlite3_finalize(row);
    CHECK(sqlite3_prepare_v2(db, "UPDATE progress SET seal = ?", -1, &update, NULL) == SQLITE_OK);
    (void)journal_sql_bind(update, 1, journal_seal(&store->progress, &store->done, &store->sums));
    (void)sqlite3_step(update);
    (void)sqlite3_finalize(update);
    free_store(store);
}

static void read_database(sqlite3 *db)
{
    struct journal_store *store = new_store(db);
    struct journal_state state;
    struct err_text error = {""};
    int code = journal_schema_check(db, store->path, &error);
    if (code == 0) {
        code = journal_read_all(store, &error, &state);
    }
    if (code == 0) {
        check_state(&state);
        journal_state_deinit(&state);
    } else {
        CHECK(error.s[0] != '\0');
    }
    free_store(store);
}

/* The bytes of a file as a database in memory. */
static void load(sqlite3 *db, const struct input *input)
{
    enum { WRITE_VERSION = 18, READ_VERSION = 19, HEADER = 100, ROLLBACK = 1 };

    unsigned char *copy = sqlite3_malloc64(input->len + 1);
    CHECK(copy != NULL);
    memcpy(copy, input->bytes, input->len);
    if (input->len >= HEADER) { /* memory has no log */
        copy[WRITE_VERSION] = ROLLBACK;
        copy[READ_VERSION] = ROLLBACK;
    }
    sqlite3_int64 len = (sqlite3_int64)input->len;
    CHECK(sqlite3_deserialize(db, "main", copy, len, len, SQLITE_DESERIALIZE_FREEONCLOSE) ==
          SQLITE_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    sqlite3 *db;
    if (len == 0) {
        return 0;
    }
    CHECK(sqlite3_open(":memory:", &db) == SQLITE_OK);
    CHECK(journal_sql_distrust(db) == SQLITE_OK);
    struct input input = {bytes + 1, len - 1};
    if (bytes[0] % 2 == 0) {
        make_rows(db, &input);
        seal_waiting(db);
        seal_all(db);
    } else {
        load(db, &input);
    }
    read_database(db);
    CHECK(sqlite3_close(db) == SQLITE_OK);
    return 0;
}
