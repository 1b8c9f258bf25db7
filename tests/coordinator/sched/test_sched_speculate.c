/* What is late runs a second time where slots are idle, and counts once. */
#include "tests/coordinator/sched/sched_fixture.h"
#include "tests/coordinator/sched/sched_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { ITEM_US = 20000, FLOOR_US = 100000 };

static void given_options(struct fixture *f, uint64_t chunk_items)
{
    struct sched_options options = fixture_options(chunk_items);
    options.speculate = true;
    options.retries_max = 1;
    fixture_restart(f, &options);
}

static void tick(struct fixture *f, uint64_t us)
{
    f->now_us += us;
    fixture_event(f, SCHED_TICK, 0);
}

/* Two chunks: worker 1, with one slot, has the one of `items` that is late, and worker 2, with `slots`, has finished the other one and
 * has credit for as many as it has slots. Returns the late one. */
static struct sched_action given_late(struct fixture *f, uint64_t items, uint32_t slots)
{
    given_options(f, items);
    fixture_items(f, 2 * items, true);
    fixture_join(f, 1, 1, 1);
    fixture_join(f, 2, slots, slots);
    assert_int_equal(f->sent_count, 2);
    f->now_us += items * ITEM_US;
    fixture_result(f, 2, &f->sent[1], items * ITEM_US);
    fixture_credit(f, 2, 1);
    assert_int_equal(f->sent_count, 2);
    struct sched_action late = f->sent[0];
    f->sent[0].count = 0;
    f->sent[1].count = 0;
    return late;
}

/* The same, and it has got its duplicates. */
static struct sched_action given_doubled(struct fixture *f, uint64_t items, uint32_t slots)
{
    struct sched_action late = given_late(f, items, slots);
    tick(f, 2 * items * ITEM_US + FLOOR_US);
    assert_true(fixture_said(f, SCHED_SEND, 2) > 0);
    return late;
}

/* --- when --- */

static void test_sched_late_chunk_is_given_to_an_idle_slot_at_the_time_it_said(void **state)
{
    struct fixture *f = *state;
    struct sched_action late = given_late(f, 1, 1);
    /* after twice what it should take, and a tenth of a second; a chunk's own clock ticks in milliseconds */
    uint64_t due_us = sched_deadline_us(f->sched);
    assert_in_range(due_us, 2 * ITEM_US + FLOOR_US, 2 * ITEM_US + FLOOR_US + 2048);
    tick(f, 2 * ITEM_US + FLOOR_US - 1024 - f->now_us);
    assert_int_equal(f->actions.count, 0);
    tick(f, sched_deadline_us(f->sched) - f->now_us);
    assert_int_equal(f->actions.count, 1);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 1);
    assert_int_equal(f->list[0].first, late.first);
    assert_int_equal(f->list[0].count, late.count);
    assert_int_equal(f->list[0].attempt, 2);
    assert_true(f->list[0].chunk.value != late.chunk.value);
    assert_int_equal(fixture_stats(f).chunks_speculated, 1);
    assert_int_equal(fixture_stats(f).chunks_retried, 0);
    assert_int_equal(fixture_stats(f).items_held, 1); /* each item in one state */
    /* and that is all */
    tick(f, 1000000);
    assert_int_equal(f->actions.count, 0);
}

static void test_sched_does_not_speculate_unless_it_may(void **state)
{
    struct fixture *f = *state;
    struct sched_options options = fixture_options(1);
    fixture_restart(f, &options);
    fixture_items(f, 2, true);
    fixture_join(f, 1, 1, 1);
    fixture_join(f, 2, 1, 1);
    fixture_finish(f, 2, ITEM_US);
    assert_int_equal(sched_deadline_us(f->sched), UINT64_MAX);
    tick(f, 100000000);
    assert_int_equal(f->actions.count, 0);
}

static void test_sched_does_not_speculate_while_there_is_other_work(void **state)
{
    struct fixture *f = *state;
    given_options(f, 1);
    fixture_items(f, 3, true);
    fixture_join(f, 1, 1, 1);
    fixture_join(f, 2, 1, 1);
    fixture_finish(f, 2, ITEM_US);
    assert_int_equal(fixture_sent(f, 2), 2);
    tick(f, 100000000);
    assert_int_equal(f->actions.count, 0);
}

static void test_sched_does_not_speculate_while_nobody_takes_results(void **state)
{
    struct fixture *f = *state;
    (void)given_late(f, 1, 1);
    struct sched_event hold = {.type = SCHED_HOLD, .as.hold = true};
    fixture_step(f, &hold);
    tick(f, 10000000);
    assert_int_equal(f->actions.count, 0);
    assert_int_equal(sched_deadline_us(f->sched), UINT64_MAX);
    hold.as.hold = false;
    fixture_step(f, &hold);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 1);
}

static void test_sched_does_not_give_a_duplicate_to_who_has_the_chunk(void **state)
{
    /* given worker 1 with two slots, one of them idle, and nobody else */
    struct fixture *f = *state;
    given_options(f, 1);
    fixture_items(f, 2, true);
    fixture_join(f, 1, 2, 2);
    struct sched_action send = f->sent[1];
    fixture_result(f, 1, &send, ITEM_US);
    fixture_credit(f, 1, 4);
    tick(f, 10000000);
    assert_int_equal(f->actions.count, 0);
    fixture_join(f, 2, 1, 1);
    tick(f, 100000);
    assert_int_equal(fixture_stats(f).chunks_speculated, 1);
    assert_int_equal(fixture_sent(f, 2), 1);
}

static void test_sched_suspects_get_no_duplicates(void **state)
{
    struct fixture *f = *state;
    given_options(f, 1);
    fixture_items(f, 3, true);
    fixture_join(f, 1, 1, 1);
    fixture_join(f, 2, 1, 1);
    fixture_join(f, 3, 1, 1);
    fixture_finish(f, 2, ITEM_US);
    fixture_event(f, SCHED_WORKER_LOST, 1);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 1); /* the suspect */
    fixture_finish(f, 3, ITEM_US);
    tick(f, 100000000);
    assert_int_equal(f->actions.count, 0);
}

static void test_sched_what_a_leaving_worker_runs_is_late_at_once(void **state)
{
    struct fixture *f = *state;
    (void)given_late(f, 1, 1);
    fixture_event(f, SCHED_WORKER_DRAINING, 1);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 1);
}

static void test_sched_what_waits_behind_late_chunks_is_late_and_the_newest_goes_first(void **state)
{
    /* given chunks of 1 ms: worker 1 has one in its slot and three before it, of which it answers none */
    struct fixture *f = *state;
    given_options(f, 1);
    fixture_items(f, 5, true);
    fixture_join(f, 1, 1, 2);
    fixture_finish(f, 1, 1000);
    fixture_credit(f, 1, 2);
    assert_int_equal(fixture_stats(f).items_held, 4);
    fixture_join(f, 2, 2, 2);
    /* when the first is late, then two of them go out again, from the end */
    tick(f, FLOOR_US + 4096);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 2);
    assert_int_equal(f->list[0].first, 4);
    assert_int_equal(f->list[1].first, 3);
}

static void test_sched_slow_worker_is_known_by_what_it_finished(void **state)
{
    /* given worker 1, ten times slower than worker 2 */
    struct fixture *f = *state;
    given_options(f, 10);
    fixture_items(f, 220, true);
    fixture_join(f, 1, 1, 1);
    fixture_join(f, 2, 4, 4);
    f->now_us = 2000000;
    for (size_t i = 0; i < 10; i++) {
        fixture_finish(f, 2, 200000);
    }
    fixture_finish(f, 1, 2000000);
    while (fixture_stats(f).items_done < 210) {
        fixture_finish(f, 2, 200000);
    }
    /* then its last chunk is given out again before it is late */
    assert_int_equal(fixture_stats(f).chunks_speculated, 1);
    assert_int_equal(fixture_last(f)->worker.value, 2);
    assert_int_equal(fixture_last(f)->attempt, 2);
}

/* --- how --- */

static void test_sched_late_chunk_is_divided_among_idle_slots(void **state)
{
    struct fixture *f = *state;
    struct sched_action late = given_doubled(f, 10, 4);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 4);
    uint64_t end = late.first + late.count;
    for (size_t i = 0; i < 4; i++) {
        assert_in_range(f->list[i].count, 2, 3);
        assert_int_equal(f->list[i].first + f->list[i].count, end);
        end = f->list[i].first;
    }
    assert_int_equal(end, late.first);
}

static void test_sched_duplicates_are_not_made_too_small(void **state)
{
    struct fixture *f = *state;
    given_options(f, 100);
    fixture_items(f, 200, true);
    fixture_join(f, 1, 1, 1);
    fixture_join(f, 2, 16, 16);
    fixture_result(f, 2, &f->sent[1], 30000); /* 0.3 ms an item */
    tick(f, 10000000);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 3);
}

static void test_sched_duplicates_stop_where_there_is_no_room_to_say_so(void **state)
{
    struct fixture *f = *state;
    given_options(f, 1);
    fixture_items(f, 201, true);
    fixture_join(f, 3, 1, 1);
    fixture_finish(f, 3, ITEM_US);
    fixture_join(f, 1, 200, 200);
    fixture_event(f, SCHED_WORKER_LEFT, 3);
    fixture_credit(f, 1, 1);
    assert_int_equal(fixture_stats(f).items_held, 200);
    fixture_join(f, 2, 200, 200);
    f->capacity = SCHED_ACTIONS_MIN;
    f->now_us += 10000000;
    size_t steps = 0;
    do {
        fixture_event(f, SCHED_TICK, 0);
        assert_true(++steps < 100);
        f->now_us += sched_deadline_us(f->sched) > f->now_us ? 20000 : 0;
    } while (fixture_sent(f, 2) < 200);
    assert_int_equal(fixture_stats(f).chunks_speculated, 200);
}

/* --- what counts --- */

static void test_sched_result_of_the_late_attempt_counts_when_it_is_first(void **state)
{
    struct fixture *f = *state;
    struct sched_action late = given_doubled(f, 10, 4);
    fixture_result(f, 1, &late, 5);
    assert_int_equal(fixture_said(f, SCHED_FINISHED, 1), 1);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
    assert_int_equal(fixture_stats(f).tally.ok, 20);
    assert_int_equal(fixture_stats(f).speculations_won, 0);
}

static void test_sched_result_of_a_duplicate_counts_when_it_is_first(void **state)
{
    struct fixture *f = *state;
    struct sched_action late = given_doubled(f, 10, 4);
    fixture_finish(f, 2, ITEM_US);
    assert_int_equal(fixture_stats(f).speculations_won, 1);
    assert_int_equal(fixture_stats(f).items_held, 10 - 3);
    /* then the late attempt is over: it has these items too */
    assert_int_equal(fixture_result(f, 1, &late, 5), 0);
    assert_int_equal(f->actions.count, 0);
    assert_int_equal(fixture_stats(f).duplicates, 1);
    while (fixture_finish(f, 2, ITEM_US) > 0) {
    }
    assert_int_equal(fixture_stats(f).items_done, 20);
    assert_int_equal(fixture_stats(f).tally.ok, 20);
    assert_int_equal(fixture_stats(f).speculations_won, 4);
}

static void test_sched_what_beaten_workers_still_run_fills_their_slots(void **state)
{
    /* given worker 1 whose chunk was finished by another */
    struct fixture *f = *state;
    given_options(f, 1);
    fixture_items(f, 2, false);
    fixture_join(f, 1, 1, 1);
    fixture_join(f, 2, 1, 1);
    struct sched_action late = f->sent[0];
    f->sent[0].count = 0;
    fixture_finish(f, 2, ITEM_US);
    tick(f, 10000000);
    assert_int_equal(fixture_finish(f, 2, ITEM_US), 1);
    fixture_credit(f, 1, 1);
    /* then another chunk goes to the idle slot, though worker 1 has nothing that counts */
    fixture_items(f, 3, false);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 1);
    fixture_result(f, 1, &late, 5);
    fixture_items(f, 4, false);
    assert_int_equal(fixture_said(f, SCHED_SEND, 1), 1);
}

static void test_sched_duplicates_end_in_part_and_with_failures_like_others(void **state)
{
    struct fixture *f = *state;
    struct sched_action late = given_doubled(f, 10, 1);
    struct sched_action duplicate = *fixture_last(f);
    assert_int_equal(duplicate.count, 10);
    const struct sched_span failed = {1, 2};
    fixture_part(f, 2, &duplicate, 6, &failed, 1);
    assert_int_equal(f->list[0].done, 6);
    assert_int_equal(f->list[0].retried, 2);
    assert_int_equal(fixture_stats(f).items_done, 10 + 4);
    fixture_result(f, 1, &late, 5);
    assert_int_equal(fixture_stats(f).items_done, 10 + 4);
    fixture_credit(f, 2, 2);
    assert_int_equal(fixture_stats(f).items_held, 4);
    assert_int_equal(fixture_stats(f).items_queued, 2);
}

static void test_sched_part_of_the_late_attempt_leaves_a_rest_without_duplicates(void **state)
{
    struct fixture *f = *state;
    struct sched_action late = given_doubled(f, 10, 4);
    fixture_part(f, 1, &late, 4, NULL, 0);
    assert_int_equal(fixture_stats(f).items_done, 14);
    assert_int_equal(fixture_stats(f).items_queued, 6);
    while (fixture_finish(f, 2, ITEM_US) > 0) {
    }
    assert_int_equal(fixture_stats(f).items_done, 20);
    assert_int_equal(fixture_stats(f).duplicates, 4);
}

/* --- when somebody goes --- */

static void test_sched_duplicates_take_over_when_the_late_worker_is_lost(void **state)
{
    struct fixture *f = *state;
    (void)given_doubled(f, 10, 4);
    fixture_event(f, SCHED_WORKER_LOST, 1);
    assert_int_equal(fixture_stats(f).items_queued, 0);
    assert_int_equal(fixture_stats(f).items_held, 10);
    while (fixture_finish(f, 2, ITEM_US) > 0) {
    }
    assert_int_equal(fixture_stats(f).items_done, 20);
    assert_int_equal(fixture_stats(f).chunks_retried, 0);
}

static void test_sched_duplicates_that_are_lost_leave_the_late_attempt_as_it_was(void **state)
{
    struct fixture *f = *state;
    struct sched_action late = given_doubled(f, 10, 4);
    fixture_event(f, SCHED_WORKER_LOST, 2);
    assert_int_equal(fixture_stats(f).items_queued, 0);
    assert_int_equal(fixture_stats(f).items_held, 10);
    /* it may have been the chunk that took the worker down: no more of it */
    fixture_join(f, 3, 4, 4);
    tick(f, 10000000);
    assert_int_equal(fixture_sent(f, 3), 0);
    fixture_result(f, 1, &late, 5);
    assert_int_equal(fixture_stats(f).tally.ok, 20);
}

static void test_sched_duplicates_of_who_left_are_given_out_again_once(void **state)
{
    struct fixture *f = *state;
    (void)given_doubled(f, 10, 4);
    fixture_event(f, SCHED_WORKER_LEFT, 2);
    fixture_join(f, 3, 4, 4);
    tick(f, 10000000);
    assert_int_equal(fixture_sent(f, 3), 4);
    fixture_event(f, SCHED_WORKER_LEFT, 3);
    fixture_join(f, 4, 4, 4);
    tick(f, 10000000);
    assert_int_equal(fixture_sent(f, 4), 0);
}

static void test_sched_duplicate_that_is_lost_runs_again_when_its_siblings_win(void **state)
{
    /* given duplicates with two workers */
    struct fixture *f = *state;
    given_options(f, 10);
    fixture_items(f, 20, true);
    fixture_join(f, 1, 1, 1);
    fixture_join(f, 2, 1, 1);
    fixture_join(f, 3, 1, 1);
    struct sched_action late = f->sent[0];
    f->sent[0].count = 0;
    fixture_finish(f, 2, 10 * ITEM_US);
    tick(f, 10000000);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 1);
    assert_int_equal(fixture_said(f, SCHED_SEND, 3), 1);
    /* when one is lost, nothing is missing yet */
    fixture_event(f, SCHED_WORKER_LOST, 3);
    assert_int_equal(fixture_stats(f).items_queued, 0);
    /* when the other one wins, it is: a suspect */
    fixture_finish(f, 2, 5 * ITEM_US);
    assert_int_equal(fixture_stats(f).items_done, 15);
    fixture_finish(f, 2, 5 * ITEM_US);
    assert_int_equal(fixture_stats(f).items_done, 20);
    fixture_result(f, 1, &late, 5);
    assert_int_equal(fixture_stats(f).tally.ok, 20);
}

static void test_sched_late_attempt_that_is_given_back_leaves_it_to_the_duplicates(void **state)
{
    struct fixture *f = *state;
    struct sched_action late = given_doubled(f, 10, 4);
    fixture_event(f, SCHED_WORKER_DRAINING, 1);
    fixture_returned(f, 1, late.chunk);
    assert_int_equal(fixture_stats(f).items_queued, 0);
    while (fixture_finish(f, 2, ITEM_US) > 0) {
    }
    assert_int_equal(fixture_stats(f).items_done, 20);
}

static void test_sched_stop_waits_for_the_first_result_only(void **state)
{
    struct fixture *f = *state;
    struct sched_action late = given_doubled(f, 10, 4);
    fixture_event(f, SCHED_STOP, 0);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 0);
    fixture_result(f, 1, &late, 5);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
}

/* --- what it saves --- */

struct job {
    uint64_t items;
    uint64_t chunk_items;
    uint64_t item_us;
};

static struct world *world_of(const struct job *job, bool speculate)
{
    struct sched_options options = fixture_options(job->chunk_items);
    options.speculate = speculate;
    struct world *world = world_new(&options, job->items, job->item_us);
    for (uint32_t i = 0; i < 3; i++) {
        world_join(world, 4, 8, 1);
    }
    return world;
}

static uint64_t run(struct world *world, const struct job *job)
{
    uint64_t took_us = world_run(world);
    assert_int_equal(world_stats(world).items_done, job->items);
    assert_int_equal(world_stats(world).tally.ok, job->items);
    world_free(world);
    return took_us;
}

static void test_sched_worker_ten_times_slower_costs_less_than_a_third(void **state)
{
    (void)state;
    const struct job jobs[] = {{12000, 0, 1000},
                               {120000, 0, 1000},
                               {240, 1, 100000},
                               {2400, 1, 100000},
                               {2400, 10, 10000},
                               {2400, 10, 100000},
                               {24000, 1, 1000}};
    for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
        uint64_t without_us = run(world_of(&jobs[i], true), &jobs[i]);
        struct world *world = world_of(&jobs[i], true);
        world_join(world, 4, 8, 10);
        uint64_t with_us = run(world, &jobs[i]);
        world = world_of(&jobs[i], false);
        world_join(world, 4, 8, 10);
        uint64_t off_us = run(world, &jobs[i]);
        assert_true(with_us < off_us || off_us <= without_us);
        assert_true(with_us <= without_us + without_us * 3 / 10);
    }
}

/* A fourth worker, as slow as it may be, to which something happens in the middle. */
static uint64_t run_with(const struct job *job,
                         uint64_t slowness,
                         void (*happens)(struct world *world, uint64_t worker, uint64_t at_us))
{
    struct world *world = world_of(job, true);
    world_join(world, 4, 8, slowness);
    happens(world, 4, 500000);
    return run(world, job);
}

static void test_sched_worker_that_freezes_costs_little_more_than_one_that_is_lost(void **state)
{
    (void)state;
    const struct job jobs[] = {{12000, 0, 1000}, {240, 1, 100000}, {2400, 10, 10000}};
    for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
        uint64_t lost_us = run_with(&jobs[i], 1, world_lose_at);
        uint64_t frozen_us = run_with(&jobs[i], 1, world_freeze_at);
        /* it was not missed when it froze, but is when nothing else is left */
        assert_true(frozen_us <= lost_us + 400000);
    }
}

static void test_sched_nothing_waits_for_a_slow_worker_that_is_leaving(void **state)
{
    (void)state;
    const struct job job = {2400, 10, 10000};
    uint64_t took_us = run_with(&job, 50, world_drain_at);
    uint64_t without_us = run(world_of(&job, true), &job);
    assert_true(took_us <= without_us + 200000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sched_late_chunk_is_given_to_an_idle_slot_at_the_time_it_said),
        TEST(test_sched_does_not_speculate_unless_it_may),
        TEST(test_sched_does_not_speculate_while_there_is_other_work),
        TEST(test_sched_does_not_speculate_while_nobody_takes_results),
        TEST(test_sched_does_not_give_a_duplicate_to_who_has_the_chunk),
        TEST(test_sched_suspects_get_no_duplicates),
        TEST(test_sched_what_a_leaving_worker_runs_is_late_at_once),
        TEST(test_sched_what_waits_behind_late_chunks_is_late_and_the_newest_goes_first),
        TEST(test_sched_slow_worker_is_known_by_what_it_finished),
        TEST(test_sched_late_chunk_is_divided_among_idle_slots),
        TEST(test_sched_duplicates_are_not_made_too_small),
        TEST(test_sched_duplicates_stop_where_there_is_no_room_to_say_so),
        TEST(test_sched_result_of_the_late_attempt_counts_when_it_is_first),
        TEST(test_sched_result_of_a_duplicate_counts_when_it_is_first),
        TEST(test_sched_what_beaten_workers_still_run_fills_their_slots),
        TEST(test_sched_duplicates_end_in_part_and_with_failures_like_others),
        TEST(test_sched_part_of_the_late_attempt_leaves_a_rest_without_duplicates),
        TEST(test_sched_duplicates_take_over_when_the_late_worker_is_lost),
        TEST(test_sched_duplicates_that_are_lost_leave_the_late_attempt_as_it_was),
        TEST(test_sched_duplicates_of_who_left_are_given_out_again_once),
        TEST(test_sched_duplicate_that_is_lost_runs_again_when_its_siblings_win),
        TEST(test_sched_late_attempt_that_is_given_back_leaves_it_to_the_duplicates),
        TEST(test_sched_stop_waits_for_the_first_result_only),
        TEST(test_sched_worker_ten_times_slower_costs_less_than_a_third),
        TEST(test_sched_worker_that_freezes_costs_little_more_than_one_that_is_lost),
        TEST(test_sched_nothing_waits_for_a_slow_worker_that_is_leaving),
    };
    return cmocka_run_group_tests_name("sched_speculate", tests, NULL, NULL) != 0;
}
