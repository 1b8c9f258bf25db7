/* The first process of a container: made here in a PID namespace of its own, which needs root. */
#include "common/io/first_process.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { GOOD = 0, BAD = 90, MADE_NO_CHILD = 91, PATIENCE_MS = 20000 };

/* A program that begins as PID 1 and has a pipe to say that it has come so far. Returns its pid as it is
 * called from outside. */
static pid_t start_first(int (*program)(int ready), int ret_ready[2])
{
    assert_int_equal(pipe2(ret_ready, O_CLOEXEC), 0);
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0) {
        struct err_text error;
        if (getpid() != 1 || first_process_leave(&error) != 0) {
            _exit(MADE_NO_CHILD);
        }
        _exit(program(ret_ready[1]));
    }
    (void)close(ret_ready[1]);
    if (pid < 0) {
        assert_int_equal(errno, EPERM); /* no right to make one */
        (void)close(ret_ready[0]);
        skip();
    }
    return pid;
}

static int status_of(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int run_first(int (*program)(int ready))
{
    int ready[2];
    pid_t pid = start_first(program, ready);
    (void)close(ready[0]);
    return status_of(pid);
}

static void nap(void)
{
    const struct timespec ms = {.tv_nsec = 1000 * 1000};
    (void)nanosleep(&ms, NULL);
}

/* Zombies are still there for kill(2). */
static bool is_reaped(pid_t pid)
{
    for (int i = 0; i < PATIENCE_MS; i++) {
        if (kill(pid, 0) != 0 && errno == ESRCH) {
            return true;
        }
        nap();
    }
    return false;
}

static int leads_a_group(int ready)
{
    (void)ready;
    return getpid() != 1 && getppid() == 1 && getpgrp() == getpid() ? GOOD : BAD;
}

static void test_first_process_stays_behind_as_the_parent_of_the_program(void **state)
{
    (void)state;
    assert_int_equal(run_first(leads_a_group), GOOD);
}

static int exit_with_seven(int ready)
{
    (void)ready;
    return 7;
}

static int die_by_signal(int ready)
{
    (void)ready;
    (void)raise(SIGUSR1);
    return BAD;
}

static void test_first_process_ends_as_the_program_does(void **state)
{
    (void)state;
    assert_int_equal(run_first(exit_with_seven), 7);
    assert_int_equal(run_first(die_by_signal), 128 + SIGUSR1);
}

/* It has no handler: the kernel would drop the signal if it were still the first process. */
static int wait_to_be_ended(int ready)
{
    (void)!write(ready, "r", 1);
    while (pause() != 0) {
    }
    return BAD;
}

static void expect_end_by(int number)
{
    int ready[2];
    char byte;
    pid_t pid = start_first(wait_to_be_ended, ready);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    assert_int_equal(kill(pid, number), 0);
    assert_int_equal(status_of(pid), 128 + number);
}

static void test_first_process_hands_signals_on(void **state)
{
    (void)state;
    expect_end_by(SIGTERM);
    expect_end_by(SIGINT);
    expect_end_by(SIGHUP);
    expect_end_by(SIGRTMIN);
}

/* Start a child that starts a grandchild and ends; the grandchild ends at once too. Returns its pid. */
static pid_t make_orphan(void)
{
    int fds[2];
    pid_t orphan = -1;
    if (pipe(fds) != 0) {
        return -1;
    }
    pid_t child = fork();
    if (child == 0) {
        pid_t pid = fork();
        if (pid > 0) {
            (void)!write(fds[1], &pid, sizeof(pid));
        }
        _exit(0);
    }
    (void)close(fds[1]);
    bool got = read(fds[0], &orphan, sizeof(orphan)) == sizeof(orphan);
    (void)close(fds[0]);
    return got && waitpid(child, NULL, 0) == child ? orphan : -1;
}

static int leave_orphans(int ready)
{
    (void)ready;
    for (int i = 0; i < 100; i++) {
        pid_t orphan = make_orphan();
        if (orphan <= 0 || !is_reaped(orphan)) {
            return BAD;
        }
    }
    return GOOD;
}

static void test_first_process_waits_for_orphans_and_for_nobody_elses_children(void **state)
{
    (void)state;
    assert_int_equal(run_first(leave_orphans), GOOD);
}

static void test_other_processes_are_left_as_they_are(void **state)
{
    (void)state;
    struct err_text error;
    pid_t before = getpid();
    pid_t group = getpgrp();
    assert_int_equal(first_process_leave(&error), 0);
    assert_int_equal(getpid(), before);
    assert_int_equal(getpgrp(), group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_process_stays_behind_as_the_parent_of_the_program),
        cmocka_unit_test(test_first_process_ends_as_the_program_does),
        cmocka_unit_test(test_first_process_hands_signals_on),
        cmocka_unit_test(test_first_process_waits_for_orphans_and_for_nobody_elses_children),
        cmocka_unit_test(test_other_processes_are_left_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
