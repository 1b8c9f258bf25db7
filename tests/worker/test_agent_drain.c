/* The agent: leaving without losing work. */
#include "common/wire/wire.h"
#include "tests/worker/test_agent_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define BYE_AND_EXIT(of) "SEND_BYE " of "; EXIT " of " status=0"

static void test_agent_drains_by_returning_finishing_and_leaving(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 12);
    rig_plain(rig, AGENT_DRAIN, 7, 0);
    assert_said(rig, "TAKE_BACK session=7 job=1");
    assert_state(rig, "draining");
    rig_taken_back(rig, 4);
    assert_said(rig, "SEND_RETURNED session=7 job=1 first=0 count=4");
    assert_int_equal(agent_returned_ids(rig->agent)[3].value, 1003);
    rig_results(rig, 1, 5, 1);
    assert_said(rig, "SEND_RESULTS session=7 job=1 seq=1 first=0 count=5 credit=0");
    rig_results(rig, 1, 3, 0);
    assert_said(rig, "SEND_RESULTS session=7 job=1 seq=2 first=5 count=3 credit=0");
    rig_ack(rig, 7, 1);
    assert_said(rig, "");
    rig_ack(rig, 7, 2);
    assert_said(rig, BYE_AND_EXIT("session=7 job=1"));
    assert_string_equal(agent_exit_text(rig->agent),
                        "drained: everything was finished or given back");
}

static void test_agent_drained_while_idle_leaves_at_once(void **state)
{
    struct rig *rig = *state;
    rig_go_welcomed(rig);
    rig_plain(rig, AGENT_DRAIN, 7, 0);
    assert_said(rig, BYE_AND_EXIT("session=7"));
}

static void test_agent_drained_without_a_chunk_leaves_at_once(void **state)
{
    struct rig *rig = *state;
    rig_go_running(rig);
    rig_plain(rig, AGENT_DRAIN, 0, 0);
    assert_said(rig, BYE_AND_EXIT("session=7 job=1"));
}

static void test_agent_drained_while_starting_leaves_at_once(void **state)
{
    struct rig *rig = *state;
    rig_go_welcomed(rig);
    rig_job(rig, 7, 1, 0);
    rig_plain(rig, AGENT_DRAIN, 7, 0);
    assert_said(rig, BYE_AND_EXIT("session=7 job=1"));
}

static void test_agent_drained_while_connecting_leaves_at_once(void **state)
{
    struct rig *rig = *state;
    rig_plain(rig, AGENT_DRAIN, 0, 0);
    assert_said(rig, "EXIT status=0");
}

static void test_agent_ignores_drain_of_a_stale_session(void **state)
{
    struct rig *rig = *state;
    rig_go_welcomed(rig);
    rig_plain(rig, AGENT_DRAIN, 6, 0);
    assert_said(rig, "");
    assert_state(rig, "idle");
}

static void test_agent_changes_nothing_on_a_second_drain(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 2);
    rig_plain(rig, AGENT_DRAIN, 0, 0);
    rig_plain(rig, AGENT_DRAIN, 0, 0);
    assert_said(rig, "");
    rig_taken_back(rig, 0);
    assert_said(rig, "SEND_RETURNED session=7 job=1 first=0 count=0");
    rig_plain(rig, AGENT_DRAIN, 7, 0);
    assert_said(rig, "");
    assert_int_equal(rig_stats(rig).held, 2);
}

static void test_agent_says_that_it_is_leaving_when_only_acks_are_missing(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 2);
    rig_results(rig, 1, 2, 0);
    rig_plain(rig, AGENT_DRAIN, 0, 0);
    assert_said(rig, "SEND_RETURNED session=7 job=1 first=0 count=0");
    rig_ack(rig, 7, 1);
    assert_said(rig, BYE_AND_EXIT("session=7 job=1"));
}

static void test_agent_gives_back_chunks_that_were_under_way(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 3);
    rig_plain(rig, AGENT_DRAIN, 0, 0);
    rig_taken_back(rig, 3);
    assert_said(rig,
                "SEND_RETURNED session=7 job=1 first=0 count=3; " BYE_AND_EXIT("session=7 job=1"));

    rig_free(rig);
    struct agent_options options = rig_options();
    *state = rig = rig_new(&options);
    rig_go_busy(rig, 3);
    rig_plain(rig, AGENT_DRAIN, 0, 0);
    rig_taken_back(rig, 2);
    rig_chunks(rig, 7, 1, 5);
    assert_said(rig, "SUBMIT session=7 job=1; TAKE_BACK session=7 job=1");
    rig_taken_back(rig, 5);
    assert_said(rig, "SEND_RETURNED session=7 job=1 first=0 count=5");
    rig_results(rig, 1, 1, 0);
    rig_ack(rig, 7, 1);
    assert_said(rig, BYE_AND_EXIT("session=7 job=1"));
}

static void test_agent_splits_returned_ids_over_messages(void **state)
{
    (void)state;
    struct agent_options options = rig_options();
    options.credit_max = 65536;
    struct rig *rig = rig_new(&options);
    rig_go_welcomed(rig);
    rig_job(rig, 7, 1, 2000);
    rig_engine_ready(rig, 1, 8);
    rig_chunks(rig, 7, 1, 2000);
    rig_plain(rig, AGENT_DRAIN, 7, 0);
    rig_taken_back(rig, 1999);
    uint64_t next = 0;
    for (size_t i = 0; i < rig->actions.count; i++) {
        assert_int_equal(rig->list[i].type, AGENT_SEND_RETURNED);
        assert_int_equal(rig->list[i].first, next);
        assert_true(rig->list[i].count <= WIRE_CHUNKS_MAX);
        next += rig->list[i].count;
    }
    assert_int_equal(next, 1999);
    rig_free(rig);
}

static void test_agent_takes_chunks_back_in_several_answers(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 10);
    rig_plain(rig, AGENT_DRAIN, 7, 0);
    rig_taken_back(rig, 6);
    assert_said(rig, "SEND_RETURNED session=7 job=1 first=0 count=6");
    rig_taken_back(rig, 3);
    assert_said(rig, "SEND_RETURNED session=7 job=1 first=0 count=3");
    assert_int_equal(rig_stats(rig).held, 1);
}

static void test_agent_orders_its_engine_only_after_all_messages(void **state)
{
    (void)state;
    struct agent_options options = rig_options();
    options.results_per_message = 1;
    options.credit_max = 1000;
    struct rig *rig = rig_new(&options);
    rig_go_welcomed(rig);
    rig_job(rig, 7, 1, 200);
    rig_engine_ready(rig, 1, 8);
    rig_chunks(rig, 7, 1, 200);
    rig_results(rig, 1, 199, 0);
    rig_plain(rig, AGENT_DRAIN, 0, 0);
    size_t count = rig->actions.count;
    assert_true(count > 1);
    assert_int_equal(rig->list[count - 1].type, AGENT_TAKE_BACK);
    assert_int_equal(rig->list[count - 2].type, AGENT_SEND_RESULTS);
    rig_free(rig);
}

static void test_agent_leaves_at_its_drain_limit_with_chunks_running(void **state)
{
    (void)state;
    struct agent_options options = rig_options();
    options.drain_limit_us = 2000000;
    struct rig *rig = rig_new(&options);
    rig_go_busy(rig, 3);
    rig_plain(rig, AGENT_DRAIN, 7, 0);
    rig_taken_back(rig, 1);
    rig_tick_after(rig, 1999999);
    assert_state(rig, "draining");
    rig_plain(rig, AGENT_DRAIN, 7, 0);
    rig_tick_after(rig, 1);
    assert_said(rig, BYE_AND_EXIT("session=7 job=1"));
    assert_string_equal(agent_exit_text(rig->agent),
                        "drained for 2.0 s and left with 2 chunks running; they run elsewhere");
    rig_free(rig);
}

static void test_agent_drains_by_itself_before_its_time_limit(void **state)
{
    (void)state;
    struct agent_options options = rig_options();
    options.time_limit_us = 60000000;
    options.drain_limit_us = 10000000;
    struct rig *rig = rig_new(&options);
    uint64_t born_us = rig->now_us;
    rig_go_busy(rig, 3);
    rig->now_us = born_us + 59999999;
    rig_plain(rig, AGENT_HEARD, 7, 0);
    rig_plain(rig, AGENT_TICK, 0, 0);
    assert_int_equal(agent_drain_reason(rig->agent), AGENT_DRAIN_NOT);
    rig_tick_when_due(rig);
    assert_int_equal(rig->now_us, born_us + 60000000);
    assert_int_equal(agent_drain_reason(rig->agent), AGENT_DRAIN_TIME);
    assert_said(rig, "TAKE_BACK session=7 job=1");
    rig_taken_back(rig, 2);
    assert_said(rig, "SEND_RETURNED session=7 job=1 first=0 count=2");
    rig_results(rig, 1, 1, 0);
    rig_ack(rig, 7, 1);
    assert_said(rig, BYE_AND_EXIT("session=7 job=1"));
    assert_string_equal(agent_exit_text(rig->agent),
                        "drained before the time limit: everything was finished or given back");
    rig_free(rig);
}

static void test_agent_is_gone_at_its_time_limit_whatever_runs(void **state)
{
    (void)state;
    struct agent_options options = rig_options();
    options.time_limit_us = 60000000;
    options.drain_limit_us = 10000000;
    struct rig *rig = rig_new(&options);
    uint64_t born_us = rig->now_us;
    rig_go_busy(rig, 3);
    rig->now_us = born_us + 60000000;
    rig_plain(rig, AGENT_HEARD, 7, 0);
    rig_plain(rig, AGENT_TICK, 0, 0);
    rig_taken_back(rig, 1);
    rig->now_us = born_us + 70000000;
    rig_plain(rig, AGENT_HEARD, 7, 0);
    rig_plain(rig, AGENT_TICK, 0, 0);
    assert_said(rig, BYE_AND_EXIT("session=7 job=1"));
    rig_free(rig);
}

static void test_agent_out_of_time_without_work_leaves_at_once(void **state)
{
    (void)state;
    struct agent_options options = rig_options();
    options.time_limit_us = 60000000;
    struct rig *rig = rig_new(&options);
    rig->now_us += 60000000;
    rig_plain(rig, AGENT_TICK, 0, 0);
    assert_said(rig, "EXIT status=0");
    rig_free(rig);
}

static void test_agent_says_why_it_drains(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 1);
    rig_plain(rig, AGENT_DRAIN, 7, 0);
    assert_int_equal(agent_drain_reason(rig->agent), AGENT_DRAIN_COORDINATOR);
    rig_plain(rig, AGENT_DRAIN, 0, 0); /* the first reason stays */
    assert_int_equal(agent_drain_reason(rig->agent), AGENT_DRAIN_COORDINATOR);
}

static void test_agent_told_twice_says_bye_and_leaves_what_runs(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 3);
    rig_plain(rig, AGENT_DRAIN, 0, 0);
    rig_taken_back(rig, 1);
    rig_results(rig, 1, 1, 0);
    rig_plain(rig, AGENT_QUIT, 0, 0);
    assert_said(rig, BYE_AND_EXIT("session=7 job=1"));
    assert_string_equal(agent_exit_text(rig->agent),
                        "told to leave at once: 1 chunks and 1 results were not delivered; they "
                        "run elsewhere");
}

static void test_agent_told_twice_without_a_coordinator_just_leaves(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 3);
    rig_plain(rig, AGENT_DISCONNECTED, 0, 0);
    rig_plain(rig, AGENT_QUIT, 0, 0);
    assert_said(rig, "EXIT job=1 status=0");
}

static void test_agent_drains_into_a_new_session(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 3);
    rig_plain(rig, AGENT_DRAIN, 0, 0);
    rig_taken_back(rig, 1);
    rig_results(rig, 1, 1, 0);
    rig_plain(rig, AGENT_DISCONNECTED, 0, 0);
    rig_results(rig, 1, 1, 1);
    rig_come_back(rig);
    assert_said(rig, "SEND_HELLO job=1");
    rig_welcome(rig, 8);
    rig_job(rig, 8, 1, 0);
    rig_holding(rig, 1, 0);
    assert_said(rig,
                "SEND_HOLDING session=8 job=1 first=0 count=2; "
                "SEND_READY session=8 job=1 credit=0; "
                "SEND_RESULTS session=8 job=1 seq=1 first=0 count=2 credit=0");
    rig_ack(rig, 8, 1);
    assert_said(rig, BYE_AND_EXIT("session=8 job=1"));
}

static void test_agent_returns_nothing_when_its_session_is_gone(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 3);
    rig_plain(rig, AGENT_DISCONNECTED, 0, 0);
    rig_plain(rig, AGENT_DRAIN, 0, 0);
    assert_said(rig, "TAKE_BACK job=1");
    rig_taken_back(rig, 3);
    assert_said(rig, "EXIT job=1 status=0");
}

static void test_agent_does_not_wait_for_ever_to_drain_without_coordinator(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 3);
    rig_plain(rig, AGENT_DISCONNECTED, 0, 0);
    rig_plain(rig, AGENT_DRAIN, 0, 0);
    rig_taken_back(rig, 1);
    rig_results(rig, 1, 1, 0);
    rig_tick_after(rig, 5000000);
    assert_said(rig, "EXIT job=1 status=3");
    assert_string_equal(
        agent_exit_text(rig->agent),
        "drained without a coordinator: 1 chunks and 1 results could not be delivered");
}

static void test_agent_drops_a_drained_job_that_is_cancelled_or_replaced(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 3);
    rig_plain(rig, AGENT_DRAIN, 0, 0);
    rig_taken_back(rig, 0);
    rig_plain(rig, AGENT_CANCEL, 7, 1);
    assert_said(rig, "STOP_ENGINE session=7 job=1; " BYE_AND_EXIT("session=7"));

    rig_free(rig);
    struct agent_options options = rig_options();
    *state = rig = rig_new(&options);
    rig_go_busy(rig, 3);
    rig_plain(rig, AGENT_DRAIN, 0, 0);
    rig_taken_back(rig, 0);
    rig_job(rig, 7, 2, 0);
    assert_said(rig, "STOP_ENGINE session=7 job=1; " BYE_AND_EXIT("session=7"));
}

static void test_agent_ignores_taken_back_that_it_did_not_ask_for(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 3);
    rig_taken_back(rig, 2);
    assert_said(rig, "");
    assert_int_equal(rig_stats(rig).held, 3);
}

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_agent_drains_by_returning_finishing_and_leaving),
        RIG_TEST(test_agent_drained_while_idle_leaves_at_once),
        RIG_TEST(test_agent_drained_without_a_chunk_leaves_at_once),
        RIG_TEST(test_agent_drained_while_starting_leaves_at_once),
        RIG_TEST(test_agent_drained_while_connecting_leaves_at_once),
        RIG_TEST(test_agent_ignores_drain_of_a_stale_session),
        RIG_TEST(test_agent_changes_nothing_on_a_second_drain),
        RIG_TEST(test_agent_says_that_it_is_leaving_when_only_acks_are_missing),
        RIG_TEST(test_agent_gives_back_chunks_that_were_under_way),
        cmocka_unit_test(test_agent_splits_returned_ids_over_messages),
        RIG_TEST(test_agent_takes_chunks_back_in_several_answers),
        cmocka_unit_test(test_agent_orders_its_engine_only_after_all_messages),
        cmocka_unit_test(test_agent_leaves_at_its_drain_limit_with_chunks_running),
        cmocka_unit_test(test_agent_drains_by_itself_before_its_time_limit),
        cmocka_unit_test(test_agent_is_gone_at_its_time_limit_whatever_runs),
        cmocka_unit_test(test_agent_out_of_time_without_work_leaves_at_once),
        RIG_TEST(test_agent_says_why_it_drains),
        RIG_TEST(test_agent_told_twice_says_bye_and_leaves_what_runs),
        RIG_TEST(test_agent_told_twice_without_a_coordinator_just_leaves),
        RIG_TEST(test_agent_drains_into_a_new_session),
        RIG_TEST(test_agent_returns_nothing_when_its_session_is_gone),
        RIG_TEST(test_agent_does_not_wait_for_ever_to_drain_without_coordinator),
        RIG_TEST(test_agent_drops_a_drained_job_that_is_cancelled_or_replaced),
        RIG_TEST(test_agent_ignores_taken_back_that_it_did_not_ask_for),
    };
    return cmocka_run_group_tests_name("agent: drain", tests, NULL, NULL);
}
