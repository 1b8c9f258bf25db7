/* What is noted of programs that run, and how all that they have started is ended by somebody else. */
#include "common/base/check.h"
#include "common/base/err.h"
#include "common/io/spawn.h"
#include "common/io/spawn_groups.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* No process's number here, or the kernel's largest is beyond it. */
enum { NOBODY = 0x7ffffff0 };

static int setup(void **state)
{
    (void)state;
    return spawn_groups_init();
}

/* A shell and what it has started, both with the end of a pipe; returns the other one. */
static int start_pair(struct spawn_child *ret_child)
{
    char sh[] = "sh";
    char flag[] = "-c";
    char script[] = "sleep 1000 & echo; sleep 1000";
    char path[] = "PATH=/usr/bin:/bin";
    char *const argv[] = {sh, flag, script, NULL};
    char *const envp[] = {path, NULL};
    struct err_text error;
    int ends[2];
    char byte;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct spawn_options options = {.path = "/bin/sh",
                                    .argv = argv,
                                    .envp = envp,
                                    .in = STDIN_FILENO,
                                    .out = ends[1],
                                    .err = STDERR_FILENO,
                                    .ends_with_thread = true};
    assert_int_equal(spawn(&options, &error, ret_child), 0);
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    return ends[0];
}

/* It hangs into the test's time limit while somebody still has the other end. */
static void assert_all_gone(int end)
{
    char byte;
    assert_int_equal(read(end, &byte, 1), 0);
    (void)close(end);
}

static void test_groups_are_noted_while_their_leaders_run(void **state)
{
    (void)state;
    struct spawn_child child;
    struct spawn_end how;
    int end = start_pair(&child);
    spawn_note *note = child.note;
    assert_non_null(note);
    assert_true(atomic_load(note) == ((uint64_t)getpid() << 32 | (uint32_t)child.pid));
    spawn_signal_group(&child, SIGKILL);
    spawn_reap(&child, &how);
    assert_true(atomic_load(note) == 0);
    assert_null(child.note);
    assert_all_gone(end);
}

static void test_groups_of_an_owner_are_killed_with_all_that_they_have_started(void **state)
{
    (void)state;
    struct spawn_child child;
    struct spawn_end how;
    int end = start_pair(&child);
    spawn_groups_kill(NOBODY);
    spawn_groups_kill(0);
    spawn_groups_kill(-1);
    assert_int_equal(kill(child.pid, 0), 0);
    spawn_groups_kill(getpid());
    assert_all_gone(end);
    assert_true(atomic_load(child.note) == 0);
    spawn_reap(&child, &how);
    assert_int_equal(how.signal, SIGKILL);
}

static void test_groups_can_be_killed_by_a_process_that_was_forked_before(void **state)
{
    (void)state;
    int go[2];
    struct spawn_child child;
    struct spawn_end how;
    pid_t owner = getpid();
    assert_int_equal(pipe(go), 0);
    pid_t killer = fork();
    assert_true(killer >= 0);
    if (killer == 0) {
        char byte;
        CHECK(read(go[0], &byte, 1) == 1);
        spawn_groups_kill(owner);
        _exit(0);
    }
    int end = start_pair(&child);
    assert_int_equal(write(go[1], "!", 1), 1);
    assert_all_gone(end);
    spawn_reap(&child, &how);
    assert_int_equal(waitpid(killer, NULL, 0), killer);
    (void)close(go[0]);
    (void)close(go[1]);
}

static void test_groups_leave_nothing_of_a_program_that_could_not_be_started(void **state)
{
    (void)state;
    char nothing[] = "nothing";
    char *const argv[] = {nothing, NULL};
    struct err_text error;
    struct spawn_child child;
    struct spawn_options options = {.path = "/nowhere/nothing",
                                    .argv = argv,
                                    .envp = argv + 1,
                                    .in = STDIN_FILENO,
                                    .out = STDOUT_FILENO,
                                    .err = STDERR_FILENO};
    for (int i = 0; i < SPAWN_GROUPS_MAX / 64; i++) {
        assert_int_equal(spawn(&options, &error, &child), ERR_IO);
    }
    spawn_note *notes[SPAWN_GROUPS_MAX];
    for (size_t i = 0; i < SPAWN_GROUPS_MAX; i++) {
        notes[i] = spawn_groups_claim(NOBODY);
        assert_non_null(notes[i]);
    }
    /* All places are taken: a program is started all the same. */
    assert_null(spawn_groups_claim(NOBODY));
    struct spawn_end how;
    int end = start_pair(&child);
    assert_null(child.note);
    spawn_signal_group(&child, SIGKILL);
    spawn_reap(&child, &how);
    assert_all_gone(end);
    for (size_t i = 0; i < SPAWN_GROUPS_MAX / 2; i++) {
        spawn_groups_release(notes[i]);
    }
    spawn_groups_kill(NOBODY); /* of notes without a group it kills nobody, and forgets them */
    for (size_t i = 0; i < SPAWN_GROUPS_MAX; i++) {
        assert_true(atomic_load(notes[i]) == 0);
    }
    spawn_groups_release(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups_are_noted_while_their_leaders_run),
        cmocka_unit_test(test_groups_of_an_owner_are_killed_with_all_that_they_have_started),
        cmocka_unit_test(test_groups_can_be_killed_by_a_process_that_was_forked_before),
        cmocka_unit_test(test_groups_leave_nothing_of_a_program_that_could_not_be_started),
    };
    return cmocka_run_group_tests_name("spawn_groups", tests, setup, NULL);
}
