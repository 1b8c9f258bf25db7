/* The agent: jobs, credit, chunks, and results until they are acknowledged. */
#include "tests/worker/test_agent_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The n-th allocation from now fails; 0: none does. */
static int fail_allocation;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
    if (fail_allocation > 0 && --fail_allocation == 0) {
        return NULL;
    }
    return __real_malloc(size);
}

void *__wrap_realloc(void *old, size_t size)
{
    if (fail_allocation > 0 && --fail_allocation == 0) {
        return NULL;
    }
    return __real_realloc(old, size);
}

/* --- jobs and engines --- */

static void test_agent_starts_an_engine_and_grants_credit(void **state)
{
    struct rig *rig = *state;
    rig_go_welcomed(rig);
    rig_job(rig, 7, 1, 0);
    assert_said(rig, "START_ENGINE session=7 job=1");
    assert_state(rig, "starting");
    rig_engine_ready(rig, 1, 8);
    assert_said(rig, "SEND_READY session=7 job=1 credit=16");
    assert_state(rig, "running");
}

static void test_agent_grants_four_at_least_and_credit_max_at_most(void **state)
{
    struct rig *rig = *state;
    rig_go_welcomed(rig);
    rig_job(rig, 7, 1, 0);
    rig_engine_ready(rig, 1, 1);
    assert_said(rig, "SEND_READY session=7 job=1 credit=4");
    rig_job(rig, 7, 2, 0);
    rig_plain(rig, AGENT_ENGINE_STOPPED, 0, 1);
    rig_engine_ready(rig, 2, 4096);
    assert_said(rig, "SEND_READY session=7 job=2 credit=64");
}

static void test_agent_grants_what_the_job_fixes(void **state)
{
    struct rig *rig = *state;
    rig_go_welcomed(rig);
    rig_job(rig, 7, 1, 3);
    rig_engine_ready(rig, 1, 8);
    assert_said(rig, "SEND_READY session=7 job=1 credit=3");
    for (int i = 0; i < 20; i++) {
        rig_chunks(rig, 7, 1, 3);
        rig->now_us += 10000;
        rig_results(rig, 1, 3, 0);
        rig_ack(rig, 7, (uint64_t)i + 1);
    }
    assert_int_equal(rig_stats(rig).window, 3);
}

static void test_agent_tells_that_a_job_cannot_run(void **state)
{
    struct rig *rig = *state;
    rig_go_welcomed(rig);
    rig_job(rig, 7, 1, 0);
    rig_plain(rig, AGENT_ENGINE_FAILED, 0, 1);
    assert_said(rig, "SEND_READY session=7 job=1 failed; STOP_ENGINE session=7 job=1");
    rig_plain(rig, AGENT_ENGINE_STOPPED, 0, 1);
    assert_said(rig, "");
    assert_state(rig, "idle");
}

static void test_agent_tells_again_that_a_job_cannot_run(void **state)
{
    struct rig *rig = *state;
    rig_go_welcomed(rig);
    rig_job(rig, 7, 1, 0);
    rig_plain(rig, AGENT_ENGINE_FAILED, 0, 1);
    rig_plain(rig, AGENT_ENGINE_STOPPED, 0, 1);
    rig_plain(rig, AGENT_DISCONNECTED, 0, 0);
    rig_come_back(rig);
    rig_welcome(rig, 8);
    rig_job(rig, 8, 1, 0);
    assert_said(rig, "SEND_READY session=8 job=1 failed");
    rig_job(rig, 8, 2, 0);
    assert_said(rig, "START_ENGINE session=8 job=2");
}

static void test_agent_loses_its_chunks_with_a_failed_engine(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 5);
    rig_plain(rig, AGENT_ENGINE_FAILED, 0, 1);
    assert_said(rig, "SEND_READY session=7 job=1 failed; STOP_ENGINE session=7 job=1");
    assert_int_equal(rig_stats(rig).held, 0);
    rig_results(rig, 1, 2, 1);
    rig_chunks(rig, 7, 1, 1);
    assert_said(rig, "DISCARD session=7 job=1");
}

static void test_agent_ignores_job_said_twice_in_a_session(void **state)
{
    struct rig *rig = *state;
    rig_go_running(rig);
    rig_job(rig, 7, 1, 0);
    assert_said(rig, "");
    assert_int_equal(rig_stats(rig).credit_out, 16);
}

static void test_agent_ignores_job_of_a_stale_session(void **state)
{
    struct rig *rig = *state;
    rig_go_running(rig);
    rig_job(rig, 6, 2, 0);
    rig_job(rig, 7, 0, 0);
    assert_said(rig, "");
    assert_int_equal(rig_stats(rig).job, 1);
}

static void test_agent_stops_one_engine_before_it_starts_another(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 3);
    rig_job(rig, 7, 2, 0);
    assert_said(rig, "STOP_ENGINE session=7 job=1");
    rig_results(rig, 1, 2, 1);
    assert_said(rig, "");
    rig_plain(rig, AGENT_ENGINE_READY, 0, 1);
    assert_said(rig, "");
    rig_plain(rig, AGENT_ENGINE_STOPPED, 0, 1);
    assert_said(rig, "START_ENGINE session=7 job=2");
    rig_engine_ready(rig, 2, 8);
    assert_said(rig, "SEND_READY session=7 job=2 credit=16");
}

static void test_agent_starts_only_the_last_of_several_jobs(void **state)
{
    struct rig *rig = *state;
    rig_go_running(rig);
    rig_job(rig, 7, 2, 0);
    rig_job(rig, 7, 3, 0);
    assert_said(rig, "");
    rig_plain(rig, AGENT_ENGINE_STOPPED, 0, 1);
    assert_said(rig, "START_ENGINE session=7 job=3");
}

static void test_agent_cancels_while_starting(void **state)
{
    struct rig *rig = *state;
    rig_go_welcomed(rig);
    rig_job(rig, 7, 1, 0);
    rig_plain(rig, AGENT_CANCEL, 7, 1);
    assert_said(rig, "STOP_ENGINE session=7 job=1");
    rig_engine_ready(rig, 1, 8);
    assert_said(rig, "");
    rig_plain(rig, AGENT_ENGINE_STOPPED, 0, 1);
    assert_said(rig, "SEND_HEARTBEAT session=7");
    assert_state(rig, "idle");
}

static void test_agent_starts_a_cancelled_job_anew(void **state)
{
    struct rig *rig = *state;
    rig_go_running(rig);
    rig_plain(rig, AGENT_CANCEL, 7, 1);
    rig_job(rig, 7, 1, 0);
    assert_said(rig, "");
    rig_plain(rig, AGENT_ENGINE_STOPPED, 0, 1);
    assert_said(rig, "START_ENGINE session=7 job=1");
}

static void test_agent_forgets_results_of_a_cancelled_job(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 5);
    rig_results(rig, 1, 3, 2);
    rig_plain(rig, AGENT_CANCEL, 7, 2);
    assert_said(rig, "");
    assert_int_equal(rig_stats(rig).unacked, 3);
    rig_plain(rig, AGENT_CANCEL, 7, 1);
    assert_int_equal(rig_stats(rig).unacked, 0);
    assert_int_equal(rig_stats(rig).held, 0);
    rig_ack(rig, 7, 1);
    assert_int_equal(rig_stats(rig).job, 0);
}

/* --- chunks and credit --- */

static void test_agent_hands_chunks_to_the_engine(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 10);
    assert_said(rig, "SUBMIT session=7 job=1");
    assert_int_equal(rig_stats(rig).held, 10);
    assert_int_equal(rig_stats(rig).credit_out, 6);
}

static void test_agent_discards_chunks_of_stale_session_or_job(void **state)
{
    struct rig *rig = *state;
    rig_go_running(rig);
    rig_chunks(rig, 6, 1, 1);
    assert_said(rig, "DISCARD session=7 job=1");
    rig_chunks(rig, 7, 2, 1);
    assert_said(rig, "DISCARD session=7 job=1");
    assert_int_equal(rig_stats(rig).held, 0);
}

static void test_agent_ends_the_session_when_sent_more_than_its_credit(void **state)
{
    struct rig *rig = *state;
    rig_go_running(rig);
    rig_chunks(rig, 7, 1, 17);
    assert_said(rig, "DISCARD session=7 job=1; RECONNECT job=1");
    rig_come_back(rig);
}

static void test_agent_grants_credit_with_results(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 16);
    rig_results(rig, 1, 5, 0);
    assert_said(rig, "SEND_RESULTS session=7 job=1 seq=1 first=0 count=5 credit=5");
    rig_results(rig, 1, 1, 0);
    assert_said(rig, "SEND_RESULTS session=7 job=1 seq=2 first=5 count=1 credit=1");
}

static void test_agent_splits_results_by_number_and_by_errors(void **state)
{
    struct rig *rig = *state;
    rig_go_welcomed(rig);
    rig_job(rig, 7, 1, 64);
    rig_engine_ready(rig, 1, 8);
    rig_chunks(rig, 7, 1, 40);
    rig_results(rig, 1, 40, 6);
    assert_said(rig,
                "SEND_RESULTS session=7 job=1 seq=1 first=0 count=4 credit=40; "
                "SEND_RESULTS session=7 job=1 seq=2 first=4 count=16 credit=0; "
                "SEND_RESULTS session=7 job=1 seq=3 first=20 count=16 credit=0; "
                "SEND_RESULTS session=7 job=1 seq=4 first=36 count=4 credit=0");
}

static void test_agent_grants_nothing_beyond_twice_credit_max_unacknowledged(void **state)
{
    struct rig *rig = *state;
    rig_go_welcomed(rig);
    rig_job(rig, 7, 1, 64);
    rig_engine_ready(rig, 1, 8);
    for (int i = 0; i < 2; i++) {
        rig_chunks(rig, 7, 1, rig_stats(rig).credit_out);
        rig_results(rig, 1, rig_stats(rig).held, 0);
    }
    struct agent_stats stats = rig_stats(rig);
    assert_int_equal(stats.unacked, 128);
    assert_int_equal(stats.credit_out, 0);

    /* Acknowledgements bring the credit that had to wait, without a result to carry it. */
    rig_ack(rig, 7, 4);
    assert_said(rig, "SEND_RESULTS session=7 job=1 seq=9 first=128 count=0 credit=64");
}

static void test_agent_widens_its_window_for_quick_chunks(void **state)
{
    struct rig *rig = *state;
    rig_go_running(rig);
    uint64_t seq = 0;
    uint32_t before = rig_stats(rig).window;
    for (int i = 0; i < 40; i++) {
        rig->now_us += 5000;
        rig_chunks(rig, 7, 1, rig_stats(rig).credit_out);
        rig_results(rig, 1, rig_stats(rig).held, 0);
        seq += rig->actions.count;
        rig_ack(rig, 7, seq);
        uint32_t now = rig_stats(rig).window;
        assert_true(now <= 2 * before);
        before = now;
    }
    assert_int_equal(rig_stats(rig).window, 64);
}

static void test_agent_keeps_its_window_small_for_slow_chunks(void **state)
{
    struct rig *rig = *state;
    rig_go_running(rig);
    for (uint64_t seq = 1; seq < 40; seq++) {
        rig_chunks(rig, 7, 1, rig_stats(rig).credit_out);
        rig->now_us += 100000;
        rig_results(rig, 1, 1, 0);
        rig_ack(rig, 7, seq);
    }
    assert_int_equal(rig_stats(rig).window, 16);
}

static void test_agent_widens_its_window_when_the_round_trip_starves_it(void **state)
{
    struct rig *rig = *state;
    rig_go_running(rig);
    uint64_t seq = 0;
    for (int i = 0; i < 20; i++) {
        rig->now_us += 50000;
        rig_chunks(rig, 7, 1, rig_stats(rig).credit_out);
        rig_results(rig, 1, rig_stats(rig).held, 0);
        seq += rig->actions.count;
        rig_ack(rig, 7, seq);
    }
    assert_int_equal(rig_stats(rig).window, 64);
}

/* --- acknowledgements and new sessions --- */

static void test_agent_forgets_only_what_is_acknowledged(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 10);
    rig_results(rig, 1, 3, 1);
    rig_results(rig, 1, 2, 1);
    rig_ack(rig, 7, 1);
    assert_int_equal(rig_stats(rig).unacked, 2);
    assert_int_equal(agent_result(rig->agent, 3)->id.value, 4);
    assert_memory_equal(agent_result(rig->agent, 3)->error, "it broke", 8);
    rig_ack(rig, 7, 1);
    rig_ack(rig, 6, 2);
    rig_ack(rig, 7, 3);
    assert_int_equal(rig_stats(rig).unacked, 2);
    rig_ack(rig, 7, 2);
    assert_int_equal(rig_stats(rig).unacked, 0);
}

static void test_agent_goes_on_and_sends_again_in_a_new_session(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 10);
    rig_results(rig, 1, 3, 0);
    rig_ack(rig, 7, 1);
    rig_results(rig, 1, 2, 1);
    rig_plain(rig, AGENT_DISCONNECTED, 0, 0);
    rig_results(rig, 1, 1, 0);
    assert_said(rig, "");
    rig_come_back(rig);
    rig_welcome(rig, 8);
    assert_said(rig, "");
    rig_job(rig, 8, 1, 0);
    assert_said(rig, "ASK_HOLDING session=8 job=1");
    rig_holding(rig, 1, 4);
    assert_said(rig,
                "SEND_HOLDING session=8 job=1 first=0 count=7; "
                "SEND_READY session=8 job=1 credit=12; "
                "SEND_RESULTS session=8 job=1 seq=1 first=3 count=3 credit=0");
    assert_int_equal(rig_stats(rig).held, 4);
    rig_ack(rig, 8, 1);
    assert_int_equal(rig_stats(rig).unacked, 0);
}

static void test_agent_discards_chunks_until_ready_in_the_new_session(void **state)
{
    struct rig *rig = *state;
    rig_go_running(rig);
    rig_plain(rig, AGENT_DISCONNECTED, 0, 0);
    rig_come_back(rig);
    rig_welcome(rig, 8);
    rig_chunks(rig, 7, 1, 1);
    assert_said(rig, "DISCARD session=8 job=1");
    rig_chunks(rig, 8, 1, 1);
    assert_said(rig, "DISCARD session=8 job=1");
}

static void test_agent_reports_ready_late_when_engine_started_without_session(void **state)
{
    struct rig *rig = *state;
    rig_go_welcomed(rig);
    rig_job(rig, 7, 1, 0);
    rig_plain(rig, AGENT_DISCONNECTED, 0, 0);
    rig_engine_ready(rig, 1, 8);
    assert_said(rig, "");
    rig_come_back(rig);
    rig_welcome(rig, 8);
    rig_job(rig, 8, 1, 0);
    assert_said(rig, "SEND_READY session=8 job=1 credit=16");
}

static void test_agent_waits_for_an_engine_that_still_starts_in_a_new_session(void **state)
{
    struct rig *rig = *state;
    rig_go_welcomed(rig);
    rig_job(rig, 7, 1, 0);
    rig_plain(rig, AGENT_DISCONNECTED, 0, 0);
    rig_come_back(rig);
    rig_welcome(rig, 8);
    rig_job(rig, 8, 1, 0);
    assert_said(rig, "");
    rig_engine_ready(rig, 1, 8);
    assert_said(rig, "SEND_READY session=8 job=1 credit=16");
}

static void test_agent_forgets_results_when_the_new_session_has_another_job(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 5);
    rig_plain(rig, AGENT_DISCONNECTED, 0, 0);
    rig_results(rig, 1, 3, 3);
    rig_come_back(rig);
    rig_welcome(rig, 8);
    rig_job(rig, 8, 2, 0);
    assert_said(rig, "STOP_ENGINE session=8 job=1");
    assert_int_equal(rig_stats(rig).unacked, 0);
}

static void test_agent_makes_a_new_session_when_acknowledgements_stay_away(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 2);
    rig_results(rig, 1, 2, 0);
    for (int beat = 1; beat < AGENT_ACK_BEATS; beat++) {
        rig_tick_after(rig, RIG_HEARTBEAT_US);
        rig_plain(rig, AGENT_HEARD, 7, 0);
    }
    rig_tick_after(rig, RIG_HEARTBEAT_US);
    assert_said(rig, "RECONNECT job=1");
    assert_int_equal(rig_stats(rig).unacked, 2);
}

static void test_agent_sends_in_several_steps_what_finds_no_room(void **state)
{
    (void)state;
    struct agent_options options = rig_options();
    options.results_per_message = 1;
    options.credit_max = 1000;
    struct rig *rig = rig_new(&options);
    rig_go_welcomed(rig);
    rig_job(rig, 7, 1, 300);
    rig_engine_ready(rig, 1, 8);
    rig_chunks(rig, 7, 1, 300);
    rig_results(rig, 1, 300, 7);
    size_t messages = rig->actions.count;
    assert_int_equal(messages, AGENT_ACTIONS_MIN - 4);
    for (int i = 0; i < 2; i++) {
        assert_true(agent_deadline_us(rig->agent) <= rig->now_us);
        rig_tick_after(rig, 0);
        messages += rig->actions.count;
    }
    assert_true(agent_deadline_us(rig->agent) > rig->now_us);
    assert_int_equal(messages, 300);
    assert_int_equal(rig->list[rig->actions.count - 1].seq, 300);
    rig_free(rig);
}

static void test_agent_keeps_results_in_order_while_its_ring_wraps_and_grows(void **state)
{
    (void)state;
    struct agent_options options = rig_options();
    options.credit_max = 700;
    options.results_per_message = 100;
    struct rig *rig = rig_new(&options);
    rig_go_welcomed(rig);
    rig_job(rig, 7, 1, 700);
    rig_engine_ready(rig, 1, 8);
    uint64_t seq = 0;
    uint64_t number = 0;
    for (size_t round = 1; round < 60; round++) {
        rig_chunks(rig, 7, 1, round * 7);
        rig_results(rig, 1, round * 7, 3);
        for (size_t i = 0; i < rig->actions.count; i++) {
            const struct agent_action *action = &rig->list[i];
            assert_int_equal(action->first, number);
            const struct chunk_result *first = agent_result(rig->agent, number);
            for (uint32_t j = 0; j < action->count; j++, number++) {
                /* Side by side in memory too: the shell may walk a message by pointer. */
                assert_int_equal(first[j].id.value, number + 1);
            }
            seq = action->seq;
        }
        if (round % 2 == 0) {
            rig_ack(rig, 7, seq);
        }
    }
    rig_free(rig);
}

static void test_agent_leaves_results_to_the_caller_without_memory(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 10);
    struct agent_stats before = rig_stats(rig);
    struct chunk_result result = {.id = {1}, .attempt = 1, .tally.ok = 1};
    struct agent_event event = {
        .type = AGENT_RESULTS, .job = 1, .as.results = {.list = &result, .count = 1}};
    fail_allocation = 1;
    rig_step(rig, &event);
    fail_allocation = 0;
    assert_int_equal(rig->rc, ERR_NOMEM);
    struct agent_stats after = rig_stats(rig);
    assert_int_equal(after.held, before.held);
    assert_int_equal(after.unacked, before.unacked);
    assert_int_equal(after.items_done, before.items_done);
    rig_step(rig, &event);
    assert_said(rig, "SEND_RESULTS session=7 job=1 seq=1 first=0 count=1 credit=1");
}

static void test_agent_leaves_taken_back_chunks_to_the_caller_without_memory(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 10);
    rig_plain(rig, AGENT_DRAIN, 0, 0);
    struct chunk_id ids[] = {{4}, {5}};
    struct agent_event event = {.type = AGENT_TAKEN_BACK, .as.taken_back = {ids, 2}};
    fail_allocation = 1;
    rig_step(rig, &event);
    fail_allocation = 0;
    assert_int_equal(rig->rc, ERR_NOMEM);
    assert_int_equal(rig_stats(rig).held, 10);
    rig_step(rig, &event);
    assert_said(rig, "SEND_RETURNED session=7 job=1 first=0 count=2");
}

static void test_agent_counts_items_of_the_job(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 5);
    rig_results(rig, 1, 5, 2);
    assert_int_equal(rig_stats(rig).items_done, 50);
    rig_job(rig, 7, 2, 0);
    assert_int_equal(rig_stats(rig).items_done, 0);
}

static void test_agent_describes_events_in_one_line(void **state)
{
    (void)state;
    char text[128];
    struct agent_event event = {.type = AGENT_REJECT,
                                .as.reject = {.reason = 2, .text = "no room"}};
    assert_string_equal(agent_describe_event(&event, text, sizeof(text)),
                        "REJECT reason=2 \"no room\"");
    event = (struct agent_event){
        .type = AGENT_CHUNKS, .session = 7, .job = 1, .as.chunks.count = 3};
    assert_string_equal(agent_describe_event(&event, text, sizeof(text)),
                        "CHUNKS session=7 job=1 count=3");
    assert_string_equal(agent_describe_event(&event, text, 10), "CHUNKS se");
}

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_agent_starts_an_engine_and_grants_credit),
        RIG_TEST(test_agent_grants_four_at_least_and_credit_max_at_most),
        RIG_TEST(test_agent_grants_what_the_job_fixes),
        RIG_TEST(test_agent_tells_that_a_job_cannot_run),
        RIG_TEST(test_agent_tells_again_that_a_job_cannot_run),
        RIG_TEST(test_agent_loses_its_chunks_with_a_failed_engine),
        RIG_TEST(test_agent_ignores_job_said_twice_in_a_session),
        RIG_TEST(test_agent_ignores_job_of_a_stale_session),
        RIG_TEST(test_agent_stops_one_engine_before_it_starts_another),
        RIG_TEST(test_agent_starts_only_the_last_of_several_jobs),
        RIG_TEST(test_agent_cancels_while_starting),
        RIG_TEST(test_agent_starts_a_cancelled_job_anew),
        RIG_TEST(test_agent_forgets_results_of_a_cancelled_job),
        RIG_TEST(test_agent_hands_chunks_to_the_engine),
        RIG_TEST(test_agent_discards_chunks_of_stale_session_or_job),
        RIG_TEST(test_agent_ends_the_session_when_sent_more_than_its_credit),
        RIG_TEST(test_agent_grants_credit_with_results),
        RIG_TEST(test_agent_splits_results_by_number_and_by_errors),
        RIG_TEST(test_agent_grants_nothing_beyond_twice_credit_max_unacknowledged),
        RIG_TEST(test_agent_widens_its_window_for_quick_chunks),
        RIG_TEST(test_agent_keeps_its_window_small_for_slow_chunks),
        RIG_TEST(test_agent_widens_its_window_when_the_round_trip_starves_it),
        RIG_TEST(test_agent_forgets_only_what_is_acknowledged),
        RIG_TEST(test_agent_goes_on_and_sends_again_in_a_new_session),
        RIG_TEST(test_agent_discards_chunks_until_ready_in_the_new_session),
        RIG_TEST(test_agent_reports_ready_late_when_engine_started_without_session),
        RIG_TEST(test_agent_waits_for_an_engine_that_still_starts_in_a_new_session),
        RIG_TEST(test_agent_forgets_results_when_the_new_session_has_another_job),
        RIG_TEST(test_agent_makes_a_new_session_when_acknowledgements_stay_away),
        cmocka_unit_test(test_agent_sends_in_several_steps_what_finds_no_room),
        cmocka_unit_test(test_agent_keeps_results_in_order_while_its_ring_wraps_and_grows),
        RIG_TEST(test_agent_leaves_results_to_the_caller_without_memory),
        RIG_TEST(test_agent_leaves_taken_back_chunks_to_the_caller_without_memory),
        RIG_TEST(test_agent_counts_items_of_the_job),
        cmocka_unit_test(test_agent_describes_events_in_one_line),
    };
    return cmocka_run_group_tests_name("agent: work", tests, NULL, NULL);
}
