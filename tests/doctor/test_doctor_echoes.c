/* Round trips, clocks and loads as numbers. */
#include "common/doctor/echoes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A question asked at `asked_us`, that takes `there_us` and `back_us` on the way and `inside_us` there, where the clock is
 * `ahead_us` ahead. */
static void add(struct echoes *echoes,
                uint64_t asked_us,
                uint64_t there_us,
                uint64_t inside_us,
                uint64_t back_us,
                int64_t ahead_us)
{
    uint64_t received_us = (uint64_t)((int64_t)(asked_us + there_us) + ahead_us);
    const struct echo_times times = {
        .asked_us = asked_us,
        .received_us = received_us,
        .sent_us = received_us + inside_us,
        .back_us = asked_us + there_us + inside_us + back_us,
    };
    echoes_add(echoes, &times);
}

static void test_echoes_leave_out_the_time_inside(void **state)
{
    (void)state;
    struct echoes echoes = {.count = 0};
    add(&echoes, 1000000, 30, 500, 50, 0);
    assert_int_equal(echoes_least_us(&echoes), 80);
    assert_int_equal(echoes_median_us(&echoes), 80);
}

static void test_echoes_know_least_and_median(void **state)
{
    (void)state;
    struct echoes echoes = {.count = 0};
    static const uint64_t rounds_us[] = {400, 100, 300, 200};
    for (size_t i = 0; i < 4; i++) {
        add(&echoes, 1000000, rounds_us[i] / 2, 0, rounds_us[i] / 2, 0);
    }
    assert_int_equal(echoes_least_us(&echoes), 100);
    assert_int_equal(echoes_median_us(&echoes), 250);
    add(&echoes, 1000000, 500, 0, 500, 0);
    assert_int_equal(echoes_median_us(&echoes), 300);
}

static void test_echoes_find_the_other_clock_whatever_it_shows(void **state)
{
    (void)state;
    static const int64_t aheads_us[] = {0, 7, -7, 3600000000, -3600000000, 400000000000000};
    for (size_t i = 0; i < sizeof(aheads_us) / sizeof(aheads_us[0]); i++) {
        struct echoes echoes = {.count = 0};
        add(&echoes, UINT64_C(1700000000000000), 100, 10, 100, aheads_us[i]);
        int64_t wrong_us = echoes.offset_us - aheads_us[i];
        assert_true(wrong_us >= -1 && wrong_us <= 1);
    }
}

static void test_echoes_take_the_clock_from_the_quickest_and_say_how_wrong_it_may_be(void **state)
{
    (void)state;
    struct echoes echoes = {.count = 0};
    add(&echoes, 1000000, 9000, 0, 1000, 500); /* slow one way: half the difference off */
    add(&echoes, 2000000, 110, 0, 90, 500);
    add(&echoes, 3000000, 1000, 0, 9000, 500);
    assert_int_equal(echoes.offset_us, 510);
    assert_int_equal(echoes.offset_error_us, 101);
    assert_true((uint64_t)(echoes.offset_us - 500) <= echoes.offset_error_us);
}

static void test_echoes_survive_clocks_that_are_absurd(void **state)
{
    (void)state;
    struct echoes echoes = {.count = 0};
    const struct echo_times times = {
        .asked_us = 5, .received_us = INT64_MAX - 1, .sent_us = INT64_MAX, .back_us = 6};
    echoes_add(&echoes, &times);
    assert_true(echoes.offset_us > 0);
    const struct echo_times reverse = {.asked_us = UINT64_C(1) << 62,
                                       .received_us = 0,
                                       .sent_us = 0,
                                       .back_us = UINT64_C(1) << 62};
    echoes.count = 0;
    echoes_add(&echoes, &reverse);
    assert_true(echoes.offset_us < 0);
}

static void test_echoes_beyond_their_number_are_left_out(void **state)
{
    (void)state;
    struct echoes echoes = {.count = 0};
    for (int i = 0; i < ECHOES_MAX; i++) {
        add(&echoes, 1000000, 100, 0, 100, 0);
    }
    add(&echoes, 1000000, 1, 0, 1, 0);
    assert_int_equal(echoes.count, ECHOES_MAX);
    assert_int_equal(echoes_least_us(&echoes), 200);
}

static void test_load_doubles_until_it_takes_long_enough_or_is_all(void **state)
{
    (void)state;
    const uint64_t mib = 1024 * 1024;
    assert_int_equal(load_next_bytes(0, 0, 8 * mib), LOAD_FIRST_BYTES);
    assert_int_equal(load_next_bytes(LOAD_FIRST_BYTES, 10, 8 * mib), 2 * LOAD_FIRST_BYTES);
    assert_int_equal(load_next_bytes(5 * mib, 10, 8 * mib), 8 * mib);
    assert_int_equal(load_next_bytes(8 * mib, 10, 8 * mib), 0);
    assert_int_equal(load_next_bytes(mib, LOAD_LONG_ENOUGH_US, 8 * mib), 0);
    assert_int_equal(load_next_bytes(0, 0, 100), 100);
    assert_int_equal(load_next_bytes(100, 10, 100), 0);
    assert_int_equal(load_next_bytes(0, 0, 0), 0);
}

static void test_load_is_measured_without_the_round_trip(void **state)
{
    (void)state;
    assert_true(load_bytes_per_s(1000000, 1100000, 100000) == 1e6);
    assert_true(load_bytes_per_s(1000, 5, 10) > 0); /* quicker than an empty one: by chance */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echoes_leave_out_the_time_inside),
        cmocka_unit_test(test_echoes_know_least_and_median),
        cmocka_unit_test(test_echoes_find_the_other_clock_whatever_it_shows),
        cmocka_unit_test(test_echoes_take_the_clock_from_the_quickest_and_say_how_wrong_it_may_be),
        cmocka_unit_test(test_echoes_survive_clocks_that_are_absurd),
        cmocka_unit_test(test_echoes_beyond_their_number_are_left_out),
        cmocka_unit_test(test_load_doubles_until_it_takes_long_enough_or_is_all),
        cmocka_unit_test(test_load_is_measured_without_the_round_trip),
    };
    return cmocka_run_group_tests_name("doctor_echoes", tests, NULL, NULL);
}
