/* A program that a launcher runs: its lines, its input, its end. */
#include "coordinator/launch/launch_child.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { LINES_MAX = 64 };

struct heard {
    char lines[LINES_MAX][LAUNCH_LINE_SIZE + 2]; /* with "o" or "e" in front */
    size_t count;
    bool ended;
    struct spawn_end end;
};

struct rig {
    uv_loop_t loop;
    struct heard heard;
    struct launch_child *child;
};

static void on_line(void *arg, bool is_error_output, const char *line)
{
    struct heard *heard = &((struct rig *)arg)->heard;
    assert_false(heard->ended);
    assert_true(heard->count < LINES_MAX);
    char *to = heard->lines[heard->count++];
    to[0] = is_error_output ? 'e' : 'o';
    (void)snprintf(to + 1, LAUNCH_LINE_SIZE, "%s", line);
}

static void on_ended(void *arg, const struct spawn_end *end)
{
    struct heard *heard = &((struct rig *)arg)->heard;
    assert_false(heard->ended);
    heard->ended = true;
    heard->end = *end;
}

static const struct launch_child_handlers handlers = {.line = on_line, .ended = on_ended};

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    if (rig == NULL || uv_loop_init(&rig->loop) != 0) {
        return -1;
    }
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    int rc = uv_loop_close(&rig->loop); /* no handle is left */
    free(rig);
    return rc;
}

static void start(struct rig *rig, const char *script)
{
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    struct err_text error = {{0}};
    assert_int_equal(launch_child_start(&rig->loop, argv, &handlers, rig, &error, &rig->child), 0);
}

/* Everything that happens, until nothing more can. */
static void play(struct rig *rig)
{
    (void)uv_run(&rig->loop, UV_RUN_DEFAULT);
    assert_true(rig->heard.ended);
}

static bool heard_line(const struct rig *rig, const char *line)
{
    for (size_t i = 0; i < rig->heard.count; i++) {
        if (strcmp(rig->heard.lines[i], line) == 0) {
            return true;
        }
    }
    return false;
}

static void test_lines_of_both_outputs_come_and_then_the_end(void **state)
{
    struct rig *rig = *state;
    start(rig, "echo one; printf 'two\\r\\n' >&2; printf three; exit 7");
    play(rig);
    assert_int_equal(rig->heard.count, 3);
    assert_int_equal(rig->heard.end.exit_status, 7);
    assert_int_equal(rig->heard.end.signal, 0);
    assert_true(heard_line(rig, "oone"));
    assert_true(heard_line(rig, "etwo"));
    assert_true(heard_line(rig, "othree")); /* without a line end */
}

static void test_long_line_is_cut_and_the_next_one_whole(void **state)
{
    struct rig *rig = *state;
    start(rig, "head -c 200000 /dev/zero | tr '\\0' x; echo; echo next");
    play(rig);
    assert_int_equal(rig->heard.count, 2);
    assert_int_equal(strlen(rig->heard.lines[0]), 1 + LAUNCH_LINE_SIZE - 1);
    assert_string_equal(rig->heard.lines[1], "onext");
}

static void test_child_reads_what_it_is_given_until_its_input_ends(void **state)
{
    struct rig *rig = *state;
    start(rig, "while read -r x; do echo \"got $x\"; done; echo end");
    launch_child_write(rig->child, "a\nb\n", 4);
    launch_child_end_input(rig->child);
    launch_child_end_input(rig->child); /* harmless */
    launch_child_write(rig->child, "c\n", 2);
    play(rig);
    assert_int_equal(rig->heard.count, 3);
    assert_string_equal(rig->heard.lines[0], "ogot a");
    assert_string_equal(rig->heard.lines[1], "ogot b");
    assert_string_equal(rig->heard.lines[2], "oend");
}

static void test_writing_to_a_child_that_does_not_read_is_harmless(void **state)
{
    struct rig *rig = *state;
    (void)signal(SIGPIPE, SIG_IGN); /* as the program does */
    start(rig, "exec <&-; echo closed; read -r x </dev/null; exit 3");
    while (rig->heard.count == 0) {
        (void)uv_run(&rig->loop, UV_RUN_ONCE);
    }
    if (!rig->heard.ended) {
        launch_child_write(rig->child, "x\n", 2);
    }
    play(rig);
    assert_int_equal(rig->heard.end.exit_status, 3);
}

/* --- a file --- */

enum { FILE_BYTES = 1000 * 1000 }; /* many times what a pipe holds */

static int make_file(size_t len)
{
    int file = memfd_create("file", MFD_CLOEXEC);
    char block[1000];
    for (size_t i = 0; i < sizeof(block); i++) {
        block[i] = (char)('a' + i % 26);
    }
    for (size_t i = 0; i < len / sizeof(block); i++) {
        assert_int_equal(write(file, block, sizeof(block)), sizeof(block));
    }
    return file;
}

/* `cksum` of it, as the child prints it. */
static void sum_file(int file, char *ret_line, size_t size)
{
    char command[64];
    (void)snprintf(command, sizeof(command), "cksum </proc/%d/fd/%d", (int)getpid(), file);
    FILE *pipe = popen(command, "re");
    assert_non_null(pipe);
    assert_non_null(fgets(ret_line, (int)size, pipe));
    ret_line[strcspn(ret_line, "\n")] = '\0';
    assert_int_equal(pclose(pipe), 0);
}

static void test_file_arrives_whole_and_text_may_follow_it(void **state)
{
    struct rig *rig = *state;
    char sum[64] = "o";
    int file = make_file(FILE_BYTES);
    sum_file(file, sum + 1, sizeof(sum) - 1);
    start(rig, "head -c 1000000 | cksum; read -r x; echo \"got $x\"");
    launch_child_feed(rig->child, file, FILE_BYTES);
    while (rig->heard.count == 0) {
        (void)uv_run(&rig->loop, UV_RUN_ONCE);
    }
    assert_int_equal(launch_child_fed_bytes(rig->child), FILE_BYTES);
    launch_child_write(rig->child, "a\n", 2);
    play(rig);
    assert_string_equal(rig->heard.lines[0], sum);
    assert_string_equal(rig->heard.lines[1], "ogot a");
    (void)close(file);
}

static void test_file_waits_for_a_child_that_does_not_read(void **state)
{
    struct rig *rig = *state;
    int file = make_file(FILE_BYTES);
    start(rig, "echo here; exec sleep 1000");
    launch_child_feed(rig->child, file, FILE_BYTES);
    while (rig->heard.count == 0 || launch_child_fed_bytes(rig->child) == 0) {
        (void)uv_run(&rig->loop, UV_RUN_ONCE);
    }
    (void)uv_run(&rig->loop, UV_RUN_NOWAIT);
    assert_true(launch_child_fed_bytes(rig->child) < FILE_BYTES);
    launch_child_signal(rig->child, SIGKILL);
    play(rig);
    (void)close(file);
}

static void test_child_that_closes_its_input_ends_the_file(void **state)
{
    struct rig *rig = *state;
    int file = make_file(FILE_BYTES);
    (void)signal(SIGPIPE, SIG_IGN);
    start(rig, "head -c 10 >/dev/null; exec <&-; echo closed; exit 3");
    launch_child_feed(rig->child, file, FILE_BYTES);
    play(rig);
    assert_int_equal(rig->heard.end.exit_status, 3);
    (void)close(file);
}

static void test_file_that_is_shorter_ends_the_input(void **state)
{
    struct rig *rig = *state;
    int file = make_file(5000);
    start(rig, "wc -c");
    launch_child_feed(rig->child, file, FILE_BYTES);
    play(rig);
    assert_string_equal(rig->heard.lines[0], "o5000");
    (void)close(file);
}

static void test_input_that_ends_ends_the_file(void **state)
{
    struct rig *rig = *state;
    int file = make_file(FILE_BYTES);
    start(rig, "wc -c >/dev/null; echo end");
    launch_child_feed(rig->child, file, FILE_BYTES);
    launch_child_end_input(rig->child);
    play(rig);
    assert_string_equal(rig->heard.lines[0], "oend");
    (void)close(file);
}

static void test_signal_ends_the_child(void **state)
{
    struct rig *rig = *state;
    start(rig, "echo here; exec sleep 1000");
    while (rig->heard.count == 0) {
        (void)uv_run(&rig->loop, UV_RUN_ONCE);
    }
    launch_child_signal(rig->child, SIGKILL);
    play(rig);
    assert_int_equal(rig->heard.end.signal, SIGKILL);
}

/* As the master connection that ssh may leave behind. */
static void test_end_is_seen_while_a_grandchild_holds_the_outputs(void **state)
{
    struct rig *rig = *state;
    start(rig, "sleep 1000 & echo $!; exit 0");
    play(rig);
    assert_int_equal(rig->heard.count, 1);
    assert_int_equal(rig->heard.end.exit_status, 0);
    (void)kill((pid_t)strtol(rig->heard.lines[0] + 1, NULL, 10), SIGKILL); /* ours, by its pid */
}

static void test_program_that_is_not_there_is_an_error_with_its_name(void **state)
{
    struct rig *rig = *state;
    const char *argv[] = {"/nonexistent/ssh", NULL};
    struct err_text error = {{0}};
    rig->child = NULL;
    assert_int_equal(launch_child_start(&rig->loop, argv, &handlers, rig, &error, &rig->child),
                     ERR_NOT_FOUND);
    assert_non_null(strstr(error.s, "/nonexistent/ssh"));
    assert_null(rig->child);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_lines_of_both_outputs_come_and_then_the_end),
        TEST(test_long_line_is_cut_and_the_next_one_whole),
        TEST(test_child_reads_what_it_is_given_until_its_input_ends),
        TEST(test_writing_to_a_child_that_does_not_read_is_harmless),
        TEST(test_file_arrives_whole_and_text_may_follow_it),
        TEST(test_file_waits_for_a_child_that_does_not_read),
        TEST(test_child_that_closes_its_input_ends_the_file),
        TEST(test_file_that_is_shorter_ends_the_input),
        TEST(test_input_that_ends_ends_the_file),
        TEST(test_signal_ends_the_child),
        TEST(test_end_is_seen_while_a_grandchild_holds_the_outputs),
        TEST(test_program_that_is_not_there_is_an_error_with_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
