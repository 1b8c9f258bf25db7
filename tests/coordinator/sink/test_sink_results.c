/* The directory with one file per worker, and the files that are claimed by more than one output. */
#include "coordinator/sink/sink_results.h"
#include "tests/coordinator/sink/sink_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char *directory;
static struct sink_claims claims;
static struct sink_results *results;
static atomic_bool give_up;
static const struct sink_style style = {.separator = '\n'};

static int setup(void **state)
{
    (void)state;
    directory = directory_fixture_new();
    claims = (struct sink_claims){0};
    results = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (results != NULL) {
        (void)sink_results_close(results, NULL);
    }
    sink_results_free(results);
    directory_fixture_free(directory);
    return 0;
}

static void open_results(const char *path)
{
    struct err_text error;
    const struct sink_options options = {.results = path};
    assert_int_equal(sink_results_open(&options, &claims, &give_up, &error, &results), 0);
}

static int put(const char *worker, uint64_t index, struct err_text *ret_error)
{
    const struct sink_item item = {
        .index = index,
        .number = index,
        .attempt = 1,
        .worker = worker,
        .record = {FIXTURE_OUT(""), FIXTURE_ERR(""), FIXTURE_REASON("")},
    };
    return sink_results_put(results, &style, &item, ret_error);
}

static void assert_name(const char *worker, const char *expected)
{
    char name[SINK_RESULTS_NAME_SIZE];
    sink_results_file_name(worker, name);
    assert_string_equal(name, expected);
}

static void test_sink_results_names_are_safe_and_never_the_same(void **state)
{
    (void)state;
    assert_name("local", "local.ndjson");
    assert_name("host-1_a.example", "host-1_a.example.ndjson");
    assert_name("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd.ndjson");
    assert_name(".", "%2E.ndjson");
    assert_name("a/b", "a%2Fb.ndjson");
    assert_name("a%2Fb", "a%252Fb.ndjson");
    assert_name("\xff\n", "%FF%0A.ndjson");
    assert_name("", "%.ndjson");
    char longest[SINK_WORKER_SIZE];
    memset(longest, '\n', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    char name[SINK_RESULTS_NAME_SIZE];
    sink_results_file_name(longest, name);
    assert_int_equal(strlen(name), 3 * (SINK_WORKER_SIZE - 1) + 7);
}

/* Lines of the worker's file, which must be its items in the order they were put. */
static size_t check_file(const char *path, const char *worker, uint64_t first, uint64_t step)
{
    char *content = read_fixture(path, NULL);
    char worker_field[128];
    size_t count = 0;
    char *rest = content;
    (void)snprintf(worker_field, sizeof(worker_field), "\"worker\":\"%s\"", worker);
    for (char *line = strsep(&rest, "\n"); rest != NULL; line = strsep(&rest, "\n")) {
        char begin[64];
        (void)snprintf(begin, sizeof(begin), "{\"index\":%u,", (unsigned)(first + step * count++));
        assert_memory_equal(line, begin, strlen(begin));
        assert_non_null(strstr(line, worker_field));
    }
    free(content);
    return count;
}

static size_t open_fds(void)
{
    size_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    (void)closedir(dir);
    return count;
}

static void test_sink_results_of_many_workers_need_few_open_files(void **state)
{
    (void)state;

    enum { WORKERS = 3 * SINK_RESULTS_OPEN_MAX, ITEMS = 20 * WORKERS };

    char worker[32];
    struct err_text error;
    size_t before = open_fds();
    open_results(path_fixture(directory, "results"));
    for (uint64_t i = 0; i < ITEMS; i++) {
        (void)snprintf(worker, sizeof(worker), "w%u", (unsigned)(i % WORKERS));
        assert_int_equal(put(worker, i, &error), 0);
        assert_true(open_fds() <= before + 1 + SINK_RESULTS_OPEN_MAX);
    }
    assert_int_equal(sink_results_close(results, &error), 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        char name[64];
        (void)snprintf(worker, sizeof(worker), "w%u", i);
        (void)snprintf(name, sizeof(name), "results/w%u.ndjson", i);
        assert_int_equal(check_file(path_fixture(directory, name), worker, i, WORKERS),
                         ITEMS / WORKERS);
    }
}

static void test_sink_results_forgets_a_workers_old_file_only(void **state)
{
    (void)state;
    write_fixture(path_fixture(directory, "w1.ndjson"), "old and much longer than what comes");
    write_fixture(path_fixture(directory, "w2.ndjson"), "old");
    open_results(directory);
    assert_int_equal(put("w1", 7, NULL), 0);
    assert_int_equal(sink_results_flush(results, NULL), 0);
    assert_int_equal(check_file(path_fixture(directory, "w1.ndjson"), "w1", 7, 1), 1);
    char *content = read_fixture(path_fixture(directory, "w2.ndjson"), NULL);
    assert_string_equal(content, "old");
    free(content);
}

static void test_sink_results_tells_why_it_cannot_use_a_directory(void **state)
{
    (void)state;
    struct err_text error;
    struct sink_options options = {.results = path_fixture(directory, "file")};
    write_fixture(options.results, "x");
    assert_int_equal(sink_results_open(&options, &claims, &give_up, &error, &results), ERR_IO);
    assert_non_null(strstr(error.s, options.results));
    assert_non_null(strstr(error.s, "Not a directory"));
    options.results = path_fixture(directory, "no/such");
    assert_int_equal(sink_results_open(&options, &claims, &give_up, &error, &results), ERR_IO);
    assert_non_null(strstr(error.s, "No such file"));
    assert_null(results);
}

static void test_sink_results_does_not_write_into_another_output(void **state)
{
    (void)state;
    struct err_text error;
    int fd;
    const char *path = path_fixture(directory, "out");
    write_fixture(path, "kept");
    assert_int_equal(sink_claims_open(&claims, "--out", "'out'", path, &error, &fd), 0);
    assert_int_equal(symlink("out", path_fixture(directory, "w1.ndjson")), 0);
    open_results(directory);
    assert_int_equal(put("w1", 0, &error), ERR_IO);
    assert_non_null(strstr(error.s, "w1.ndjson"));
    assert_int_equal(put("w2", 0, &error), ERR_IO); /* once and then always */
    (void)close(fd);
    char *content = read_fixture(path, NULL);
    assert_string_equal(content, "kept");
    free(content);
}

static void test_sink_results_does_not_write_two_workers_to_one_file(void **state)
{
    (void)state;
    struct err_text error;
    assert_int_equal(symlink("w1.ndjson", path_fixture(directory, "w2.ndjson")), 0);
    open_results(directory);
    assert_int_equal(put("w1", 0, &error), 0);
    assert_int_equal(put("w2", 1, &error), ERR_IO);
    assert_non_null(strstr(error.s, "w2.ndjson"));
    (void)sink_results_flush(results, NULL);
    assert_int_equal(check_file(path_fixture(directory, "w1.ndjson"), "w1", 0, 1), 1);
}

static void test_sink_results_tells_of_a_file_that_cannot_be_opened(void **state)
{
    (void)state;
    struct err_text error;
    assert_int_equal(mkdir(path_fixture(directory, "w1.ndjson"), 0700), 0);
    open_results(directory);
    assert_int_equal(put("w1", 0, &error), ERR_IO);
    assert_non_null(strstr(error.s, "Is a directory"));
    assert_int_equal(sink_results_close(results, &error), ERR_IO);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_sink_results_names_are_safe_and_never_the_same),
        CASE(test_sink_results_of_many_workers_need_few_open_files),
        CASE(test_sink_results_forgets_a_workers_old_file_only),
        CASE(test_sink_results_tells_why_it_cannot_use_a_directory),
        CASE(test_sink_results_does_not_write_into_another_output),
        CASE(test_sink_results_does_not_write_two_workers_to_one_file),
        CASE(test_sink_results_tells_of_a_file_that_cannot_be_opened),
    };
    return cmocka_run_group_tests_name("sink_results", tests, NULL, NULL);
}
