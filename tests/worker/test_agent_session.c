/* The agent: registering, staying registered, and what it does when that fails. */
#include "common/wire/wire.h"
#include "tests/worker/test_agent_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_agent_says_hello_when_connected(void **state)
{
    struct rig *rig = *state;
    assert_state(rig, "connecting");
    assert_int_equal(agent_deadline_us(rig->agent), UINT64_MAX);
    rig_plain(rig, AGENT_CONNECTED, 0, 0);
    assert_said(rig, "SEND_HELLO");
    assert_state(rig, "greeting");
}

static void test_agent_is_idle_once_welcomed(void **state)
{
    struct rig *rig = *state;
    rig_go_welcomed(rig);
    assert_said(rig, "");
    assert_state(rig, "idle");
    assert_int_equal(rig_stats(rig).session, RIG_SESSION);
    assert_int_equal(rig_stats(rig).sessions, 1);
}

static void test_agent_ignores_welcome_that_it_did_not_ask_for(void **state)
{
    struct rig *rig = *state;
    rig_welcome(rig, 7);
    assert_state(rig, "connecting");
    rig_plain(rig, AGENT_CONNECTED, 0, 0);
    rig_welcome(rig, 0);
    assert_state(rig, "greeting");
}

static void test_agent_takes_the_later_of_two_welcomes(void **state)
{
    struct rig *rig = *state;
    rig_go_welcomed(rig);
    rig_welcome(rig, 8);
    assert_int_equal(rig_stats(rig).session, 8);
    assert_int_equal(rig_stats(rig).sessions, 2);
    rig_welcome(rig, 8);
    assert_int_equal(rig_stats(rig).sessions, 2);
}

static void test_agent_reconnects_when_hello_is_not_answered(void **state)
{
    struct rig *rig = *state;
    rig_plain(rig, AGENT_CONNECTED, 0, 0);
    rig_tick_after(rig, 4999999);
    assert_said(rig, "");
    rig_tick_after(rig, 1);
    assert_said(rig, "RECONNECT");
    assert_state(rig, "connecting");
    rig_come_back(rig);
    assert_said(rig, "SEND_HELLO");
}

static void test_agent_sends_heartbeat_only_when_silent(void **state)
{
    struct rig *rig = *state;
    rig_go_welcomed(rig);
    uint64_t began_us = rig->now_us;
    rig_tick_when_due(rig);
    assert_said(rig, "SEND_HEARTBEAT session=7");
    assert_int_equal(rig->now_us - began_us, RIG_HEARTBEAT_US);

    rig->now_us += 900000;
    rig_job(rig, 7, 1, 0);
    rig_engine_ready(rig, 1, 1);
    assert_said(rig, "SEND_READY session=7 job=1 credit=4");
    rig_tick_after(rig, 999999);
    assert_said(rig, "");
    rig_tick_after(rig, 1);
    assert_said(rig, "SEND_HEARTBEAT session=7 job=1");
}

static void test_agent_reconnects_after_five_silent_heartbeats(void **state)
{
    struct rig *rig = *state;
    rig_go_welcomed(rig);
    for (int beat = 1; beat < AGENT_SILENCE_BEATS; beat++) {
        rig_tick_after(rig, RIG_HEARTBEAT_US);
        assert_said(rig, "SEND_HEARTBEAT session=7");
    }
    rig_tick_after(rig, RIG_HEARTBEAT_US);
    assert_said(rig, "RECONNECT");
    assert_int_equal(rig_stats(rig).session, 0);
}

static void test_agent_counts_any_message_as_sign_of_life(void **state)
{
    struct rig *rig = *state;
    rig_go_welcomed(rig);
    rig->now_us += 4 * RIG_HEARTBEAT_US;
    rig_plain(rig, AGENT_HEARD, 7, 0);
    rig->now_us += 4 * RIG_HEARTBEAT_US;
    rig_ack(rig, 7, 0);
    rig_tick_after(rig, 4 * RIG_HEARTBEAT_US);
    assert_said(rig, "SEND_HEARTBEAT session=7");
}

static void test_agent_gives_life_signs_as_often_as_it_is_told(void **state)
{
    struct rig *rig = *state;
    rig_go_welcomed(rig);
    struct agent_event told = {
        .type = AGENT_HEARD, .session = 7, .as.heard = {.heartbeat_us = 10 * RIG_HEARTBEAT_US}};
    rig_step(rig, &told);
    rig_tick_after(rig, 10 * RIG_HEARTBEAT_US - 1);
    assert_said(rig, "");
    rig_tick_after(rig, 1);
    assert_said(rig, "SEND_HEARTBEAT session=7");
    /* it is as patient with the coordinator */
    rig_tick_after(rig, 39 * RIG_HEARTBEAT_US);
    assert_said(rig, "SEND_HEARTBEAT session=7");
    /* and when it is to be heard sooner, it is as soon as that is due */
    told.as.heard.heartbeat_us = RIG_HEARTBEAT_US;
    rig->now_us += 2 * RIG_HEARTBEAT_US;
    rig_step(rig, &told);
    rig_tick_after(rig, 0);
    assert_said(rig, "SEND_HEARTBEAT session=7");
}

static void test_agent_is_not_told_how_often_by_a_stale_session_or_by_nothing(void **state)
{
    struct rig *rig = *state;
    rig_go_welcomed(rig);
    struct agent_event told = {
        .type = AGENT_HEARD, .session = 6, .as.heard = {.heartbeat_us = 10 * RIG_HEARTBEAT_US}};
    rig_step(rig, &told);
    rig_plain(rig, AGENT_HEARD, 7, 0);
    rig_tick_after(rig, RIG_HEARTBEAT_US);
    assert_said(rig, "SEND_HEARTBEAT session=7");
}

static void test_agent_takes_no_life_from_a_stale_session(void **state)
{
    struct rig *rig = *state;
    rig_go_welcomed(rig);
    rig->now_us += 4 * RIG_HEARTBEAT_US;
    rig_plain(rig, AGENT_HEARD, 6, 0);
    rig_tick_after(rig, RIG_HEARTBEAT_US);
    assert_said(rig, "RECONNECT");
}

static void test_agent_says_hello_again_when_connection_comes_back(void **state)
{
    struct rig *rig = *state;
    rig_go_welcomed(rig);
    rig_plain(rig, AGENT_DISCONNECTED, 0, 0);
    assert_said(rig, "");
    assert_state(rig, "connecting");
    rig->now_us += 60000000;
    uint64_t connected_us = rig->now_us;
    rig_come_back(rig);
    assert_said(rig, "SEND_HELLO");
    /* Counted from the new connection, however long that took. */
    assert_in_range(rig->now_us - connected_us, AGENT_RETURN_US / 2, AGENT_RETURN_US);
}

static void test_agent_waits_anew_when_the_connection_drops_while_it_waits(void **state)
{
    struct rig *rig = *state;
    rig_go_welcomed(rig);
    rig_plain(rig, AGENT_DISCONNECTED, 0, 0);
    rig_plain(rig, AGENT_CONNECTED, 0, 0);
    rig_tick_after(rig, AGENT_RETURN_US / 4);
    rig_plain(rig, AGENT_DISCONNECTED, 0, 0);
    rig->now_us += 10 * AGENT_RETURN_US;
    rig_come_back(rig);
    rig_plain(rig, AGENT_DISCONNECTED, 0, 0);
    rig_come_back(rig); /* HELLO was said, and came to nothing */
}

static void test_agent_takes_a_second_connection_for_the_end_of_the_first(void **state)
{
    struct rig *rig = *state;
    rig_go_welcomed(rig);
    rig_come_back(rig);
    assert_said(rig, "SEND_HELLO");
    assert_int_equal(rig_stats(rig).session, 0);
}

static void test_agent_leaves_for_good_when_version_is_refused(void **state)
{
    struct rig *rig = *state;
    rig_plain(rig, AGENT_CONNECTED, 0, 0);
    rig_reject(rig, 0, WIRE_REASON_VERSION, "I speak 2.0, you speak 1.0\n\x1b[31m");
    assert_said(rig, "EXIT status=4");
    assert_state(rig, "leaving");
    assert_string_equal(agent_exit_text(rig->agent),
                        "the coordinator refused this worker: I speak 2.0, you speak 1.0??[31m");
}

static void test_agent_leaves_for_good_when_its_key_is_taken_back(void **state)
{
    struct rig *rig = *state;
    rig_go_welcomed(rig);
    rig_reject(rig, rig_stats(rig).session, WIRE_REASON_KEY, "its key is not authorized any more");
    assert_said(rig, "EXIT session=7 status=4");
    assert_state(rig, "leaving");
}

static void test_agent_backs_off_longer_each_time_it_is_refused(void **state)
{
    struct rig *rig = *state;
    const uint64_t waits_us[] = {
        100000, 200000, 400000, 800000, 1600000, 3200000, 5000000, 5000000};
    rig_plain(rig, AGENT_CONNECTED, 0, 0);
    for (size_t i = 0; i < sizeof(waits_us) / sizeof(waits_us[0]); i++) {
        rig_reject(rig, 0, WIRE_REASON_FULL, "65536 workers are registered");
        assert_said(rig, "");
        assert_in_range(agent_deadline_us(rig->agent) - rig->now_us, waits_us[i] / 2, waits_us[i]);
        rig_tick_when_due(rig);
        assert_said(rig, "SEND_HELLO");
    }
}

static void test_agent_keeps_backing_off_over_a_new_connection(void **state)
{
    struct rig *rig = *state;
    rig_plain(rig, AGENT_CONNECTED, 0, 0);
    rig_reject(rig, 0, WIRE_REASON_FULL, "full");
    rig_plain(rig, AGENT_DISCONNECTED, 0, 0);
    rig_plain(rig, AGENT_CONNECTED, 0, 0);
    assert_said(rig, "");
    rig_tick_when_due(rig);
    assert_said(rig, "SEND_HELLO");
}

static void test_agent_forgets_back_off_after_a_long_session(void **state)
{
    struct rig *rig = *state;
    rig_plain(rig, AGENT_CONNECTED, 0, 0);
    rig_reject(rig, 0, WIRE_REASON_FULL, "full");
    rig_tick_when_due(rig);
    rig_reject(rig, 0, WIRE_REASON_FULL, "full");
    rig_tick_when_due(rig);
    rig_welcome(rig, 7);
    rig->now_us += 5000000;
    rig_reject(rig, 7, WIRE_REASON_SESSION, "who are you");
    assert_in_range(
        agent_deadline_us(rig->agent) - rig->now_us, AGENT_RETURN_US / 2, AGENT_RETURN_US);
    rig_tick_when_due(rig);
    rig_reject(rig, 0, WIRE_REASON_FULL, "full");
    assert_in_range(agent_deadline_us(rig->agent) - rig->now_us, 100000, 200000);
}

static void test_agent_registers_again_when_its_session_is_unknown(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 3);
    rig_reject(rig, 7, WIRE_REASON_SESSION, "I do not know session 7");
    assert_int_equal(rig_stats(rig).session, 0);
    assert_int_equal(rig_stats(rig).held, 3);
    rig_tick_when_due(rig);
    assert_said(rig, "SEND_HELLO job=1");
}

static void test_agent_ignores_rejection_of_an_older_session(void **state)
{
    struct rig *rig = *state;
    rig_go_welcomed(rig);
    rig_reject(rig, 6, WIRE_REASON_SESSION, "I do not know session 6");
    assert_int_equal(rig_stats(rig).session, 7);
    rig_reject(rig, 7, WIRE_REASON_SESSION, "nor session 7");
    uint64_t due_us = agent_deadline_us(rig->agent);
    rig_reject(rig, 7, WIRE_REASON_SESSION, "nor session 7");
    assert_int_equal(agent_deadline_us(rig->agent), due_us);
}

static void test_agent_leaves_when_coordinator_says_bye(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 3);
    rig_plain(rig, AGENT_BYE, 6, 0);
    assert_said(rig, "");
    rig_plain(rig, AGENT_BYE, 7, 0);
    assert_said(rig, "SEND_BYE session=7 job=1; EXIT session=7 job=1 status=0");
    assert_string_equal(agent_exit_text(rig->agent), "the coordinator is done");
}

static void test_agent_leaves_when_bye_answers_its_hello(void **state)
{
    struct rig *rig = *state;
    rig_plain(rig, AGENT_CONNECTED, 0, 0);
    rig_plain(rig, AGENT_BYE, 0, 0);
    assert_said(rig, "EXIT status=0");
}

static void test_agent_gives_up_when_no_coordinator_answers(void **state)
{
    (void)state;
    struct agent_options options = rig_options();
    options.give_up_us = 3000000;
    struct rig *rig = rig_new(&options);
    rig_tick_after(rig, 2999999);
    assert_said(rig, "");
    rig_tick_when_due(rig);
    assert_said(rig, "EXIT status=3");
    assert_string_equal(agent_exit_text(rig->agent), "no coordinator answered for 3.0 s");
    rig_free(rig);
}

static void test_agent_counts_giving_up_from_the_end_of_the_session(void **state)
{
    (void)state;
    struct agent_options options = rig_options();
    options.give_up_us = 3000000;
    struct rig *rig = rig_new(&options);
    rig->now_us += 2000000;
    rig_go_welcomed(rig);
    rig->now_us += 4000000;
    rig_plain(rig, AGENT_HEARD, 7, 0);
    rig_plain(rig, AGENT_DISCONNECTED, 0, 0);
    rig_tick_after(rig, 2999999);
    assert_said(rig, "");
    rig_tick_after(rig, 1);
    assert_said(rig, "EXIT status=3");
    assert_string_equal(agent_exit_text(rig->agent), "the coordinator has been gone for 3.0 s");
    rig_free(rig);
}

static void test_agent_quotes_the_refusal_when_it_gives_up(void **state)
{
    (void)state;
    struct agent_options options = rig_options();
    options.give_up_us = 1000000;
    struct rig *rig = rig_new(&options);
    rig_plain(rig, AGENT_CONNECTED, 0, 0);
    rig_reject(rig, 0, WIRE_REASON_FULL, "no room");
    rig_tick_after(rig, 1000000);
    assert_said(rig, "EXIT status=3");
    assert_string_equal(agent_exit_text(rig->agent),
                        "not registered for 1.0 s; the coordinator last said: no room");
    rig_free(rig);
}

static void test_agent_leaves_when_no_work_comes(void **state)
{
    (void)state;
    struct agent_options options = rig_options();
    options.idle_limit_us = 500000;
    struct rig *rig = rig_new(&options);
    rig_go_busy(rig, 1);
    rig_tick_after(rig, 600000);
    assert_said(rig, "");
    rig_results(rig, 1, 1, 0);
    rig_ack(rig, 7, 1);
    rig_tick_after(rig, 499999);
    assert_said(rig, "");
    rig_tick_after(rig, 1);
    assert_said(rig, "SEND_BYE session=7 job=1; EXIT session=7 job=1 status=0");
    assert_string_equal(agent_exit_text(rig->agent), "no work came for 0.5 s");
    rig_free(rig);
}

static void test_agent_leaves_when_it_never_gets_a_job(void **state)
{
    (void)state;
    struct agent_options options = rig_options();
    options.idle_limit_us = 500000;
    struct rig *rig = rig_new(&options);
    rig_tick_after(rig, 600000); /* not before it is welcomed: --give-up is for that */
    assert_said(rig, "");
    rig_go_welcomed(rig);
    rig_tick_after(rig, 499999);
    assert_said(rig, "");
    rig_tick_after(rig, 1);
    assert_said(rig, "SEND_BYE session=7; EXIT session=7 status=0");
    assert_string_equal(agent_exit_text(rig->agent), "no work came for 0.5 s");
    rig_free(rig);
}

static void test_agent_leaves_when_its_job_has_no_chunk_for_it(void **state)
{
    (void)state;
    struct agent_options options = rig_options();
    options.idle_limit_us = 500000;
    struct rig *rig = rig_new(&options);
    rig_go_running(rig);
    rig_tick_after(rig, 500000);
    assert_said(rig, "SEND_BYE session=7 job=1; EXIT session=7 job=1 status=0");
    rig_free(rig);
}

static void test_agent_does_nothing_after_exit_but_let_go(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 2);
    rig_plain(rig, AGENT_BYE, 7, 0);
    assert_int_equal(agent_deadline_us(rig->agent), UINT64_MAX);
    rig_results(rig, 1, 2, 2);
    assert_said(rig, "");
    rig_chunks(rig, 7, 1, 1);
    assert_said(rig, "DISCARD session=7 job=1");
    rig_plain(rig, AGENT_CONNECTED, 0, 0);
    assert_said(rig, "");
    rig_tick_after(rig, 100000000);
    assert_said(rig, "");
}

static void test_agent_refuses_options_out_of_range(void **state)
{
    (void)state;
    struct agent *agent = NULL;
    struct agent_options options = rig_options();
    options.credit_max = 3;
    assert_int_equal(agent_new(&options, 0, &agent), ERR_INVALID);
    options = rig_options();
    options.results_per_message = WIRE_CHUNKS_MAX + 1;
    assert_int_equal(agent_new(&options, 0, &agent), ERR_INVALID);
    options = rig_options();
    options.errors_per_message = 0;
    assert_int_equal(agent_new(&options, 0, &agent), ERR_INVALID);
    assert_null(agent);
    agent_free(NULL);
}

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_agent_says_hello_when_connected),
        RIG_TEST(test_agent_is_idle_once_welcomed),
        RIG_TEST(test_agent_ignores_welcome_that_it_did_not_ask_for),
        RIG_TEST(test_agent_takes_the_later_of_two_welcomes),
        RIG_TEST(test_agent_reconnects_when_hello_is_not_answered),
        RIG_TEST(test_agent_sends_heartbeat_only_when_silent),
        RIG_TEST(test_agent_reconnects_after_five_silent_heartbeats),
        RIG_TEST(test_agent_gives_life_signs_as_often_as_it_is_told),
        RIG_TEST(test_agent_is_not_told_how_often_by_a_stale_session_or_by_nothing),
        RIG_TEST(test_agent_counts_any_message_as_sign_of_life),
        RIG_TEST(test_agent_takes_no_life_from_a_stale_session),
        RIG_TEST(test_agent_says_hello_again_when_connection_comes_back),
        RIG_TEST(test_agent_waits_anew_when_the_connection_drops_while_it_waits),
        RIG_TEST(test_agent_takes_a_second_connection_for_the_end_of_the_first),
        RIG_TEST(test_agent_leaves_for_good_when_version_is_refused),
        RIG_TEST(test_agent_leaves_for_good_when_its_key_is_taken_back),
        RIG_TEST(test_agent_backs_off_longer_each_time_it_is_refused),
        RIG_TEST(test_agent_keeps_backing_off_over_a_new_connection),
        RIG_TEST(test_agent_forgets_back_off_after_a_long_session),
        RIG_TEST(test_agent_registers_again_when_its_session_is_unknown),
        RIG_TEST(test_agent_ignores_rejection_of_an_older_session),
        RIG_TEST(test_agent_leaves_when_coordinator_says_bye),
        RIG_TEST(test_agent_leaves_when_bye_answers_its_hello),
        cmocka_unit_test(test_agent_gives_up_when_no_coordinator_answers),
        cmocka_unit_test(test_agent_counts_giving_up_from_the_end_of_the_session),
        cmocka_unit_test(test_agent_quotes_the_refusal_when_it_gives_up),
        cmocka_unit_test(test_agent_leaves_when_no_work_comes),
        cmocka_unit_test(test_agent_leaves_when_it_never_gets_a_job),
        cmocka_unit_test(test_agent_leaves_when_its_job_has_no_chunk_for_it),
        RIG_TEST(test_agent_does_nothing_after_exit_but_let_go),
        cmocka_unit_test(test_agent_refuses_options_out_of_range),
    };
    return cmocka_run_group_tests_name("agent: session", tests, NULL, NULL);
}
