/* When a local worker that has ended is started again. */
#include "coordinator/status/restart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_restart_is_soon_while_the_run_gets_on(void **state)
{
    (void)state;
    struct restart restart;
    restart_init(&restart, 5);
    for (uint64_t i = 1; i <= 1000; i++) {
        assert_int_equal(restart_after(&restart, i, 10 * i), RESTART_FIRST_US);
    }
}

static void test_restart_waits_twice_as_long_after_each_end_without_progress(void **state)
{
    (void)state;
    struct restart restart;
    restart_init(&restart, 100);
    uint64_t expected_us = RESTART_FIRST_US;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(restart_after(&restart, 2, 0), expected_us);
        expected_us = expected_us * 2 < RESTART_LONGEST_US ? expected_us * 2 : RESTART_LONGEST_US;
    }
    assert_int_equal(expected_us, RESTART_LONGEST_US);
}

static void test_restart_ends_after_so_many_in_a_row(void **state)
{
    (void)state;
    struct restart restart;
    restart_init(&restart, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_not_equal(restart_after(&restart, 2, 40), RESTART_NEVER);
    }
    assert_int_equal(restart_after(&restart, 2, 40), RESTART_NEVER);
    assert_int_equal(restart_after(&restart, 2, 40), RESTART_NEVER);
}

/* The others get items done, and this one cannot even register: it is not started for ever. */
static void test_restart_takes_items_alone_for_no_progress(void **state)
{
    (void)state;
    struct restart restart;
    restart_init(&restart, 3);
    (void)restart_after(&restart, 2, 10);
    (void)restart_after(&restart, 2, 20);
    (void)restart_after(&restart, 2, 30);
    assert_int_equal(restart_after(&restart, 2, 40), RESTART_NEVER);
}

/* It registers and dies before anything gets done. */
static void test_restart_takes_registering_alone_for_no_progress(void **state)
{
    (void)state;
    struct restart restart;
    restart_init(&restart, 3);
    (void)restart_after(&restart, 1, 0);
    (void)restart_after(&restart, 2, 0);
    (void)restart_after(&restart, 3, 0);
    assert_int_equal(restart_after(&restart, 4, 0), RESTART_NEVER);
}

static void test_restart_goes_on_when_an_item_was_given_up(void **state)
{
    (void)state;
    struct restart restart;
    restart_init(&restart, 5);
    for (uint64_t item = 1; item <= 20; item++) {
        for (uint64_t attempt = 0; attempt < 4; attempt++) {
            assert_int_not_equal(restart_after(&restart, 4 * item + attempt, item), RESTART_NEVER);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restart_is_soon_while_the_run_gets_on),
        cmocka_unit_test(test_restart_waits_twice_as_long_after_each_end_without_progress),
        cmocka_unit_test(test_restart_ends_after_so_many_in_a_row),
        cmocka_unit_test(test_restart_takes_items_alone_for_no_progress),
        cmocka_unit_test(test_restart_takes_registering_alone_for_no_progress),
        cmocka_unit_test(test_restart_goes_on_when_an_item_was_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
