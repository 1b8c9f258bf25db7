/* Patience alone, with a clock of our own: when silence means what. */
#include "worker/workloads/pipe_patience.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MS    UINT64_C(1000)
#define S     (1000 * MS)
#define STALL (50 * MS)

static const struct pipe_sight idle = {.unread = 0};
static const struct pipe_sight busy = {.busy = true};
static const struct pipe_sight not_reading = {.unread = 100};
static const struct pipe_sight not_taking = {.unread = 65536, .pending = 10};

static struct pipe_habit habit;
static struct pipe_patience patience;

static int set_up(void **state)
{
    (void)state;
    pipe_habit_init(&habit, STALL, UINT64_MAX);
    pipe_patience_init(&patience, &habit, 0);
    pipe_patience_begin(&patience, 0);
    return 0;
}

static enum pipe_deed ask(uint64_t now_us)
{
    uint64_t due_us = 0;
    return pipe_patience_ask(&patience, now_us, &due_us);
}

static void answers(uint64_t now_us, size_t count, size_t bytes, size_t left)
{
    const struct pipe_piece piece = {.count = count, .bytes = bytes, .left = left};
    pipe_patience_answers(&patience, now_us, &piece);
}

/* A program that was silent until it got its end of input at `end_us`, and answers `count` items from `first_us` to
 * `last_us`. */
static bool learn(uint64_t end_us, size_t count, uint64_t first_us, uint64_t last_us)
{
    pipe_patience_init(&patience, &habit, 0);
    pipe_patience_ended(&patience, end_us, false);
    if (first_us == last_us) {
        answers(first_us, count, count * 1000, 0);
    } else {
        answers(first_us, 1, 1000, count - 1);
        answers(last_us, count - 1, count * 1000, 0);
    }
    return pipe_patience_learn(&patience);
}

static void test_patience_looks_after_the_stall_and_says_when(void **state)
{
    (void)state;
    uint64_t due_us = 0;
    assert_int_equal(pipe_patience_ask(&patience, 10 * MS, &due_us), PIPE_WAIT);
    assert_int_equal(due_us, STALL);
    assert_int_equal(ask(STALL), PIPE_LOOK);
    pipe_patience_moved(&patience, 20 * MS);
    assert_int_equal(ask(STALL), PIPE_WAIT);
    assert_int_equal(ask(20 * MS + STALL), PIPE_LOOK);
}

static void test_patience_ends_the_input_of_an_idle_program(void **state)
{
    (void)state;
    assert_int_equal(pipe_patience_look(&patience, STALL, &idle), PIPE_END_INPUT);
}

static void test_patience_waits_for_a_busy_program(void **state)
{
    (void)state;
    for (uint64_t now_us = STALL; now_us < 100 * S; now_us += STALL) {
        assert_int_equal(ask(now_us), PIPE_LOOK);
        assert_int_equal(pipe_patience_look(&patience, now_us, &busy), PIPE_WAIT);
        assert_int_equal(ask(now_us + MS), PIPE_WAIT);
    }
}

static void test_patience_gives_a_program_time_to_start_reading(void **state)
{
    (void)state;
    assert_int_equal(pipe_patience_look(&patience, STALL, &not_reading), PIPE_WAIT);
    assert_int_equal(ask(STALL + MS), PIPE_WAIT); /* not at once again */
    assert_int_equal(ask(2 * STALL), PIPE_LOOK);
    assert_int_equal(pipe_patience_look(&patience, 10 * S, &not_reading), PIPE_END_INPUT);
    assert_int_equal(pipe_patience_look(&patience, 10 * S, &not_taking), PIPE_SILENT);
}

static void test_patience_gives_up_after_the_end_of_input(void **state)
{
    (void)state;
    pipe_patience_ended(&patience, STALL, false);
    assert_int_equal(ask(9 * S), PIPE_WAIT);
    assert_int_equal(ask(10 * S), PIPE_LOOK);
    assert_int_equal(pipe_patience_look(&patience, 10 * S, &busy), PIPE_WAIT);
    assert_int_equal(ask(19 * S), PIPE_WAIT);
    assert_int_equal(ask(20 * S), PIPE_LOOK);
    assert_int_equal(pipe_patience_look(&patience, 20 * S, &idle), PIPE_SILENT);
}

static void test_patience_does_not_limit_a_program_that_is_known_to_answer(void **state)
{
    (void)state;
    answers(MS, 1, 10, 5);
    assert_true(atomic_load(&habit.flushes));
    pipe_patience_ended(&patience, 2 * MS, false);
    assert_int_equal(ask(3600 * S), PIPE_WAIT);

    pipe_patience_ended(&patience, 2 * MS, true); /* but one that has closed its input */
    assert_int_equal(ask(11 * S), PIPE_LOOK);
    assert_int_equal(pipe_patience_look(&patience, 11 * S, &idle), PIPE_SILENT);
}

static void test_patience_keeps_the_limit_of_the_user(void **state)
{
    (void)state;
    habit.timeout_us = 2 * S;
    uint64_t due_us = 0;
    pipe_patience_ended(&patience, MS, false);
    assert_int_equal(pipe_patience_ask(&patience, S, &due_us), PIPE_WAIT);
    assert_int_equal(due_us, 2 * S);
    assert_int_equal(ask(2 * S), PIPE_TIMED_OUT);
    pipe_patience_moved(&patience, 2 * S); /* to take in items is not to answer */
    assert_int_equal(ask(2 * S), PIPE_TIMED_OUT);
    answers(2 * S, 1, 10, 1);
    assert_int_equal(ask(3 * S), PIPE_WAIT);
    assert_int_equal(ask(4 * S), PIPE_TIMED_OUT);
    habit.timeout_us = 60 * S; /* longer than ours: it serves alone */
    assert_int_equal(ask(61 * S), PIPE_WAIT);
    assert_int_equal(ask(62 * S), PIPE_TIMED_OUT);
}

static void test_patience_early_answer_shows_a_program_that_flushes(void **state)
{
    (void)state;
    answers(MS, 1, 511, 10);
    assert_true(atomic_load(&habit.flushes));
    assert_int_equal(ask(MS + STALL), PIPE_WAIT); /* it has more time now */
    assert_int_equal(ask(MS + 20 * STALL), PIPE_LOOK);
}

/* It has got a block of input, and could have waited for that. */
static void test_patience_early_answer_to_much_input_shows_nothing(void **state)
{
    (void)state;
    const struct pipe_piece piece = {.count = 1, .bytes = 10, .left = 500, .given = 4096};
    pipe_patience_answers(&patience, MS, &piece);
    assert_false(atomic_load(&habit.flushes));
}

static void test_patience_full_buffer_shows_nothing(void **state)
{
    (void)state;
    answers(MS, 700, 4096, 10);
    assert_false(atomic_load(&habit.flushes));
    answers(2 * MS, 1, 10, 9); /* so early only counts from the start */
    assert_false(atomic_load(&habit.flushes));
    answers(3 * MS, 9, 90, 0);
    assert_true(atomic_load(&habit.flushes)); /* nothing was held back */
}

static void test_patience_is_longer_for_a_program_that_was_slow(void **state)
{
    (void)state;
    answers(200 * MS, 700, 4096, 10);
    assert_int_equal(ask(200 * MS + STALL), PIPE_WAIT);
    assert_int_equal(ask(200 * MS + 800 * MS), PIPE_LOOK);
}

static void test_patience_learns_from_answers_that_come_all_at_once(void **state)
{
    (void)state;
    assert_true(learn(STALL, 10, STALL + 5 * MS, STALL + 5 * MS));
    assert_true(atomic_load(&habit.holds_back));
    assert_false(learn(STALL, 10, STALL + 5 * MS, STALL + 5 * MS)); /* no news */
}

static void test_patience_learns_from_work_that_is_done_at_the_end(void **state)
{
    (void)state;
    assert_true(learn(STALL, 10, 5 * S, 5 * S + 100 * MS));
}

static void test_patience_does_not_learn_from_answers_one_by_one(void **state)
{
    (void)state;
    assert_false(learn(STALL, 3, STALL + 40 * MS, STALL + 200 * MS));
    assert_false(atomic_load(&habit.holds_back));
    assert_int_equal(atomic_load(&habit.slowest_us), STALL + 40 * MS);
}

static void test_patience_does_not_learn_from_a_program_that_closed_its_input(void **state)
{
    (void)state;
    pipe_patience_ended(&patience, MS, true);
    answers(2 * MS, 10, 10000, 0);
    assert_false(pipe_patience_learn(&patience));
    assert_false(atomic_load(&habit.holds_back));
}

static void test_patience_single_answer_is_only_a_vote(void **state)
{
    (void)state;
    assert_false(learn(STALL, 1, STALL + MS, STALL + MS));
    assert_false(learn(STALL, 1, STALL + 40 * MS, STALL + 40 * MS)); /* not even that */
    assert_false(learn(STALL, 1, STALL + MS, STALL + MS));
    assert_true(learn(STALL, 1, STALL + MS, STALL + MS));
}

/* However long a program takes to leave, and it may be long on a busy machine, the wait before it
 * is told to does not grow for ever. */
static void test_patience_learns_of_a_program_that_is_slow_to_leave(void **state)
{
    (void)state;
    uint64_t wait_us = STALL;
    int programs = 1;
    while (!learn(wait_us, 1, wait_us + 300 * MS, wait_us + 300 * MS)) {
        assert_in_range(++programs, 0, 5);
        wait_us = 0;
        pipe_patience_init(&patience, &habit, 0);
        while (ask(wait_us) == PIPE_WAIT) {
            wait_us += MS;
        }
        assert_in_range(wait_us, 0, 4 * (STALL + 300 * MS));
    }
}

static void test_patience_unlearns_when_the_program_answers_early(void **state)
{
    (void)state;
    assert_true(learn(STALL, 10, STALL + 5 * MS, STALL + 5 * MS));
    pipe_patience_init(&patience, &habit, 0);
    answers(30 * MS, 1, 10, 3);
    assert_false(atomic_load(&habit.holds_back));
    assert_true(atomic_load(&habit.flushes));
}

/* It was told the end at once, and takes its time: then it may be tried without; but not for
 * ever. */
static void test_patience_doubts_once(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        bool news = learn(STALL, 10, STALL + 5 * MS, STALL + 5 * MS);
        assert_int_equal(news, round < 2);
        pipe_patience_init(&patience, &habit, 0);
        pipe_patience_ended(&patience, 0, false);
        answers(100 * MS, 1, 10, 3);
        answers(400 * MS, 3, 30, 0);
        assert_false(pipe_patience_learn(&patience));
        assert_int_equal(atomic_load(&habit.holds_back), round > 0);
    }
}

/* A program that works through its input and hands on full buffers takes its time, too. */
static void test_patience_does_not_doubt_because_of_full_buffers(void **state)
{
    (void)state;
    assert_true(learn(STALL, 10, STALL + 5 * MS, STALL + 5 * MS));
    pipe_patience_init(&patience, &habit, 0);
    pipe_patience_ended(&patience, 0, false);
    answers(100 * MS, 1000, 4096, 1100);
    answers(200 * MS, 1000, 4096, 100);
    answers(210 * MS, 100, 400, 0);
    assert_false(pipe_patience_learn(&patience));
    assert_true(atomic_load(&habit.holds_back));
}

/* It was seen to flush, yet everything waits for its end: that is not slowness, or each wait would
 * make the next one longer. */
static void test_patience_does_not_take_its_own_wait_for_slowness(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        pipe_patience_init(&patience, &habit, 0);
        answers(MS, 1, 10, 9);
        pipe_patience_ended(&patience, S, false);
        answers(S + MS, 9, 90, 0);
        assert_int_equal(pipe_patience_learn(&patience), i == 2);
    }
    assert_in_range(atomic_load(&habit.slowest_us), 0, MS);
}

static void test_patience_answer_cut_by_the_read_is_no_sign(void **state)
{
    (void)state;
    const struct pipe_piece piece = {.count = 9, .bytes = 90, .left = 1, .cut = true};
    pipe_patience_answers(&patience, STALL + MS, &piece);
    assert_false(atomic_load(&habit.flushes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_patience_looks_after_the_stall_and_says_when, set_up),
        cmocka_unit_test_setup(test_patience_ends_the_input_of_an_idle_program, set_up),
        cmocka_unit_test_setup(test_patience_waits_for_a_busy_program, set_up),
        cmocka_unit_test_setup(test_patience_gives_a_program_time_to_start_reading, set_up),
        cmocka_unit_test_setup(test_patience_gives_up_after_the_end_of_input, set_up),
        cmocka_unit_test_setup(test_patience_does_not_limit_a_program_that_is_known_to_answer,
                               set_up),
        cmocka_unit_test_setup(test_patience_keeps_the_limit_of_the_user, set_up),
        cmocka_unit_test_setup(test_patience_early_answer_shows_a_program_that_flushes, set_up),
        cmocka_unit_test_setup(test_patience_early_answer_to_much_input_shows_nothing, set_up),
        cmocka_unit_test_setup(test_patience_full_buffer_shows_nothing, set_up),
        cmocka_unit_test_setup(test_patience_is_longer_for_a_program_that_was_slow, set_up),
        cmocka_unit_test_setup(test_patience_learns_from_answers_that_come_all_at_once, set_up),
        cmocka_unit_test_setup(test_patience_learns_from_work_that_is_done_at_the_end, set_up),
        cmocka_unit_test_setup(test_patience_does_not_learn_from_answers_one_by_one, set_up),
        cmocka_unit_test_setup(test_patience_does_not_learn_from_a_program_that_closed_its_input,
                               set_up),
        cmocka_unit_test_setup(test_patience_single_answer_is_only_a_vote, set_up),
        cmocka_unit_test_setup(test_patience_learns_of_a_program_that_is_slow_to_leave, set_up),
        cmocka_unit_test_setup(test_patience_unlearns_when_the_program_answers_early, set_up),
        cmocka_unit_test_setup(test_patience_doubts_once, set_up),
        cmocka_unit_test_setup(test_patience_does_not_doubt_because_of_full_buffers, set_up),
        cmocka_unit_test_setup(test_patience_does_not_take_its_own_wait_for_slowness, set_up),
        cmocka_unit_test_setup(test_patience_answer_cut_by_the_read_is_no_sign, set_up),
    };
    return !!cmocka_run_group_tests_name("pipe_patience", tests, NULL, NULL);
}
