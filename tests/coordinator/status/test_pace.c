/* How fast a run is, and when it will end. */
#include "coordinator/status/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>

#include <cmocka.h>

static const uint64_t SECOND_US = 1000000;

static void assert_near(double value, double expected)
{
    assert_true(value > expected - 1e-9 && value < expected + 1e-9);
}

static void test_pace_is_not_known_at_first(void **state)
{
    (void)state;
    struct pace pace;
    pace_begin(&pace, 5 * SECOND_US, 0);
    struct pace_rates rates = pace_rates(&pace, 5 * SECOND_US + 1000, 10, 100);
    assert_true(rates.now < 0);
    assert_true(rates.mean < 0);
    assert_true(rates.left_s < 0);
}

static void test_pace_tells_the_last_seconds_from_the_average(void **state)
{
    (void)state;
    struct pace pace;
    pace_begin(&pace, 0, 0);
    for (uint64_t s = 1; s <= 20; s++) {
        pace_note(&pace, s * SECOND_US, 100 * s);
    }
    for (uint64_t s = 21; s <= 30; s++) {
        pace_note(&pace, s * SECOND_US, 2000 + 10 * (s - 20));
    }
    struct pace_rates rates = pace_rates(&pace, 30 * SECOND_US, 2100, 3100);
    assert_near(rates.now, 10);
    assert_near(rates.mean, 70);
    assert_near(rates.left_s, 100);
}

static void test_pace_knows_no_end_without_a_total(void **state)
{
    (void)state;
    struct pace pace;
    pace_begin(&pace, 0, 0);
    pace_note(&pace, SECOND_US, 10);
    assert_true(pace_rates(&pace, 2 * SECOND_US, 20, 0).left_s < 0);
    assert_near(pace_rates(&pace, 2 * SECOND_US, 20, 40).left_s, 2);
    assert_near(pace_rates(&pace, 2 * SECOND_US, 20, 20).left_s, 0);
}

static void test_pace_knows_no_end_while_nothing_is_done(void **state)
{
    (void)state;
    struct pace pace;
    pace_begin(&pace, 0, 0);
    struct pace_rates rates = pace_rates(&pace, 10 * SECOND_US, 0, 100);
    assert_near(rates.now, 0);
    assert_true(rates.left_s < 0);
}

/* Items of a minute each: the last ten seconds say nothing. */
static void test_pace_goes_by_the_average_when_the_last_seconds_had_nothing(void **state)
{
    (void)state;
    struct pace pace;
    pace_begin(&pace, 0, 0);
    for (uint64_t s = 1; s <= 100; s++) {
        pace_note(&pace, s * SECOND_US, s < 60 ? 0 : 4);
    }
    struct pace_rates rates = pace_rates(&pace, 100 * SECOND_US, 4, 12);
    assert_near(rates.now, 0);
    assert_near(rates.left_s, 200);
}

static void test_pace_says_for_how_long_nothing_moved(void **state)
{
    (void)state;
    struct pace pace;
    pace_begin(&pace, 0, 7);
    assert_int_equal(pace_still_us(&pace, 3 * SECOND_US, 7), 3 * SECOND_US);
    pace_note(&pace, 4 * SECOND_US, 8);
    pace_note(&pace, 5 * SECOND_US, 8);
    assert_int_equal(pace_still_us(&pace, 6 * SECOND_US, 8), 2 * SECOND_US);
    assert_int_equal(pace_still_us(&pace, 6 * SECOND_US, 9), 0);
}

static void test_pace_of_a_second_run_begins_anew(void **state)
{
    (void)state;
    struct pace pace;
    pace_begin(&pace, 0, 0);
    for (uint64_t s = 1; s <= 30; s++) {
        pace_note(&pace, s * SECOND_US, 1000 * s);
    }
    pace_begin(&pace, 40 * SECOND_US, 5);
    struct pace_rates rates = pace_rates(&pace, 42 * SECOND_US, 25, 0);
    assert_near(rates.now, 10);
    assert_near(rates.mean, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pace_is_not_known_at_first),
        cmocka_unit_test(test_pace_tells_the_last_seconds_from_the_average),
        cmocka_unit_test(test_pace_knows_no_end_without_a_total),
        cmocka_unit_test(test_pace_knows_no_end_while_nothing_is_done),
        cmocka_unit_test(test_pace_goes_by_the_average_when_the_last_seconds_had_nothing),
        cmocka_unit_test(test_pace_says_for_how_long_nothing_moved),
        cmocka_unit_test(test_pace_of_a_second_run_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
