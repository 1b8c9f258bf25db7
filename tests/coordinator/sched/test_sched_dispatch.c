/* Who gets a chunk, and when: breadth first, the tail, retries, and actions that find no room. */
#include "tests/coordinator/sched/sched_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { LONG_US = 20000, SHORT_US = 100 };

/* A worker that has told what an item costs, so that chunks may wait at workers again, and that has no credit now. */
static void given_known_cost(struct fixture *f, uint64_t worker, uint32_t slots, uint64_t cost_us)
{
    fixture_join(f, worker, slots, 1);
    struct sched_action *send = fixture_oldest(f, worker);
    assert_non_null(send);
    fixture_result(f, worker, send, cost_us);
    send->count = 0;
}

/* --- breadth first --- */

static void test_sched_deals_items_evenly_to_workers_with_more_credit_than_slots(void **state)
{
    /* given twenty items and two workers of eight slots and credit for sixteen each */
    struct fixture *f = *state;
    fixture_join(f, 1, 8, 16);
    fixture_join(f, 2, 8, 16);
    fixture_items(f, 20, true);
    /* then each has its slots full, and the last four wait for slots */
    assert_int_equal(fixture_sent(f, 1), 8);
    assert_int_equal(fixture_sent(f, 2), 8);
    /* when both go on equally */
    while (fixture_finish(f, 1, LONG_US) + fixture_finish(f, 2, LONG_US) > 0) {
    }
    assert_int_equal(fixture_sent(f, 1), 10);
    assert_int_equal(fixture_sent(f, 2), 10);
}

static void test_sched_takes_turns_between_workers(void **state)
{
    struct fixture *f = *state;
    for (uint64_t id = 1; id <= 3; id++) {
        fixture_join(f, id, 2, 2);
    }
    fixture_items(f, 6, true);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(f->list[i].worker.value, i % 3 + 1);
    }
}

static void test_sched_fills_free_slots_before_queues(void **state)
{
    /* given worker 1, who has a full slot and credit, and worker 2, who has two free slots, both without work */
    struct fixture *f = *state;
    fixture_items(f, 2, false);
    given_known_cost(f, 1, 1, SHORT_US);
    fixture_credit(f, 1, 9);
    fixture_join(f, 2, 2, 9);
    assert_int_equal(fixture_sent(f, 2), 0);
    /* when three items come, then two go to the free slots, and the third waits in turn */
    fixture_items(f, 5, false);
    assert_int_equal(f->actions.count, 3);
    assert_int_equal(f->list[0].worker.value, 2);
    assert_int_equal(f->list[1].worker.value, 2);
    assert_int_equal(f->list[2].worker.value, 1);
}

static void test_sched_queues_nothing_behind_items_of_unknown_cost(void **state)
{
    struct fixture *f = *state;
    fixture_items(f, 1000, true);
    fixture_join(f, 1, 2, 100);
    assert_int_equal(fixture_sent(f, 1), 2);
    /* when the first result tells the cost, the credit is used */
    fixture_result(f, 1, &f->sent[0], SHORT_US);
    assert_int_equal(fixture_sent(f, 1), 100);
}

/* --- the tail --- */

static void test_sched_long_chunks_at_the_end_wait_for_a_free_slot(void **state)
{
    /* given two workers of two slots, and items of 20 ms */
    struct fixture *f = *state;
    fixture_items(f, 9, true);
    given_known_cost(f, 1, 2, LONG_US);
    fixture_credit(f, 1, 2);
    fixture_join(f, 2, 2, 2);
    assert_int_equal(fixture_sent(f, 0), 5);
    /* when worker 1 would take six more, then one is queued there: after it fewer than one a slot are left */
    fixture_credit(f, 1, 6);
    assert_int_equal(fixture_said(f, SCHED_SEND, 1), 1);
    /* and when a slot of worker 2 falls free, it gets the next, and then the next */
    fixture_finish(f, 2, LONG_US);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 1);
    fixture_finish(f, 2, LONG_US);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 1);
}

static void test_sched_waiting_chunk_is_sent_when_a_slot_falls_free(void **state)
{
    struct fixture *f = *state;
    fixture_items(f, 4, true);
    given_known_cost(f, 1, 1, LONG_US);
    fixture_join(f, 2, 1, 1);
    fixture_credit(f, 1, 5);
    fixture_credit(f, 2, 1);
    /* three are left: one with each, and the last waits though both have credit */
    assert_int_equal(fixture_sent(f, 0), 3);
    fixture_result(f, 1, fixture_oldest(f, 1), LONG_US);
    assert_int_equal(fixture_said(f, SCHED_SEND, 1), 1);
}

static void test_sched_short_chunks_at_the_end_are_queued(void **state)
{
    struct fixture *f = *state;
    fixture_items(f, 9, true);
    given_known_cost(f, 1, 2, SHORT_US);
    fixture_join(f, 2, 2, 2);
    fixture_credit(f, 1, 8);
    assert_int_equal(fixture_sent(f, 0), 9);
}

/* --- retries --- */

static void test_sched_retries_before_fresh_chunks(void **state)
{
    struct fixture *f = *state;
    fixture_items(f, 100, true);
    fixture_join(f, 1, 2, 2);
    fixture_event(f, SCHED_WORKER_LEFT, 1);
    fixture_join(f, 2, 4, 4);
    const uint64_t firsts[] = {0, 1, 2, 3};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(f->list[i].first, firsts[i]);
        assert_int_equal(f->list[i].attempt, i < 2 ? 2 : 1);
    }
}

static void test_sched_retries_at_another_worker_than_the_one_that_gave_it_back(void **state)
{
    struct fixture *f = *state;
    fixture_items(f, 1, true);
    fixture_join(f, 1, 2, 5);
    fixture_join(f, 2, 2, 5);
    assert_int_equal(f->sent[0].worker.value, 1);
    fixture_returned(f, 1, f->sent[0].chunk);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 1);
    /* both ways */
    fixture_returned(f, 2, f->sent[1].chunk);
    assert_int_equal(fixture_said(f, SCHED_SEND, 1), 1);
}

static void test_sched_retries_elsewhere_also_behind_other_chunks(void **state)
{
    /* given worker 2 with full slots and credit, and short items */
    struct fixture *f = *state;
    fixture_items(f, 3, true);
    given_known_cost(f, 1, 1, SHORT_US);
    fixture_join(f, 2, 1, 1);
    fixture_credit(f, 1, 3);
    fixture_credit(f, 2, 3);
    struct sched_action *send = fixture_oldest(f, 1);
    fixture_returned(f, 1, send->chunk);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 1);
    assert_int_equal(f->list[0].attempt, 2);
}

static void test_sched_retries_at_the_same_worker_when_no_other_can_take_it(void **state)
{
    struct fixture *f = *state;
    fixture_items(f, 1, true);
    fixture_join(f, 1, 2, 5);
    fixture_join(f, 2, 2, 0); /* no credit */
    fixture_returned(f, 1, f->sent[0].chunk);
    assert_int_equal(fixture_said(f, SCHED_SEND, 1), 1);
}

static void test_sched_keeps_a_worker_that_rejoined_from_its_own_chunk(void **state)
{
    struct fixture *f = *state;
    fixture_items(f, 1, true);
    fixture_join(f, 1, 1, 1);
    fixture_event(f, SCHED_WORKER_LOST, 1);
    assert_int_equal(fixture_stats(f).items_queued, 1);
    fixture_join(f, 1, 1, 0);
    fixture_join(f, 2, 1, 0);
    fixture_credit(f, 1, 0);
    fixture_credit(f, 2, 1);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 1);
}

/* --- no room for actions --- */

static void test_sched_goes_on_sending_at_the_next_tick_when_there_was_no_room(void **state)
{
    struct fixture *f = *state;
    f->capacity = SCHED_ACTIONS_MIN;
    fixture_items(f, 1000, true);
    fixture_join(f, 1, 200, 200);
    assert_int_equal(f->actions.count, SCHED_ACTIONS_MIN - 1);
    assert_int_equal(sched_deadline_us(f->sched), f->now_us);
    while (sched_deadline_us(f->sched) <= f->now_us) {
        fixture_event(f, SCHED_TICK, 0);
    }
    assert_int_equal(fixture_sent(f, 1), 200);
    assert_int_equal(sched_deadline_us(f->sched), UINT64_MAX);
}

static void test_sched_drops_many_silent_workers_in_small_portions(void **state)
{
    struct fixture *f = *state;
    struct sched_options options = fixture_options(1);
    options.lease_us = 1000;
    fixture_restart(f, &options);
    fixture_items(f, 1000, false);
    for (uint64_t id = 1; id <= 200; id++) {
        fixture_join(f, id, 1, 1);
    }
    f->capacity = SCHED_ACTIONS_MIN;
    f->now_us = 1000;
    size_t dropped = 0;
    while (sched_deadline_us(f->sched) <= f->now_us) {
        fixture_event(f, SCHED_TICK, 0);
        dropped += fixture_said(f, SCHED_DROP_WORKER, 0);
    }
    assert_int_equal(dropped, 200);
    assert_int_equal(fixture_stats(f).workers_live, 0);
    assert_int_equal(fixture_stats(f).items_queued, 200);
}

/* Two hundred workers with one item each, which are all silent for too long; one loss is one too many. */
static void given_many_lost(struct fixture *f)
{
    struct sched_options options = fixture_options(1);
    options.crash_limit = 1;
    options.lease_us = 1000;
    fixture_restart(f, &options);
    fixture_items(f, 200, true);
    for (uint64_t id = 1; id <= 200; id++) {
        fixture_join(f, id, 1, 1);
    }
    f->capacity = SCHED_ACTIONS_MIN;
    f->now_us = 1000;
}

static void test_sched_abandons_many_chunks_in_small_portions_and_is_then_done(void **state)
{
    struct fixture *f = *state;
    given_many_lost(f);
    size_t abandoned = 0;
    while (sched_deadline_us(f->sched) <= f->now_us) {
        assert_int_equal(fixture_said(f, SCHED_DONE, 0), 0);
        fixture_event(f, SCHED_TICK, 0);
        abandoned += fixture_said(f, SCHED_ABANDONED, 0);
    }
    assert_int_equal(abandoned, 200);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
    assert_int_equal(fixture_stats(f).tally.failed, 200);
}

static void test_sched_counts_a_result_that_comes_before_abandoning_was_said(void **state)
{
    struct fixture *f = *state;
    given_many_lost(f);
    fixture_join(f, 999, 1, 0);
    fixture_event(f, SCHED_TICK, 0);
    assert_int_equal(fixture_said(f, SCHED_DROP_WORKER, f->sent[20].worker.value), 1);
    /* its item is not abandoned yet */
    fixture_result(f, 999, &f->sent[20], 5);
    assert_int_equal(f->list[0].type, SCHED_FINISHED);
    while (sched_deadline_us(f->sched) <= f->now_us) {
        fixture_event(f, SCHED_TICK, 0);
    }
    assert_int_equal(fixture_stats(f).tally.failed, 199);
    assert_int_equal(fixture_stats(f).tally.ok, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sched_deals_items_evenly_to_workers_with_more_credit_than_slots),
        TEST(test_sched_takes_turns_between_workers),
        TEST(test_sched_fills_free_slots_before_queues),
        TEST(test_sched_queues_nothing_behind_items_of_unknown_cost),
        TEST(test_sched_long_chunks_at_the_end_wait_for_a_free_slot),
        TEST(test_sched_waiting_chunk_is_sent_when_a_slot_falls_free),
        TEST(test_sched_short_chunks_at_the_end_are_queued),
        TEST(test_sched_retries_before_fresh_chunks),
        TEST(test_sched_retries_at_another_worker_than_the_one_that_gave_it_back),
        TEST(test_sched_retries_elsewhere_also_behind_other_chunks),
        TEST(test_sched_retries_at_the_same_worker_when_no_other_can_take_it),
        TEST(test_sched_keeps_a_worker_that_rejoined_from_its_own_chunk),
        TEST(test_sched_goes_on_sending_at_the_next_tick_when_there_was_no_room),
        TEST(test_sched_drops_many_silent_workers_in_small_portions),
        TEST(test_sched_abandons_many_chunks_in_small_portions_and_is_then_done),
        TEST(test_sched_counts_a_result_that_comes_before_abandoning_was_said),
    };
    return cmocka_run_group_tests_name("sched_dispatch", tests, NULL, NULL) != 0;
}
