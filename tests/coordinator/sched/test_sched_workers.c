/* Workers that go, of themselves or because nothing is heard of them, and what becomes of their chunks. */
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

/* --- workers that go --- */

static void test_sched_requeues_chunks_of_lost_worker(void **state)
{
    struct fixture *f = *state;
    given_two_chunks_held(f);
    fixture_event(f, SCHED_WORKER_LOST, 1);
    assert_int_equal(fixture_stats(f).items_queued, 2);
    assert_int_equal(fixture_stats(f).items_held, 0);
    assert_int_equal(fixture_stats(f).workers_lost, 1);
    fixture_join(f, 2, 2, 2);
    assert_int_equal(f->sent_count, 4);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(f->sent[2 + i].chunk.value, f->sent[i].chunk.value);
        assert_int_equal(f->sent[2 + i].slot, f->sent[i].slot);
        assert_int_equal(f->sent[2 + i].attempt, 2);
        fixture_finish(f, 2, 5);
    }
    assert_int_equal(fixture_stats(f).chunks_retried, 2);
}

static void test_sched_takes_the_late_result_of_a_queued_chunk_from_the_queue(void **state)
{
    /* given a worker that lost its session and came back under another id with a result to tell */
    struct fixture *f = *state;
    given_two_chunks_held(f);
    fixture_event(f, SCHED_WORKER_LOST, 1);
    fixture_join(f, 2, 1, 0);
    fixture_result(f, 2, &f->sent[0], 5);
    assert_int_equal(fixture_said(f, SCHED_FINISHED, 2), 1);
    assert_int_equal(fixture_stats(f).items_queued, 1);
    /* then only the other chunk is tried again */
    fixture_credit(f, 2, 2);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 1);
    assert_int_equal(f->list[0].chunk.value, f->sent[1].chunk.value);
}

static void test_sched_takes_an_earlier_attempt_while_another_worker_has_the_chunk(void **state)
{
    struct fixture *f = *state;
    given_two_chunks_held(f);
    fixture_event(f, SCHED_WORKER_LOST, 1);
    fixture_join(f, 2, 2, 2);
    fixture_join(f, 3, 1, 0);
    fixture_result(f, 3, &f->sent[0], 5);
    assert_int_equal(fixture_said(f, SCHED_FINISHED, 3), 1);
    assert_int_equal(f->list[0].attempt, 1);
    assert_int_equal(fixture_stats(f).items_held, 1);
    /* when the second attempt ends it is a duplicate */
    fixture_result(f, 2, &f->sent[2], 5);
    assert_int_equal(f->actions.count, 0);
    assert_int_equal(fixture_stats(f).duplicates, 1);
    assert_int_equal(fixture_stats(f).items_done, 1);
}

static void test_sched_abandons_a_chunk_after_its_last_attempt(void **state)
{
    struct fixture *f = *state;
    given_options(f, 2, 0);
    given_two_chunks_held(f);
    /* lost in company, which does not count, and then alone */
    fixture_event(f, SCHED_WORKER_LOST, 1);
    fixture_join(f, 2, 1, 1);
    fixture_event(f, SCHED_WORKER_LOST, 2);
    assert_int_equal(fixture_said(f, SCHED_ABANDONED, 0), 0);
    fixture_join(f, 3, 1, 1);
    fixture_event(f, SCHED_WORKER_LOST, 3);
    /* one chunk was lost alone twice, the other one never */
    assert_int_equal(fixture_said(f, SCHED_ABANDONED, 0), 1);
    assert_int_equal(f->list[0].chunk.value, f->sent[0].chunk.value);
    assert_int_equal(f->list[0].slot, f->sent[0].slot);
    assert_int_equal(fixture_stats(f).tally.failed, 1);
    assert_int_equal(fixture_stats(f).items_done, 1);
    assert_int_equal(fixture_stats(f).chunks_abandoned, 1);
    fixture_join(f, 4, 1, 1);
    fixture_event(f, SCHED_WORKER_LOST, 4);
    fixture_join(f, 5, 1, 1);
    fixture_event(f, SCHED_WORKER_LOST, 5);
    assert_int_equal(fixture_said(f, SCHED_ABANDONED, 0), 1);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
    /* and a result that comes after that counts no more */
    assert_int_equal(fixture_stats(f).tally.failed, 2);
}

static void test_sched_worker_that_left_burns_no_attempt(void **state)
{
    struct fixture *f = *state;
    given_options(f, 1, 0);
    given_two_chunks_held(f);
    fixture_event(f, SCHED_WORKER_LEFT, 1);
    assert_int_equal(fixture_said(f, SCHED_ABANDONED, 0), 0);
    assert_int_equal(fixture_stats(f).items_queued, 2);
    assert_int_equal(fixture_stats(f).workers_left, 1);
    assert_int_equal(fixture_stats(f).workers_lost, 0);
}

static void test_sched_returned_chunk_burns_no_attempt_and_runs_elsewhere(void **state)
{
    struct fixture *f = *state;
    given_options(f, 1, 0);
    given_two_chunks_held(f);
    fixture_event(f, SCHED_WORKER_DRAINING, 1);
    fixture_returned(f, 1, f->sent[1].chunk);
    assert_int_equal(f->actions.count, 0);
    assert_int_equal(fixture_stats(f).items_queued, 1);
    assert_int_equal(fixture_stats(f).items_held, 1);
    fixture_join(f, 2, 2, 2);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 1);
    assert_int_equal(f->list[0].chunk.value, f->sent[1].chunk.value);
    assert_int_equal(f->list[0].attempt, 2);
}

static void test_sched_ignores_the_return_of_what_the_worker_does_not_hold(void **state)
{
    struct fixture *f = *state;
    fixture_items(f, 3, true);
    fixture_join(f, 1, 2, 2);
    fixture_join(f, 2, 1, 1);
    fixture_result(f, 1, &f->sent[0], 5);
    assert_int_equal(fixture_returned(f, 1, f->sent[0].chunk), 0); /* done */
    assert_int_equal(fixture_returned(f, 1, f->sent[2].chunk), 0); /* of worker 2 */
    assert_int_equal(fixture_returned(f, 1, (struct chunk_id){12345}), 0);
    assert_int_equal(fixture_stats(f).items_queued, 0);
    assert_int_equal(fixture_stats(f).items_held, 2);
}

static void test_sched_draining_worker_finishes_what_it_holds_but_gets_nothing(void **state)
{
    struct fixture *f = *state;
    fixture_items(f, 10, true);
    fixture_join(f, 1, 2, 2);
    fixture_event(f, SCHED_WORKER_DRAINING, 1);
    assert_int_equal(fixture_event(f, SCHED_WORKER_DRAINING, 1), 0);
    fixture_credit(f, 1, 5);
    assert_int_equal(f->actions.count, 0);
    fixture_result(f, 1, &f->sent[0], 5);
    assert_int_equal(f->actions.count, 1);
    assert_int_equal(fixture_said(f, SCHED_FINISHED, 1), 1);
    assert_int_equal(fixture_stats(f).slots_live, 0);
    assert_int_equal(fixture_stats(f).workers_live, 1);
}

static void test_sched_is_stalled_without_workers_and_says_it_once(void **state)
{
    struct fixture *f = *state;
    given_two_chunks_held(f);
    fixture_event(f, SCHED_NO_MORE_WORKERS, 0);
    assert_int_equal(f->actions.count, 0);
    fixture_event(f, SCHED_WORKER_LEFT, 1);
    assert_int_equal(fixture_said(f, SCHED_STALLED, 0), 1);
    fixture_event(f, SCHED_NO_MORE_WORKERS, 0);
    fixture_event(f, SCHED_TICK, 0);
    assert_int_equal(f->actions.count, 0);
}

static void test_sched_is_not_stalled_when_the_work_is_done(void **state)
{
    struct fixture *f = *state;
    fixture_event(f, SCHED_NO_MORE_WORKERS, 0);
    assert_int_equal(f->actions.count, 0);
    fixture_items(f, 0, true);
    assert_int_equal(f->actions.count, 1);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
}

static void test_sched_abandoning_the_last_chunks_is_done_not_stalled(void **state)
{
    struct fixture *f = *state;
    given_options(f, 1, 0);
    fixture_items(f, 2, true);
    fixture_join(f, 1, 1, 1);
    fixture_join(f, 2, 1, 1);
    fixture_event(f, SCHED_NO_MORE_WORKERS, 0);
    fixture_event(f, SCHED_WORKER_LOST, 1);
    assert_int_equal(fixture_said(f, SCHED_ABANDONED, 0), 1);
    fixture_event(f, SCHED_WORKER_LOST, 2);
    assert_int_equal(fixture_said(f, SCHED_ABANDONED, 0), 1);
    assert_int_equal(fixture_said(f, SCHED_STALLED, 0), 0);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
}

/* --- leases --- */

static void test_sched_drops_silent_workers_in_the_order_they_fell_silent(void **state)
{
    struct fixture *f = *state;
    given_options(f, 3, 1000);
    fixture_items(f, 10, true);
    for (uint64_t id = 1; id <= 3; id++) {
        f->now_us = id * 10;
        fixture_join(f, id, 1, 1);
    }
    f->now_us = 500;
    fixture_event(f, SCHED_HEARD, 1);
    assert_int_equal(sched_deadline_us(f->sched), 1020);
    f->now_us = 1019;
    fixture_event(f, SCHED_TICK, 0);
    assert_int_equal(f->actions.count, 0);
    f->now_us = 1025;
    fixture_event(f, SCHED_TICK, 0);
    assert_int_equal(fixture_said(f, SCHED_DROP_WORKER, 0), 1);
    assert_int_equal(fixture_said(f, SCHED_DROP_WORKER, 2), 1);
    assert_int_equal(sched_deadline_us(f->sched), 1030);
    f->now_us = 5000;
    fixture_event(f, SCHED_TICK, 0);
    assert_int_equal(f->list[0].worker.value, 3);
    assert_int_equal(f->list[1].worker.value, 1);
    assert_int_equal(fixture_stats(f).workers_lost, 3);
    assert_int_equal(fixture_stats(f).items_queued, 3);
    assert_int_equal(sched_deadline_us(f->sched), UINT64_MAX);
}

static void test_sched_gives_the_chunks_of_a_silent_worker_to_another(void **state)
{
    struct fixture *f = *state;
    given_options(f, 3, 1000);
    fixture_items(f, 2, true);
    fixture_join(f, 1, 2, 2);
    f->now_us = 900;
    fixture_join(f, 2, 2, 2);
    f->now_us = 1000;
    fixture_event(f, SCHED_TICK, 0);
    assert_int_equal(f->list[0].type, SCHED_DROP_WORKER);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 2);
}

static void test_sched_renews_a_lease_with_every_sign_of_life(void **state)
{
    struct fixture *f = *state;

    const enum sched_event_type signs[] = {
        SCHED_HEARD, SCHED_CREDIT, SCHED_RESULT, SCHED_CHUNK_RETURNED, SCHED_WORKER_DRAINING};

    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        given_options(f, 3, 1000);
        fixture_join(f, 1, 1, 1);
        f->now_us = 700;
        assert_int_equal(fixture_event(f, signs[i], 1), 0);
        assert_int_equal(sched_deadline_us(f->sched), 1700);
    }
}

static void test_sched_waits_as_long_as_the_lease_that_it_was_told_last(void **state)
{
    struct fixture *f = *state;
    struct sched_event lease = {.type = SCHED_LEASE, .as.lease_us = 5000};
    given_options(f, 3, 1000);
    fixture_items(f, 2, true);
    fixture_join(f, 1, 1, 1);
    f->now_us = 500;
    fixture_join(f, 2, 1, 1);
    assert_int_equal(sched_step(f->sched, f->now_us, &lease, &f->actions), 0);
    assert_int_equal(sched_deadline_us(f->sched), 5000);
    f->now_us = 4999;
    fixture_event(f, SCHED_TICK, 0);
    assert_int_equal(fixture_said(f, SCHED_DROP_WORKER, 0), 0);
    /* a shorter one holds for those too that have been silent for longer */
    lease.as.lease_us = 4600;
    assert_int_equal(sched_step(f->sched, f->now_us, &lease, &f->actions), 0);
    assert_true(sched_deadline_us(f->sched) <= f->now_us);
    fixture_event(f, SCHED_TICK, 0);
    assert_int_equal(fixture_said(f, SCHED_DROP_WORKER, 1), 1);
    assert_int_equal(fixture_said(f, SCHED_DROP_WORKER, 2), 0);
    assert_int_equal(sched_deadline_us(f->sched), 5100);
}

static void test_sched_without_leases_waits_for_ever(void **state)
{
    struct fixture *f = *state;
    given_two_chunks_held(f);
    assert_int_equal(sched_deadline_us(f->sched), UINT64_MAX);
    f->now_us = UINT64_MAX - 1;
    fixture_event(f, SCHED_TICK, 0);
    assert_int_equal(f->actions.count, 0);
}

static void test_sched_deadline_does_not_wrap(void **state)
{
    struct fixture *f = *state;
    given_options(f, 3, UINT64_MAX);
    f->now_us = 5;
    fixture_join(f, 1, 1, 1);
    assert_int_equal(sched_deadline_us(f->sched), UINT64_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sched_requeues_chunks_of_lost_worker),
        TEST(test_sched_takes_the_late_result_of_a_queued_chunk_from_the_queue),
        TEST(test_sched_takes_an_earlier_attempt_while_another_worker_has_the_chunk),
        TEST(test_sched_abandons_a_chunk_after_its_last_attempt),
        TEST(test_sched_worker_that_left_burns_no_attempt),
        TEST(test_sched_returned_chunk_burns_no_attempt_and_runs_elsewhere),
        TEST(test_sched_ignores_the_return_of_what_the_worker_does_not_hold),
        TEST(test_sched_draining_worker_finishes_what_it_holds_but_gets_nothing),
        TEST(test_sched_is_stalled_without_workers_and_says_it_once),
        TEST(test_sched_is_not_stalled_when_the_work_is_done),
        TEST(test_sched_abandoning_the_last_chunks_is_done_not_stalled),
        TEST(test_sched_drops_silent_workers_in_the_order_they_fell_silent),
        TEST(test_sched_gives_the_chunks_of_a_silent_worker_to_another),
        TEST(test_sched_renews_a_lease_with_every_sign_of_life),
        TEST(test_sched_waits_as_long_as_the_lease_that_it_was_told_last),
        TEST(test_sched_without_leases_waits_for_ever),
        TEST(test_sched_deadline_does_not_wrap),
    };
    return cmocka_run_group_tests_name("sched_workers", tests, NULL, NULL) != 0;
}
