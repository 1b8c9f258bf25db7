/* How often life signs are given. */
#include "coordinator/status/tempo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { SECOND_US = 1000000 };

static void test_tempo_of_few_workers_is_the_least(void **state)
{
    (void)state;
    assert_int_equal(tempo_us(SECOND_US, TEMPO_EACH_US, 0), SECOND_US);
    assert_int_equal(tempo_us(SECOND_US, TEMPO_EACH_US, 1), SECOND_US);
    assert_int_equal(tempo_us(SECOND_US, TEMPO_EACH_US, 500), SECOND_US);
}

static void test_tempo_of_many_workers_bounds_their_life_signs_a_second(void **state)
{
    (void)state;
    for (uint32_t workers = 501; workers <= 65536; workers += 77) {
        uint64_t us = tempo_us(SECOND_US, TEMPO_EACH_US, workers);
        assert_true((uint64_t)workers * SECOND_US / us <= 500);
        assert_true(us > tempo_us(SECOND_US, TEMPO_EACH_US, workers - 1));
    }
    assert_int_equal(tempo_us(SECOND_US, TEMPO_EACH_US, 10000), 20 * SECOND_US);
}

static void test_tempo_that_grows_is_waited_for_at_once(void **state)
{
    (void)state;
    struct tempo tempo = {0};
    tempo_tell(&tempo, SECOND_US);
    assert_int_equal(tempo.slowest_us, SECOND_US);
    tempo_tell(&tempo, 3 * SECOND_US);
    assert_int_equal(tempo.told_us, 3 * SECOND_US);
    assert_int_equal(tempo.slowest_us, 3 * SECOND_US);
}

static void test_tempo_that_shrinks_counts_when_the_worker_is_heard_again(void **state)
{
    (void)state;
    struct tempo tempo = {0};
    tempo_tell(&tempo, 5 * SECOND_US);
    tempo_tell(&tempo, 2 * SECOND_US);
    tempo_tell(&tempo, SECOND_US);
    assert_int_equal(tempo.told_us, SECOND_US);
    assert_int_equal(tempo.slowest_us, 5 * SECOND_US);
    tempo_heard(&tempo);
    assert_int_equal(tempo.slowest_us, SECOND_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tempo_of_few_workers_is_the_least),
        cmocka_unit_test(test_tempo_of_many_workers_bounds_their_life_signs_a_second),
        cmocka_unit_test(test_tempo_that_grows_is_waited_for_at_once),
        cmocka_unit_test(test_tempo_that_shrinks_counts_when_the_worker_is_heard_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
