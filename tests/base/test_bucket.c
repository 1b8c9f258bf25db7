/* The token bucket: bursts, refilling, and callers that ask for different bursts. */
#include "common/base/bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { EACH_US = 1000 };

static unsigned take_all(struct bucket *bucket, uint64_t now_us, uint32_t burst)
{
    unsigned count = 0;
    while (count < 1000 && bucket_take(bucket, now_us, burst, EACH_US)) {
        count++;
    }
    return count;
}

static void test_burst_is_allowed_at_once_and_no_more(void **state)
{
    (void)state;
    struct bucket bucket = {0};
    assert_int_equal(take_all(&bucket, 0, 5), 5);
    assert_int_equal(take_all(&bucket, EACH_US - 1, 5), 0);
    struct bucket one = {0};
    assert_int_equal(take_all(&one, 77, 1), 1);
}

static void test_one_comes_back_every_interval_up_to_the_burst(void **state)
{
    (void)state;
    struct bucket bucket = {0};
    uint64_t start_us = 123456789;
    (void)take_all(&bucket, start_us, 5);
    assert_int_equal(take_all(&bucket, start_us + EACH_US, 5), 1);
    assert_int_equal(take_all(&bucket, start_us + 4 * EACH_US, 5), 3);
    assert_int_equal(take_all(&bucket, start_us + 1000 * EACH_US, 5), 5);
}

static void test_what_is_refused_costs_nothing(void **state)
{
    (void)state;
    struct bucket bucket = {0};
    (void)take_all(&bucket, 0, 3);
    for (int i = 0; i < 100; i++) {
        assert_false(bucket_take(&bucket, EACH_US / 2, 3, EACH_US));
    }
    assert_true(bucket_take(&bucket, EACH_US, 3, EACH_US));
}

static void test_smaller_burst_leaves_the_rest_to_a_larger_one(void **state)
{
    (void)state;
    struct bucket bucket = {0};
    assert_int_equal(take_all(&bucket, 0, 2), 2);
    assert_int_equal(take_all(&bucket, 0, 6), 4);
    assert_int_equal(take_all(&bucket, 3 * EACH_US, 2), 0);
}

static void test_largest_values_do_not_wrap(void **state)
{
    (void)state;
    struct bucket bucket = {0};
    assert_true(bucket_take(&bucket, 0, UINT32_MAX, UINT32_MAX));
    assert_true(bucket_take(&bucket, 0, UINT32_MAX, UINT32_MAX));
    assert_false(bucket_take(&bucket, 0, 1, UINT32_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst_is_allowed_at_once_and_no_more),
        cmocka_unit_test(test_one_comes_back_every_interval_up_to_the_burst),
        cmocka_unit_test(test_what_is_refused_costs_nothing),
        cmocka_unit_test(test_smaller_burst_leaves_the_rest_to_a_larger_one),
        cmocka_unit_test(test_largest_values_do_not_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
