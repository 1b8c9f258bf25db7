/* Why nothing moves: one state for each reason, and the states next to them that are none. */
#include "coordinator/status/stall.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Four workers that run, hold nothing, and have work and credit: nothing is amiss. */
static struct stall_view healthy(void)
{
    return (struct stall_view){
        .phase = STALL_PHASE_RUNNING,
        .silence_us = 2000000,
        .strategy = "processes",
        .last_error = "",
        .results = "standard output",
        .input = "standard input",
        .workers = {.expected = 4,
                    .registered = 4,
                    .offering = 4,
                    .running = 4,
                    .credit = 8,
                    .heard_us = 1000,
                    .result_us = 1000},
        .items = {.fresh = 100, .final = true, .retry_due_us = UINT64_MAX},
    };
}

static void assert_stall(const struct stall_view *view, enum stall_reason reason, const char *text)
{
    char said[STALL_TEXT_SIZE];
    memset(said, 'x', sizeof(said));
    assert_int_equal(stall_judge(view, said), reason);
    assert_string_equal(said, text);
}

static void assert_fine(const struct stall_view *view)
{
    assert_stall(view, STALL_NONE, "");
}

static void test_stall_says_nothing_while_work_is_under_way(void **state)
{
    (void)state;
    struct stall_view view = healthy();
    assert_fine(&view);
    view.items.held = 4;
    view.workers.credit = 0;
    assert_fine(&view); /* busy, and as full as they want to be */
    view.items.results_full = true;
    assert_fine(&view); /* what is held still comes in */
    view = healthy();
    view.items.fresh = 0;
    assert_fine(&view); /* all is done */
}

static void test_stall_counts_the_workers_that_have_not_come(void **state)
{
    (void)state;
    struct stall_view view = healthy();
    view.phase = STALL_PHASE_GATHERING;
    assert_fine(&view);
    view.workers.registered = 2;
    assert_stall(&view, STALL_GATHERING, "waiting for 2 of 4 workers to start");
    view.endpoint = "tcp://127.0.0.1:5555";
    assert_stall(
        &view, STALL_GATHERING, "waiting for 2 of 4 workers to come to tcp://127.0.0.1:5555");
    view.workers.registered = 0;
    view.workers.expected = 1;
    assert_stall(
        &view, STALL_GATHERING, "waiting for 1 of 1 worker to come to tcp://127.0.0.1:5555");
    view.endpoint = NULL;
    view.launched = "host h2: copying 3.1 of 10.8 MB of quartet-worker";
    assert_stall(&view,
                 STALL_GATHERING,
                 "waiting for 1 of 1 worker to start; host h2: copying 3.1 of 10.8 MB of "
                 "quartet-worker");
}

static void test_stall_counts_the_engines_that_are_not_there(void **state)
{
    (void)state;
    struct stall_view view = healthy();
    view.phase = STALL_PHASE_STARTING;
    view.workers.running = 4;
    assert_fine(&view);
    view.workers.running = 2;
    view.workers.starting = 2;
    assert_stall(&view, STALL_STARTING, "waiting for 2 of 4 workers to start their engines");
    view.workers.running = 0;
    view.workers.starting = 1;
    assert_stall(&view, STALL_STARTING, "waiting for 1 of 1 worker to start its engine");
    view.phase = STALL_PHASE_RUNNING; /* only newcomers are left of a run that is under way */
    assert_stall(&view, STALL_STARTING, "waiting for 1 of 1 worker to start its engine");
    view.phase = STALL_PHASE_STARTING;
    view.local = true;
    assert_stall(&view, STALL_STARTING, "the engine is starting");
}

static void test_stall_names_the_strategy_that_nobody_offers(void **state)
{
    (void)state;
    struct stall_view view = healthy();
    view.workers.running = 0;
    view.workers.unable = 4;
    view.workers.offering = 0;
    view.last_error = "worker ada@vm: no";
    assert_stall(&view, STALL_NO_STRATEGY, "no worker offers strategy processes");
}

static void test_stall_quotes_why_nobody_can_run_the_job(void **state)
{
    (void)state;
    struct stall_view view = healthy();
    view.workers.running = 0;
    view.workers.unable = 4;
    view.last_error = "worker ada@vm: was not started with --allow-exec";
    assert_stall(&view,
                 STALL_UNABLE,
                 "all 4 workers are unable to run the job, last error: worker ada@vm: was not "
                 "started with --allow-exec");
    view.workers.unable = 1;
    view.last_error = "";
    assert_stall(&view, STALL_UNABLE, "the only worker is unable to run the job");
}

static void test_stall_says_since_when_all_are_lost(void **state)
{
    (void)state;
    struct stall_view view = healthy();
    view.workers = (struct stall_workers){.expected = 3, .lost = 3};
    view.lost_since = "14:02:11";
    view.last_error = "worker ada@vm: its connection dropped";
    assert_stall(&view,
                 STALL_LOST,
                 "all 3 workers lost since 14:02:11, last error: worker ada@vm: its connection "
                 "dropped");
    view.workers.lost = 1;
    view.last_error = "";
    assert_stall(&view, STALL_LOST, "the only worker lost since 14:02:11");
    view.workers.restarting = 2;
    assert_stall(&view, STALL_STARTING, "2 workers of this machine ended and are started again");
}

static void test_stall_tells_workers_that_left_from_lost_ones(void **state)
{
    (void)state;
    struct stall_view view = healthy();
    view.workers = (struct stall_workers){.expected = 3};
    assert_stall(&view, STALL_LEFT, "every worker has left");
    view.endpoint = "ipc:///run/q";
    assert_stall(&view, STALL_LEFT, "every worker has left; another one may come to ipc:///run/q");
    view.workers.registered = 1;
    view.workers.offering = 1;
    view.workers.leaving = 1;
    assert_stall(&view, STALL_DRAINING, "every worker is draining");
    view.items.held = 2; /* they finish these, and take nothing else */
    assert_stall(&view, STALL_DRAINING, "every worker is draining");
    view.items.fresh = 0;
    assert_fine(&view);
}

static void test_stall_knows_silence_from_long_work(void **state)
{
    (void)state;
    struct stall_view view = healthy();
    view.items.held = 12;
    view.workers.heard_us = 1999999;
    assert_fine(&view);
    view.workers.heard_us = 4000000;
    assert_stall(
        &view, STALL_SILENT, "12 items are with workers of which nothing was heard for 4.00 s");
    view.local = true;
    assert_fine(&view);
}

static void test_stall_says_when_the_next_retry_is(void **state)
{
    (void)state;
    struct stall_view view = healthy();
    view.items.fresh = 0;
    view.items.queued = 3;
    view.items.retry_due_us = 3200000;
    assert_stall(&view, STALL_RETRY, "items wait for their retry, next in 3.20 s");
    view.items.fresh = 1;
    assert_fine(&view);
}

static void test_stall_names_who_does_not_take_the_results(void **state)
{
    (void)state;
    struct stall_view view = healthy();
    view.items.results_full = true;
    assert_stall(&view, STALL_RESULTS, "results are not taken: standard output is slow");
    view.local = true;
    view.results = "/mnt/out";
    assert_stall(&view, STALL_RESULTS, "results are not taken: /mnt/out is slow");
}

static void test_stall_says_that_there_is_nothing_to_read(void **state)
{
    (void)state;
    struct stall_view view = healthy();
    view.items.fresh = 0;
    view.items.final = false;
    assert_fine(&view); /* there is something, it is only not read yet */
    view.items.input_empty = true;
    assert_stall(&view, STALL_INPUT, "input (standard input) has nothing to read");
    view.items.fresh = 1;
    assert_fine(&view);
}

static void test_stall_says_that_nobody_asks_for_work(void **state)
{
    (void)state;
    struct stall_view view = healthy();
    view.workers.credit = 0;
    view.workers.result_us = 12000000;
    assert_stall(&view, STALL_CREDIT, "no worker has credit: none has asked for work for 12.0 s");
    view.local = true;
    assert_fine(&view);
}

static void test_stall_texts_fit_whatever_they_quote(void **state)
{
    (void)state;
    char error[2 * STALL_TEXT_SIZE];
    char said[STALL_TEXT_SIZE];
    struct stall_view view = healthy();
    memset(error, 'e', sizeof(error) - 1);
    error[sizeof(error) - 1] = '\0';
    view.workers = (struct stall_workers){.registered = 1, .offering = 1, .unable = 1};
    view.last_error = error;
    assert_int_equal(stall_judge(&view, said), STALL_UNABLE);
    assert_int_equal(strlen(said), STALL_TEXT_SIZE - 1);
}

static void test_stall_reasons_have_names_of_their_own(void **state)
{
    (void)state;
    for (int i = 0; i < STALL_REASONS; i++) {
        assert_true(strlen(stall_name((enum stall_reason)i)) > 0);
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(stall_name((enum stall_reason)i),
                                    stall_name((enum stall_reason)k));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stall_says_nothing_while_work_is_under_way),
        cmocka_unit_test(test_stall_counts_the_workers_that_have_not_come),
        cmocka_unit_test(test_stall_counts_the_engines_that_are_not_there),
        cmocka_unit_test(test_stall_names_the_strategy_that_nobody_offers),
        cmocka_unit_test(test_stall_quotes_why_nobody_can_run_the_job),
        cmocka_unit_test(test_stall_says_since_when_all_are_lost),
        cmocka_unit_test(test_stall_tells_workers_that_left_from_lost_ones),
        cmocka_unit_test(test_stall_knows_silence_from_long_work),
        cmocka_unit_test(test_stall_says_when_the_next_retry_is),
        cmocka_unit_test(test_stall_names_who_does_not_take_the_results),
        cmocka_unit_test(test_stall_says_that_there_is_nothing_to_read),
        cmocka_unit_test(test_stall_says_that_nobody_asks_for_work),
        cmocka_unit_test(test_stall_texts_fit_whatever_they_quote),
        cmocka_unit_test(test_stall_reasons_have_names_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
