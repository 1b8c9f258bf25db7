/* How much a connection may be refused, and who is not taken again. */
#include "coordinator/server/patience.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SECOND_US = 1000000 };

/* As libzmq numbers connections, and zsock reads that. */
static uint64_t connection(uint64_t number)
{
    return number << 32 | UINT64_C(1) << 40;
}

static struct patience *fresh(void)
{
    struct patience *patience = calloc(1, sizeof(*patience));
    assert_non_null(patience);
    return patience;
}

static void test_refusals_end_and_leave_room_for_registering(void **state)
{
    (void)state;
    struct patience *patience = fresh();
    unsigned refusals = 0;
    unsigned hellos = 0;
    for (int i = 0; i < 1000; i++) {
        refusals += patience_refuse(patience, connection(1), 5);
    }
    for (int i = 0; i < 1000; i++) {
        hellos += patience_hello(patience, connection(1), 5);
    }
    assert_int_equal(refusals, PATIENCE_REFUSALS);
    assert_int_equal(hellos, PATIENCE_HELLOS - PATIENCE_REFUSALS);
    free(patience);
}

static void test_patience_comes_back_with_time(void **state)
{
    (void)state;
    struct patience *patience = fresh();
    while (patience_hello(patience, connection(1), 0)) {
        continue;
    }
    assert_false(patience_hello(patience, connection(1), SECOND_US - 1));
    assert_true(patience_hello(patience, connection(1), SECOND_US));
    assert_false(patience_hello(patience, connection(1), SECOND_US));
    free(patience);
}

static void test_thousand_neighbours_do_not_share_much(void **state)
{
    (void)state;
    struct patience *patience = fresh();
    for (uint64_t number = 0; number < 1000; number++) {
        assert_true(patience_hello(patience, connection(number), 0));
    }
    for (uint64_t number = 0; number < 1000; number++) {
        unsigned left = 0;
        while (left < PATIENCE_HELLOS && patience_hello(patience, connection(number), 0)) {
            left++;
        }
        assert_true(left == 0 || left > PATIENCE_HELLOS / 2);
    }
    free(patience);
}

static void test_those_shunned_last_are_remembered(void **state)
{
    (void)state;
    struct patience *patience = fresh();
    assert_false(patience_is_shunned(patience, 0));
    assert_false(patience_is_shunned(patience, 1));
    for (uint64_t nonce = 1; nonce <= PATIENCE_SHUNNED; nonce++) {
        patience_shun(patience, nonce);
    }
    assert_true(patience_is_shunned(patience, 1));
    patience_shun(patience, PATIENCE_SHUNNED + 1);
    assert_false(patience_is_shunned(patience, 1));
    assert_true(patience_is_shunned(patience, 2));
    assert_true(patience_is_shunned(patience, PATIENCE_SHUNNED + 1));
    free(patience);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals_end_and_leave_room_for_registering),
        cmocka_unit_test(test_patience_comes_back_with_time),
        cmocka_unit_test(test_thousand_neighbours_do_not_share_much),
        cmocka_unit_test(test_those_shunned_last_are_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
