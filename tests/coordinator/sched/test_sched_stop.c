/* Jobs that are held up for a while, or stopped before their end. */
#include "tests/coordinator/sched/sched_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Two items in chunks of one, both with worker 1, who has slots for them. */
static void given_two_chunks_held(struct fixture *f)
{
    assert_int_equal(fixture_items(f, 2, true), 0);
    assert_int_equal(fixture_join(f, 1, 2, 2), 0);
    assert_int_equal(fixture_sent(f, 1), 2);
}

static void given_options(struct fixture *f, uint32_t crash_limit, uint64_t lease_us)
{
    struct sched_options options = fixture_options(1);
    options.crash_limit = crash_limit;
    options.lease_us = lease_us;
    fixture_restart(f, &options);
}

/* --- hold and stop --- */

static int hold(struct fixture *f, bool on)
{
    struct sched_event event = {.type = SCHED_HOLD, .as.hold = on};
    return fixture_step(f, &event);
}

static void test_sched_on_hold_cuts_no_fresh_chunk_until_it_goes_on(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(hold(f, true), 0);
    fixture_items(f, 10, true);
    fixture_join(f, 1, 2, 2);
    assert_int_equal(f->sent_count, 0);
    assert_int_equal(hold(f, true), 0);
    assert_int_equal(sched_deadline_us(f->sched), UINT64_MAX);
    assert_int_equal(hold(f, false), 0);
    assert_int_equal(fixture_said(f, SCHED_SEND, 1), 2);
}

static void test_sched_on_hold_still_sends_what_comes_back(void **state)
{
    struct fixture *f = *state;
    fixture_items(f, 10, true);
    fixture_join(f, 1, 2, 2);
    hold(f, true);
    fixture_join(f, 2, 2, 2);
    assert_int_equal(fixture_sent(f, 2), 0);
    fixture_returned(f, 1, f->sent[0].chunk);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 1);
    /* and a loss, to a worker that holds nothing */
    fixture_event(f, SCHED_WORKER_LOST, 1);
    fixture_join(f, 3, 2, 2);
    assert_int_equal(fixture_said(f, SCHED_SEND, 3), 1);
    assert_int_equal(f->list[0].chunk.value, f->sent[1].chunk.value);
}

static void test_sched_on_hold_wants_items_as_ever(void **state)
{
    struct fixture *f = *state;
    assert_true(sched_wants_items(f->sched));
    hold(f, true);
    assert_true(sched_wants_items(f->sched));
    fixture_items(f, 1000, false);
    assert_false(sched_wants_items(f->sched));
}

static void test_sched_stop_is_done_at_once_when_nothing_is_held(void **state)
{
    struct fixture *f = *state;
    fixture_items(f, 10, false);
    assert_int_equal(fixture_event(f, SCHED_STOP, 0), 0);
    assert_int_equal(f->actions.count, 1);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
    fixture_join(f, 1, 2, 2);
    assert_int_equal(f->actions.count, 0);
}

static void test_sched_stop_waits_for_what_is_held_and_sends_nothing(void **state)
{
    struct fixture *f = *state;
    fixture_items(f, 10, true);
    fixture_join(f, 1, 3, 3);
    fixture_event(f, SCHED_STOP, 0);
    assert_int_equal(f->actions.count, 0);
    fixture_finish(f, 1, 5);
    assert_int_equal(fixture_event(f, SCHED_STOP, 0), 0);
    fixture_join(f, 2, 2, 2);
    fixture_returned(f, 1, f->sent[1].chunk);
    assert_int_equal(f->sent_count, 3);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 0);
    fixture_result(f, 1, &f->sent[2], 5);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
    /* what was given back was not done, and what was never sent was not either */
    uint64_t first = 0;
    uint64_t end = 0;
    assert_int_equal(sched_done_spans(f->sched, 1, &first, &end), 2);
    assert_int_equal(first, 2);
    assert_int_equal(end, 3);
    assert_int_equal(fixture_stats(f).items_done, 2);
}

static void test_sched_stop_is_done_when_the_last_holder_is_lost(void **state)
{
    struct fixture *f = *state;
    given_two_chunks_held(f);
    fixture_event(f, SCHED_NO_MORE_WORKERS, 0);
    fixture_event(f, SCHED_STOP, 0);
    fixture_event(f, SCHED_WORKER_LOST, 1);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
    assert_int_equal(fixture_said(f, SCHED_STALLED, 0), 0);
    assert_int_equal(fixture_stats(f).items_done, 0);
}

static void test_sched_stop_says_first_what_it_gives_up(void **state)
{
    struct fixture *f = *state;
    /* given a hundred workers with one item each, which fall silent together */
    given_options(f, 1, 1000);
    fixture_items(f, 100, true);
    for (uint64_t id = 1; id <= 100; id++) {
        fixture_join(f, id, 1, 1);
    }
    f->capacity = SCHED_ACTIONS_MIN;
    fixture_event(f, SCHED_STOP, 0);
    f->now_us = 1000;
    size_t abandoned = 0;
    for (size_t step = 0; abandoned < 100; step++) {
        assert_true(step < 10);
        assert_int_equal(fixture_said(f, SCHED_DONE, 0), 0);
        fixture_event(f, SCHED_TICK, 0);
        abandoned += fixture_said(f, SCHED_ABANDONED, 0);
    }
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sched_on_hold_cuts_no_fresh_chunk_until_it_goes_on),
        TEST(test_sched_on_hold_still_sends_what_comes_back),
        TEST(test_sched_on_hold_wants_items_as_ever),
        TEST(test_sched_stop_is_done_at_once_when_nothing_is_held),
        TEST(test_sched_stop_waits_for_what_is_held_and_sends_nothing),
        TEST(test_sched_stop_is_done_when_the_last_holder_is_lost),
        TEST(test_sched_stop_says_first_what_it_gives_up),
    };
    return cmocka_run_group_tests_name("sched_stop", tests, NULL, NULL) != 0;
}
