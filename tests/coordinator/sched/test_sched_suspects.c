/* Chunks that may have killed their worker and were in company once more: they run alone, and are split until the culprit is found. */
#include "common/base/err.h"
#include "tests/coordinator/sched/sched_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void given_options(struct fixture *f, uint64_t chunk_items, uint32_t crash_limit)
{
    struct sched_options options = fixture_options(chunk_items);
    options.crash_limit = crash_limit;
    fixture_restart(f, &options);
}

/* `chunks` of them, lost with worker 1. */
static void given_suspects(struct fixture *f, uint64_t chunk_items, uint32_t chunks)
{
    given_options(f, chunk_items, 3);
    fixture_items(f, chunk_items * chunks, true);
    fixture_join(f, 1, chunks, chunks);
    assert_int_equal(f->sent_count, chunks);
    fixture_event(f, SCHED_WORKER_LOST, 1);
    for (size_t i = 0; i < f->sent_count; i++) {
        f->sent[i].count = 0; /* answered, for fixture_oldest */
    }
}

/* --- alone --- */

/* They were lost with worker 1, and in that company with worker 2. */
static void given_alone(struct fixture *f, uint64_t chunk_items, uint32_t chunks)
{
    given_suspects(f, chunk_items, chunks);
    fixture_join(f, 2, chunks, chunks);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), chunks);
    fixture_event(f, SCHED_WORKER_LOST, 2);
}

static void test_sched_suspect_is_alone_with_its_worker_until_it_is_finished(void **state)
{
    struct fixture *f = *state;
    given_alone(f, 10, 2);
    fixture_join(f, 3, 4, 4);
    assert_int_equal(fixture_said(f, SCHED_SEND, 3), 1);
    fixture_credit(f, 3, 1);
    assert_int_equal(f->actions.count, 0);
    fixture_result(f, 3, fixture_last(f), 5);
    assert_int_equal(fixture_said(f, SCHED_SEND, 3), 1);
    fixture_result(f, 3, fixture_last(f), 5);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
}

static void test_sched_worker_goes_on_as_ever_after_its_suspect(void **state)
{
    struct fixture *f = *state;
    given_options(f, 1, 3);
    fixture_items(f, 10, true);
    fixture_join(f, 1, 1, 1);
    fixture_event(f, SCHED_WORKER_LOST, 1);
    fixture_join(f, 2, 4, 4);
    assert_int_equal(fixture_sent(f, 2), 1);
    fixture_result(f, 2, fixture_last(f), 5);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 3);
}

static void test_sched_suspect_waits_for_a_worker_that_holds_nothing(void **state)
{
    /* given worker 2 with one chunk, and a free slot, and credit */
    struct fixture *f = *state;
    given_options(f, 1, 3);
    fixture_items(f, 2, true);
    fixture_join(f, 1, 1, 1);
    fixture_join(f, 2, 4, 4);
    fixture_event(f, SCHED_WORKER_LOST, 1);
    assert_int_equal(f->actions.count, 0);
    fixture_result(f, 2, fixture_oldest(f, 2), 5);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 1);
}

static void test_sched_suspects_go_to_several_empty_workers_at_once(void **state)
{
    struct fixture *f = *state;
    given_alone(f, 10, 3);
    for (uint64_t id = 3; id <= 5; id++) {
        fixture_join(f, id, 4, 4);
        assert_int_equal(fixture_said(f, SCHED_SEND, id), 1);
    }
}

static void test_sched_suspects_are_served_under_a_steady_stream_of_fresh_chunks(void **state)
{
    /* given two workers that never run dry, and a suspect */
    struct fixture *f = *state;
    given_options(f, 1, 3);
    fixture_items(f, 1000000, true);
    fixture_join(f, 1, 1, 1);
    fixture_join(f, 2, 2, 8);
    fixture_join(f, 3, 2, 8);
    fixture_finish(f, 2, 5); /* a known cost lets the others fill up */
    struct chunk_id suspect = f->sent[0].chunk;
    fixture_event(f, SCHED_WORKER_LOST, 1);
    /* then one of them gets no more, and is empty after what it held */
    size_t before = f->sent_count;
    for (size_t i = 0; i < 8; i++) {
        fixture_finish(f, 2, 5);
        fixture_finish(f, 3, 5);
    }
    size_t served = 0;
    size_t fresh = 0;
    for (size_t i = before; i < f->sent_count; i++) {
        served += f->sent[i].chunk.value == suspect.value;
        fresh += f->sent[i].attempt == 1;
    }
    assert_int_equal(served, 1);
    /* while the other one went on */
    assert_true(fresh >= 8);
    /* and afterwards both do */
    before = f->sent_count;
    fixture_finish(f, 2, 5);
    fixture_finish(f, 3, 5);
    fixture_finish(f, 2, 5);
    fixture_finish(f, 3, 5);
    assert_true(fixture_stats(f).items_queued == 0);
    assert_true(f->sent_count >= before + 4);
}

static void test_sched_worker_set_aside_goes_on_when_the_suspect_needs_it_no_more(void **state)
{
    struct fixture *f = *state;
    given_options(f, 1, 3);
    fixture_items(f, 1000, true);
    fixture_join(f, 1, 1, 1);
    fixture_join(f, 2, 4, 3);
    struct sched_action suspect = f->sent[0];
    fixture_event(f, SCHED_WORKER_LOST, 1);
    fixture_credit(f, 2, 1);
    assert_int_equal(f->actions.count, 0);
    /* when the late result of the suspect comes after all */
    fixture_result(f, 2, &suspect, 5);
    assert_int_equal(fixture_said(f, SCHED_FINISHED, 2), 1);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 1);
}

static void test_sched_suspect_that_comes_back_unbegun_stays_one_and_burns_nothing(void **state)
{
    struct fixture *f = *state;
    given_suspects(f, 10, 1);
    for (uint64_t id = 2; id <= 9; id++) { /* it is the only one, and so alone as well */
        fixture_join(f, id, 4, 4);
        assert_int_equal(fixture_said(f, SCHED_SEND, id), 1);
        if (id % 2 == 0) {
            fixture_event(f, SCHED_WORKER_LEFT, id);
        } else {
            fixture_event(f, SCHED_WORKER_DRAINING, id);
            fixture_returned(f, id, fixture_last(f)->chunk);
        }
        assert_int_equal(fixture_said(f, SCHED_SPLIT, 0), 0);
        assert_int_equal(fixture_stats(f).items_queued, 10);
    }
    fixture_join(f, 20, 4, 4);
    assert_int_equal(fixture_last(f)->count, 10);
    assert_int_equal(fixture_said(f, SCHED_ABANDONED, 0), 0);
}

static void test_sched_rest_of_a_suspect_is_one_and_its_failed_items_are_not(void **state)
{
    struct fixture *f = *state;
    struct sched_options options = fixture_options(10);
    options.retries_max = 1;
    fixture_restart(f, &options);
    fixture_items(f, 10, true);
    fixture_join(f, 1, 1, 1);
    fixture_event(f, SCHED_WORKER_LOST, 1);
    fixture_join(f, 2, 8, 8);
    const struct sched_span failed[] = {{0, 1}, {2, 1}};
    fixture_part(f, 2, fixture_last(f), 4, failed, 2);
    /* the rest is alone with worker 2 */
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 1);
    assert_int_equal(fixture_last(f)->first, 4);
    /* the failed ones are in company with worker 3 */
    fixture_join(f, 3, 8, 8);
    assert_int_equal(fixture_said(f, SCHED_SEND, 3), 2);
}

/* --- split --- */

static void test_sched_chunk_lost_in_company_is_neither_split_nor_abandoned(void **state)
{
    struct fixture *f = *state;
    given_options(f, 10, 1);
    fixture_items(f, 30, true);
    fixture_join(f, 1, 3, 3);
    fixture_event(f, SCHED_WORKER_LOST, 1);
    assert_int_equal(f->actions.count, 0);
    assert_int_equal(fixture_stats(f).items_queued, 30);
}

static void test_sched_suspect_that_kills_again_is_split_into_single_items(void **state)
{
    struct fixture *f = *state;
    given_suspects(f, 10, 1);
    struct chunk_id whole = f->sent[0].chunk;
    fixture_join(f, 2, 4, 4);
    fixture_event(f, SCHED_WORKER_LOST, 2);
    assert_int_equal(fixture_said(f, SCHED_SPLIT, 0), 1);
    assert_int_equal(f->list[0].chunk.value, whole.value);
    assert_int_equal(f->list[0].count, 10);
    assert_int_equal(fixture_stats(f).items_queued, 10);
    fixture_join(f, 3, 4, 10);
    for (uint64_t i = 0; i < 10; i++) {
        assert_int_equal(f->sent_count, 3 + i);
        assert_int_equal(fixture_last(f)->first, i);
        assert_int_equal(fixture_last(f)->count, 1);
        assert_int_equal(fixture_last(f)->attempt, 3);
        fixture_result(f, 3, fixture_last(f), 5);
    }
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
    /* and what the whole would still say does not count */
    assert_int_equal(fixture_stats(f).tally.ok, 10);
}

static void test_sched_large_suspect_is_split_into_256_pieces_of_about_equal_size(void **state)
{
    struct fixture *f = *state;
    given_suspects(f, 1000, 1);
    fixture_join(f, 2, 4, 4);
    fixture_event(f, SCHED_WORKER_LOST, 2);
    fixture_join(f, 3, 4, 1000);
    uint64_t items = 0;
    for (size_t i = 0; i < 256; i++) {
        assert_int_equal(fixture_last(f)->first, items);
        assert_int_equal(fixture_last(f)->count, i < 1000 % 256 ? 4 : 3);
        items += fixture_last(f)->count;
        fixture_result(f, 3, fixture_last(f), 5);
    }
    assert_int_equal(items, 1000);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
}

static void test_sched_late_result_of_a_chunk_that_was_split_is_a_duplicate(void **state)
{
    struct fixture *f = *state;
    given_suspects(f, 10, 1);
    fixture_join(f, 2, 4, 4);
    struct sched_action whole = *fixture_last(f);
    fixture_event(f, SCHED_WORKER_LOST, 2);
    fixture_join(f, 3, 4, 4);
    assert_int_equal(fixture_result(f, 3, &whole, 5), 0);
    assert_int_equal(fixture_stats(f).duplicates, 1);
    assert_int_equal(fixture_stats(f).items_done, 0);
}

/* Workers come one after the other, each with `slots`, finish what they hold, and die of items that are a multiple of `poison`.
 * Returns how many died. */
static uint64_t run_poison(struct fixture *f, uint32_t slots, uint64_t poison)
{
    uint64_t worker = 1;
    fixture_join(f, worker, slots, slots);
    while (fixture_said(f, SCHED_DONE, 0) == 0) {
        struct sched_action *next = fixture_oldest(f, worker);
        assert_non_null(next);
        uint64_t to_next = (poison - next->first % poison) % poison;
        if (to_next < next->count) {
            for (size_t i = 0; i < f->sent_count; i++) {
                f->sent[i].count = f->sent[i].worker.value == worker ? 0 : f->sent[i].count;
            }
            fixture_event(f, SCHED_WORKER_LOST, worker);
            if (fixture_said(f, SCHED_DONE, 0) == 0) {
                fixture_join(f, ++worker, slots, slots);
            }
        } else {
            struct sched_action send = *next;
            next->count = 0;
            fixture_result(f, worker, &send, 5);
            if (fixture_said(f, SCHED_DONE, 0) == 0) {
                fixture_credit(f, worker, 1);
            }
        }
    }
    return fixture_stats(f).workers_lost;
}

static void test_sched_poison_costs_three_workers_more_than_the_limit_and_its_neighbours_nothing(
    void **state)
{
    struct fixture *f = *state;
    for (uint32_t crash_limit = 2; crash_limit <= 5; crash_limit++) {
        given_options(f, 50, crash_limit);
        fixture_items(f, 300, true);
        uint64_t lost = run_poison(f, 4, 1000); /* item 0 */
        assert_int_equal(fixture_stats(f).tally.failed, 1);
        assert_int_equal(fixture_stats(f).tally.ok, 299);
        /* in company twice, then alone, which splits it */
        assert_int_equal(lost, crash_limit + 3);
    }
}

static void test_sched_each_of_several_poisons_is_found(void **state)
{
    struct fixture *f = *state;
    given_options(f, 50, 3);
    fixture_items(f, 300, true);
    uint64_t lost = run_poison(f, 4, 100); /* items 0, 100 and 200 */
    assert_int_equal(fixture_stats(f).tally.failed, 3);
    assert_int_equal(fixture_stats(f).tally.ok, 297);
    assert_in_range(lost, 3, 3 * 6);
}

static void test_sched_poison_in_a_chunk_of_many_items_is_found_in_two_splits(void **state)
{
    struct fixture *f = *state;
    given_options(f, 1000, 3);
    fixture_items(f, 3000, true);
    uint64_t lost = run_poison(f, 4, 10000);
    assert_int_equal(fixture_stats(f).tally.failed, 1);
    assert_int_equal(fixture_stats(f).tally.ok, 2999);
    assert_int_equal(lost, 3 + 4);
}

static void test_sched_single_items_are_abandoned_after_as_many_losses_alone(void **state)
{
    struct fixture *f = *state;
    given_options(f, 1, 3);
    fixture_items(f, 20, true);
    uint64_t lost = run_poison(f, 4, 1000);
    assert_int_equal(lost, 2 + 3);
    assert_int_equal(fixture_stats(f).tally.failed, 1);
    assert_int_equal(fixture_stats(f).chunks_abandoned, 1);
}

static void test_sched_splits_the_suspects_of_many_silent_workers_in_small_portions(void **state)
{
    /* given a hundred suspects, each alone with a worker, and all those fall silent */
    struct fixture *f = *state;
    struct sched_options options = fixture_options(3);
    options.lease_us = 1000;
    fixture_restart(f, &options);
    fixture_items(f, 300, true);
    fixture_join(f, 1, 100, 100);
    fixture_event(f, SCHED_WORKER_LOST, 1);
    for (uint64_t id = 2; id <= 101; id++) {
        fixture_join(f, id, 1, 1);
    }
    assert_int_equal(fixture_stats(f).items_held, 300);
    f->capacity = SCHED_ACTIONS_MIN;
    f->now_us = 1000;
    size_t splits = 0;
    while (sched_deadline_us(f->sched) <= f->now_us) {
        fixture_event(f, SCHED_TICK, 0);
        splits += fixture_said(f, SCHED_SPLIT, 0);
    }
    assert_int_equal(splits, 100);
    assert_int_equal(fixture_stats(f).items_queued, 300);
    assert_int_equal(fixture_stats(f).workers_live, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sched_suspect_is_alone_with_its_worker_until_it_is_finished),
        TEST(test_sched_worker_goes_on_as_ever_after_its_suspect),
        TEST(test_sched_suspect_waits_for_a_worker_that_holds_nothing),
        TEST(test_sched_suspects_go_to_several_empty_workers_at_once),
        TEST(test_sched_suspects_are_served_under_a_steady_stream_of_fresh_chunks),
        TEST(test_sched_worker_set_aside_goes_on_when_the_suspect_needs_it_no_more),
        TEST(test_sched_suspect_that_comes_back_unbegun_stays_one_and_burns_nothing),
        TEST(test_sched_rest_of_a_suspect_is_one_and_its_failed_items_are_not),
        TEST(test_sched_chunk_lost_in_company_is_neither_split_nor_abandoned),
        TEST(test_sched_suspect_that_kills_again_is_split_into_single_items),
        TEST(test_sched_large_suspect_is_split_into_256_pieces_of_about_equal_size),
        TEST(test_sched_late_result_of_a_chunk_that_was_split_is_a_duplicate),
        TEST(test_sched_poison_costs_three_workers_more_than_the_limit_and_its_neighbours_nothing),
        TEST(test_sched_each_of_several_poisons_is_found),
        TEST(test_sched_poison_in_a_chunk_of_many_items_is_found_in_two_splits),
        TEST(test_sched_single_items_are_abandoned_after_as_many_losses_alone),
        TEST(test_sched_splits_the_suspects_of_many_silent_workers_in_small_portions),
    };
    return cmocka_run_group_tests_name("sched_suspects", tests, NULL, NULL) != 0;
}
