/* Workload exec: commands that have to end because they took too long or the run was cancelled,
 * and what they started with them. This process is a subreaper: grandchildren become its children
 * and are waited for. */
#include "tests/worker/exec_rig.h"
#include "worker/workloads/exec_child.h"
#include "worker/workloads/time_limit.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cmocka.h>

enum { LIMIT_US = 20 * 1000 * 1000 }; /* of a cancel that works, on the slowest machine */

#define PARAMS(...) ((const char *const[]){__VA_ARGS__, NULL})

typedef void run_fn(struct rig *, const struct workload_item *, size_t, struct exec_result *);
static run_fn *const forms[] = {exec_run_blocking, exec_run_async};

/* --- the limit itself --- */

static void test_time_limit_is_fixed(void **state)
{
    (void)state;

    static const struct {
        const char *text;
        uint64_t ns;
    } rows[] = {
        {NULL, UINT64_MAX},
        {"0", UINT64_MAX},
        {"2.5", 2500000000},
        {"500ms", 500000000},
        {"2m", 120000000000},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct time_limit limit;
        struct err_text error = {""};
        assert_int_equal(time_limit_init(&limit, rows[i].text, &error), 0);
        assert_false(time_limit_moves(&limit));
        time_limit_finished(&limit, 1);
        time_limit_finished(&limit, 1);
        time_limit_finished(&limit, 1);
        assert_int_equal(time_limit_ns(&limit), rows[i].ns);
        time_limit_deinit(&limit);
    }
}

static void test_time_limit_refuses_other_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "x",
                                        "-1",
                                        "1x",
                                        "%",
                                        "0%",
                                        "-5%",
                                        "1e3%",
                                        "2s%",
                                        "5%%",
                                        "99999999999999999999%",
                                        "nan%"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct time_limit limit;
        struct err_text error = {""};
        assert_int_equal(time_limit_init(&limit, texts[i], &error), ERR_INVALID);
        assert_non_null(strstr(error.s, texts[i]));
    }
}

static void assert_near(uint64_t ns, uint64_t expected_ns)
{
    assert_in_range(ns, expected_ns - expected_ns / 30, expected_ns + expected_ns / 30);
}

static void test_time_limit_follows_the_median_from_the_third_item_on(void **state)
{
    (void)state;
    struct time_limit limit;
    struct err_text error;
    assert_int_equal(time_limit_init(&limit, "200%", &error), 0);
    assert_true(time_limit_moves(&limit));
    time_limit_finished(&limit, 100000000);
    time_limit_finished(&limit, 3000000);
    assert_int_equal(time_limit_ns(&limit), UINT64_MAX);
    time_limit_finished(&limit, 7000000);
    assert_near(time_limit_ns(&limit), 14000000);
    for (int i = 0; i < 10; i++) {
        time_limit_finished(&limit, 1000000000);
    }
    assert_near(time_limit_ns(&limit), 2000000000);
    for (int i = 0; i < 100; i++) {
        time_limit_finished(&limit, UINT64_MAX);
    }
    assert_true(time_limit_ns(&limit) == UINT64_MAX);
    time_limit_deinit(&limit);
}

static void test_time_limit_median_is_right_at_every_size(void **state)
{
    (void)state;
    for (uint64_t ns = 100000; ns < UINT64_C(1) << 55; ns = ns * 5 / 4 + 1000) {
        struct time_limit limit;
        struct err_text error;
        assert_int_equal(time_limit_init(&limit, "100%", &error), 0);
        for (int i = 0; i < 3; i++) {
            time_limit_finished(&limit, ns);
        }
        assert_in_range(time_limit_ns(&limit), ns - ns / 30 - 1000, ns + ns / 30 + 1000);
        time_limit_deinit(&limit);
    }
}

/* --- a child, driven by hand: what is due is due when the test says so --- */

struct driven {
    struct rig rig;
    struct exec_child child;
    struct workload_item item;
    struct workload_outcome outcome;
};

static void driven_begin(struct driven *driven, const char *const *params)
{
    rig_open(&driven->rig, "exec", params);
    driven->item = exec_item("");
    assert_int_equal(exec_child_init(&driven->child, driven->rig.state), 0);
    assert_true(exec_child_begin(&driven->child, &driven->item, &driven->outcome));
}

static void driven_turn(struct exec_child *child)
{
    struct pollfd polled[] = {
        {.fd = child->streams[EXEC_OUT], .events = POLLIN},
        {.fd = child->streams[EXEC_ERR], .events = POLLIN},
        {.fd = child->leader_ended ? -1 : child->process.pidfd, .events = POLLIN},
    };
    assert_true(poll(polled, 3, LIMIT_US / 1000) > 0);
    for (int i = EXEC_OUT; i <= EXEC_ERR; i++) {
        if (polled[i].revents != 0 && !exec_child_serve(child, (enum exec_stream)i)) {
            exec_child_close(child, (enum exec_stream)i);
        }
    }
    if (polled[2].revents != 0) {
        exec_child_leader_ended(child);
    }
}

/* Until it has written a whole line; its number, if it is one. */
static pid_t driven_await_line(struct driven *driven)
{
    struct capture *out = &driven->child.captures[EXEC_OUT];
    while (out->len == 0 || out->bytes[out->len - 1] != '\n') {
        driven_turn(&driven->child);
    }
    return (pid_t)atoi(out->bytes);
}

static void driven_await_end(struct driven *driven)
{
    while (!exec_child_done(&driven->child)) {
        driven_turn(&driven->child);
    }
    exec_child_end(&driven->child, &driven->outcome);
}

static void driven_close(struct driven *driven)
{
    exec_child_deinit(&driven->child);
    rig_close(&driven->rig);
}

static void test_exec_child_asks_with_term_first(void **state)
{
    (void)state;
    struct driven driven;
    driven_begin(&driven,
                 PARAMS("command=sh -c 'trap \"echo bye; exit 7\" TERM; echo ready; while :; do "
                        "sleep 0.01; done'",
                        "timeout=1000",
                        "kill-after=1000"));
    struct exec_child *child = &driven.child;
    (void)driven_await_line(&driven);
    uint64_t start_ns = child->started_ns;
    assert_int_equal(exec_child_look_ns(child, start_ns), start_ns + 1000000000000);
    exec_child_on_time(child, start_ns + 999999999999);
    assert_int_equal(child->phase, EXEC_RUNNING);
    exec_child_on_time(child, start_ns + 1000000000000);
    assert_int_equal(child->phase, EXEC_ASKED);
    assert_int_equal(exec_child_look_ns(child, start_ns), start_ns + 2000000000000);
    driven_await_end(&driven);
    assert_false(driven.outcome.ok);
    assert_int_equal(driven.outcome.flags, WORKLOAD_TIMED_OUT);
    assert_int_equal(driven.outcome.exit_status, 7);
    assert_string_equal(driven.outcome.error, "took longer than 1000 s");
    assert_int_equal(driven.outcome.out_len, strlen("ready\nbye\n"));
    assert_memory_equal(driven.outcome.out, "ready\nbye\n", driven.outcome.out_len);
    driven_close(&driven);
}

static void test_exec_child_kills_what_ignores_term_and_its_grandchildren(void **state)
{
    (void)state;
    struct driven driven;
    driven_begin(&driven,
                 PARAMS("command=sh -c 'trap \"\" TERM; sleep 1000 & echo $!; wait'",
                        "timeout=1",
                        "kill-after=2"));
    struct exec_child *child = &driven.child;
    pid_t grandchild = driven_await_line(&driven);
    exec_child_on_time(child, child->started_ns + 1000000000);
    assert_int_equal(child->phase, EXEC_ASKED);
    assert_int_equal(kill(grandchild, 0), 0);
    exec_child_on_time(child, child->started_ns + 3000000000 - 1);
    assert_int_equal(child->phase, EXEC_ASKED);
    exec_child_on_time(child, child->started_ns + 3000000000);
    assert_int_equal(child->phase, EXEC_KILLED);
    driven_await_end(&driven);
    assert_int_equal(driven.outcome.signal, SIGKILL);
    assert_int_equal(driven.outcome.flags, WORKLOAD_TIMED_OUT);
    assert_int_equal(exec_await_orphan(grandchild), SIGKILL);
    driven_close(&driven);
}

/* The leader ends at once, but not those who have its output. They get their time, and no more. */
static void test_exec_child_gives_grandchildren_their_time_too(void **state)
{
    (void)state;
    struct driven driven;
    driven_begin(&driven,
                 PARAMS("command=sh -c '(trap \"\" TERM; echo $(exec sh -c \"echo \\$PPID\"); "
                        "sleep 1000) & wait'",
                        "timeout=1",
                        "kill-after=1"));
    struct exec_child *child = &driven.child;
    pid_t grandchild = driven_await_line(&driven);
    exec_child_on_time(child, child->started_ns + 1000000000);
    while (!child->leader_ended) {
        driven_turn(child);
    }
    assert_false(exec_child_done(child));
    assert_int_equal(kill(grandchild, 0), 0);
    exec_child_on_time(child, child->started_ns + 2000000000);
    assert_true(exec_child_done(child));
    driven_await_end(&driven);
    assert_int_equal(driven.outcome.signal, SIGTERM);
    assert_int_equal(exec_await_orphan(grandchild), SIGKILL);
    driven_close(&driven);
}

/* One that has let go of its output is not waited for, and does not survive. */
static void test_exec_child_leaves_no_silent_grandchild(void **state)
{
    (void)state;
    struct driven driven;
    driven_begin(
        &driven,
        PARAMS("command=sh -c '(trap \"\" TERM; exec sleep 1000 >&- 2>&-) & echo $!; wait'",
               "timeout=1",
               "kill-after=1000"));
    struct exec_child *child = &driven.child;
    pid_t grandchild = driven_await_line(&driven);
    exec_child_on_time(child, child->started_ns + 1000000000);
    driven_await_end(&driven);
    assert_int_equal(driven.outcome.signal, SIGTERM);
    int signal = exec_await_orphan(grandchild);
    assert_true(signal == SIGKILL || signal == SIGTERM); /* before its trap was set */
    driven_close(&driven);
}

static void test_exec_child_that_has_ended_is_not_timed_out(void **state)
{
    (void)state;
    struct driven driven;
    driven_begin(&driven, PARAMS("command=echo x", "timeout=1"));
    struct exec_child *child = &driven.child;
    while (!exec_child_done(child)) {
        driven_turn(child);
    }
    exec_child_on_time(child, child->started_ns + 5000000000);
    exec_child_cancel(child, child->started_ns + 5000000000);
    driven_await_end(&driven);
    assert_true(driven.outcome.ok);
    driven_close(&driven);
}

static void test_exec_child_cancel_shortens_the_time_to_kill(void **state)
{
    (void)state;
    struct driven driven;
    driven_begin(&driven,
                 PARAMS("command=sh -c 'trap \"\" TERM; echo ready; sleep 1000'",
                        "timeout=1",
                        "kill-after=1000"));
    struct exec_child *child = &driven.child;
    (void)driven_await_line(&driven);
    uint64_t now_ns = child->started_ns + 1000000000;
    exec_child_on_time(child, now_ns);
    exec_child_cancel(child, now_ns);
    assert_int_equal(exec_child_look_ns(child, now_ns), now_ns + 100000000);
    exec_child_cancel(child, now_ns + 50000000); /* saying it again does not put it off */
    assert_int_equal(exec_child_look_ns(child, now_ns), now_ns + 100000000);
    exec_child_on_time(child, now_ns + 100000000);
    driven_await_end(&driven);
    assert_int_equal(driven.outcome.signal, SIGKILL);
    driven_close(&driven);
}

/* --- the same through the forms, by the clock --- */

static void test_exec_ends_what_takes_too_long(void **state)
{
    (void)state;
    struct rig rig;
    const struct workload_item item = exec_item("");
    rig_open(
        &rig,
        "exec",
        PARAMS("command=sh -c 'sleep 1000 & echo $!; wait'", "timeout=0.3", "kill-after=0.05"));
    for (size_t form = 0; form < 2; form++) {
        struct exec_result result;
        uint64_t start_us = rig_now_us();
        forms[form](&rig, &item, 1, &result);
        assert_true(rig_now_us() - start_us >= 300000);
        assert_false(result.outcome.ok);
        assert_int_equal(result.outcome.flags, WORKLOAD_TIMED_OUT);
        assert_int_equal(result.outcome.signal, SIGTERM);
        assert_string_equal(result.outcome.error, "took longer than 0.3 s");
        if (result.outcome.out_len > 0) { /* otherwise it did not come to start one */
            int signal = exec_await_orphan((pid_t)atoi(result.out));
            assert_true(signal == SIGTERM || signal == SIGKILL);
        }
        exec_result_deinit(&result);
    }
    rig_close(&rig);
}

static void test_exec_ends_what_takes_too_long_and_ignores_term(void **state)
{
    (void)state;
    struct rig rig;
    const struct workload_item item = exec_item("");
    rig_open(&rig,
             "exec",
             PARAMS("command=sh -c 'trap \"\" TERM; while :; do sleep 0.01; done'",
                    "timeout=0.3",
                    "kill-after=0.05"));
    for (size_t form = 0; form < 2; form++) {
        struct exec_result result;
        forms[form](&rig, &item, 1, &result);
        assert_int_equal(result.outcome.flags, WORKLOAD_TIMED_OUT);
        assert_true(result.outcome.signal == SIGKILL || result.outcome.signal == SIGTERM);
        exec_result_deinit(&result);
    }
    rig_close(&rig);
}

static void test_exec_limit_by_the_median(void **state)
{
    (void)state;
    const struct workload_item items[] = {
        exec_item("0"), exec_item("0"), exec_item("0"), exec_item("1000")};
    for (size_t form = 0; form < 2; form++) {
        struct rig rig;
        struct exec_result results[4];
        rig_open(&rig, "exec", PARAMS("command=sleep", "timeout=500%"));
        forms[form](&rig, items, 4, results);
        for (size_t i = 0; i < 3; i++) {
            assert_true(results[i].outcome.ok);
        }
        assert_int_equal(results[3].outcome.flags, WORKLOAD_TIMED_OUT);
        assert_non_null(strstr(results[3].outcome.error, " s, which is 500 % of the median"));
        for (size_t i = 0; i < 4; i++) {
            exec_result_deinit(&results[i]);
        }
        rig_close(&rig);
    }
}

static void test_exec_cancel_ends_the_group_soon(void **state)
{
    (void)state;
    const struct workload_item item = exec_item("");
    for (size_t form = 0; form < 2; form++) {
        struct rig rig;
        struct exec_result result;
        rig_open(
            &rig, "exec", PARAMS("command=sh -c 'sleep 1000 & echo $!; wait'", "kill-after=1000"));
        rig_cancel_soon(&rig);
        forms[form](&rig, &item, 1, &result);
        assert_true(rig_cancelled_for_us(&rig) < LIMIT_US);
        assert_string_equal(result.outcome.error, "cancelled");
        assert_int_equal(result.outcome.flags, 0);
        if (result.outcome.out_len > 0) {
            (void)exec_await_orphan((pid_t)atoi(result.out));
        }
        exec_result_deinit(&result);
        rig_close(&rig);
    }
}

static void test_exec_cancel_ends_many_in_flight(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_result result;
    const struct rig_items items = {.count = 60, .first_number = 1000};
    rig_open(&rig, "exec", PARAMS("command=sleep"));
    rig_cancel_soon(&rig);
    rig_run_async(&rig, &items, 20, &result);
    assert_int_equal(result.tally.failed, 20); /* those in flight; no other was begun */
    assert_string_equal(result.error, "cancelled");
    assert_true(rig_cancelled_for_us(&rig) < LIMIT_US);
    rig_close(&rig);
}

static int set_up(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time_limit_is_fixed),
        cmocka_unit_test(test_time_limit_refuses_other_texts),
        cmocka_unit_test(test_time_limit_follows_the_median_from_the_third_item_on),
        cmocka_unit_test(test_time_limit_median_is_right_at_every_size),
        cmocka_unit_test(test_exec_child_asks_with_term_first),
        cmocka_unit_test(test_exec_child_kills_what_ignores_term_and_its_grandchildren),
        cmocka_unit_test(test_exec_child_gives_grandchildren_their_time_too),
        cmocka_unit_test(test_exec_child_leaves_no_silent_grandchild),
        cmocka_unit_test(test_exec_child_that_has_ended_is_not_timed_out),
        cmocka_unit_test(test_exec_child_cancel_shortens_the_time_to_kill),
        cmocka_unit_test(test_exec_ends_what_takes_too_long),
        cmocka_unit_test(test_exec_ends_what_takes_too_long_and_ignores_term),
        cmocka_unit_test(test_exec_limit_by_the_median),
        cmocka_unit_test(test_exec_cancel_ends_the_group_soon),
        cmocka_unit_test(test_exec_cancel_ends_many_in_flight),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
