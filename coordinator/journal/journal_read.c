/* Reads a journal and believes none of it: every value is looked at, then all of them together, and
 * at last the seal. See journal_store.h. */
#include "coordinator/journal/journal_reader.h"
#include "coordinator/journal/journal_sql.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FAILURES_MAX = sizeof(((struct journal_state *)0)->failures) / sizeof(struct journal_failure)
};

int journal_reader_damaged(const struct journal_reader *reader, const char *what)
{
    return err_set(
        reader->error, ERR_INVALID, "journal '%s' is damaged: %s", reader->store->path, what);
}

const char *journal_reader_text(const struct journal_reader *reader, int column, size_t max)
{
    const char *text = (const char *)sqlite3_column_text(reader->row, column);
    size_t len = (size_t)sqlite3_column_bytes(reader->row, column);
    return text != NULL && len <= max && strlen(text) == len ? text : NULL;
}

bool journal_reader_count(const struct journal_reader *reader, int column, uint64_t *ret_count)
{
    int64_t number = sqlite3_column_int64(reader->row, column);
    *ret_count = (uint64_t)number;
    return number >= 0;
}

void *journal_reader_grown(void *list, size_t count, size_t size)
{
    enum { MIN = 16 };

    if (count != 0 && (count < MIN || (count & (count - 1)) != 0)) {
        return list;
    }
    return reallocarray(list, count == 0 ? MIN : 2 * count, size);
}

/* Call `take` for each row of the statement. Returns 0 or the first error. */
static int each_row(struct journal_reader *reader,
                    const char *sql,
                    int (*take)(struct journal_reader *reader))
{
    const struct journal_store *store = reader->store;
    int rc = sqlite3_prepare_v2(store->db, sql, -1, &reader->row, NULL);
    int code = 0;
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(reader->row);
        code = rc == SQLITE_ROW ? take(reader) : 0;
        if (code != 0) {
            break;
        }
    }
    if (code == 0 && rc != SQLITE_DONE) {
        code = journal_sql_error(store->db, store->path, reader->error);
    }
    (void)sqlite3_finalize(reader->row);
    reader->row = NULL;
    return code;
}

/* --- the tables, row by row --- */

static int take_job(struct journal_reader *reader)
{
    const char *text = journal_reader_text(reader, 1, JOURNAL_JOB_MAX);
    if (reader->state->job != NULL || text == NULL || text[0] == '\0') {
        return journal_reader_damaged(reader, "what the job is cannot be read");
    }
    reader->state->job_id = journal_sql_column(reader->row, 0);
    reader->state->job = strdup(text);
    reader->store->sums.job = journal_seal_job(reader->state->job_id, text, strlen(text));
    return reader->state->job != NULL ? 0 : ERR_NOMEM;
}

static int take_progress(struct journal_reader *reader)
{
    struct journal_progress *progress = &reader->store->progress;
    uint64_t numbers[JOURNAL_NUMBERS];
    for (int i = 0; i < JOURNAL_NUMBERS; i++) {
        numbers[i] = journal_sql_column(reader->row, i + 1);
    }
    if (journal_progress_from_numbers(numbers, progress) != 0) {
        return journal_reader_damaged(reader, "a number of its progress is out of range");
    }
    reader->seal = journal_sql_column(reader->row, JOURNAL_NUMBERS + 1);
    return 0;
}

static int take_done(struct journal_reader *reader)
{
    struct interval_set *done = &reader->state->done;
    uint64_t first;
    uint64_t end;
    bool in_range = journal_reader_count(reader, 0, &first) &&
                    journal_reader_count(reader, 1, &end);
    if (!in_range || end <= first ||
        (done->count > 0 && done->spans[done->count - 1].end >= first)) {
        return journal_reader_damaged(reader,
                                      "the items that are done overlap or are out of order");
    }
    return interval_add(done, first, end);
}

static int take_failed(struct journal_reader *reader)
{
    struct journal_state *state = reader->state;
    const char *reason = journal_reader_text(reader, 2, JOURNAL_REASON_MAX - 1);
    uint64_t index;
    uint64_t attempt;
    if (!journal_reader_count(reader, 0, &index) || !journal_reader_count(reader, 1, &attempt) ||
        attempt > UINT32_MAX || reason == NULL || !interval_contains(&state->done, index)) {
        return journal_reader_damaged(reader, "an item that failed is not what it should be");
    }
    reader->failed_rows++;
    reader->store->sums.failed += journal_seal_failed(
        index, (uint32_t)attempt, reason, strlen(reason));
    if (state->failure_count < FAILURES_MAX) {
        struct journal_failure *failure = &state->failures[state->failure_count++];
        failure->index = index;
        failure->attempt = (uint32_t)attempt;
        (void)snprintf(failure->reason, sizeof(failure->reason), "%s", reason);
    }
    return 0;
}

static int take_output(struct journal_reader *reader)
{
    struct journal_state *state = reader->state;
    const char *path = journal_reader_text(reader, 0, PATH_MAX);
    struct sink_place place;
    if (path == NULL || path[0] != '/' || !journal_reader_count(reader, 1, &place.length)) {
        return journal_reader_damaged(reader,
                                      "an output's path or length is not what it should be");
    }
    struct sink_place *cuts = journal_reader_grown(state->cuts, state->cut_count, sizeof(*cuts));
    place.path = cuts != NULL ? strdup(path) : NULL;
    state->cuts = cuts != NULL ? cuts : state->cuts;
    if (place.path == NULL) {
        return ERR_NOMEM;
    }
    state->cuts[state->cut_count++] = place;
    reader->store->sums.places += journal_seal_place(&place);
    return 0;
}

/* --- all together --- */

static int check_sums(const struct journal_reader *reader)
{
    const struct journal_state *state = reader->state;
    const struct tally *tally = &state->counts.tally;
    const struct interval_set *done = &state->done;
    if (tally->ok > done->members || tally->failed != done->members - tally->ok) {
        return journal_reader_damaged(reader,
                                      "the items that are done are not as many as were counted");
    }
    if (reader->failed_rows > tally->failed) {
        return journal_reader_damaged(reader, "more items failed than were counted");
    }
    if (done->count > 0 && done->spans[done->count - 1].end > state->input.items) {
        return journal_reader_damaged(reader, "items are done that were never read");
    }
    return 0;
}

static int check_all(const struct journal_reader *reader)
{
    const struct journal_store *store = reader->store;
    const struct journal_state *state = reader->state;
    int code = state->job != NULL
                   ? 0
                   : journal_reader_damaged(reader, "what the job is cannot be read");
    if (code == 0) {
        code = check_sums(reader);
    }
    if (code == 0 && (state->next > 0 || state->waiting_count > 0)) {
        code = journal_reader_check_order(reader);
    }
    if (code == 0 && journal_seal(&store->progress, &state->done, &store->sums) != reader->seal) {
        code = journal_reader_damaged(reader,
                                      "it has changed since it was written (its seal is broken)");
    }
    return code;
}

/* What the store keeps of what was read. */
static int keep(struct journal_store *store, const struct journal_state *state)
{
    const struct sink_mark places = {.places = state->cuts, .place_count = state->cut_count};
    struct journal_mark copy;
    int code = interval_reserve(&store->done, state->done.count + 1);
    if (code == 0) {
        code = journal_mark_copy(&places, &copy);
    }
    if (code != 0) {
        return code;
    }
    if (state->done.count > 0) {
        memcpy(
            store->done.spans, state->done.spans, state->done.count * sizeof(state->done.spans[0]));
    }
    store->done.count = state->done.count;
    store->done.members = state->done.members;
    store->places = copy.places;
    store->place_count = copy.place_count;
    free(copy.waiting);
    return 0;
}

static int read_progress(struct journal_reader *reader)
{
    const struct journal_progress *progress = &reader->store->progress;
    struct journal_state *state = reader->state;
    int code = each_row(reader, "SELECT * FROM progress", take_progress);
    state->resumed = progress->resumed;
    state->complete = progress->complete;
    state->counts = progress->counts;
    state->input = progress->input;
    state->next = progress->next;
    return code;
}

int journal_read_all(struct journal_store *store,
                     struct err_text *ret_error,
                     struct journal_state *ret_state)
{
    static const struct {
        const char *sql;
        int (*take)(struct journal_reader *reader);
    } tables[] = {
        {"SELECT id, description FROM job", take_job},
        {"SELECT first, \"end\" FROM done ORDER BY first", take_done},
        {"SELECT item, attempt, reason FROM failed ORDER BY item", take_failed},
        {"SELECT path, length FROM outputs", take_output},
        {"SELECT first, \"end\", attempt, withhold, worker, lost, items, records, seal FROM "
         "waiting",
         journal_reader_take_waiting},
    };
    struct journal_state state = {0};
    struct journal_reader reader = {.store = store, .state = &state, .error = ret_error};
    int code = read_progress(&reader);
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) && code == 0; i++) {
        code = each_row(&reader, tables[i].sql, tables[i].take);
    }
    if (code == 0) {
        code = check_all(&reader);
    }
    if (code == 0) {
        code = keep(store, &state);
    }
    if (code == ERR_NOMEM) {
        (void)err_set(ret_error, code, "no memory to read the journal '%s'", store->path);
    }
    if (code != 0) {
        journal_state_deinit(&state);
        return code;
    }
    *ret_state = state;
    return 0;
}
