/* Which outputs are opened, refused and left alone, and what is printed. Standard output and error
 * are put elsewhere for a moment where a test is about them. */
#include "coordinator/sink/sink.h"
#include "tests/coordinator/sink/sink_fixture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char *directory;
static struct sink_options options;

static int setup(void **state)
{
    (void)state;
    directory = directory_fixture_new();
    options = (struct sink_options){.separator = '\n', .format = SINK_RAW};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    directory_fixture_free(directory);
    return 0;
}

static const char *path(const char *name)
{
    return path_fixture(directory, name);
}

static void assert_content(const char *name, const char *expected)
{
    char *content = read_fixture(path(name), NULL);
    assert_string_equal(content, expected);
    free(content);
}

/* Put `fd` (0, 1 or 2) to `target`, which is closed; returns what brings it back. */
static int redirect(int fd, int target)
{
    (void)fflush(NULL);
    int before = dup(fd);
    assert_true(before >= 0 && target >= 0);
    assert_int_equal(dup2(target, fd), fd);
    (void)close(target);
    return before;
}

static void bring_back(int fd, int before)
{
    assert_int_equal(dup2(before, fd), fd);
    (void)close(before);
}

static int create(const char *name, int flags)
{
    return open(path(name), O_WRONLY | O_CREAT | flags, 0600);
}

/* Try to open, which must be refused with both words in the text. */
static void assert_refused(int code, const char *first, const char *second)
{
    struct err_text error;
    struct sink *sink = NULL;
    int actual = sink_open(&options, &error, &sink);
    assert_null(sink);
    assert_int_equal(actual, code);
    if (strstr(error.s, first) == NULL || strstr(error.s, second) == NULL) {
        fail_msg("no '%s' and '%s' in: %s", first, second, error.s);
    }
}

static void test_sink_refuses_one_path_for_two_outputs(void **state)
{
    (void)state;
    options.out = path("a");
    options.failures = path("a");
    assert_refused(ERR_INVALID, "--failures", "--out");
    assert_int_equal(access(path("a"), F_OK), -1); /* it was made, and is gone again */
    write_fixture(path("a"), "kept");
    assert_refused(ERR_INVALID, "--failures", "--out");
    assert_content("a", "kept");
}

static void test_sink_refuses_one_file_under_two_names(void **state)
{
    (void)state;
    options.failures = path("a");
    options.joblog = path("b");
    assert_int_equal(symlink("a", path("b")), 0); /* to what is not there yet */
    assert_refused(ERR_INVALID, "--joblog", "--failures");
    assert_int_equal(unlink(path("b")), 0);
    write_fixture(path("a"), "kept");
    assert_int_equal(link(path("a"), path("b")), 0);
    assert_refused(ERR_INVALID, "--joblog", "--failures");
    assert_content("a", "kept");
    assert_content("b", "kept");
}

static void test_sink_refuses_standard_output_for_two_outputs(void **state)
{
    (void)state;
    int before = redirect(STDOUT_FILENO, open("/dev/null", O_WRONLY));
    options.out = "-";
    options.joblog = "-";
    assert_refused(ERR_INVALID, "--joblog standard output", "--out standard output");
    options.joblog = NULL;
    options.print = true;
    assert_refused(ERR_INVALID, "printing", "--out standard output");
    bring_back(STDOUT_FILENO, before);
}

static void test_sink_refuses_the_file_that_standard_output_is(void **state)
{
    (void)state;
    int before = redirect(STDOUT_FILENO, create("a", 0));
    options.out = "-";
    options.failures = path("a");
    assert_refused(ERR_INVALID, "--failures", "--out standard output");
    bring_back(STDOUT_FILENO, before);
}

static void test_sink_refuses_the_file_that_errors_are_printed_to(void **state)
{
    (void)state;
    int before = redirect(STDERR_FILENO, create("a", 0));
    options.print = true;
    options.joblog = path("a");
    assert_refused(ERR_INVALID, "standard error", "--joblog");
    bring_back(STDERR_FILENO, before);
}

/* As what is tried again into the list that it was read from. */
static void test_sink_refuses_what_the_run_reads_or_reports(void **state)
{
    (void)state;
    const char **const files[] = {&options.items, &options.json};
    static const char *const uses[] = {"--items", "--json"};
    char list[64];
    (void)snprintf(list, sizeof(list), "%s", path("list"));
    write_fixture(list, "kept");
    assert_int_equal(symlink("list", path("other name")), 0);
    options.failures = path("other name");
    for (size_t i = 0; i < 2; i++) {
        *files[i] = list;
        assert_refused(ERR_INVALID, "--failures", uses[i]);
        *files[i] = NULL;
        assert_content("list", "kept");
    }
    int before = redirect(STDIN_FILENO, open(list, O_RDONLY));
    options.items = "-";
    assert_refused(ERR_INVALID, "--failures", "--items");
    bring_back(STDIN_FILENO, before);
    assert_content("list", "kept");
}

static void test_sink_loses_nothing_when_one_output_cannot_be_opened(void **state)
{
    (void)state;
    write_fixture(path("a"), "kept");
    options.out = path("a");
    options.joblog = path("new");
    options.results = path("no/such");
    assert_refused(ERR_IO, "no/such", "No such file");
    assert_content("a", "kept");
    assert_int_equal(access(path("new"), F_OK), -1);
    options.results = NULL;
    options.failures = directory;
    assert_refused(ERR_IO, "--failures", "Is a directory");
    assert_content("a", "kept");
}

static void test_sink_may_have_the_null_device_twice(void **state)
{
    (void)state;
    struct err_text error;
    struct sink *sink;
    options.out = "/dev/null";
    options.joblog = "/dev/null";
    assert_int_equal(sink_open(&options, &error, &sink), 0);
    assert_int_equal(sink_close(sink, NULL, &error, NULL), 0);
}

static void test_sink_empties_files_and_writes_headers(void **state)
{
    (void)state;
    struct err_text error;
    struct sink *sink;
    write_fixture(path("out"), "old");
    write_fixture(path("failures"), "old");
    options.out = path("out");
    options.format = SINK_CSV;
    options.failures = path("failures");
    options.joblog = path("joblog");
    assert_int_equal(sink_open(&options, &error, &sink), 0);
    assert_int_equal(sink_close(sink, NULL, &error, NULL), 0);
    assert_content("failures", "");
    assert_content("out",
                   "index,item,status,attempt,worker,start,seconds,exit,signal,value,stdout,stderr,"
                   "reason\n");
    assert_content("joblog",
                   "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n");
}

/* Put the items, close; the options say where. */
static int run(const struct item_fixture *items, size_t count, bool *ret_broken_pipe)
{
    struct err_text error;
    struct sink *sink;
    struct sink_batch batch = {
        .count = count,
        .payload = payload_fixture(items, count),
        .payload_count = count,
        .records = records_fixture(items, count),
        .attempt = 1,
        .worker = "w",
    };
    batch.records_len = blob_len(batch.records);
    assert_int_equal(sink_open(&options, &error, &sink), 0);
    assert_int_equal(sink_put(sink, &batch), 0);
    int code = sink_close(sink, NULL, &error, ret_broken_pipe);
    blob_unref(batch.payload);
    blob_unref(batch.records);
    return code;
}

static const struct item_fixture printers[] = {
    {FIXTURE_ITEM("a\tx"), {FIXTURE_OUT("1\n2\n"), FIXTURE_ERR("oh\n")}},
    {FIXTURE_ITEM("b\033\n"), {FIXTURE_OUT("no newline")}},
    {FIXTURE_ITEM("c"), {.status = RECORD_FAILED, FIXTURE_ERR("bad")}},
    {FIXTURE_ITEM("d"), {FIXTURE_OUT("\n")}},
};

static void test_sink_prints_outputs_as_they_are(void **state)
{
    (void)state;
    int out = redirect(STDOUT_FILENO, create("out", 0));
    int err = redirect(STDERR_FILENO, create("err", 0));
    options.print = true;
    int code = run(printers, 4, NULL);
    bring_back(STDOUT_FILENO, out);
    bring_back(STDERR_FILENO, err);
    assert_int_equal(code, 0);
    assert_content("out", "1\n2\nno newline\n");
    assert_content("err", "oh\nbad");
}

static void test_sink_prints_with_the_item_before_each_line(void **state)
{
    (void)state;
    int out = redirect(STDOUT_FILENO, create("out", 0));
    int err = redirect(STDERR_FILENO, create("err", 0));
    options.print = true;
    options.tag = true;
    int code = run(printers, 4, NULL);
    bring_back(STDOUT_FILENO, out);
    bring_back(STDERR_FILENO, err);
    assert_int_equal(code, 0);
    assert_content("out", "a\tx\t1\na\tx\t2\nb??\tno newline\nd\t\n");
    assert_content("err", "a\tx\toh\nc\tbad\n");
}

/* An answer that is an empty line is one; an item without an answer is none. */
static void test_sink_prints_lines_of_a_pipe_with_their_separator(void **state)
{
    (void)state;
    static const struct item_fixture items[] = {
        {FIXTURE_ITEM("a"), {FIXTURE_OUT("1")}},
        {FIXTURE_ITEM("b"), {FIXTURE_OUT("")}},
        {FIXTURE_ITEM("c"), {.status = RECORD_CRASHED}},
    };
    options.print = true;
    options.raw_lines = true;
    int out = redirect(STDOUT_FILENO, create("out", 0));
    int code = run(items, 3, NULL);
    bring_back(STDOUT_FILENO, out);
    assert_int_equal(code, 0);
    assert_content("out", "1\n\n");
    options.tag = true;
    out = redirect(STDOUT_FILENO, create("out", O_TRUNC));
    code = run(items, 3, NULL);
    bring_back(STDOUT_FILENO, out);
    assert_int_equal(code, 0);
    assert_content("out", "a\t1\nb\t\n");
}

static void test_sink_prints_both_streams_of_an_item_before_the_next(void **state)
{
    (void)state;
    int out = redirect(STDOUT_FILENO, create("both", O_APPEND));
    int err = redirect(STDERR_FILENO, dup(STDOUT_FILENO)); /* 2>&1 */
    options.print = true;
    int code = run(printers, 4, NULL);
    bring_back(STDOUT_FILENO, out);
    bring_back(STDERR_FILENO, err);
    assert_int_equal(code, 0);
    assert_content("both", "1\n2\noh\nno newlinebad\n");
}

static void test_sink_adds_to_what_standard_output_has_already(void **state)
{
    (void)state;
    write_fixture(path("out"), "before\n");
    int out = redirect(STDOUT_FILENO, create("out", O_APPEND));
    options.out = "-";
    int code = run(printers, 1, NULL);
    bring_back(STDOUT_FILENO, out);
    assert_int_equal(code, 0);
    assert_content("out", "before\n1\n2\n");
}

static void test_sink_tells_that_the_reader_of_standard_output_is_gone(void **state)
{
    (void)state;
    int fds[2];
    bool broken_pipe = false;
    assert_int_equal(pipe(fds), 0);
    (void)close(fds[0]);
    int out = redirect(STDOUT_FILENO, fds[1]);
    options.print = true;
    int code = run(printers, 4, &broken_pipe); /* SIGPIPE would end the test here */
    bring_back(STDOUT_FILENO, out);
    assert_int_equal(code, ERR_IO);
    assert_true(broken_pipe);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_sink_refuses_one_path_for_two_outputs),
        CASE(test_sink_refuses_one_file_under_two_names),
        CASE(test_sink_refuses_standard_output_for_two_outputs),
        CASE(test_sink_refuses_the_file_that_standard_output_is),
        CASE(test_sink_refuses_the_file_that_errors_are_printed_to),
        CASE(test_sink_refuses_what_the_run_reads_or_reports),
        CASE(test_sink_loses_nothing_when_one_output_cannot_be_opened),
        CASE(test_sink_may_have_the_null_device_twice),
        CASE(test_sink_empties_files_and_writes_headers),
        CASE(test_sink_prints_outputs_as_they_are),
        CASE(test_sink_prints_with_the_item_before_each_line),
        CASE(test_sink_prints_lines_of_a_pipe_with_their_separator),
        CASE(test_sink_prints_both_streams_of_an_item_before_the_next),
        CASE(test_sink_adds_to_what_standard_output_has_already),
        CASE(test_sink_tells_that_the_reader_of_standard_output_is_gone),
    };
    return cmocka_run_group_tests_name("sink_outputs", tests, NULL, NULL);
}
