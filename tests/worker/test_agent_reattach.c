/* The agent: the coordinator is gone for a while, or another one takes its place: what is in hand is kept, named, and delivered. */
#include "common/wire/wire.h"
#include "tests/worker/test_agent_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int fail_allocation; /* the n-th from now on fails; 0: none does */

static bool allocation_fails(void)
{
    return fail_allocation > 0 && --fail_allocation == 0;
}

void *__real_realloc(void *bytes, size_t size);
void *__wrap_realloc(void *bytes, size_t size);

void *__wrap_realloc(void *bytes, size_t size)
{
    return allocation_fails() ? NULL : __real_realloc(bytes, size);
}

/* A session that was lost and is found again, with JOB said for the job in hand. */
static void go_back(struct rig *rig, uint64_t session)
{
    rig_plain(rig, AGENT_DISCONNECTED, 0, 0);
    rig_come_back(rig);
    rig_welcome(rig, session);
    assert_said(rig, "");
    rig_job(rig, session, RIG_JOB, 0);
}

static void assert_holds(const struct rig *rig,
                         size_t at,
                         uint64_t id,
                         uint64_t first,
                         uint64_t count,
                         uint32_t attempt)
{
    const struct chunk *chunk = &agent_holding(rig->agent)[at];
    assert_int_equal(chunk->id.value, id);
    assert_int_equal(chunk->first, first);
    assert_int_equal(chunk->count, count);
    assert_int_equal(chunk->attempt, attempt);
    assert_null(chunk->payload);
}

static void test_agent_names_what_it_has_before_ready(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 6);
    rig_results(rig, 1, 1, 0);
    rig_ack(rig, 7, 1);
    rig_results(rig, 1, 2, 1); /* ids 2 and 3 */
    go_back(rig, 8);
    assert_said(rig, "ASK_HOLDING session=8 job=1");
    rig_holding(rig, 1, 3);
    assert_said(rig,
                "SEND_HOLDING session=8 job=1 first=0 count=5; "
                "SEND_READY session=8 job=1 credit=13; "
                "SEND_RESULTS session=8 job=1 seq=1 first=1 count=2 credit=0");
    assert_holds(rig, 0, 500, 5000, 10, 2);
    assert_holds(rig, 2, 502, 5020, 10, 2);
    assert_holds(rig, 3, 2, 30, 10, 1);
    assert_holds(rig, 4, 3, 40, 10, 1);
    assert_int_equal(rig_stats(rig).credit_out, 13);
}

static void test_agent_with_nothing_in_hand_is_ready_at_once(void **state)
{
    struct rig *rig = *state;
    rig_go_running(rig);
    go_back(rig, 8);
    assert_said(rig, "SEND_READY session=8 job=1 credit=16");
}

static void test_agent_names_results_alone_when_its_engine_is_empty(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 2);
    rig_results(rig, 1, 2, 0);
    go_back(rig, 8);
    assert_said(rig, "ASK_HOLDING session=8 job=1");
    rig_holding(rig, 1, 0);
    assert_said(rig,
                "SEND_HOLDING session=8 job=1 first=0 count=2; "
                "SEND_READY session=8 job=1 credit=16; "
                "SEND_RESULTS session=8 job=1 seq=1 first=0 count=2 credit=0");
}

static void test_agent_names_only_the_items_that_a_result_is_of(void **state)
{
    struct rig *rig = *state;
    struct chunk_result result = {
        .id = {77}, .attempt = 3, .first = 1000, .tally = {.ok = 4, .failed = 1}};
    rig_go_busy(rig, 1);
    rig_step(rig,
             &(struct agent_event){
                 .type = AGENT_RESULTS, .job = 1, .as.results = {.list = &result, .count = 1}});
    go_back(rig, 8);
    rig_holding(rig, 1, 0);
    assert_holds(rig, 0, 77, 1000, 5, 3);
}

static void test_agent_does_not_name_a_result_that_is_of_no_items(void **state)
{
    struct rig *rig = *state;
    struct chunk_result result = {.id = {77}, .attempt = 3, .first = 1000};
    rig_go_busy(rig, 1);
    rig_step(rig,
             &(struct agent_event){
                 .type = AGENT_RESULTS, .job = 1, .as.results = {.list = &result, .count = 1}});
    go_back(rig, 8);
    rig_holding(rig, 1, 0);
    assert_said(rig,
                "SEND_READY session=8 job=1 credit=16; "
                "SEND_RESULTS session=8 job=1 seq=1 first=0 count=1 credit=0");
}

static void test_agent_does_not_confuse_an_older_coordinator(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 4);
    rig_results(rig, 1, 2, 0);
    rig->minor = WIRE_MINOR_HOLDING - 1;
    go_back(rig, 8);
    assert_said(rig,
                "SEND_READY session=8 job=1 credit=14; "
                "SEND_RESULTS session=8 job=1 seq=1 first=0 count=2 credit=0");
    /* the next one is newer again */
    rig->minor = WIRE_MINOR_HOLDING;
    go_back(rig, 9);
    assert_said(rig, "ASK_HOLDING session=9 job=1");
}

static void test_agent_names_a_chunk_once_that_is_finished_before_the_answer(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 3);
    go_back(rig, 8);
    rig_results(rig, 1, 1, 0);
    assert_said(rig, "");
    rig_holding(rig, 1, 2);
    assert_said(rig,
                "SEND_HOLDING session=8 job=1 first=0 count=3; "
                "SEND_READY session=8 job=1 credit=14; "
                "SEND_RESULTS session=8 job=1 seq=1 first=0 count=1 credit=0");
    rig_results(rig, 1, 2, 0);
    assert_said(rig, "SEND_RESULTS session=8 job=1 seq=2 first=1 count=2 credit=2");
}

/* Room for a few actions at a time, and far more to say. */
static struct rig *go_back_with_much_in_hand(void **state, size_t chunks)
{
    struct agent_options options = rig_options();
    options.credit_max = 65536;
    rig_free(*state);
    struct rig *rig = rig_new(&options);
    *state = rig;
    rig_go_welcomed(rig);
    rig_job(rig, RIG_SESSION, RIG_JOB, 65536);
    rig_engine_ready(rig, RIG_JOB, RIG_SLOTS);
    rig_chunks(rig, RIG_SESSION, RIG_JOB, chunks);
    rig->actions.capacity = 16;
    go_back(rig, 8);
    return rig;
}

static void test_agent_names_much_in_as_many_messages_as_it_takes(void **state)
{
    enum { CHUNKS = 30 * WIRE_CHUNKS_MAX + 5 };
    struct rig *rig = go_back_with_much_in_hand(state, CHUNKS);
    uint64_t named = 0;
    bool ready = false;
    rig_holding(rig, 1, CHUNKS);
    for (int step = 0; step < 10 && !ready; step++) {
        for (size_t i = 0; i < rig->actions.count; i++) {
            const struct agent_action *action = &rig->list[i];
            ready = action->type == AGENT_SEND_READY;
            if (!ready) {
                assert_int_equal(action->type, AGENT_SEND_HOLDING);
                assert_int_equal(action->first, named);
                assert_in_range(action->count, 1, WIRE_CHUNKS_MAX);
                named += action->count;
            }
        }
        assert_true(ready || agent_deadline_us(rig->agent) <= rig->now_us);
        if (!ready) {
            assert_int_equal(rig_stats(rig).credit_out, 0);
            rig_tick_after(rig, 0);
        }
    }
    assert_true(ready);
    assert_int_equal(named, CHUNKS);
    assert_int_equal(rig_stats(rig).credit_out, 65536 - CHUNKS);
}

static void test_agent_keeps_what_finishes_while_it_still_names(void **state)
{
    enum { CHUNKS = 20 * WIRE_CHUNKS_MAX };
    struct rig *rig = go_back_with_much_in_hand(state, CHUNKS);
    rig_holding(rig, 1, CHUNKS);
    assert_null(strstr(rig->said, "READY"));
    rig_results(rig, 1, 7, 1);
    assert_non_null(strstr(rig->said, "SEND_READY"));
    rig_tick_after(rig, 0);
    assert_int_equal(rig_stats(rig).unacked, 7);
    assert_int_equal(rig_stats(rig).held, CHUNKS - 7);
    rig_ack(rig, 8, 1);
    assert_int_equal(rig_stats(rig).unacked, 0);
}

static void test_agent_returns_what_it_named_when_it_drains_meanwhile(void **state)
{
    enum { CHUNKS = 20 * WIRE_CHUNKS_MAX };
    struct rig *rig = go_back_with_much_in_hand(state, CHUNKS);
    rig_holding(rig, 1, CHUNKS);
    rig->actions.capacity = AGENT_ACTIONS_MIN;
    struct chunk_id ids[] = {{500}, {501}};
    rig_plain(rig, AGENT_DRAIN, 0, 0);
    assert_non_null(strstr(rig->said, "SEND_READY session=8 job=1 credit=0"));
    rig_step(rig, &(struct agent_event){.type = AGENT_TAKEN_BACK, .as.taken_back = {ids, 2}});
    assert_said(rig, "SEND_RETURNED session=8 job=1 first=0 count=2");
}

static void test_agent_asks_anew_in_each_session(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 3);
    go_back(rig, 8);
    rig_plain(rig, AGENT_DISCONNECTED, 0, 0);
    rig_holding(rig, 1, 3); /* too late for that session */
    assert_said(rig, "");
    rig_come_back(rig);
    rig_welcome(rig, 9);
    rig_job(rig, 9, 1, 0);
    assert_said(rig, "ASK_HOLDING session=9 job=1");
    rig_job(rig, 9, 1, 0); /* said twice */
    assert_said(rig, "");
    rig_holding(rig, 1, 3);
    assert_said(rig,
                "SEND_HOLDING session=9 job=1 first=0 count=3; "
                "SEND_READY session=9 job=1 credit=13");
    rig_holding(rig, 1, 3);
    assert_said(rig, "");
}

static void test_agent_takes_no_chunks_before_ready(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 3);
    go_back(rig, 8);
    rig_chunks(rig, 8, 1, 1);
    assert_said(rig, "DISCARD session=8 job=1; RECONNECT job=1");
    assert_int_equal(rig_stats(rig).held, 3);
}

static void test_agent_names_nothing_of_a_job_that_is_over(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 3);
    go_back(rig, 8);
    rig_plain(rig, AGENT_CANCEL, 8, 1);
    assert_said(rig, "STOP_ENGINE session=8 job=1");
    rig_holding(rig, 1, 3);
    assert_said(rig, "");

    rig_plain(rig, AGENT_ENGINE_STOPPED, 0, 1);
    rig_job(rig, 8, 2, 0);
    rig_engine_ready(rig, 2, 8);
    assert_said(rig, "SEND_READY session=8 job=2 credit=16");
}

static void test_agent_says_that_its_engine_failed_while_it_was_asked(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 3);
    rig_results(rig, 1, 1, 0);
    go_back(rig, 8);
    rig_plain(rig, AGENT_ENGINE_FAILED, 0, 1);
    assert_said(rig,
                "SEND_READY session=8 job=1 failed; "
                "SEND_RESULTS session=8 job=1 seq=1 first=0 count=1 credit=0; "
                "STOP_ENGINE session=8 job=1");
    rig_holding(rig, 1, 2);
    assert_said(rig, "");
}

static void test_agent_names_nothing_without_memory_and_can_be_told_again(void **state)
{
    struct rig *rig = *state;
    struct chunk list[3] = {{.id = {1}, .count = 1, .attempt = 1},
                            {.id = {2}, .count = 1, .attempt = 1},
                            {.id = {3}, .count = 1, .attempt = 1}};
    struct agent_event event = {.type = AGENT_HOLDING, .job = 1, .as.holding = {list, 3}};
    rig_go_busy(rig, 3);
    go_back(rig, 8);
    fail_allocation = 1;
    rig_step(rig, &event);
    fail_allocation = 0;
    assert_int_equal(rig->rc, ERR_NOMEM);
    assert_said(rig, "");
    rig_step(rig, &event);
    assert_said(rig,
                "SEND_HOLDING session=8 job=1 first=0 count=3; "
                "SEND_READY session=8 job=1 credit=13");
}

/* --- a coordinator that is gone for long, or replaced --- */

static void test_agent_keeps_its_job_while_the_coordinator_is_gone_for_minutes(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 16);
    rig_plain(rig, AGENT_DISCONNECTED, 0, 0);
    for (int minute = 0; minute < 30; minute++) {
        rig_tick_after(rig, 60000000);
        assert_said(rig, "");
        if (minute % 10 == 0) {
            rig_results(rig, 1, 5, 1);
            assert_said(rig, "");
        }
        if (minute % 7 == 0) {
            /* something answers there, and is no coordinator */
            rig_come_back(rig);
            rig_plain(rig, AGENT_DISCONNECTED, 0, 0);
        }
    }
    /* What the engine had is done, nothing more is begun. */
    assert_int_equal(rig_stats(rig).held, 1);
    assert_int_equal(rig_stats(rig).unacked, 15);
    rig_come_back(rig);
    rig_welcome(rig, 1);
    rig_job(rig, 1, 1, 0);
    rig_holding(rig, 1, 1);
    assert_non_null(strstr(rig->said, "SEND_HOLDING session=1 job=1 first=0 count=16"));
    assert_int_equal(rig_stats(rig).items_done, 150);
}

static void test_agent_gives_up_on_a_coordinator_with_results_in_hand(void **state)
{
    struct agent_options options = rig_options();
    options.give_up_us = 600000000;
    rig_free(*state);
    struct rig *rig = rig_new(&options);
    *state = rig;
    rig_go_busy(rig, 3);
    rig->now_us += 1000000;
    rig_plain(rig, AGENT_DISCONNECTED, 0, 0);
    rig_results(rig, 1, 2, 0);
    /* Whoever comes and is none, in between, changes nothing. */
    rig->now_us += 599000000;
    rig_come_back(rig);
    rig_plain(rig, AGENT_DISCONNECTED, 0, 0);
    rig_tick_when_due(rig);
    assert_said(rig, "EXIT job=1 status=3");
    assert_string_equal(agent_exit_text(rig->agent), "the coordinator has been gone for 600.0 s");
}

static void test_agent_notices_a_coordinator_that_was_replaced_by_its_rejection(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 3);
    rig_tick_when_due(rig);
    assert_said(rig, "SEND_HEARTBEAT session=7 job=1");
    rig_reject(rig, 7, WIRE_REASON_SESSION, "this session is over");
    rig_tick_when_due(rig);
    assert_said(rig, "SEND_HELLO job=1");
    rig_welcome(rig, 1234);
    rig_job(rig, 1234, 1, 0);
    rig_holding(rig, 1, 3);
    assert_said(rig,
                "SEND_HOLDING session=1234 job=1 first=0 count=3; "
                "SEND_READY session=1234 job=1 credit=13");
}

static void test_agent_that_was_frozen_makes_a_new_session_and_works_on(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 3);
    rig->now_us += 3600000000; /* asleep for an hour, and the first thing it hears is its clock */
    rig_plain(rig, AGENT_TICK, 0, 0);
    assert_said(rig, "RECONNECT job=1");
    rig_reject(rig, 7, WIRE_REASON_SESSION, "this session is over"); /* of the old connection */
    assert_said(rig, "");
    rig_come_back(rig);
    rig_welcome(rig, 8);
    rig_results(rig, 1, 1, 0);
    rig_job(rig, 8, 1, 0);
    rig_holding(rig, 1, 2);
    assert_said(rig,
                "SEND_HOLDING session=8 job=1 first=0 count=3; "
                "SEND_READY session=8 job=1 credit=14; "
                "SEND_RESULTS session=8 job=1 seq=1 first=0 count=1 credit=0");
    rig_chunks(rig, 8, 1, 14);
    assert_said(rig, "SUBMIT session=8 job=1");
}

static void test_agent_forgets_what_it_had_when_another_job_runs_there(void **state)
{
    struct rig *rig = *state;
    rig_go_busy(rig, 3);
    rig_results(rig, 1, 1, 0);
    rig_plain(rig, AGENT_DISCONNECTED, 0, 0);
    rig_come_back(rig);
    rig_welcome(rig, 8);
    rig_job(rig, 8, 99, 0);
    assert_said(rig, "STOP_ENGINE session=8 job=1");
    assert_int_equal(rig_stats(rig).unacked, 0);
}

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_agent_names_what_it_has_before_ready),
        RIG_TEST(test_agent_with_nothing_in_hand_is_ready_at_once),
        RIG_TEST(test_agent_names_results_alone_when_its_engine_is_empty),
        RIG_TEST(test_agent_names_only_the_items_that_a_result_is_of),
        RIG_TEST(test_agent_does_not_name_a_result_that_is_of_no_items),
        RIG_TEST(test_agent_does_not_confuse_an_older_coordinator),
        RIG_TEST(test_agent_names_a_chunk_once_that_is_finished_before_the_answer),
        RIG_TEST(test_agent_names_much_in_as_many_messages_as_it_takes),
        RIG_TEST(test_agent_keeps_what_finishes_while_it_still_names),
        RIG_TEST(test_agent_returns_what_it_named_when_it_drains_meanwhile),
        RIG_TEST(test_agent_asks_anew_in_each_session),
        RIG_TEST(test_agent_takes_no_chunks_before_ready),
        RIG_TEST(test_agent_names_nothing_of_a_job_that_is_over),
        RIG_TEST(test_agent_says_that_its_engine_failed_while_it_was_asked),
        RIG_TEST(test_agent_names_nothing_without_memory_and_can_be_told_again),
        RIG_TEST(test_agent_keeps_its_job_while_the_coordinator_is_gone_for_minutes),
        RIG_TEST(test_agent_gives_up_on_a_coordinator_with_results_in_hand),
        RIG_TEST(test_agent_notices_a_coordinator_that_was_replaced_by_its_rejection),
        RIG_TEST(test_agent_that_was_frozen_makes_a_new_session_and_works_on),
        RIG_TEST(test_agent_forgets_what_it_had_when_another_job_runs_there),
    };
    return cmocka_run_group_tests_name("agent: reattach", tests, NULL, NULL);
}
