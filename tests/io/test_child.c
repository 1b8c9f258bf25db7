/* Child processes: real ones. */
#include "common/io/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

// clang-format off: it needs the headers above before it
#include <cmocka.h>

// clang-format on

enum { LONG_MS = 20000 }; /* nothing here takes that long unless it is broken */

/* /bin/sh -c SCRIPT. */
static struct child *start_shell(const char *script, struct child_options options)
{
    const char *const arguments[] = {"sh", "-c", script, NULL};
    options.program = "/bin/sh";
    options.arguments = arguments;
    struct err_text error = {{0}};
    struct child *child = NULL;
    int rc = child_start(&options, &error, &child);
    if (rc != 0) {
        fail_msg("%s", error.s);
    }
    return child;
}

static struct child *run_shell(const char *script, struct child_options options)
{
    struct child *child = start_shell(script, options);
    assert_int_equal(child_wait(child, LONG_MS), 0);
    return child;
}

static void test_child_tells_its_exit_status_in_words(void **state)
{
    (void)state;
    struct child *child = run_shell("exit 3", (struct child_options){0});
    assert_string_equal(child_status_text(child), "exited with status 3");
    assert_int_equal(child_exit_status(child), 3);
    child_free(child);
    child = run_shell("exit 0", (struct child_options){0});
    assert_string_equal(child_status_text(child), "exited with status 0");
    child_free(child);
}

static void test_child_tells_what_killed_it(void **state)
{
    (void)state;
    struct child *child = start_shell("read line < /dev/zero", (struct child_options){0});
    assert_string_equal(child_status_text(child), "running");
    assert_int_equal(child_exit_status(child), -1);
    assert_int_equal(child_kill(child, SIGKILL), 0);
    assert_int_equal(child_wait(child, LONG_MS), 0);
    assert_string_equal(child_status_text(child), "killed by signal 9 (Killed)");
    assert_int_equal(child_exit_status(child), 128 + SIGKILL);
    child_free(child);
}

static void test_child_gets_no_signal_after_its_end(void **state)
{
    (void)state;
    struct child *child = run_shell("exit 0", (struct child_options){0});
    assert_int_equal(child_kill(child, SIGKILL), ERR_GONE);
    child_free(child);
}

static void test_child_start_names_the_program_that_it_cannot_run(void **state)
{
    (void)state;
    const char *const arguments[] = {"quartet-nothing", NULL};
    struct child_options options = {.program = "/nonexistent/quartet-nothing",
                                    .arguments = arguments};
    struct err_text error;
    struct child *child = NULL;
    assert_int_equal(child_start(&options, &error, &child), ERR_CHILD);
    assert_null(child);
    assert_string_equal(error.s,
                        "cannot start '/nonexistent/quartet-nothing': No such file or directory");
    options.program = "/etc/passwd";
    assert_int_equal(child_start(&options, &error, &child), ERR_CHILD);
    assert_string_equal(error.s, "cannot start '/etc/passwd': Permission denied");
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left of it */
    assert_int_equal(errno, ECHILD);
}

static int count_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++) {
        count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    }
    return count;
}

static void test_child_start_without_descriptors_leaves_none_behind(void **state)
{
    (void)state;
    const char *const arguments[] = {"true", NULL};
    struct child_options options = {
        .program = "/bin/true", .arguments = arguments, .pipe_output = true, .keep_errors = true};
    int before = count_descriptors();
    struct rlimit usual;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    int rc = ERR_IO;
    /* With room for none, one, two, ... until it is enough. */
    for (rlim_t room = 0; rc != 0; room++) {
        struct rlimit few = {.rlim_cur = (rlim_t)before + room, .rlim_max = usual.rlim_max};
        struct err_text error;
        struct child *child = NULL;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        rc = child_start(&options, &error, &child);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
        child_free(child);
        assert_int_equal(count_descriptors(), before);
        assert_true(rc == 0 || rc == ERR_IO || rc == ERR_CHILD);
        assert_true(room < 20);
    }
}

static void test_child_output_is_read_line_by_line(void **state)
{
    (void)state;
    struct child *child = start_shell("echo listening on 127.0.0.1:80; echo more; echo even more",
                                      (struct child_options){.pipe_output = true});
    char line[64];
    struct err_text error;
    assert_int_equal(child_read_line(child, LONG_MS, line, sizeof(line), &error), 0);
    assert_string_equal(line, "listening on 127.0.0.1:80");
    assert_int_equal(child_read_line(child, LONG_MS, line, sizeof(line), &error), 0);
    assert_string_equal(line, "more");
    assert_int_equal(child_wait(child, LONG_MS), 0);
    assert_int_equal(read(child_output_fd(child), line, sizeof(line)), 10);
    assert_memory_equal(line, "even more\n", 10);
    child_free(child);
}

static void test_child_that_ends_without_a_line_is_explained(void **state)
{
    (void)state;
    struct child *child = start_shell(
        "echo port 80 is in use >&2; exit 3",
        (struct child_options){.pipe_output = true, .keep_errors = true});
    char line[64];
    struct err_text error;
    assert_int_equal(child_read_line(child, LONG_MS, line, sizeof(line), &error), ERR_CHILD);
    assert_non_null(strstr(
        error.s, "ended its output too early: exited with status 3; it said: port 80 is in use"));
    child_free(child);
}

static void test_child_that_says_nothing_is_not_waited_for_for_ever(void **state)
{
    (void)state;
    struct child *child = start_shell("read line < /dev/zero",
                                      (struct child_options){.pipe_output = true});
    char line[64];
    struct err_text error;
    assert_int_equal(child_read_line(child, 20, line, sizeof(line), &error), ERR_TIMEOUT);
    assert_int_equal(child_wait(child, 20), ERR_TIMEOUT);
    child_free(child);
}

static void test_child_line_of_absurd_length_is_refused(void **state)
{
    (void)state;
    struct child *child = start_shell("echo 0123456789",
                                      (struct child_options){.pipe_output = true});
    char line[10];
    struct err_text error;
    assert_int_equal(child_read_line(child, LONG_MS, line, sizeof(line), &error), ERR_INVALID);
    child_free(child);
}

static void test_child_last_errors_are_kept_in_whole_lines(void **state)
{
    (void)state;
    struct child *child = run_shell(
        "i=0; while [ $i -lt 20000 ]; do echo line $i >&2; i=$((i + 1)); done",
        (struct child_options){.keep_errors = true});
    const char *errors = child_errors(child);
    size_t len = strlen(errors);
    assert_true(len > CHILD_ERRORS_SIZE / 2 && len <= CHILD_ERRORS_SIZE);
    assert_memory_equal(errors, "line ", 5);
    assert_string_equal(errors + len - strlen("line 19998\nline 19999\n"),
                        "line 19998\nline 19999\n");
    child_free(child);
}

static void test_child_inherits_nothing_but_what_it_should(void **state)
{
    (void)state;
    /* Given a blocked and an ignored signal, an open descriptor of ours, and input of our own. */
    sigset_t blocked;
    sigset_t before;
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &blocked, &before);
    (void)signal(SIGPIPE, SIG_IGN);
    int ours = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(ours >= 0);

    struct child *child = start_shell("ls /proc/self/fd | wc -w; cat | wc -c; kill -PIPE $$",
                                      (struct child_options){.pipe_output = true});
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)close(ours);

    char line[64];
    struct err_text error;
    assert_int_equal(child_read_line(child, LONG_MS, line, sizeof(line), &error), 0);
    assert_int_equal(strtol(line, NULL, 10), 4); /* three, and the one that ls opens to look */
    assert_int_equal(child_read_line(child, LONG_MS, line, sizeof(line), &error), 0);
    assert_int_equal(strtol(line, NULL, 10), 0);
    assert_int_equal(child_wait(child, LONG_MS), 0);
    assert_string_equal(child_status_text(child), "killed by signal 13 (Broken pipe)");
    child_free(child);
}

static void test_child_starts_though_standard_descriptors_are_closed(void **state)
{
    (void)state;
    /* In a process of its own: the pipes then get the numbers 0, 1 and 2. */
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(0);
        (void)close(1);
        (void)close(2);
        const char *const arguments[] = {"sh", "-c", "echo out; echo err >&2; cat", NULL};
        struct child_options options = {
            .program = "/bin/sh", .arguments = arguments, .pipe_output = true, .keep_errors = true};
        struct child *child = NULL;
        char line[16] = "";
        bool good = child_start(&options, NULL, &child) == 0 &&
                    child_read_line(child, LONG_MS, line, sizeof(line), NULL) == 0 &&
                    child_wait(child, LONG_MS) == 0 && strcmp(line, "out") == 0 &&
                    strcmp(child_errors(child), "err\n") == 0 && child_exit_status(child) == 0;
        _exit(good ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void test_child_of_its_own_session_leads_it(void **state)
{
    (void)state;
    struct child *child = start_shell("read line < /dev/zero",
                                      (struct child_options){.own_session = true});
    assert_int_equal(getsid(child_pid(child)), child_pid(child));
    assert_int_not_equal(getsid(0), child_pid(child));
    child_free(child);
}

static void test_child_dies_with_its_parent(void **state)
{
    (void)state;
    /* Given a parent of our own that starts a child, hands its output on to us, and is killed. */
    int alive[2];
    assert_int_equal(pipe(alive), 0);
    pid_t parent = fork();
    assert_true(parent >= 0);
    if (parent == 0) {
        (void)close(alive[0]);
        (void)dup2(alive[1], STDOUT_FILENO);
        (void)close(alive[1]);
        struct child *child = start_shell("echo x; read line < /dev/zero",
                                          (struct child_options){.parent_death_signal = SIGTERM});
        (void)child_wait(child, LONG_MS);
        _exit(0);
    }
    (void)close(alive[1]);
    char byte;
    assert_int_equal(read(alive[0], &byte, 1), 1);
    assert_int_equal(kill(parent, SIGKILL), 0);
    assert_int_equal(waitpid(parent, NULL, 0), parent);

    /* Then the pipe closes, since nobody is left who holds its other end. */
    struct pollfd polled = {.fd = alive[0], .events = POLLIN};
    ssize_t got = 1;
    while (got > 0) {
        assert_int_equal(poll(&polled, 1, LONG_MS), 1);
        got = read(alive[0], &byte, 1);
    }
    assert_int_equal(got, 0);
    (void)close(alive[0]);
}

static void test_child_free_ends_what_still_runs(void **state)
{
    (void)state;
    struct child *child = start_shell("trap '' TERM; read line < /dev/zero",
                                      (struct child_options){0});
    child_free(child);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    child_free(NULL);
}

struct watch {
    uv_loop_t loop;
    uv_poll_t poll;
    struct child *child;
    bool ended;
};

static void on_pidfd(uv_poll_t *handle, int status, int events)
{
    (void)status;
    (void)events;
    struct watch *watch = handle->data;
    watch->ended = child_has_ended(watch->child);
    if (watch->ended) {
        uv_close((uv_handle_t *)handle, NULL);
    }
}

static void test_child_end_is_seen_on_a_loop(void **state)
{
    (void)state;
    struct watch watch = {.child = start_shell("exit 7", (struct child_options){0})};
    assert_int_equal(uv_loop_init(&watch.loop), 0);
    assert_int_equal(uv_poll_init(&watch.loop, &watch.poll, child_pidfd(watch.child)), 0);
    watch.poll.data = &watch;
    assert_int_equal(uv_poll_start(&watch.poll, UV_READABLE, on_pidfd), 0);
    assert_int_equal(uv_run(&watch.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&watch.loop), 0);
    assert_true(watch.ended);
    assert_string_equal(child_status_text(watch.child), "exited with status 7");
    child_free(watch.child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_child_tells_its_exit_status_in_words),
        cmocka_unit_test(test_child_tells_what_killed_it),
        cmocka_unit_test(test_child_gets_no_signal_after_its_end),
        cmocka_unit_test(test_child_start_names_the_program_that_it_cannot_run),
        cmocka_unit_test(test_child_start_without_descriptors_leaves_none_behind),
        cmocka_unit_test(test_child_output_is_read_line_by_line),
        cmocka_unit_test(test_child_that_ends_without_a_line_is_explained),
        cmocka_unit_test(test_child_that_says_nothing_is_not_waited_for_for_ever),
        cmocka_unit_test(test_child_line_of_absurd_length_is_refused),
        cmocka_unit_test(test_child_last_errors_are_kept_in_whole_lines),
        cmocka_unit_test(test_child_inherits_nothing_but_what_it_should),
        cmocka_unit_test(test_child_starts_though_standard_descriptors_are_closed),
        cmocka_unit_test(test_child_of_its_own_session_leads_it),
        cmocka_unit_test(test_child_dies_with_its_parent),
        cmocka_unit_test(test_child_free_ends_what_still_runs),
        cmocka_unit_test(test_child_end_is_seen_on_a_loop),
    };
    return cmocka_run_group_tests_name("child", tests, NULL, NULL);
}
