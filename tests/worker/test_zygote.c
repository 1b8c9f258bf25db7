/* The zygote: what its executors find when they start, and that none of them is left behind, whoever dies. */
#include "test_engine_rig.h"

#include "common/base/check.h"
#include "common/io/spawn.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_zygote_gives_executors_a_clean_start(void **state)
{
    struct rig *rig = *state;
    struct chunk chunk = rig_chunk(1, 1, 1);
    struct chunk_result result;
    rig_engine(rig, &rig_census, STRATEGY_PROCESSES, 8);
    rig_await_state(rig, ENGINE_READY);
    assert_int_equal(engine_submit(rig->engine, &chunk, 1), 0);
    rig_take(rig, &result, 1);

    pid_t pid = atomic_load(&rig->shared->pids[1]);
    assert_int_equal(atomic_load(&rig->shared->descriptors), 4); /* 0, 1, 2, its connection */
    assert_false(atomic_load(&rig->shared->masked));
    assert_false(atomic_load(&rig->shared->ignored));
    /* Ctrl-C goes to the owner's process group. */
    assert_int_not_equal(getpgid(pid), getpgid(0));
    assert_int_not_equal(getpgid(pid), -1);
    rig_end(rig);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
}

static void test_zygote_serves_two_engines_at_once(void **state)
{
    struct rig *rig = *state;
    struct rig other = *rig;
    assert_int_equal(sem_init(&other.woken, 0, 0), 0);
    struct chunk chunk = rig_chunk(1, 0, 100);
    struct chunk_result result;
    rig_engine(rig, &rig_sum, STRATEGY_PROCESSES, 3);
    rig_engine(&other, &rig_third, STRATEGY_PROCESSES, 3);
    assert_int_equal(engine_submit(rig->engine, &chunk, 1), 0);
    assert_int_equal(engine_submit(other.engine, &chunk, 1), 0);
    rig_take(rig, &result, 1);
    assert_int_equal(result.tally.ok, 100);
    rig_end(rig);
    rig_take(&other, &result, 1);
    assert_int_equal(result.tally.failed, 34);
    rig_drop(&result, 1);
    rig_end(&other);
    (void)sem_destroy(&other.woken);
}

/* A program, its zygote and its executors, to be killed. */
struct family {
    pid_t owner;
    pid_t zygote;
    pid_t executors[3];
};

/* In a process of its own: an engine whose three executors are each in the middle of an item. Never returns. */
_Noreturn static void be_owner(struct rig *rig, int tell)
{
    struct err_text error;
    CHECK(zygote_start(&error, &rig->zygote) == 0);
    struct chunk chunks[3];
    for (uint64_t i = 0; i < 3; i++) {
        chunks[i] = rig_chunk(i + 1, RIG_GATE_NUMBER + i, 1);
    }
    rig_engine(rig, &rig_census, STRATEGY_PROCESSES, 3);
    CHECK(engine_submit(rig->engine, chunks, 3) == 0);
    for (size_t i = 0; i < 3; i++) {
        rig_await(&rig->shared->begun);
    }
    CHECK(write(tell, "!", 1) == 1);
    for (;;) {
        (void)pause();
    }
}

static struct family start_family(struct rig *rig)
{
#ifdef __SANITIZE_THREAD__
    skip(); /* the sanitizer gives every forked process a thread of its own */
#endif
    int news[2];
    char byte;
    struct family family;
    assert_int_equal(pipe(news), 0);
    /* Whoever loses its parent becomes our child, so that its end can be waited for. */
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    family.owner = fork();
    assert_true(family.owner >= 0);
    if (family.owner == 0) {
        be_owner(rig, news[1]);
    }
    (void)close(news[1]);
    assert_int_equal(read(news[0], &byte, 1), 1);
    (void)close(news[0]);
    for (size_t i = 0; i < 3; i++) {
        family.executors[i] = atomic_load(&rig->shared->pids[(RIG_GATE_NUMBER + i) % 64]);
        assert_true(family.executors[i] > 0);
    }
    family.zygote = getpgid(family.executors[0]); /* it leads its process group */
    return family;
}

/* Waits for the end of each; one that stays makes the test hang into its time limit. */
static void assert_all_end(const struct family *family)
{
    assert_int_equal(waitpid(family->owner, NULL, 0), family->owner);
    assert_int_equal(waitpid(family->zygote, NULL, 0), family->zygote);
    for (size_t i = 0; i < 3; i++) {
        /* Ours by now, unless the zygote had the time to reap it. */
        if (waitpid(family->executors[i], NULL, 0) < 0) {
            assert_int_equal(errno, ECHILD);
        }
        assert_int_equal(kill(family->executors[i], 0), -1);
        assert_int_equal(errno, ESRCH);
    }
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

static void test_zygote_leaves_nothing_when_owner_is_killed(void **state)
{
    struct rig *rig = *state;
    struct family family = start_family(rig);
    assert_int_equal(kill(family.owner, SIGKILL), 0);
    assert_all_end(&family);
}

/* Where commands end the processes that they have started. */
static void test_zygote_lets_executors_close_their_slots_when_owner_is_killed(void **state)
{
    struct rig *rig = *state;
    struct family family = start_family(rig);
    assert_int_equal(atomic_load(&rig->shared->slots_closed), 0);
    assert_int_equal(kill(family.owner, SIGKILL), 0);
    assert_all_end(&family);
    assert_int_equal(atomic_load(&rig->shared->slots_closed), 3);
}

/* A shell that has started another program, in whose output there then is a byte. */
static void spawn_pair(int out)
{
    char sh[] = "sh";
    char flag[] = "-c";
    char script[] = "sleep 1000 & echo; sleep 1000";
    char path[] = "PATH=/usr/bin:/bin";
    char *const argv[] = {sh, flag, script, NULL};
    char *const envp[] = {path, NULL};
    struct err_text error;
    struct spawn_child child;
    struct spawn_options options = {.path = "/bin/sh",
                                    .argv = argv,
                                    .envp = envp,
                                    .in = STDIN_FILENO,
                                    .out = out,
                                    .err = STDERR_FILENO,
                                    .ends_with_thread = true};
    CHECK(spawn(&options, &error, &child) == 0);
}

/* An owner that is killed while a command of its own runs. Whoever loses its parent becomes a child of this process, which ends well
 * when all have ended; one that stays makes it hang into the test's time limit. */
_Noreturn static void watch_owner_with_command(void)
{
    int news[2];
    char byte;
    CHECK(pipe(news) == 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    pid_t owner = fork();
    CHECK(owner >= 0);
    if (owner == 0) {
        struct zygote *zygote;
        struct err_text error;
        CHECK(zygote_start(&error, &zygote) == 0);
        spawn_pair(news[1]);
        for (;;) {
            (void)pause();
        }
    }
    (void)close(news[1]);
    CHECK(read(news[0], &byte, 1) == 1);
    CHECK(kill(owner, SIGKILL) == 0);
    while (waitpid(-1, NULL, 0) > 0) {
    }
    CHECK(errno == ECHILD);
    _exit(0);
}

static void test_zygote_ends_what_commands_of_a_killed_owner_have_started(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__
    skip(); /* the sanitizer gives every forked process a thread of its own */
#endif
    int status;
    pid_t watcher = fork();
    assert_true(watcher >= 0);
    if (watcher == 0) {
        watch_owner_with_command();
    }
    assert_int_equal(waitpid(watcher, &status, 0), watcher);
    assert_int_equal(status, 0);
}

static void test_zygote_ignores_interrupt_and_termination(void **state)
{
    struct rig *rig = *state;
    struct family family = start_family(rig);
    assert_int_equal(kill(family.zygote, SIGINT), 0);
    assert_int_equal(kill(family.zygote, SIGTERM), 0);
    assert_int_equal(kill(family.zygote, SIGHUP), 0);
    /* A signal that is not blocked is acted upon before kill returns, or at the next look; give it one. */
    assert_int_equal(kill(family.zygote, SIGCHLD), 0);
    assert_int_equal(kill(family.executors[0], 0), 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), 0);
    assert_int_equal(kill(family.owner, SIGKILL), 0);
    assert_all_end(&family);
}

static void test_zygote_death_takes_executors_along_and_fails_engine(void **state)
{
    struct rig *rig = *state;
    struct err_text error = {.s = ""};
    struct chunk chunk = rig_chunk(1, RIG_GATE_NUMBER, 1);
    struct rig own = *rig;
    assert_int_equal(sem_init(&own.woken, 0, 0), 0);
    assert_int_equal(zygote_start(&error, &own.zygote), 0);
    rig_engine(&own, &rig_census, STRATEGY_PROCESSES, 2);
    assert_int_equal(engine_submit(own.engine, &chunk, 1), 0);
    rig_await(&rig->shared->begun);
    pid_t executor = atomic_load(&rig->shared->pids[RIG_GATE_NUMBER % 64]);

    assert_int_equal(kill(getpgid(executor), SIGKILL), 0);
    while (engine_state(own.engine, &error) != ENGINE_FAILED) {
        rig_await(&own.woken);
    }

    assert_non_null(strstr(error.s, "zygote"));
    rig_end(&own);
    zygote_stop(own.zygote);
    (void)sem_destroy(&own.woken);
}

static void test_zygote_stop_waits_for_everything(void **state)
{
    struct rig *rig = *state;
    struct rig own = *rig;
    struct err_text error;
    assert_int_equal(zygote_start(&error, &own.zygote), 0);
    zygote_stop(own.zygote);
    zygote_stop(NULL);
    /* Only the group's own zygote is left. */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), 0);
}

static void *sleep_until_cancelled(void *arg)
{
    (void)pause();
    return arg;
}

static void test_zygote_aborts_in_a_threaded_process(void **state)
{
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        pthread_t thread;
        struct err_text error;
        struct zygote *zygote;
        (void)signal(SIGABRT, SIG_DFL);
        (void)close(STDERR_FILENO);
        CHECK(pthread_create(&thread, NULL, sleep_until_cancelled, NULL) == 0);
        (void)zygote_start(&error, &zygote);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* These start a zygote: before there is any thread here, if only one of a sanitizer's. */
        cmocka_unit_test_setup(test_zygote_stop_waits_for_everything, rig_reset),
        cmocka_unit_test_setup(test_zygote_leaves_nothing_when_owner_is_killed, rig_reset),
        cmocka_unit_test_setup(test_zygote_lets_executors_close_their_slots_when_owner_is_killed,
                               rig_reset),
        cmocka_unit_test_setup(test_zygote_ends_what_commands_of_a_killed_owner_have_started,
                               rig_reset),
        cmocka_unit_test_setup(test_zygote_ignores_interrupt_and_termination, rig_reset),
        cmocka_unit_test_setup(test_zygote_death_takes_executors_along_and_fails_engine, rig_reset),
        cmocka_unit_test_setup(test_zygote_gives_executors_a_clean_start, rig_reset),
        cmocka_unit_test_setup(test_zygote_serves_two_engines_at_once, rig_reset),
        cmocka_unit_test_setup(test_zygote_aborts_in_a_threaded_process, rig_reset),
    };
    return cmocka_run_group_tests_name("zygote", tests, rig_setup, rig_teardown) != 0;
}
