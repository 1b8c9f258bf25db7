/* How a plan is performed: in order, each step to its end, and what is said of one that fails. */
#include "coordinator/launchers/perform.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct rig {
    char directory[64];
    struct plan plan;
    struct err_text error;
    int signal;
};

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    *state = rig;
    (void)snprintf(rig->directory, sizeof(rig->directory), "/tmp/quartet-perform-XXXXXX");
    return mkdtemp(rig->directory) == NULL || chdir(rig->directory) != 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    plan_deinit(&rig->plan);
    (void)unlink("file");
    (void)unlink("said");
    int rc = chdir("/") + rmdir(rig->directory);
    free(rig);
    return rc;
}

static void add_script(struct rig *rig, const char *script)
{
    struct words *words = plan_run(&rig->plan);
    words_add(words, "sh");
    words_add(words, "-c");
    words_add(words, "%s", script);
}

static int play(struct rig *rig)
{
    assert_true(plan_is_complete(&rig->plan));
    return perform(&rig->plan, &rig->error, &rig->signal);
}

/* What was in `file`, which is removed. */
static char *take(const char *name, char *ret_text, size_t size)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t len = read(fd, ret_text, size - 1);
    assert_true(len >= 0);
    ret_text[len] = '\0';
    (void)close(fd);
    return ret_text;
}

static void test_steps_are_done_in_order_and_files_are_as_private_as_asked(void **state)
{
    struct rig *rig = *state;
    char text[64];
    struct stat info;
    plan_write(&rig->plan, "file", true, "one\n");
    add_script(rig, "cat >>file; echo three >>file");
    plan_feed(&rig->plan, PLAN_TEXT, "two\n");
    assert_int_equal(play(rig), 0);
    assert_string_equal(take("file", text, sizeof(text)), "one\ntwo\nthree\n");
    assert_int_equal(stat("file", &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void test_command_without_input_finds_none(void **state)
{
    struct rig *rig = *state;
    char text[64];
    add_script(rig, "wc -c >file");
    assert_int_equal(play(rig), 0);
    assert_string_equal(take("file", text, sizeof(text)), "0\n");
}

static void test_command_that_fails_is_named_with_its_last_words_and_ends_the_plan(void **state)
{
    struct rig *rig = *state;
    add_script(rig, "for i in 1 2 3 4; do echo \"  line $i\" >&2; echo ---- >&2; done; exit 7");
    add_script(rig, ": >file");
    assert_int_equal(play(rig), ERR_CHILD);
    assert_string_equal(rig->error.s, "'sh' exited with status 7: line 2 / line 3 / line 4");
    assert_int_equal(access("file", F_OK), -1);
}

static void test_command_that_is_killed_is_no_success(void **state)
{
    struct rig *rig = *state;
    add_script(rig, "kill -9 $$");
    assert_int_equal(play(rig), ERR_CHILD);
    assert_string_equal(rig->error.s, "'sh' was ended by signal 9");
}

static void test_command_is_called_what_the_plan_calls_it(void **state)
{
    struct rig *rig = *state;
    char text[64];
    struct words *words = plan_run(&rig->plan);
    words_add(words, "sh");
    words_add(words, "-c");
    words_add(words, "tr '\\0' '\\n' </proc/$$/cmdline | head -n 1 >file");
    assert_int_equal(play(rig), 0);
    assert_string_equal(take("file", text, sizeof(text)), "sh\n");
}

static void test_command_that_there_is_not_is_said(void **state)
{
    struct rig *rig = *state;
    words_add(plan_run(&rig->plan), "no-such-program");
    assert_int_equal(play(rig), ERR_CHILD);
    assert_non_null(strstr(rig->error.s, "no-such-program"));
}

static void test_number_that_a_command_prints_is_told(void **state)
{
    struct rig *rig = *state;
    char text[64];
    int before = dup(STDOUT_FILENO);
    int file = open("said", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    add_script(rig, "echo Submitted batch job 17; echo");
    plan_say(&rig->plan, "job {}: 'cancel {}'");
    (void)fflush(stdout);
    assert_true(dup2(file, STDOUT_FILENO) >= 0);
    int rc = play(rig);
    assert_true(dup2(before, STDOUT_FILENO) >= 0);
    (void)close(before);
    (void)close(file);
    assert_int_equal(rc, 0);
    assert_string_equal(take("said", text, sizeof(text)), "job 17: 'cancel 17'\n");
}

/* The script sends the signal, when all stands, to its parent: this program. */
static void test_signal_ends_a_held_input_and_nothing_more_is_done(void **state)
{
    struct rig *rig = *state;
    char text[64];
    add_script(rig, "read -r line; kill -INT $PPID; cat >/dev/null; echo \"$line\" >file");
    plan_feed(&rig->plan, PLAN_HELD_TEXT, "hello\n");
    add_script(rig, ": >said");
    assert_int_equal(play(rig), ERR_CANCELLED);
    assert_int_equal(rig->signal, SIGINT);
    assert_string_equal(take("file", text, sizeof(text)), "hello\n");
    assert_int_equal(access("said", F_OK), -1);
}

static void test_signal_is_passed_on_where_no_input_is_held(void **state)
{
    struct rig *rig = *state;
    add_script(rig,
               "trap 'echo >file; exit 0' TERM; kill -HUP $PPID; while :; do sleep 0.01; done");
    assert_int_equal(play(rig), ERR_CANCELLED);
    assert_int_equal(rig->signal, SIGHUP);
    assert_int_equal(access("file", F_OK), 0);
}

static void test_second_signal_ends_what_does_not_want_to(void **state)
{
    struct rig *rig = *state;
    add_script(rig, "trap 'kill -INT $PPID' TERM; kill -TERM $PPID; while :; do sleep 0.01; done");
    assert_int_equal(play(rig), ERR_CANCELLED);
    assert_int_equal(rig->signal, SIGTERM);
}

static void test_file_is_installed_once_and_another_one_is_left(void **state)
{
    struct rig *rig = *state;
    char text[64];
    plan_install(&rig->plan, "file", "one\n");
    assert_int_equal(play(rig), 0);
    assert_int_equal(play(rig), 0); /* it is there, and the same */
    plan_deinit(&rig->plan);
    plan_install(&rig->plan, "file", "two\n");
    add_script(rig, "touch said");
    assert_int_equal(play(rig), ERR_INVALID);
    assert_non_null(strstr(rig->error.s, "'file' is there already"));
    assert_string_equal(take("file", text, sizeof(text)), "one\n");
    assert_int_equal(access("said", F_OK), -1); /* what follows is not begun */
}

static void test_file_that_others_can_write_is_not_taken_for_the_same(void **state)
{
    struct rig *rig = *state;
    plan_install(&rig->plan, "file", "one\n");
    assert_int_equal(play(rig), 0);
    assert_int_equal(chmod("file", 0666), 0);
    assert_int_equal(play(rig), ERR_INVALID);
    assert_non_null(strstr(rig->error.s, "written by others"));
}

static void test_text_is_printed_as_it_is(void **state)
{
    struct rig *rig = *state;
    char text[64];
    (void)fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    int fd = open("said", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(saved >= 0 && fd >= 0 && dup2(fd, STDOUT_FILENO) == STDOUT_FILENO);
    plan_print(&rig->plan, "{}\nsecret\n");
    plan_redact(&rig->plan, "{}\n***\n");
    int rc = play(rig);
    assert_int_equal(dup2(saved, STDOUT_FILENO), STDOUT_FILENO);
    (void)close(saved);
    (void)close(fd);
    assert_int_equal(rc, 0);
    assert_string_equal(take("said", text, sizeof(text)), "{}\nsecret\n");
}

/* A child that it does not wait for, in a group of its own, as mpirun's ssh is. */
static void test_what_a_command_leaves_behind_is_ended(void **state)
{
    struct rig *rig = *state;
    char text[64];
    add_script(rig, "setsid sleep 1000 >/dev/null 2>&1 & echo $! >file; exit 0");
    assert_int_equal(play(rig), 0);
    pid_t left = (pid_t)strtol(take("file", text, sizeof(text)), NULL, 10);
    assert_true(left > 1);
    assert_int_equal(kill(left, 0), -1);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
#define PLAY(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        PLAY(test_steps_are_done_in_order_and_files_are_as_private_as_asked),
        PLAY(test_command_without_input_finds_none),
        PLAY(test_file_is_installed_once_and_another_one_is_left),
        PLAY(test_file_that_others_can_write_is_not_taken_for_the_same),
        PLAY(test_text_is_printed_as_it_is),
        PLAY(test_command_that_fails_is_named_with_its_last_words_and_ends_the_plan),
        PLAY(test_command_that_is_killed_is_no_success),
        PLAY(test_command_is_called_what_the_plan_calls_it),
        PLAY(test_command_that_there_is_not_is_said),
        PLAY(test_number_that_a_command_prints_is_told),
        PLAY(test_signal_ends_a_held_input_and_nothing_more_is_done),
        PLAY(test_signal_is_passed_on_where_no_input_is_held),
        PLAY(test_second_signal_ends_what_does_not_want_to),
        PLAY(test_what_a_command_leaves_behind_is_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
