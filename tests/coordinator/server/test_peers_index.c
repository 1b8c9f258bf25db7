/* Numbers and whose they are, against a plain list. */
#include "common/base/rng.h"
#include "coordinator/server/peers_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MAX = 64, NUMBERS = 200, STEPS = 200000 };

static void test_number_is_found_until_it_is_removed(void **state)
{
    (void)state;
    struct peers_index index;
    uint32_t at = 0;
    assert_int_equal(peers_index_init(&index), 0);
    assert_false(peers_index_find(&index, 7, &at));
    assert_int_equal(peers_index_reserve(&index), 0);
    peers_index_put(&index, 7, 3);
    assert_true(peers_index_find(&index, 7, &at));
    assert_int_equal(at, 3);
    peers_index_remove(&index, 7, 3);
    assert_false(peers_index_find(&index, 7, &at));
    peers_index_deinit(&index);
}

static void test_zero_is_nobodys(void **state)
{
    (void)state;
    struct peers_index index;
    uint32_t at = 0;
    assert_int_equal(peers_index_init(&index), 0);
    assert_int_equal(peers_index_reserve(&index), 0);
    peers_index_put(&index, 0, 1);
    assert_false(peers_index_find(&index, 0, &at));
    peers_index_remove(&index, 0, 1);
    peers_index_deinit(&index);
}

static void test_number_that_another_one_took_is_not_removed_by_the_first(void **state)
{
    (void)state;
    struct peers_index index;
    uint32_t at = 0;
    assert_int_equal(peers_index_init(&index), 0);
    assert_int_equal(peers_index_reserve(&index), 0);
    peers_index_put(&index, 20, 1);
    assert_int_equal(peers_index_reserve(&index), 0);
    peers_index_put(&index, 20, 2);
    peers_index_remove(&index, 20, 1);
    assert_true(peers_index_find(&index, 20, &at));
    assert_int_equal(at, 2);
    peers_index_deinit(&index);
}

/* Few numbers in a small table: runs wrap around its end, and gaps are closed in the middle of them. */
static void test_index_agrees_with_a_list_whatever_comes_and_goes(void **state)
{
    (void)state;
    struct peers_index index;
    struct rng rng;
    uint32_t list[NUMBERS] = {0}; /* by number; 0: nobody's */
    uint32_t count = 0;
    rng_init(&rng, 5);
    assert_int_equal(peers_index_init(&index), 0);
    for (int step = 0; step < STEPS; step++) {
        uint64_t number = 1 + rng_below(&rng, NUMBERS - 1);
        uint32_t at = 1 + (uint32_t)rng_below(&rng, 1000);
        if (list[number] != 0) {
            peers_index_remove(&index, number, list[number]);
            list[number] = 0;
            count--;
        } else if (count < MAX) {
            assert_int_equal(peers_index_reserve(&index), 0);
            peers_index_put(&index, number, at);
            list[number] = at;
            count++;
        }
        uint64_t asked = 1 + rng_below(&rng, NUMBERS - 1);
        uint32_t found = 0;
        assert_int_equal(peers_index_find(&index, asked, &found), list[asked] != 0);
        assert_int_equal(found, list[asked]);
    }
    peers_index_deinit(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number_is_found_until_it_is_removed),
        cmocka_unit_test(test_zero_is_nobodys),
        cmocka_unit_test(test_number_that_another_one_took_is_not_removed_by_the_first),
        cmocka_unit_test(test_index_agrees_with_a_list_whatever_comes_and_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
