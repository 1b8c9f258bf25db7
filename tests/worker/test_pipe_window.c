/* The window alone: how far it is open, and which item is to blame. */
#include "worker/workloads/pipe_window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { FRAME = 10 };

/* Begin items of FRAME bytes while the window admits them; returns how many. */
static size_t fill(struct pipe_window *window)
{
    size_t count = 0;
    while (window->begun < window->count && pipe_window_admits(window, FRAME)) {
        pipe_window_begin(window, FRAME);
        count++;
    }
    return count;
}

static void answer(struct pipe_window *window, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pipe_window_answer(window, FRAME);
    }
}

static struct pipe_window *open_window(size_t items_max, size_t bytes_max, size_t count)
{
    static struct pipe_window window;
    pipe_window_init(&window, items_max, bytes_max);
    pipe_window_batch(&window, count);
    return &window;
}

static void test_window_doubles_with_each_window_of_answers(void **state)
{
    (void)state;
    struct pipe_window *window = open_window(1000, 1 << 20, 10000);
    assert_int_equal(fill(window), 64);
    answer(window, 63);
    assert_int_equal(fill(window), 63);
    answer(window, 1);
    assert_int_equal(window->limit, 128);
    for (int i = 0; i < 5; i++) {
        (void)fill(window);
        answer(window, pipe_window_in_flight(window));
    }
    assert_int_equal(window->limit, 1000);
    assert_int_equal(fill(window), 1000);
}

static void test_window_widens_in_silence_up_to_its_bound(void **state)
{
    (void)state;
    struct pipe_window *window = open_window(200, 1 << 20, 10000);
    (void)fill(window);
    assert_true(pipe_window_widen(window));
    assert_int_equal(fill(window), 64);
    assert_true(pipe_window_widen(window));
    assert_int_equal(fill(window), 200 - 128);
    assert_false(pipe_window_widen(window));
    assert_int_equal(fill(window), 0);
}

static void test_window_stays_open_for_the_next_batch(void **state)
{
    (void)state;
    struct pipe_window *window = open_window(1000, 1 << 20, 64);
    (void)fill(window);
    answer(window, 64);
    assert_true(pipe_window_done(window));
    pipe_window_batch(window, 500);
    assert_false(pipe_window_done(window));
    assert_int_equal(fill(window), 128);
}

static void test_window_is_bounded_by_bytes_but_admits_one_item(void **state)
{
    (void)state;
    struct pipe_window *window = open_window(1000, 25, 100);
    assert_int_equal(fill(window), 2);
    answer(window, 2);
    assert_true(pipe_window_admits(window, 1000000));
    pipe_window_begin(window, 1000000);
    assert_false(pipe_window_admits(window, 1));
    pipe_window_answer(window, 1000000);
    assert_int_equal(fill(window), 2);
}

static void test_window_is_bounded_by_the_answers_to_expect(void **state)
{
    (void)state;
    struct pipe_window *window = open_window(1000, 100000, 1000);
    (void)fill(window);
    answer(window, 64);
    for (int i = 0; i < 20; i++) {
        pipe_window_learn(window, 2, 50000);
    }
    assert_in_range(fill(window), 3, 4); /* of 25,000 bytes each */
    answer(window, pipe_window_in_flight(window));
    for (int i = 0; i < 40; i++) {
        pipe_window_learn(window, 10, 30);
    }
    assert_in_range(fill(window), 100, 1000);
}

static void test_window_after_crash_is_for_the_oldest_alone(void **state)
{
    (void)state;
    struct pipe_window *window = open_window(1000, 1 << 20, 1000);
    (void)fill(window);
    answer(window, 10);
    (void)fill(window);
    assert_int_equal(pipe_window_crash(window), 1);
    assert_int_equal(window->reported, 10);
    assert_int_equal(window->begun, 10);
    assert_int_equal(fill(window), 1);
    assert_false(pipe_window_widen(window)); /* silence is no reason, now */
    assert_int_equal(pipe_window_crash(window), 2);
    assert_int_equal(pipe_window_crash(window), 3);
    pipe_window_fail(window);
    assert_int_equal(window->reported, 11);
    assert_int_equal(pipe_window_in_flight(window), 0);
    assert_int_equal(fill(window), 1);
    assert_int_equal(pipe_window_crash(window), 1); /* another one's */
}

static void test_window_opens_with_answers_after_crash(void **state)
{
    (void)state;
    struct pipe_window *window = open_window(16, 1 << 20, 1000);
    (void)fill(window);
    (void)pipe_window_crash(window);
    static const size_t widths[] = {1, 2, 4, 8, 16};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(window->careful, i < 4);
        assert_int_equal(fill(window), widths[i]);
        answer(window, widths[i]);
    }
}

/* Whichever item crashes a program that answers only at its end, so that the oldest is blamed:
 * it is found, alone, within a number of programs that grows with the square of a logarithm. */
static void test_window_finds_the_item_that_crashes_a_silent_program(void **state)
{
    (void)state;
    for (size_t bad = 0; bad < 1000; bad += 37) {
        struct pipe_window *window = open_window(1024, 1 << 20, 1000);
        window->limit = 1024;
        int programs = 0;
        while (window->reported < bad || pipe_window_in_flight(window) != 1) {
            assert_in_range(++programs, 1, 150);
            (void)fill(window);
            if (window->begun > bad && pipe_window_in_flight(window) > 1) {
                (void)pipe_window_crash(window);
            } else if (window->begun <= bad) {
                answer(window, pipe_window_in_flight(window));
            }
        }
        assert_int_equal(window->reported, bad);
    }
}

static void test_window_reports_refused_items_in_their_turn(void **state)
{
    (void)state;
    struct pipe_window *window = open_window(1000, 1 << 20, 3);
    pipe_window_begin(window, FRAME);
    pipe_window_refuse(window);
    pipe_window_begin(window, FRAME);
    assert_false(pipe_window_oldest_refused(window));
    answer(window, 1);
    assert_true(pipe_window_oldest_refused(window));
    pipe_window_fail(window);
    assert_false(pipe_window_oldest_refused(window));
    answer(window, 1);
    assert_false(pipe_window_oldest_refused(window));
    assert_true(pipe_window_done(window));
    pipe_window_batch(window, 2);
    pipe_window_begin(window, FRAME);
    pipe_window_begin(window, FRAME);
    answer(window, 1);
    assert_false(pipe_window_oldest_refused(window)); /* that was another batch's */
}

static void test_window_bound_that_grows_opens_at_once(void **state)
{
    (void)state;
    struct pipe_window *window = open_window(1000, 1 << 20, 65536);
    pipe_window_bound(window, PIPE_BATCH_MAX);
    assert_int_equal(fill(window), 65536);
    answer(window, 65536);
    pipe_window_batch(window, 65536);
    pipe_window_bound(window, 100);
    assert_int_equal(fill(window), 100);
}

static void test_window_naps_while_the_program_has_items_and_its_pipe_has_room(void **state)
{
    (void)state;
    struct pipe_window *window = open_window(1000, 1 << 20, 10000);
    assert_int_equal(pipe_window_nap_ns(window, 1000), 0); /* nothing is in flight */
    (void)fill(window);
    answer(window, 32);
    assert_int_equal(pipe_window_nap_ns(window, 0), 0); /* the pace is not known */
    assert_int_equal(pipe_window_nap_ns(window, 1000), 8 * 1000);
    assert_int_equal(pipe_window_nap_ns(window, 1000 * 1000), 5 * 1000 * 1000); /* not longer */
    assert_int_equal(pipe_window_nap_ns(window, 2 * 1000 * 1000),
                     0); /* two answers: not worth it */
    pipe_window_learn(window, 1, 6000);
    while (window->answer_len < 5000) {
        pipe_window_learn(window, 1, 6000);
    }
    assert_in_range(pipe_window_nap_ns(window, 1000), 4 * 1000, 6 * 1000);
    answer(window, 20); /* twelve are left */
    assert_int_equal(pipe_window_nap_ns(window, 1000), 0);
    (void)pipe_window_crash(window);
    (void)fill(window);
    assert_int_equal(pipe_window_nap_ns(window, 1000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window_doubles_with_each_window_of_answers),
        cmocka_unit_test(test_window_widens_in_silence_up_to_its_bound),
        cmocka_unit_test(test_window_stays_open_for_the_next_batch),
        cmocka_unit_test(test_window_is_bounded_by_bytes_but_admits_one_item),
        cmocka_unit_test(test_window_is_bounded_by_the_answers_to_expect),
        cmocka_unit_test(test_window_after_crash_is_for_the_oldest_alone),
        cmocka_unit_test(test_window_opens_with_answers_after_crash),
        cmocka_unit_test(test_window_finds_the_item_that_crashes_a_silent_program),
        cmocka_unit_test(test_window_reports_refused_items_in_their_turn),
        cmocka_unit_test(test_window_bound_that_grows_opens_at_once),
        cmocka_unit_test(test_window_naps_while_the_program_has_items_and_its_pipe_has_room),
    };
    return !!cmocka_run_group_tests_name("pipe_window", tests, NULL, NULL);
}
