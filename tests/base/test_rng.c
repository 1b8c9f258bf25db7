/* The random numbers: the published algorithm, and no bias where none may be. */
#include "common/base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_rng_follows_the_published_algorithm(void **state)
{
    (void)state;
    /* First outputs of the authors' xoshiro256** from the state 1, 2, 3, 4. */
    static const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240};
    struct rng rng = {.state = {1, 2, 3, 4}};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(rng_next(&rng), expected[i]);
    }
}

static void test_rng_is_seeded_through_splitmix64(void **state)
{
    (void)state;
    /* First outputs of the authors' splitmix64 from 0. */
    struct rng rng;
    rng_init(&rng, 0);
    assert_int_equal(rng.state[0], UINT64_C(0xe220a8397b1dcdaf));
    assert_int_equal(rng.state[1], UINT64_C(0x6e789e6aa1b965f4));
}

static void test_rng_repeats_for_a_seed_and_differs_between_seeds(void **state)
{
    (void)state;
    struct rng a, b, c;
    rng_init(&a, 42);
    rng_init(&b, 42);
    rng_init(&c, 43);
    int same = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t value = rng_next(&a);
        assert_int_equal(value, rng_next(&b));
        same += value == rng_next(&c);
    }
    assert_int_equal(same, 0);
}

static void test_rng_below_reaches_every_value_about_equally(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 7);
    int seen[10] = {0};
    for (int i = 0; i < 100000; i++) {
        uint64_t value = rng_below(&rng, 10);
        assert_true(value < 10);
        seen[value]++;
    }
    for (int i = 0; i < 10; i++) {
        assert_in_range(seen[i], 9500, 10500);
    }
}

static void test_rng_below_has_no_bias_for_a_bound_near_two_thirds_of_the_range(void **state)
{
    (void)state;
    /* Scaling 64 bits without refusing any would put half of the values into one third of the bound. */
    struct rng rng;
    rng_init(&rng, 9);
    uint64_t bound = UINT64_MAX / 3 * 2;
    int low = 0;
    for (int i = 0; i < 30000; i++) {
        low += rng_below(&rng, bound) < bound / 3;
    }
    assert_in_range(low, 9500, 10500);
}

static void test_rng_below_one_is_zero_and_the_largest_bound_works(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 1);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(rng_below(&rng, 1), 0);
        assert_true(rng_below(&rng, UINT64_MAX) < UINT64_MAX);
    }
}

static void test_rng_unit_stays_below_one_with_its_mean_in_the_middle(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 3);
    double sum = 0;
    for (int i = 0; i < 100000; i++) {
        double value = rng_unit(&rng);
        assert_true(value >= 0 && value < 1);
        sum += value;
    }
    assert_true(sum > 49500 && sum < 50500);
}

static void test_rng_shuffle_keeps_every_index_and_moves_them(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 5);
    size_t indices[100];
    for (size_t i = 0; i < 100; i++) {
        indices[i] = i;
    }
    rng_shuffle(&rng, indices, 100);
    int seen[100] = {0};
    int at_home = 0;
    for (size_t i = 0; i < 100; i++) {
        seen[indices[i]]++;
        at_home += indices[i] == i;
    }
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(seen[i], 1);
    }
    assert_true(at_home < 10);
    rng_shuffle(&rng, indices, 0);
}

static void test_rng_shuffle_gives_each_order_equally_often(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 11);
    int seen[27] = {0};
    for (int i = 0; i < 60000; i++) {
        size_t order[3] = {0, 1, 2};
        rng_shuffle(&rng, order, 3);
        seen[order[0] * 9 + order[1] * 3 + order[2]]++;
    }
    int orders = 0;
    for (int i = 0; i < 27; i++) {
        if (seen[i] > 0) {
            assert_in_range(seen[i], 9600, 10400);
            orders++;
        }
    }
    assert_int_equal(orders, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rng_follows_the_published_algorithm),
        cmocka_unit_test(test_rng_is_seeded_through_splitmix64),
        cmocka_unit_test(test_rng_repeats_for_a_seed_and_differs_between_seeds),
        cmocka_unit_test(test_rng_below_reaches_every_value_about_equally),
        cmocka_unit_test(test_rng_below_has_no_bias_for_a_bound_near_two_thirds_of_the_range),
        cmocka_unit_test(test_rng_below_one_is_zero_and_the_largest_bound_works),
        cmocka_unit_test(test_rng_unit_stays_below_one_with_its_mean_in_the_middle),
        cmocka_unit_test(test_rng_shuffle_keeps_every_index_and_moves_them),
        cmocka_unit_test(test_rng_shuffle_gives_each_order_equally_often),
    };
    return cmocka_run_group_tests_name("rng", tests, NULL, NULL) != 0;
}
