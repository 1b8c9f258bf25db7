/* Workload pipe with programs that crash, hang, say too much or nothing at all: who is blamed, and
 * that the others' results are right. */
#include "tests/worker/pipe_rig.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_says(const struct pipe_result *result, const char *text)
{
    assert_false(result->ok);
    if (strstr(result->error, text) == NULL) {
        fail_msg("'%s' does not say '%s'", result->error, text);
    }
}

/* All `count` are there, and right but for `bad` (SIZE_MAX: none), which has failed. */
static void assert_all_but(const struct pipe_rig *rig, size_t count, size_t bad)
{
    assert_int_equal(rig->count, count);
    for (size_t i = 0; i < count; i++) {
        char number[32];
        (void)snprintf(number, sizeof(number), "%zu", i);
        if (i == bad) {
            assert_false(rig->results[i].ok);
        } else if (!rig->results[i].ok) {
            fail_msg("item %zu: %s", i, rig->results[i].error);
        } else {
            assert_string_equal(rig->results[i].out, number);
        }
    }
}

static void test_pipe_item_that_crashes_the_program_fails_alone(void **state)
{
    (void)state;
    const char *const command[] = {pipe_actor, "crash-on", "3000", NULL};
    struct pipe_rig rig;
    pipe_rig_open(&rig, command, NULL);
    pipe_rig_run_numbers(&rig, 0, 10000);
    assert_all_but(&rig, 10000, 3000);
    assert_string_equal(rig.results[3000].error,
                        "the program was killed by signal 11 (Segmentation fault) instead of "
                        "answering this item: first / 3000 is more than I can bear");
    assert_int_equal(rig.results[3000].flags, WORKLOAD_CRASHED);
    assert_int_equal(rig.results[3000].signal, 11);
    assert_true(pipe_rig_noted(&rig, "the program says: first"));
    pipe_rig_close(&rig);
}

static void test_pipe_exit_status_of_crash_is_told(void **state)
{
    (void)state;
    const char *const command[] = {pipe_actor, "crash-on", "0", "7", NULL};
    const char *const params[] = {"crash-limit=1", NULL};
    struct pipe_rig rig;
    pipe_rig_open(&rig, command, params);
    pipe_rig_run_numbers(&rig, 0, 3);
    assert_all_but(&rig, 3, 0);
    assert_says(&rig.results[0], "the program exited with status 7 instead of answering this item");
    assert_int_equal(rig.results[0].exit_status, 7);
    pipe_rig_close(&rig);
}

/* Nothing is known of where it was when it crashed: the answers before went down with it. */
static void test_pipe_item_that_crashes_a_program_that_holds_back_fails_alone(void **state)
{
    (void)state;
    const char *const command[] = {pipe_actor, "hold", "700", NULL};
    const char *const params[] = {"stall=0.002", NULL};
    struct pipe_rig rig;
    pipe_rig_open(&rig, command, params);
    pipe_rig_run_numbers(&rig, 0, 1000);
    assert_all_but(&rig, 1000, 700);
    pipe_rig_close(&rig);
}

static void test_pipe_crash_of_every_item_fails_every_item(void **state)
{
    (void)state;
    const char *const command[] = {pipe_actor, "crash-on", "x", NULL};
    const char *const params[] = {"crash-limit=2", NULL};
    const char *const texts[] = {"x", "x", "y", "x", NULL};
    struct pipe_rig rig;
    pipe_rig_open(&rig, command, params);
    pipe_rig_run_texts(&rig, texts);
    assert_int_equal(rig.count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(rig.results[i].ok, i == 2);
    }
    pipe_rig_close(&rig);
}

static void test_pipe_program_that_exits_after_some_items_is_started_again(void **state)
{
    (void)state;
    const char *const command[] = {pipe_actor, "exit-after", "50", NULL};
    struct pipe_rig rig;
    pipe_rig_open(&rig, command, NULL);
    pipe_rig_run_numbers(&rig, 0, 500);
    assert_all_but(&rig, 500, SIZE_MAX);
    pipe_rig_close(&rig);
}

/* Its answers are complete when it goes, between two batches. */
static void test_pipe_program_that_ends_between_batches_is_started_again(void **state)
{
    (void)state;
    const char *const command[] = {pipe_actor, "exit-after", "10", "3", NULL};
    struct pipe_rig rig;
    pipe_rig_open(&rig, command, NULL);
    for (int i = 0; i < 5; i++) {
        pipe_rig_run_numbers(&rig, 0, 10);
        assert_all_but(&rig, 10, SIZE_MAX);
        assert_true(pipe_rig_await_gone(rig.slot->program.child.pid));
    }
    pipe_rig_close(&rig);
}

static void test_pipe_program_that_only_exits_fails_all_items_soon(void **state)
{
    (void)state;
    const char *const command[] = {pipe_actor, "exit-at-once", "9", "no such module", NULL};
    struct pipe_rig rig;
    pipe_rig_open(&rig, command, NULL);
    pipe_rig_run_numbers(&rig, 0, 60000);
    assert_int_equal(rig.count, 60000);
    for (size_t i = 0; i < 60000; i++) {
        assert_says(&rig.results[i], "exited with status 9");
        assert_says(&rig.results[i], ": no such module");
    }
    pipe_rig_close(&rig);
}

static void test_pipe_program_that_answers_too_much_is_told_of(void **state)
{
    (void)state;
    const char *const command[] = {pipe_actor, "twice", "9", NULL};
    struct pipe_rig rig;
    pipe_rig_open(&rig, command, NULL);
    pipe_rig_run_numbers(&rig, 0, 10);
    assert_all_but(&rig, 10, SIZE_MAX);
    pipe_rig_run_numbers(&rig, 0, 9);
    assert_all_but(&rig, 9, SIZE_MAX); /* and not shifted by what was too much */
    pipe_rig_close(&rig);
    assert_true(pipe_rig_noted(&rig, "more answers than it gets items"));
}

static void test_pipe_answer_too_much_at_the_very_end_is_told_of(void **state)
{
    (void)state;
    const char *const command[] = {pipe_actor, "twice", "9", NULL};
    struct pipe_rig rig;
    pipe_rig_open(&rig, command, NULL);
    pipe_rig_run_numbers(&rig, 0, 10);
    pipe_rig_close(&rig);
    assert_true(pipe_rig_noted(&rig, "more answers than it gets items"));
}

static void test_pipe_item_at_which_the_program_hangs_times_out_alone(void **state)
{
    (void)state;
    const char *const command[] = {pipe_actor, "hang-on", "40", NULL};
    const char *const params[] = {"timeout=0.3", NULL};
    struct pipe_rig rig;
    pipe_rig_open(&rig, command, params);
    pipe_rig_run_numbers(&rig, 0, 100);
    assert_all_but(&rig, 100, 40);
    assert_says(&rig.results[40], "the program gave no answer for 0.3 s and was killed");
    assert_int_equal(rig.results[40].flags, WORKLOAD_TIMED_OUT);
    pipe_rig_close(&rig);
}

static void test_pipe_program_that_never_answers_times_out(void **state)
{
    (void)state;
    static const char *const roles[] = {"silent", "deaf"};
    const char *const params[] = {"timeout=0.1", "stall=0.01", NULL};
    for (size_t k = 0; k < 2; k++) {
        const char *const command[] = {pipe_actor, roles[k], NULL};
        struct pipe_rig rig;
        pipe_rig_open(&rig, command, params);
        pipe_rig_run_numbers(&rig, 0, 60000);
        assert_int_equal(rig.count, 60000);
        for (size_t i = 0; i < 60000; i++) {
            assert_says(&rig.results[i], "gave no answer for 0.1 s");
        }
        pipe_rig_close(&rig);
    }
}

/* Without a limit of the user's; ours is shortened. */
static void test_pipe_program_that_never_answers_is_given_up(void **state)
{
    (void)state;
    static const char *const roles[] = {"silent", "deaf"};
    const char *const params[] = {"stall=0.01", NULL};
    for (size_t k = 0; k < 2; k++) {
        const char *const command[] = {pipe_actor, roles[k], NULL};
        struct pipe_rig rig;
        pipe_rig_open(&rig, command, params);
        rig.slot->state->habit.silence_us = 100000;
        pipe_rig_run_numbers(&rig, 0, 1000);
        assert_int_equal(rig.count, 1000);
        for (size_t i = 0; i < 1000; i++) {
            assert_says(&rig.results[i],
                        "the program did nothing for 0.1 s, not even at the end of its input, and "
                        "was killed (if an item may take so long, say so with timeout)");
            assert_int_equal(rig.results[i].flags, WORKLOAD_TIMED_OUT);
        }
        pipe_rig_close(&rig);
    }
}

static void test_pipe_errors_of_the_program_never_block_it(void **state)
{
    (void)state;
    const char *const command[] = {pipe_actor, "noisy", "1000000", NULL};
    struct pipe_rig rig;
    pipe_rig_open(&rig, command, NULL);
    pipe_rig_run_numbers(&rig, 0, 5);
    assert_all_but(&rig, 5, SIZE_MAX);
    assert_int_equal(rig.note_count, 1);
    assert_string_equal(rig.notes[0], "the program says: noise                  1000000");
    pipe_rig_close(&rig);
}

static void test_pipe_lines_where_lengths_should_be_are_explained(void **state)
{
    (void)state;
    const char *const command[] = {"sh", "-c", "echo hello; cat >/dev/null", NULL};
    const char *const params[] = {"framing=length", "crash-limit=1", NULL};
    struct pipe_rig rig;
    pipe_rig_open(&rig, command, params);
    pipe_rig_run_numbers(&rig, 0, 3);
    assert_int_equal(rig.count, 3);
    assert_says(&rig.results[0], "answer begins with 68 65 6c 6c ('hell')");
    pipe_rig_close(&rig);
}

static void test_pipe_fewer_answers_than_items_fails_those_without(void **state)
{
    (void)state;
    const char *const command[] = {"grep", "--line-buffered", "-v", "5", NULL};
    const char *const params[] = {"stall=0.005", "crash-limit=2", NULL};
    struct pipe_rig rig;
    pipe_rig_open(&rig, command, params);
    pipe_rig_run_numbers(&rig, 5, 1);
    assert_int_equal(rig.count, 1);
    assert_says(&rig.results[0], "exited with status 1 instead of answering this item");
    pipe_rig_close(&rig);
}

/* A program of role "stay", which writes down its number and that of a process it has started. */
struct stayer {
    char path[32];
    const char *command[4];
};

static void prepare_stayer(struct stayer *stayer)
{
    (void)snprintf(stayer->path, sizeof(stayer->path), "/tmp/pipe-pids-XXXXXX");
    int fd = mkstemp(stayer->path);
    assert_true(fd >= 0);
    (void)close(fd);
    stayer->command[0] = pipe_actor;
    stayer->command[1] = "stay";
    stayer->command[2] = stayer->path;
    stayer->command[3] = NULL;
}

/* It has answered something, so the numbers are there. */
static void read_stayer(const struct stayer *stayer, int *ret_program, int *ret_child)
{
    char text[64] = "";
    char *end = text;
    FILE *file = fopen(stayer->path, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    (void)fclose(file);
    *ret_program = (int)strtol(text, &end, 10);
    *ret_child = (int)strtol(end, NULL, 10);
    assert_true(*ret_program > 0 && *ret_child > 0);
    (void)unlink(stayer->path);
}

static void *cancel_later(void *arg)
{
    struct pipe_rig *rig = arg;
    (void)usleep(50000);
    atomic_store(&rig->cancelled, true);
    return NULL;
}

static void test_pipe_cancel_kills_the_program_and_what_it_started(void **state)
{
    (void)state;
    struct stayer stayer;
    struct pipe_rig rig;
    int program = 0;
    int child = 0;
    prepare_stayer(&stayer);
    pipe_rig_open(&rig, stayer.command, NULL);
    rig.cancel_after = 10;
    pipe_rig_run_numbers(&rig, 0, 60000);
    assert_in_range(rig.count, 11, 60000);
    assert_false(rig.slot->program.runs);
    read_stayer(&stayer, &program, &child);
    assert_true(pipe_rig_await_gone(program));
    assert_true(pipe_rig_await_gone(child));
    pipe_rig_close(&rig);
}

/* The first is left at the end, which is nothing to speak of; the other after each batch. */
static void test_pipe_program_that_does_not_end_with_its_input_is_killed(void **state)
{
    (void)state;
    const char *const command[] = {
        "sh", "-c", "while read -r x; do echo \"$x\"; done | cat; sleep 1000", NULL};
    const char *const hold[] = {"sh", "-c", "sed s/x/x/; sleep 1000", NULL};
    const char *const *const commands[] = {command, hold};
    for (size_t k = 0; k < 2; k++) {
        struct pipe_rig rig;
        pipe_rig_open(&rig, commands[k], NULL);
        pipe_rig_run_numbers(&rig, 0, 20);
        assert_all_but(&rig, 20, SIZE_MAX);
        int pid = rig.slot->program.child.pid;
        pipe_rig_close(&rig);
        assert_true(pid == 0 || pipe_rig_await_gone(pid));
        assert_int_equal(pipe_rig_noted(&rig, "did not end when its input did"), k);
    }
}

static void test_pipe_cancel_ends_a_wait(void **state)
{
    (void)state;
    static const char *const roles[] = {"silent", "deaf"};
    for (size_t k = 0; k < 2; k++) {
        const char *const command[] = {pipe_actor, roles[k], NULL};
        struct pipe_rig rig;
        pthread_t thread;
        pipe_rig_open(&rig, command, NULL);
        assert_int_equal(pthread_create(&thread, NULL, cancel_later, &rig), 0);
        uint64_t begin_us = pipe_now_us();
        pipe_rig_run_numbers(&rig, 0, 100);
        assert_int_equal(rig.count, 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_true(pipe_now_us() - begin_us < PIPE_SILENCE_US / 2);
        pipe_rig_close(&rig);
    }
}

static void test_pipe_close_leaves_no_process(void **state)
{
    (void)state;
    struct stayer stayer;
    struct pipe_rig rig;
    int program = 0;
    int child = 0;
    prepare_stayer(&stayer);
    pipe_rig_open(&rig, stayer.command, NULL);
    pipe_rig_run_numbers(&rig, 0, 10);
    assert_all_but(&rig, 10, SIZE_MAX);
    pipe_rig_close(&rig);
    read_stayer(&stayer, &program, &child);
    assert_true(pipe_rig_await_gone(program));
    assert_true(pipe_rig_await_gone(child));
}

_Noreturn static void run_and_wait_to_be_killed(const struct stayer *stayer, int tell)
{
    struct pipe_rig rig;
    pipe_rig_open(&rig, stayer->command, NULL);
    pipe_rig_run_numbers(&rig, 0, 10);
    (void)!write(tell, "", 1);
    for (;;) {
        (void)pause();
    }
}

/* As an executor is that nobody wants any more: there is no time to close anything. */
static void test_pipe_program_does_not_outlive_a_process_that_is_killed(void **state)
{
    (void)state;
    struct stayer stayer;
    int told[2];
    int program = 0;
    int child = 0;
    char byte;
    prepare_stayer(&stayer);
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    pid_t executor = fork();
    assert_true(executor >= 0);
    if (executor == 0) {
        run_and_wait_to_be_killed(&stayer, told[1]);
    }
    (void)close(told[1]);
    assert_int_equal(read(told[0], &byte, 1), 1);
    (void)close(told[0]);
    read_stayer(&stayer, &program, &child);
    assert_int_equal(kill(executor, SIGKILL), 0);
    assert_int_equal(waitpid(executor, NULL, 0), executor);
    assert_true(pipe_rig_await_gone(program));
    (void)kill(child, SIGKILL); /* what it started is its own business then */
}

/* The file is there when the job begins, and not when the program is to be started. */
static void test_pipe_program_that_disappears_fails_the_items(void **state)
{
    (void)state;
    char path[] = "/tmp/pipe-program-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, 0700), 0);
    (void)close(fd);
    const char *const command[] = {path, NULL};
    struct pipe_rig rig;
    pipe_rig_open(&rig, command, NULL);
    (void)unlink(path);
    pipe_rig_run_numbers(&rig, 0, 100);
    assert_int_equal(rig.count, 100);
    assert_says(&rig.results[99], "cannot run '/tmp/pipe-program-");
    pipe_rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipe_item_that_crashes_the_program_fails_alone),
        cmocka_unit_test(test_pipe_exit_status_of_crash_is_told),
        cmocka_unit_test(test_pipe_item_that_crashes_a_program_that_holds_back_fails_alone),
        cmocka_unit_test(test_pipe_crash_of_every_item_fails_every_item),
        cmocka_unit_test(test_pipe_program_that_exits_after_some_items_is_started_again),
        cmocka_unit_test(test_pipe_program_that_ends_between_batches_is_started_again),
        cmocka_unit_test(test_pipe_program_that_only_exits_fails_all_items_soon),
        cmocka_unit_test(test_pipe_program_that_answers_too_much_is_told_of),
        cmocka_unit_test(test_pipe_answer_too_much_at_the_very_end_is_told_of),
        cmocka_unit_test(test_pipe_item_at_which_the_program_hangs_times_out_alone),
        cmocka_unit_test(test_pipe_program_that_never_answers_times_out),
        cmocka_unit_test(test_pipe_program_that_never_answers_is_given_up),
        cmocka_unit_test(test_pipe_errors_of_the_program_never_block_it),
        cmocka_unit_test(test_pipe_lines_where_lengths_should_be_are_explained),
        cmocka_unit_test(test_pipe_fewer_answers_than_items_fails_those_without),
        cmocka_unit_test(test_pipe_cancel_kills_the_program_and_what_it_started),
        cmocka_unit_test(test_pipe_program_that_does_not_end_with_its_input_is_killed),
        cmocka_unit_test(test_pipe_cancel_ends_a_wait),
        cmocka_unit_test(test_pipe_close_leaves_no_process),
        cmocka_unit_test(test_pipe_program_does_not_outlive_a_process_that_is_killed),
        cmocka_unit_test(test_pipe_program_that_disappears_fails_the_items),
    };
    return !!cmocka_run_group_tests_name("pipe_faults", tests, NULL, NULL);
}
