/* The interval set, by itself and against a plain array of flags. */
#include "common/base/err.h"
#include "common/base/interval.h"
#include "common/base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

void *__wrap_realloc(void *old, size_t size);
void *__real_realloc(void *old, size_t size);

static bool realloc_fails;

void *__wrap_realloc(void *old, size_t size)
{
    return realloc_fails ? NULL : __real_realloc(old, size);
}

static int setup(void **state)
{
    static struct interval_set set;
    interval_init(&set);
    realloc_fails = false;
    *state = &set;
    return 0;
}

static int teardown(void **state)
{
    interval_deinit(*state);
    return 0;
}

static void assert_spans(const struct interval_set *set, size_t count, const struct interval *spans)
{
    assert_int_equal(set->count, count);
    uint64_t members = 0;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(set->spans[i].first, spans[i].first);
        assert_int_equal(set->spans[i].end, spans[i].end);
        members += spans[i].end - spans[i].first;
    }
    assert_int_equal(set->members, members);
}

static void test_interval_empty_set_contains_nothing(void **state)
{
    struct interval_set *set = *state;
    assert_false(interval_contains(set, 0));
    assert_false(interval_covers(set, 0, 1));
    assert_true(interval_covers(set, 5, 5));
}

static void test_interval_keeps_distant_spans_apart(void **state)
{
    struct interval_set *set = *state;
    assert_int_equal(interval_add(set, 20, 30), 0);
    assert_int_equal(interval_add(set, 0, 10), 0);
    assert_spans(set, 2, (struct interval[]){{0, 10}, {20, 30}});
    assert_true(interval_contains(set, 9));
    assert_false(interval_contains(set, 10));
    assert_true(interval_contains(set, 20));
    assert_false(interval_contains(set, 30));
}

static void test_interval_merges_with_left_right_and_both(void **state)
{
    struct interval_set *set = *state;
    assert_int_equal(interval_add(set, 10, 20), 0);
    assert_int_equal(interval_add(set, 20, 25), 0);
    assert_int_equal(interval_add(set, 5, 10), 0);
    assert_spans(set, 1, (struct interval[]){{5, 25}});
    assert_int_equal(interval_add(set, 30, 40), 0);
    assert_int_equal(interval_add(set, 25, 30), 0);
    assert_spans(set, 1, (struct interval[]){{5, 40}});
    assert_true(interval_covers(set, 5, 40));
    assert_false(interval_covers(set, 4, 6));
}

static void test_interval_refuses_overlap_and_stays_unchanged(void **state)
{
    struct interval_set *set = *state;
    assert_int_equal(interval_add(set, 10, 20), 0);
    assert_int_equal(interval_add(set, 30, 40), 0);
    const uint64_t overlapping[][2] = {
        {10, 20}, {10, 11}, {19, 20}, {5, 11}, {19, 25}, {15, 35}, {5, 50}, {20, 31}, {39, 41}};
    for (size_t i = 0; i < sizeof(overlapping) / sizeof(overlapping[0]); i++) {
        assert_int_equal(interval_add(set, overlapping[i][0], overlapping[i][1]), ERR_INVALID);
    }
    assert_spans(set, 2, (struct interval[]){{10, 20}, {30, 40}});
}

static void test_interval_refuses_empty_and_backward_ranges(void **state)
{
    struct interval_set *set = *state;
    assert_int_equal(interval_add(set, 3, 3), ERR_INVALID);
    assert_int_equal(interval_add(set, 4, 3), ERR_INVALID);
    assert_spans(set, 0, NULL);
}

static void test_interval_holds_the_ends_of_uint64(void **state)
{
    struct interval_set *set = *state;
    assert_int_equal(interval_add(set, UINT64_MAX - 1, UINT64_MAX), 0);
    assert_int_equal(interval_add(set, 0, UINT64_MAX - 1), 0);
    assert_spans(set, 1, (struct interval[]){{0, UINT64_MAX}});
}

static void test_interval_memory_follows_gaps_not_members(void **state)
{
    /* given two workers that each finish every second block of ten, one of them ahead of the other */
    struct interval_set *set = *state;
    for (uint64_t i = 0; i < 100000; i++) {
        assert_int_equal(interval_add(set, i * 20, i * 20 + 10), 0);
        if (i >= 3) {
            assert_int_equal(interval_add(set, (i - 3) * 20 + 10, (i - 3) * 20 + 20), 0);
        }
    }
    assert_int_equal(set->members, 100000 * 10 + 99997 * 10);
    assert_true(set->capacity <= 16);
}

static void test_interval_failed_growth_leaves_the_set_unchanged(void **state)
{
    struct interval_set *set = *state;
    for (uint64_t i = 0; i < 16; i++) {
        assert_int_equal(interval_add(set, i * 2, i * 2 + 1), 0);
    }
    realloc_fails = true;
    assert_int_equal(interval_add(set, 100, 101), ERR_NOMEM);
    assert_int_equal(set->count, 16);
    assert_int_equal(set->members, 16);
    assert_int_equal(interval_add(set, 1, 2), 0); /* a merge needs no memory */
    realloc_fails = false;
    assert_int_equal(interval_add(set, 100, 101), 0);
}

static void test_interval_reserve_makes_room_ahead(void **state)
{
    struct interval_set *set = *state;
    assert_int_equal(interval_reserve(set, 100), 0);
    realloc_fails = true;
    for (uint64_t i = 0; i < 100; i++) {
        assert_int_equal(interval_add(set, i * 2, i * 2 + 1), 0);
    }
    assert_int_equal(interval_reserve(set, SIZE_MAX), ERR_NOMEM);
}

enum { MODEL_SIZE = 400 };

static void compare_with_model(const struct interval_set *set, const bool *model)
{
    uint64_t members = 0;
    for (size_t i = 0; i < MODEL_SIZE; i++) {
        assert_int_equal(interval_contains(set, i), model[i]);
        members += model[i];
    }
    assert_int_equal(set->members, members);
    for (size_t i = 1; i < set->count; i++) {
        assert_true(set->spans[i - 1].end < set->spans[i].first);
    }
}

static void test_interval_agrees_with_an_array_of_flags(void **state)
{
    struct interval_set *set = *state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        bool model[MODEL_SIZE] = {false};
        struct rng rng;
        rng_init(&rng, seed);
        interval_deinit(set);
        for (int step = 0; step < 200; step++) {
            uint64_t first = rng_below(&rng, MODEL_SIZE);
            uint64_t end = first + rng_below(&rng, 6);
            end = end > MODEL_SIZE ? MODEL_SIZE : end;
            bool overlaps = false;
            for (uint64_t i = first; i < end; i++) {
                overlaps = overlaps || model[i];
            }
            int expected = overlaps || end <= first ? ERR_INVALID : 0;
            assert_int_equal(interval_add(set, first, end), expected);
            for (uint64_t i = first; expected == 0 && i < end; i++) {
                model[i] = true;
            }
        }
        compare_with_model(set, model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_interval_empty_set_contains_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_interval_keeps_distant_spans_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_interval_merges_with_left_right_and_both, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_interval_refuses_overlap_and_stays_unchanged, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_interval_refuses_empty_and_backward_ranges, setup, teardown),
        cmocka_unit_test_setup_teardown(test_interval_holds_the_ends_of_uint64, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_interval_memory_follows_gaps_not_members, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_interval_failed_growth_leaves_the_set_unchanged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_interval_reserve_makes_room_ahead, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_interval_agrees_with_an_array_of_flags, setup, teardown),
    };
    return cmocka_run_group_tests_name("interval", tests, NULL, NULL) != 0;
}
