/* Strategies by name, and the tally. */
#include "common/base/chunk.h"
#include "common/base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_strategy_names_go_both_ways(void **state)
{
    (void)state;
    for (int i = STRATEGY_SERIAL; i <= STRATEGY_PROCESSES; i++) {
        enum strategy strategy;
        assert_int_equal(strategy_from_name(strategy_name((enum strategy)i), &strategy), 0);
        assert_int_equal(strategy, i);
    }
}

static void test_strategy_from_name_refuses_others(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "Serial", "thread", "threadss", "4"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        enum strategy strategy = STRATEGY_ASYNC;
        assert_int_equal(strategy_from_name(wrong[i], &strategy), ERR_NOT_FOUND);
        assert_int_equal(strategy, STRATEGY_ASYNC);
    }
}

static void test_strategy_name_is_null_for_other_values(void **state)
{
    (void)state;
    assert_null(strategy_name((enum strategy)0));
    assert_null(strategy_name((enum strategy)5));
}

static void test_strategy_values_stay_as_they_are_on_the_wire(void **state)
{
    (void)state;
    assert_int_equal(STRATEGY_SERIAL, 1);
    assert_int_equal(STRATEGY_THREADS, 2);
    assert_int_equal(STRATEGY_ASYNC, 3);
    assert_int_equal(STRATEGY_PROCESSES, 4);
}

static void test_strategy_default_slots_follow_the_cores_of_pools_only(void **state)
{
    (void)state;
    assert_int_equal(strategy_default_slots(STRATEGY_SERIAL, 64), 1);
    assert_int_equal(strategy_default_slots(STRATEGY_ASYNC, 64), 100);
    assert_int_equal(strategy_default_slots(STRATEGY_THREADS, 2), 8);
    assert_int_equal(strategy_default_slots(STRATEGY_THREADS, 64), 64);
    assert_int_equal(strategy_default_slots(STRATEGY_PROCESSES, 9), 9);
}

static void test_tally_merge_adds_every_member_modulo_2_64(void **state)
{
    (void)state;
    struct tally into = {.ok = 1, .failed = 2, .checksum = UINT64_MAX, .bytes_out = 4};
    struct tally from = {.ok = 10, .failed = 20, .checksum = 30, .bytes_out = 40};
    tally_merge(&into, &from);
    assert_int_equal(into.ok, 11);
    assert_int_equal(into.failed, 22);
    assert_int_equal(into.checksum, 29);
    assert_int_equal(into.bytes_out, 44);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strategy_names_go_both_ways),
        cmocka_unit_test(test_strategy_from_name_refuses_others),
        cmocka_unit_test(test_strategy_name_is_null_for_other_values),
        cmocka_unit_test(test_strategy_values_stay_as_they_are_on_the_wire),
        cmocka_unit_test(test_strategy_default_slots_follow_the_cores_of_pools_only),
        cmocka_unit_test(test_tally_merge_adds_every_member_modulo_2_64),
    };
    return cmocka_run_group_tests_name("chunk", tests, NULL, NULL);
}
