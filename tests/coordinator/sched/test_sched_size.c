/* How many items a chunk gets. */
#include "tests/coordinator/sched/sched_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void given_automatic_size(struct fixture *f)
{
    struct sched_options options = fixture_options(0);
    fixture_restart(f, &options);
}

/* Finish whatever is outstanding, each item taking `item_us`, until `chunks` chunks are finished. Returns the items of the last. */
static uint64_t run(struct fixture *f, uint64_t worker, double item_us, size_t chunks)
{
    uint64_t items = 0;
    for (size_t i = 0; i < chunks; i++) {
        struct sched_action *next = fixture_oldest(f, worker);
        if (next == NULL) {
            return 0;
        }
        items = fixture_finish(f, worker, (uint64_t)(item_us * (double)next->count));
    }
    return items;
}

static void test_sched_first_chunks_have_one_item(void **state)
{
    struct fixture *f = *state;
    given_automatic_size(f);
    fixture_items(f, 1000000, true);
    fixture_join(f, 1, 8, 16);
    fixture_join(f, 2, 8, 16);
    assert_int_equal(f->sent_count, 16);
    for (size_t i = 0; i < f->sent_count; i++) {
        assert_int_equal(f->sent[i].count, 1);
    }
}

static void test_sched_cost_of_chunks_too_quick_to_measure_stays_a_normal_number(void **state)
{
    struct fixture *f = *state;
    struct sched_options options = fixture_options(1);
    fixture_restart(f, &options);
    fixture_items(f, 100000, true);
    fixture_join(f, 1, 1, 8);
    (void)run(f, 1, 1.0, 10);
    (void)run(f, 1, 0.0, 7000); /* 7/8 to the power of 5311 is denormal */
    struct sched_stats stats;
    sched_get_stats(f->sched, &stats);
    assert_true(fpclassify(stats.item_cost_us) == FP_NORMAL);
    assert_true(stats.item_cost_us < 1.0);
}

static void test_sched_chunks_grow_at_most_to_twice_what_came_back(void **state)
{
    struct fixture *f = *state;
    given_automatic_size(f);
    fixture_items(f, 1000000000, true);
    fixture_join(f, 1, 1, 8);
    uint64_t back_max = 0;
    for (int i = 0; i < 200; i++) {
        size_t before = f->sent_count;
        uint64_t back = run(f, 1, 0.001, 1);
        back_max = back > back_max ? back : back_max;
        for (size_t s = before; s < f->sent_count; s++) {
            assert_true(f->sent[s].count <= 2 * back_max);
        }
    }
    assert_true(back_max > 1000000);
}

static void test_sched_chunks_come_to_take_the_target_time(void **state)
{
    struct fixture *f = *state;
    given_automatic_size(f);
    fixture_items(f, 1000000000, true);
    fixture_join(f, 1, 1, 2);
    run(f, 1, 50, 60);
    assert_in_range(fixture_stats(f).chunk_items, 1990, 2010); /* 100 ms of 50 us */
    assert_true(fixture_stats(f).item_cost_us > 49.9 && fixture_stats(f).item_cost_us < 50.1);
}

static void test_sched_long_items_stay_one_a_chunk(void **state)
{
    struct fixture *f = *state;
    given_automatic_size(f);
    fixture_items(f, 10000, true);
    fixture_join(f, 1, 4, 8);
    run(f, 1, 300000, 50);
    assert_int_equal(fixture_stats(f).chunk_items, 1);
}

static void test_sched_items_that_cost_nothing_measurable_keep_doubling(void **state)
{
    struct fixture *f = *state;
    given_automatic_size(f);
    fixture_items(f, UINT64_MAX, true);
    fixture_join(f, 1, 1, 1);
    run(f, 1, 0, 40);
    assert_int_equal(fixture_stats(f).chunk_items, UINT64_C(1) << 40);
    /* up to the end of the input, without wrapping anywhere */
    run(f, 1, 0, 10000);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0) + (fixture_stats(f).items_done == UINT64_MAX),
                     1);
}

static void test_sched_chunks_shrink_towards_the_end(void **state)
{
    /* given two workers of two slots and items of 1 ms: 100 a chunk by the target */
    struct fixture *f = *state;
    given_automatic_size(f);
    fixture_items(f, 10000, true);
    fixture_join(f, 1, 2, 4);
    fixture_join(f, 2, 2, 4);
    while (run(f, 1, 1000, 1) + run(f, 2, 1000, 1) > 0) {
    }
    uint64_t left = 10000;
    for (size_t i = 0; i < f->sent_count; i++) {
        /* what it had is no longer in `sent`; the firsts tell */
        uint64_t end = i + 1 < f->sent_count ? f->sent[i + 1].first : 10000;
        uint64_t count = end - f->sent[i].first;
        assert_true(count == 1 || count <= left / 8);
        left -= count;
    }
    assert_int_equal(left, 0);
    assert_int_equal(fixture_stats(f).chunk_items, 1);
}

static void test_sched_cheap_items_are_not_cut_finer_than_is_worth_while(void **state)
{
    /* given items of 1 us, of which 100 take as long as two thread hand-overs */
    struct fixture *f = *state;
    given_automatic_size(f);
    fixture_items(f, 100000, true);
    fixture_join(f, 1, 4, 8);
    while (run(f, 1, 1, 1) > 0) {
    }
    size_t small = 0;
    size_t doubling = 64; /* chunks at the beginning, small because nothing larger was measured */
    for (size_t i = doubling; i + 1 < f->sent_count; i++) {
        small += f->sent[i + 1].first - f->sent[i].first < 90;
    }
    assert_int_equal(small, 0);
}

static void test_sched_chunk_size_is_bounded_by_bytes(void **state)
{
    struct fixture *f = *state;
    given_automatic_size(f);
    struct sched_event event = {.type = SCHED_ITEMS};
    event.as.items.available = 100000;
    event.as.items.chunk_items_max = 37;
    event.as.items.final = true;
    fixture_step(f, &event);
    fixture_join(f, 1, 1, 2);
    run(f, 1, 1, 50);
    assert_int_equal(fixture_stats(f).chunk_items, 37);
    /* a fixed size as well */
    struct sched_options options = fixture_options(50);
    fixture_restart(f, &options);
    fixture_step(f, &event);
    fixture_join(f, 1, 1, 1);
    assert_int_equal(f->sent[0].count, 37);
}

static void test_sched_fixed_size_holds_to_the_last_chunk_which_has_the_rest(void **state)
{
    struct fixture *f = *state;
    struct sched_options options = fixture_options(7);
    fixture_restart(f, &options);
    fixture_items(f, 30, true);
    fixture_join(f, 1, 8, 8);
    const uint64_t counts[] = {7, 7, 7, 7, 2};
    assert_int_equal(f->actions.count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(f->list[i].count, counts[i]);
    }
}

static void test_sched_one_slow_chunk_does_not_shrink_the_next_much(void **state)
{
    struct fixture *f = *state;
    given_automatic_size(f);
    fixture_items(f, 1000000000, true);
    fixture_join(f, 1, 1, 1);
    run(f, 1, 50, 60);
    /* when one chunk takes a hundred times as long */
    run(f, 1, 5000, 1);
    assert_true(fixture_stats(f).chunk_items > 1200);
    /* then it is forgotten soon */
    run(f, 1, 50, 30);
    assert_in_range(fixture_stats(f).chunk_items, 1900, 2010);
}

static void test_sched_a_lasting_change_of_cost_is_followed(void **state)
{
    struct fixture *f = *state;
    given_automatic_size(f);
    fixture_items(f, 1000000000, true);
    fixture_join(f, 1, 1, 1);
    run(f, 1, 50, 60);
    run(f, 1, 5000, 3);
    assert_true(fixture_stats(f).chunk_items < 200);
    run(f, 1, 5000, 100);
    assert_in_range(fixture_stats(f).chunk_items, 19, 21);
}

static void test_sched_large_chunks_weigh_more_than_small_ones(void **state)
{
    struct fixture *f = *state;
    given_automatic_size(f);
    fixture_items(f, 1000000000, true);
    fixture_join(f, 1, 1, 1);
    run(f, 1, 10, 60); /* 10,000 items a chunk */
    double before = fixture_stats(f).item_cost_us;
    fixture_join(f, 2, 1, 1);
    struct sched_action *send = fixture_oldest(f, 2);
    assert_non_null(send);
    assert_true(before > 9.9 && before < 10.1);
    fixture_result(f, 2, send, 20 * send->count);
    double after = fixture_stats(f).item_cost_us;
    assert_true(after > 10.5 && after < 12.5);
}

static void test_sched_stream_is_cut_from_what_there_is(void **state)
{
    struct fixture *f = *state;
    given_automatic_size(f);
    fixture_join(f, 1, 2, 4);
    fixture_items(f, 3, false);
    assert_int_equal(f->sent_count, 2); /* slots full; the third waits until a cost is known */
    run(f, 1, 10, 1);
    assert_int_equal(f->sent_count, 3);
    fixture_items(f, 4000, false);
    for (size_t i = 0; i < f->sent_count; i++) {
        assert_true(f->sent[i].first + f->sent[i].count <= 4000);
    }
    while (run(f, 1, 10, 1) > 0) {
    }
    assert_int_equal(fixture_stats(f).items_done, 4000);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 0);
    fixture_items(f, 4010, true);
    while (run(f, 1, 10, 1) > 0) {
    }
    assert_int_equal(fixture_stats(f).items_done, 4010);
}

static void test_sched_wants_items_while_little_is_left_and_the_input_goes_on(void **state)
{
    struct fixture *f = *state;
    struct sched_options options = fixture_options(10);
    fixture_restart(f, &options);
    assert_true(sched_wants_items(f->sched));
    fixture_join(f, 1, 2, 0);
    fixture_items(f, 79, false); /* 2 slots, 4 chunks of 10 ahead for each */
    assert_true(sched_wants_items(f->sched));
    fixture_items(f, 80, false);
    assert_false(sched_wants_items(f->sched));
    fixture_credit(f, 1, 1);
    assert_true(sched_wants_items(f->sched));
    fixture_items(f, 85, true);
    assert_false(sched_wants_items(f->sched));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sched_first_chunks_have_one_item),
        TEST(test_sched_cost_of_chunks_too_quick_to_measure_stays_a_normal_number),
        TEST(test_sched_chunks_grow_at_most_to_twice_what_came_back),
        TEST(test_sched_chunks_come_to_take_the_target_time),
        TEST(test_sched_long_items_stay_one_a_chunk),
        TEST(test_sched_items_that_cost_nothing_measurable_keep_doubling),
        TEST(test_sched_chunks_shrink_towards_the_end),
        TEST(test_sched_cheap_items_are_not_cut_finer_than_is_worth_while),
        TEST(test_sched_chunk_size_is_bounded_by_bytes),
        TEST(test_sched_fixed_size_holds_to_the_last_chunk_which_has_the_rest),
        TEST(test_sched_one_slow_chunk_does_not_shrink_the_next_much),
        TEST(test_sched_a_lasting_change_of_cost_is_followed),
        TEST(test_sched_large_chunks_weigh_more_than_small_ones),
        TEST(test_sched_stream_is_cut_from_what_there_is),
        TEST(test_sched_wants_items_while_little_is_left_and_the_input_goes_on),
    };
    return cmocka_run_group_tests_name("sched_size", tests, NULL, NULL) != 0;
}
