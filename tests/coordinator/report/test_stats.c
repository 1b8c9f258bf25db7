/* Statistics of timed rounds, against values worked out by hand and in exact arithmetic. */
#include "coordinator/report/stats.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_close(double actual, double expected)
{
    if (fabs(actual - expected) > 1e-9 * fmax(1, fabs(expected))) {
        fail_msg("%.12g is not %.12g", actual, expected);
    }
}

static void test_stats_median_is_middle_or_mean_of_two(void **state)
{
    (void)state;
    assert_close(stats_median((double[]){7}, 1), 7);
    assert_close(stats_median((double[]){9, 1, 4}, 3), 4);
    assert_close(stats_median((double[]){9, 1, 4, 2}, 4), 3);
}

static void test_stats_median_leaves_values_in_place(void **state)
{
    (void)state;
    double values[] = {3, 1, 2};
    (void)stats_median(values, 3);
    assert_close(values[0], 3);
    assert_close(values[1], 1);
    assert_close(values[2], 2);
}

static void test_stats_interval_is_min_and_max_below_six(void **state)
{
    (void)state;
    for (size_t count = 1; count < 6; count++) {
        size_t low = 99;
        size_t high = 99;
        stats_median_interval(count, &low, &high);
        assert_int_equal(low, 0);
        assert_int_equal(high, count - 1);
    }
}

/* From the binomial tail in integer arithmetic: the largest k with 2 (C(n,0) + ... + C(n,k-1)) <= 0.05 * 2^n; 1-based. */
static void test_stats_interval_has_ranks_of_exact_binomial_tail(void **state)
{
    (void)state;

    static const struct {
        size_t count, low, high;
    } rows[] = {{6, 1, 6},
                {7, 1, 7},
                {8, 1, 8},
                {9, 2, 8},
                {10, 2, 9},
                {12, 3, 10},
                {15, 4, 12},
                {17, 5, 13},
                {20, 6, 15},
                {25, 8, 18},
                {30, 10, 21},
                {50, 18, 33},
                {70, 27, 44}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t low = 0;
        size_t high = 0;
        stats_median_interval(rows[i].count, &low, &high);
        assert_int_equal(low + 1, rows[i].low);
        assert_int_equal(high + 1, rows[i].high);
    }
}

static void test_stats_interval_of_a_thousand_follows_normal_approximation(void **state)
{
    (void)state;
    size_t low = 0;
    size_t high = 0;
    stats_median_interval(STATS_VALUES_MAX, &low, &high);
    assert_int_equal(low + 1, 469); /* n/2 - 1.96 sqrt(n)/2 = 469.0 */
    assert_int_equal(high + 1, 532);
}

static void test_stats_summary_of_ten(void **state)
{
    (void)state;
    double values[] = {10, 9, 8, 7, 6, 5, 4, 3, 2, 1};
    struct stats_summary summary;
    stats_summarise(values, 10, &summary);
    assert_close(summary.median, 5.5);
    assert_close(summary.min, 1);
    assert_close(summary.max, 10);
    assert_close(summary.ci95_low, 2);
    assert_close(summary.ci95_high, 9);
}

static void test_stats_flags_the_one_value_far_out(void **state)
{
    (void)state;
    double values[] = {1.00, 1.01, 0.99, 2.50, 1.02};
    bool flags[5];
    assert_int_equal(stats_outliers(values, 5, flags), 1);
    assert_true(flags[3]);
    assert_false(flags[0] || flags[1] || flags[2] || flags[4]);
}

static void test_stats_flags_by_mean_deviation_when_most_are_equal(void **state)
{
    (void)state;
    double values[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 2};
    bool flags[10];
    assert_int_equal(stats_outliers(values, 10, flags), 1);
    assert_true(flags[9]);
}

static void test_stats_flags_nothing_when_all_equal_or_few(void **state)
{
    (void)state;
    bool flags[6] = {true, true, true, true, true, true};
    assert_int_equal(stats_outliers((double[]){2, 2, 2, 2, 2, 2}, 6, flags), 0);
    assert_false(flags[0]);
    assert_int_equal(stats_outliers((double[]){1, 1.001, 9}, 3, flags), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stats_median_is_middle_or_mean_of_two),
        cmocka_unit_test(test_stats_median_leaves_values_in_place),
        cmocka_unit_test(test_stats_interval_is_min_and_max_below_six),
        cmocka_unit_test(test_stats_interval_has_ranks_of_exact_binomial_tail),
        cmocka_unit_test(test_stats_interval_of_a_thousand_follows_normal_approximation),
        cmocka_unit_test(test_stats_summary_of_ten),
        cmocka_unit_test(test_stats_flags_the_one_value_far_out),
        cmocka_unit_test(test_stats_flags_by_mean_deviation_when_most_are_equal),
        cmocka_unit_test(test_stats_flags_nothing_when_all_equal_or_few),
    };
    return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
