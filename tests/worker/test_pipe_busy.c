/* Is a process at work? Told of processes that compute, or sleep. */
#include "worker/workloads/pipe_busy.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { LIMIT_MS = 20000, LOOK_MS = 5 };

_Noreturn static void compute(void)
{
    for (volatile unsigned turn = 0;;) {
        turn = turn + 1;
    }
}

_Noreturn static void sleep_for_ever(void)
{
    for (;;) {
        (void)pause();
    }
}

/* One that sleeps, and has started another one. */
_Noreturn static void sleep_beside(void (*play)(void))
{
    if (fork() == 0) {
        play();
        _exit(1);
    }
    sleep_for_ever();
}

_Noreturn static void sleep_beside_one_that_computes(void)
{
    sleep_beside(compute);
}

_Noreturn static void sleep_beside_one_that_sleeps(void)
{
    sleep_beside(sleep_for_ever);
}

static pid_t start(void (*play)(void))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)setpgid(0, 0);
        play();
    }
    (void)setpgid(pid, pid); /* whoever comes first */
    return pid;
}

static void end(pid_t pid)
{
    assert_int_equal(kill(-pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Until it is seen as `expected` several times in a row; a busy machine may need its time. */
static void await(pid_t pid, bool expected)
{
    struct pipe_busy busy = {0};
    struct timespec wait = {.tv_nsec = LOOK_MS * 1000000L};
    int in_a_row = 0;
    for (int ms = 0; ms < LIMIT_MS && in_a_row < 5; ms += LOOK_MS) {
        in_a_row = pipe_busy_look(&busy, pid) == expected ? in_a_row + 1 : 0;
        (void)nanosleep(&wait, NULL);
    }
    assert_int_equal(in_a_row, 5);
}

static void test_busy_process_that_computes_is(void **state)
{
    (void)state;
    pid_t pid = start(compute);
    await(pid, true);
    end(pid);
}

static void test_busy_process_that_sleeps_is_not(void **state)
{
    (void)state;
    pid_t pid = start(sleep_for_ever);
    await(pid, false);
    end(pid);
}

static void test_busy_counts_what_it_has_started(void **state)
{
    (void)state;
    pid_t pid = start(sleep_beside_one_that_computes);
    await(pid, true);
    end(pid);
    pid = start(sleep_beside_one_that_sleeps);
    await(pid, false);
    end(pid);
}

/* Too short to be seen running, but not to be seen in its CPU time. */
static void test_busy_process_that_has_computed_since_is(void **state)
{
    (void)state;
    struct pipe_busy busy = {0};
    pid_t pid = start(compute);
    struct timespec wait = {.tv_nsec = LOOK_MS * 1000000L};
    await(pid, true);
    (void)pipe_busy_look(&busy, pid);
    uint64_t before = busy.cpu_ticks;
    for (int ms = 0; ms < LIMIT_MS && busy.cpu_ticks == before; ms += LOOK_MS) {
        (void)nanosleep(&wait, NULL);
        struct pipe_busy now = busy;
        (void)pipe_busy_look(&now, pid);
        if (now.cpu_ticks != before) {
            assert_int_equal(kill(pid, SIGSTOP), 0);
            assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
            assert_true(pipe_busy_look(&busy, pid));
            assert_false(pipe_busy_look(&busy, pid));
        }
    }
    assert_int_not_equal(busy.cpu_ticks, before);
    end(pid);
}

static void test_busy_process_that_is_gone_is_not(void **state)
{
    (void)state;
    struct pipe_busy busy = {0};
    pid_t pid = start(sleep_for_ever);
    end(pid);
    assert_false(pipe_busy_look(&busy, pid));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_busy_process_that_computes_is),
        cmocka_unit_test(test_busy_process_that_sleeps_is_not),
        cmocka_unit_test(test_busy_counts_what_it_has_started),
        cmocka_unit_test(test_busy_process_that_has_computed_since_is),
        cmocka_unit_test(test_busy_process_that_is_gone_is_not),
    };
    return !!cmocka_run_group_tests_name("pipe_busy", tests, NULL, NULL);
}
