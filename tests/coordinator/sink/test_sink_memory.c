/* The sink when memory cannot be had: each allocation fails in turn, in its own thread too. */
#include "coordinator/sink/sink.h"
#include "tests/coordinator/sink/sink_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__wrap_strdup(const char *text);

enum { NEVER = 1000000 };

/* Allocations that succeed still; at 0 one fails, and those after it succeed again. */
static atomic_int left = NEVER;

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

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
    return fails_now() ? NULL : __real_reallocarray(old, count, size);
}

char *__wrap_strdup(const char *text)
{
    return fails_now() ? NULL : __real_strdup(text);
}

static const struct item_fixture items[] = {
    {FIXTURE_ITEM("a"), {FIXTURE_OUT("1\n")}},
    {FIXTURE_ITEM("b"), {.status = RECORD_FAILED}},
    {FIXTURE_ITEM("c"), {FIXTURE_OUT("3\n")}},
};

enum { PATH_SIZE = 512 };

struct fixture {
    char *directory;
    char out[PATH_SIZE];
    char failures[PATH_SIZE];
    char results[PATH_SIZE];
    struct blob *payload;
    struct blob *records;
    struct sink_options options;
};

/* Put the items [first, first + count), which begin at `offset` of the records. */
static int put(const struct fixture *fixture,
               struct sink *sink,
               uint64_t first,
               uint64_t count,
               bool withhold)
{
    size_t offset = 0;
    for (uint64_t i = 0; i < first; i++) {
        offset += RECORD_HEAD_SIZE + items[i].record.out_len;
    }
    size_t len = 0;
    for (uint64_t i = first; i < first + count; i++) {
        len += RECORD_HEAD_SIZE + items[i].record.out_len;
    }
    const struct sink_batch batch = {
        .first = first,
        .count = count,
        .payload = fixture->payload,
        .payload_count = 3,
        .records = fixture->records,
        .records_offset = offset,
        .records_len = len,
        .withhold_failed = withhold,
        .attempt = 1,
        .worker = "w",
    };
    return sink_put(sink, &batch);
}

/* What was said at the last mark of a run that went well. */
static size_t place_count;
static size_t waiting_count;

static void marked(void *arg, const struct sink_mark *mark)
{
    (void)arg;
    waiting_count = mark->waiting_count;
    place_count = mark->place_count;
}

/* Open, put all with b withheld at first, close; with a mark in between. Returns the first code that is not 0. */
static int run(const struct fixture *fixture, bool *ret_opened)
{
    struct err_text error = {""};
    struct sink *sink = NULL;
    int code = sink_open(&fixture->options, &error, &sink);
    *ret_opened = code == 0;
    if (code != 0) {
        assert_null(sink);
        assert_true(error.s[0] != '\0');
        return code;
    }
    const int codes[] = {
        put(fixture, sink, 0, 3, true),
        sink_put_mark(sink, 1),
        put(fixture, sink, 1, 1, false),
        sink_close(sink, NULL, &error, NULL),
    };
    for (size_t i = 0; i < 4 && code == 0; i++) {
        code = codes[i];
    }
    return code;
}

static void assert_content(const struct fixture *fixture, const char *name, const char *expected)
{
    char *content = read_fixture(path_fixture(fixture->directory, name), NULL);
    assert_string_equal(content, expected);
    free(content);
}

static void fixture_init(struct fixture *fixture)
{
    fixture->directory = directory_fixture_new();
    fixture->payload = payload_fixture(items, 3);
    fixture->records = records_fixture(items, 3);
    (void)snprintf(fixture->out, PATH_SIZE, "%s/out", fixture->directory);
    (void)snprintf(fixture->failures, PATH_SIZE, "%s/failures", fixture->directory);
    (void)snprintf(fixture->results, PATH_SIZE, "%s/results", fixture->directory);
    fixture->options = (struct sink_options){
        .out = fixture->out,
        .format = SINK_RAW,
        .keep_order = true,
        .failures = fixture->failures,
        .results = fixture->results,
        .command = "cat",
        .separator = '\n',
        .marked = marked,
    };
}

/* Nothing was begun: no file was made, none was emptied. */
static void assert_untouched(const struct fixture *fixture)
{
    assert_content(fixture, "out", "kept");
    assert_int_equal(access(fixture->failures, F_OK), -1);
    assert_int_equal(access(fixture->results, F_OK), -1);
}

static void remove_made(const struct fixture *fixture)
{
    (void)remove(path_fixture(fixture->directory, "results/w.ndjson"));
    (void)remove(fixture->results);
    (void)remove(fixture->failures);
}

/* One run in which allocation `n` fails; false when there are not so many. */
static bool run_failing(const struct fixture *fixture, int n)
{
    bool opened;
    write_fixture(fixture->out, "kept");
    atomic_store(&left, n);
    int code = run(fixture, &opened);
    if (atomic_exchange(&left, NEVER) >= 0) {
        assert_int_equal(code, 0);
        return false;
    }
    assert_int_equal(code, ERR_NOMEM);
    if (!opened) {
        assert_untouched(fixture);
    }
    remove_made(fixture);
    return true;
}

static void test_sink_tells_of_every_allocation_that_fails(void **state)
{
    (void)state;
    struct fixture fixture;
    int count = 0;
    fixture_init(&fixture);
    while (run_failing(&fixture, count)) {
        count++;
    }
    assert_true(count > 8);
    assert_content(&fixture, "out", "1\n3\n");
    assert_content(&fixture, "failures", "b\n");
    assert_int_equal(waiting_count, 1); /* the c of the first batch */
    assert_int_equal(place_count, 3);
    blob_unref(fixture.payload);
    blob_unref(fixture.records);
    directory_fixture_free(fixture.directory);
}

/* Going on with what is there: when it cannot be opened nothing was cut. */
static void test_sink_goes_on_in_spite_of_every_allocation_that_fails(void **state)
{
    (void)state;
    struct fixture fixture;
    struct err_text error;
    struct sink *sink;
    fixture_init(&fixture);
    struct sink_place cuts[] = {{fixture.out, 2}, {fixture.failures, 0}};
    fixture.options.results = NULL;
    fixture.options.resume = true;
    fixture.options.cuts = cuts;
    fixture.options.cut_count = 2;
    int code = ERR_NOMEM;
    for (int n = 0; code != 0; n++) {
        write_fixture(fixture.out, "1\nrest");
        write_fixture(fixture.failures, "rest");
        atomic_store(&left, n);
        code = sink_open(&fixture.options, &error, &sink);
        atomic_store(&left, NEVER);
        if (code != 0) {
            assert_int_equal(code, ERR_NOMEM);
            assert_content(&fixture, "out", "1\nrest");
            assert_content(&fixture, "failures", "rest");
        }
    }
    assert_int_equal(sink_close(sink, NULL, &error, NULL), 0);
    assert_content(&fixture, "out", "1\n");
    assert_content(&fixture, "failures", "");
    blob_unref(fixture.payload);
    blob_unref(fixture.records);
    directory_fixture_free(fixture.directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sink_tells_of_every_allocation_that_fails),
        cmocka_unit_test(test_sink_goes_on_in_spite_of_every_allocation_that_fails),
    };
    return cmocka_run_group_tests_name("sink_memory", tests, NULL, NULL);
}
