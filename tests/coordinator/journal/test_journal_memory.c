/* The journal when memory cannot be had: each allocation fails in turn, SQLite's too. Nothing that
 * was said to be durable is lost by it, and nothing else appears. */
#include "tests/coordinator/journal/journal_fixture.h"
#include "tests/coordinator/sink/sink_fixture.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__wrap_strdup(const char *text);

enum { NEVER = 1000000 };

/* Allocations that succeed still; at 0 one fails, and those after it succeed again. */
static atomic_int left = NEVER;
static sqlite3_mem_methods sqlite; /* its own */

static bool fails_now(void)
{
    return atomic_load(&left) < NEVER && atomic_fetch_sub(&left, 1) == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails_now() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
    return fails_now() ? NULL : __real_reallocarray(old, count, size);
}

char *__wrap_strdup(const char *text)
{
    return fails_now() ? NULL : __real_strdup(text);
}

static void *sqlite_malloc(int size)
{
    return fails_now() ? NULL : sqlite.xMalloc(size);
}

static void *sqlite_realloc(void *old, int size)
{
    return fails_now() ? NULL : sqlite.xRealloc(old, size);
}

static int setup_group(void **state)
{
    sqlite3_mem_methods failing;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite), SQLITE_OK);
    failing = sqlite;
    failing.xMalloc = sqlite_malloc;
    failing.xRealloc = sqlite_realloc;
    /* Every allocation on its own, or few would be seen. */
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0), SQLITE_OK);
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &failing), SQLITE_OK);
    return journal_fixture_in_memory(state);
}

static char *directory;
static struct journal_fixture fixture;

/* A group with something of everything, as the sink says it. */
static int note(struct journal *journal, struct blob *payload, struct blob *records)
{
    const struct journal_counts counts = {.tally = {.ok = 2, .failed = 1}};
    const struct journal_input input = {.items = 100};
    const struct sink_place place = {"/somewhere/out", 7};
    const struct sink_batch batch = {
        .first = 5,
        .count = 2,
        .payload = payload,
        .payload_first = 4,
        .payload_count = 3,
        .records = records,
        .records_len = blob_len(records),
        .worker = "w",
    };
    const struct sink_mark mark = {.number = 1,
                                   .places = &place,
                                   .place_count = 1,
                                   .waiting = &batch,
                                   .waiting_count = 1,
                                   .next = 1};
    int code = journal_note_done(journal, 0, 1);
    if (code == 0) {
        code = journal_note_done(journal, 5, 2);
    }
    if (code == 0) {
        code = journal_note_failed(journal, 0, 1, "no luck", 7);
    }
    if (code == 0) {
        journal_close_group(journal, &counts, &input, false);
        journal_marked(journal, &mark);
        code = journal_fixture_wait(&fixture, 1) ? 0 : journal_error(journal, NULL);
    }
    return code;
}

/* Make, note, close, open again. Returns the first code that is not 0. */
static int run(struct blob *payload, struct blob *records, bool *ret_durable)
{
    struct err_text error = {""};
    struct journal_state state;
    *ret_durable = false;
    int code = journal_create(&fixture.options, "job", 1, &error, &fixture.journal);
    if (code != 0) {
        assert_true(error.s[0] != '\0');
        assert_int_equal(access(fixture.path, F_OK), -1);
        return code;
    }
    journal_expect_marks(fixture.journal);
    code = note(fixture.journal, payload, records);
    *ret_durable = journal_durable(fixture.journal) == 1;
    assert_true(code != 0 || *ret_durable);
    journal_fixture_close(&fixture);
    if (code != 0) {
        return code;
    }
    code = journal_open(&fixture.options, &error, &fixture.journal, &state);
    if (code != 0) {
        assert_true(error.s[0] != '\0');
        return code;
    }
    journal_state_deinit(&state);
    journal_fixture_close(&fixture);
    return 0;
}

/* What is there once memory is there again. */
static void check(bool durable)
{
    struct journal_state state;
    if (access(fixture.path, F_OK) != 0) {
        assert_false(durable);
        return;
    }
    journal_fixture_open(&fixture, &state);
    assert_int_equal(state.done.members, durable ? 3 : 0);
    assert_int_equal(state.waiting_count, durable ? 1 : 0);
    assert_int_equal(state.cut_count, durable ? 1 : 0);
    assert_int_equal(state.failure_count, durable ? 1 : 0);
    journal_state_deinit(&state);
    journal_fixture_close(&fixture);
}

/* One run in which allocation `n` fails; false when there are not so many. */
static bool run_failing(struct blob *payload, struct blob *records, int n)
{
    bool durable;
    directory = directory_fixture_new();
    journal_fixture_init(&fixture, directory);
    atomic_store(&left, n);
    int code = run(payload, records, &durable);
    bool failed = atomic_exchange(&left, NEVER) < 0;
    assert_true(code == 0 || (failed && code == ERR_NOMEM)); /* SQLite can do without some */
    check(durable);
    journal_fixture_deinit(&fixture);
    directory_fixture_free(directory);
    return failed;
}

static void test_journal_survives_every_allocation_that_fails(void **state)
{
    (void)state;
    const struct item_fixture items[] = {
        {FIXTURE_ITEM("d"), {FIXTURE_OUT("4\n")}},
        {FIXTURE_ITEM("e"), {FIXTURE_OUT("5\n")}},
        {FIXTURE_ITEM("f"), {FIXTURE_OUT("6\n")}},
    };
    struct blob *payload = payload_fixture(items, 3);
    struct blob *records = records_fixture(items + 1, 2);
    int count = 0;
    while (run_failing(payload, records, count)) {
        count++;
    }
    assert_true(count > 100);
    blob_unref(payload);
    blob_unref(records);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_journal_survives_every_allocation_that_fails),
    };
    return cmocka_run_group_tests_name("journal_memory", tests, setup_group, NULL);
}
