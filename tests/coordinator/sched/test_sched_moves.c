/* Chunks of which only a part is over: results of the first items alone, and failed items that are run again. */
#include "common/base/err.h"
#include "tests/coordinator/sched/sched_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { DELAY_US = 1000 };

static void given_options(struct fixture *f, uint64_t chunk_items, uint32_t retries_max)
{
    struct sched_options options = fixture_options(chunk_items);
    options.retries_max = retries_max;
    options.retry_delay_us = DELAY_US;
    fixture_restart(f, &options);
}

/* One chunk of ten items, which are all there is, with worker 1, who has no credit left. */
static struct sched_action given_ten_items_held(struct fixture *f, uint32_t retries_max)
{
    given_options(f, 10, retries_max);
    assert_int_equal(fixture_items(f, 10, true), 0);
    assert_int_equal(fixture_join(f, 1, 1, 1), 0);
    assert_int_equal(f->sent_count, 1);
    return f->sent[0];
}

static const struct sched_span first_item = {0, 1};

/* --- results of the first items --- */

static void test_sched_partial_result_makes_the_rest_a_chunk_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct sched_action send = given_ten_items_held(f, 0);
    assert_int_equal(fixture_part(f, 1, &send, 4, NULL, 0), 0);
    assert_int_equal(f->actions.count, 1);
    assert_int_equal(f->list[0].type, SCHED_FINISHED);
    assert_int_equal(f->list[0].count, 10);
    assert_int_equal(f->list[0].done, 4);
    assert_int_equal(f->list[0].retried, 0);
    assert_int_equal(fixture_stats(f).items_done, 4);
    assert_int_equal(fixture_stats(f).items_queued, 6);
    fixture_credit(f, 1, 1);
    struct sched_action rest = *fixture_last(f);
    assert_int_equal(f->sent_count, 2);
    assert_true(rest.chunk.value != send.chunk.value);
    assert_int_equal(rest.first, 4);
    assert_int_equal(rest.count, 6);
    fixture_result(f, 1, &rest, 5);
    assert_int_equal(f->list[0].done, 6);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
    assert_int_equal(fixture_stats(f).tally.ok, 10);
    assert_int_equal(fixture_stats(f).chunks_finished, 2);
}

static void test_sched_rest_of_a_chunk_is_the_same_attempt_going_on(void **state)
{
    struct fixture *f = *state;
    struct sched_action send = given_ten_items_held(f, 0);
    for (uint64_t left = 9; left > 0; left--) {
        assert_int_equal(fixture_part(f, 1, &send, 1, NULL, 0), 0);
        fixture_credit(f, 1, 1);
        send = *fixture_last(f);
        assert_int_equal(send.attempt, 1);
        assert_int_equal(send.count, left);
    }
    assert_int_equal(fixture_stats(f).chunks_retried, 0);
    /* and it counts on when it is given back */
    fixture_returned(f, 1, send.chunk);
    fixture_credit(f, 1, 1);
    assert_int_equal(fixture_last(f)->attempt, 2);
}

static void test_sched_rest_of_a_chunk_is_next_and_may_go_to_the_same_worker(void **state)
{
    /* given a queued chunk, and fresh ones, and a worker that answers for a part */
    struct fixture *f = *state;
    given_options(f, 10, 0);
    fixture_items(f, 100, true);
    fixture_join(f, 1, 2, 2);
    fixture_returned(f, 1, f->sent[1].chunk);
    fixture_part(f, 1, &f->sent[0], 7, NULL, 0);
    fixture_credit(f, 1, 3);
    assert_int_equal(f->actions.count, 3);
    const uint64_t firsts[] = {7, 10, 20};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(f->list[i].first, firsts[i]);
    }
}

static void test_sched_later_results_of_a_chunk_that_was_divided_are_duplicates(void **state)
{
    struct fixture *f = *state;
    struct sched_action send = given_ten_items_held(f, 0);
    fixture_part(f, 1, &send, 4, NULL, 0);
    assert_int_equal(fixture_result(f, 1, &send, 5), 0);
    fixture_credit(f, 1, 1);
    assert_int_equal(fixture_part(f, 1, &send, 4, NULL, 0), 0);
    assert_int_equal(fixture_stats(f).duplicates, 2);
    assert_int_equal(fixture_stats(f).items_done, 4);
    assert_int_equal(fixture_stats(f).strays, 0);
}

static void test_sched_partial_result_may_come_late(void **state)
{
    /* given a chunk that another worker has by now */
    struct fixture *f = *state;
    struct sched_action send = given_ten_items_held(f, 0);
    fixture_event(f, SCHED_WORKER_LEFT, 1);
    fixture_join(f, 2, 1, 1);
    fixture_join(f, 3, 1, 1);
    struct sched_action again = *fixture_last(f);
    assert_int_equal(again.worker.value, 2);
    fixture_part(f, 3, &send, 4, NULL, 0);
    assert_int_equal(fixture_said(f, SCHED_FINISHED, 3), 1);
    /* then the rest is with the third, and what the other says does not count */
    assert_int_equal(fixture_said(f, SCHED_SEND, 3), 1);
    assert_int_equal(fixture_last(f)->first, 4);
    fixture_result(f, 2, &again, 5);
    assert_int_equal(fixture_stats(f).duplicates, 1);
    assert_int_equal(fixture_stats(f).items_done, 4);
}

static void test_sched_learns_the_cost_from_the_items_that_were_run(void **state)
{
    struct fixture *f = *state;
    struct sched_action send = given_ten_items_held(f, 0);
    struct sched_event event = {.type = SCHED_RESULT, .worker = {1}};
    event.as.result.chunk = send.chunk;
    event.as.result.attempt = 1;
    event.as.result.run_us = 500;
    event.as.result.tally = (struct tally){.ok = 3, .failed = 2};
    fixture_step(f, &event);
    assert_true(fixture_stats(f).item_cost_us == 100.0);
}

static void test_sched_parts_stay_in_the_order_of_their_items(void **state)
{
    /* given three chunks in flight, and a part of each over: the fixture checks the order */
    struct fixture *f = *state;
    given_options(f, 10, 1);
    fixture_items(f, 30, true);
    fixture_join(f, 1, 3, 3);
    const struct sched_span failed[] = {{0, 2}, {4, 1}};
    for (size_t i = 3; i > 0; i--) {
        fixture_part(f, 1, &f->sent[i - 1], 6, failed, 2);
    }
    /* done: items 2, 3 and 5 of each */
    uint64_t first = 0;
    uint64_t end = 0;
    const uint64_t expected[][2] = {{2, 4}, {5, 6}, {12, 14}, {15, 16}, {22, 24}, {25, 26}};
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(sched_done_spans(f->sched, i, &first, &end), 6);
        assert_int_equal(first, expected[i][0]);
        assert_int_equal(end, expected[i][1]);
    }
}

/* --- failed items --- */

static void test_sched_runs_failed_items_again_when_their_delay_is_over(void **state)
{
    struct fixture *f = *state;
    struct sched_action send = given_ten_items_held(f, 1);
    const struct sched_span failed[] = {{2, 3}, {9, 1}};
    f->now_us = 50;
    assert_int_equal(fixture_part(f, 1, &send, 10, failed, 2), 0);
    assert_int_equal(f->list[0].done, 10);
    assert_int_equal(f->list[0].retried, 4);
    fixture_credit(f, 1, 5);
    assert_int_equal(f->sent_count, 1);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 0);
    assert_int_equal(sched_deadline_us(f->sched), 50 + DELAY_US);
    f->now_us = 50 + DELAY_US;
    fixture_event(f, SCHED_TICK, 0);
    assert_int_equal(f->actions.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(f->list[i].type, SCHED_SEND);
        assert_int_equal(f->list[i].first, failed[i].first);
        assert_int_equal(f->list[i].count, failed[i].count);
        assert_int_equal(f->list[i].attempt, 2);
    }
    assert_int_equal(sched_deadline_us(f->sched), UINT64_MAX);
}

static void test_sched_failed_items_wait_for_another_worker_while_there_is_one(void **state)
{
    /* given worker 1, who failed an item and has room, and worker 2, who has none */
    struct fixture *f = *state;
    given_options(f, 1, 1);
    fixture_items(f, 3, true);
    fixture_join(f, 1, 1, 1);
    struct sched_action send = f->sent[0];
    fixture_join(f, 2, 1, 1);
    fixture_part(f, 1, &send, 1, &first_item, 1);
    f->now_us += DELAY_US;
    fixture_credit(f, 1, 5);
    /* it gets what is fresh, and not what it failed */
    assert_int_equal(fixture_sent(f, 1), 2);
    assert_int_equal(fixture_last(f)->first, 2);
    fixture_finish(f, 1, 5);
    assert_int_equal(fixture_sent(f, 1), 2);
    fixture_credit(f, 2, 1);
    fixture_finish(f, 2, 5);
    assert_int_equal(fixture_last(f)->first, 0);
    assert_int_equal(fixture_last(f)->worker.value, 2);
}

static void test_sched_failed_items_go_back_when_there_is_no_other_worker(void **state)
{
    struct fixture *f = *state;
    given_options(f, 1, 1);
    fixture_items(f, 1, true);
    fixture_join(f, 1, 1, 1);
    fixture_join(f, 2, 1, 0);
    fixture_part(f, 1, &f->sent[0], 1, &first_item, 1);
    f->now_us += DELAY_US;
    fixture_credit(f, 1, 5);
    assert_int_equal(f->sent_count, 1);
    fixture_event(f, SCHED_WORKER_LEFT, 2);
    assert_int_equal(f->sent_count, 2);
    assert_int_equal(fixture_last(f)->worker.value, 1);
}

static void test_sched_items_that_will_run_again_are_not_accounted_for(void **state)
{
    struct fixture *f = *state;
    struct sched_action send = given_ten_items_held(f, 1);
    struct sched_event event = {.type = SCHED_RESULT, .worker = {1}};
    event.as.result.chunk = send.chunk;
    event.as.result.attempt = 1;
    event.as.result.tally = (struct tally){.ok = 9, .failed = 1, .checksum = 5, .bytes_out = 6};
    event.as.result.failed = &first_item;
    event.as.result.failed_count = 1;
    fixture_step(f, &event);
    struct sched_stats stats = fixture_stats(f);
    assert_int_equal(stats.items_done, 9);
    assert_int_equal(stats.items_queued, 1);
    assert_int_equal(stats.items_retried, 1);
    assert_int_equal(stats.tally.ok, 9);
    assert_int_equal(stats.tally.failed, 0);
    assert_int_equal(stats.tally.checksum, 5);
    assert_int_equal(stats.tally.bytes_out, 6);
}

static void test_sched_items_that_failed_too_often_count_as_failed(void **state)
{
    struct fixture *f = *state;
    struct sched_action send = given_ten_items_held(f, 2);
    struct sched_span all = {0, 10};
    for (uint32_t attempt = 1; attempt <= 3; attempt++) {
        assert_int_equal(send.attempt, attempt);
        fixture_part(f, 1, &send, all.count, &all, 1);
        assert_int_equal(f->list[0].retried, attempt <= 2 ? all.count : 0);
        f->now_us += 100 * DELAY_US;
        fixture_credit(f, 1, 1);
        send = *fixture_last(f);
    }
    assert_int_equal(fixture_stats(f).tally.failed, 10);
    assert_int_equal(fixture_stats(f).items_done, 10);
    assert_int_equal(fixture_stats(f).items_retried, 20);
    assert_int_equal(f->sent_count, 3);
}

static void test_sched_delay_doubles_with_each_failure_up_to_64_times(void **state)
{
    struct fixture *f = *state;
    given_options(f, 1, 10);
    fixture_items(f, 1, true);
    fixture_join(f, 1, 1, 1);
    const uint64_t factors[] = {1, 2, 4, 8, 16, 32, 64, 64, 64, 64};
    for (size_t i = 0; i < 10; i++) {
        fixture_part(f, 1, fixture_last(f), 1, &first_item, 1);
        fixture_credit(f, 1, 1);
        assert_int_equal(sched_deadline_us(f->sched), f->now_us + factors[i] * DELAY_US);
        f->now_us += factors[i] * DELAY_US - 1;
        fixture_event(f, SCHED_TICK, 0);
        assert_int_equal(f->actions.count, 0);
        f->now_us++;
        fixture_event(f, SCHED_TICK, 0);
        assert_int_equal(fixture_said(f, SCHED_SEND, 1), 1);
    }
    fixture_part(f, 1, fixture_last(f), 1, &first_item, 1);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
}

static void test_sched_without_a_delay_failed_items_run_again_at_once(void **state)
{
    struct fixture *f = *state;
    struct sched_options options = fixture_options(1);
    options.retries_max = 1;
    fixture_restart(f, &options);
    fixture_items(f, 1, true);
    fixture_join(f, 1, 1, 2);
    fixture_part(f, 1, &f->sent[0], 1, &first_item, 1);
    assert_int_equal(fixture_said(f, SCHED_SEND, 1), 1);
    assert_int_equal(fixture_last(f)->attempt, 2);
}

static void test_sched_endless_delay_does_not_wrap(void **state)
{
    struct fixture *f = *state;
    struct sched_options options = fixture_options(1);
    options.retries_max = 2;
    options.retry_delay_us = UINT64_MAX / 2 + 2;
    fixture_restart(f, &options);
    fixture_items(f, 1, true);
    f->now_us = 7;
    fixture_join(f, 1, 1, 5);
    fixture_part(f, 1, &f->sent[0], 1, &first_item, 1);
    assert_int_equal(sched_deadline_us(f->sched), UINT64_MAX / 2 + 9);
    f->now_us = UINT64_MAX / 2 + 9;
    fixture_event(f, SCHED_TICK, 0);
    assert_int_equal(f->sent_count, 2);
    fixture_part(f, 1, fixture_last(f), 1, &first_item, 1);
    assert_int_equal(f->sent_count, 2);
    assert_int_equal(sched_deadline_us(f->sched), UINT64_MAX);
}

static void test_sched_retries_failed_items_at_another_worker_when_one_could_take_them(void **state)
{
    /* given worker 1, whose turn it is, and worker 2 */
    struct fixture *f = *state;
    given_options(f, 1, 5);
    fixture_items(f, 1, true);
    fixture_join(f, 1, 1, 5);
    fixture_part(f, 1, &f->sent[0], 1, &first_item, 1);
    fixture_join(f, 2, 1, 1);
    f->now_us += DELAY_US;
    fixture_event(f, SCHED_TICK, 0);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 1);
    /* and at the same one when there is no other that could */
    fixture_part(f, 2, fixture_last(f), 1, &first_item, 1);
    fixture_event(f, SCHED_WORKER_LEFT, 1);
    fixture_credit(f, 2, 1);
    f->now_us += 2 * DELAY_US;
    fixture_event(f, SCHED_TICK, 0);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 1);
}

static void test_sched_failures_that_nobody_named_are_not_run_again(void **state)
{
    struct fixture *f = *state;
    struct sched_action send = given_ten_items_held(f, 5);
    struct sched_event event = {.type = SCHED_RESULT, .worker = {1}};
    event.as.result.chunk = send.chunk;
    event.as.result.attempt = 1;
    event.as.result.tally = (struct tally){.ok = 9, .failed = 1};
    fixture_step(f, &event);
    assert_int_equal(f->list[0].retried, 0);
    assert_int_equal(fixture_stats(f).tally.failed, 1);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
}

static void test_sched_refuses_failed_items_that_do_not_add_up(void **state)
{
    struct fixture *f = *state;
    struct sched_action send = given_ten_items_held(f, 5);
    struct sched_stats before = fixture_stats(f);

    const struct {
        struct sched_span spans[2];
        size_t count;
        uint64_t failed; /* of 8 that were run */
    } bad[] = {
        {{{0, 0}}, 1, 0},                  /* empty */
        {{{0, 1}}, 1, 0},                  /* more than are counted */
        {{{0, 1}}, 1, 2},                  /* fewer */
        {{{8, 1}}, 1, 1},                  /* was not run */
        {{{7, 2}}, 1, 2},                  /* likewise */
        {{{0, UINT64_MAX}}, 1, 3},         /* wraps */
        {{{UINT64_MAX, 2}}, 1, 2},         /* wraps */
        {{{3, 2}, {4, 1}}, 2, 3},          /* one item twice */
        {{{4, 1}, {2, 1}}, 2, 2},          /* not ascending */
        {{{0, 4}, {4, UINT64_MAX}}, 2, 3}, /* their sum wraps */
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct sched_event event = {.type = SCHED_RESULT, .worker = {1}};
        event.as.result.chunk = send.chunk;
        event.as.result.attempt = 1;
        event.as.result.failed = bad[i].spans;
        event.as.result.failed_count = bad[i].count;
        event.as.result.tally = (struct tally){.ok = 8 - bad[i].failed, .failed = bad[i].failed};
        assert_int_equal(fixture_step(f, &event), ERR_INVALID);
        struct sched_stats after = fixture_stats(f);
        assert_memory_equal(&before, &after, sizeof(before));
    }
    const struct sched_span touching[] = {{0, 4}, {4, 4}};
    assert_int_equal(fixture_part(f, 1, &send, 8, touching, 2), 0);
    assert_int_equal(fixture_stats(f).items_queued, 10);
}

static void test_sched_fresh_chunks_do_not_wait_for_delayed_ones_but_go_behind_due_ones(
    void **state)
{
    struct fixture *f = *state;
    given_options(f, 10, 5);
    fixture_items(f, 100, true);
    fixture_join(f, 1, 1, 2);
    fixture_part(f, 1, &f->sent[0], 10, &first_item, 1);
    assert_int_equal(fixture_said(f, SCHED_SEND, 1), 1);
    assert_int_equal(fixture_last(f)->first, 10);
    f->now_us += DELAY_US;
    fixture_credit(f, 1, 2);
    assert_int_equal(f->list[0].first, 0);
    assert_int_equal(f->list[0].count, 1);
    assert_int_equal(f->list[1].first, 20);
}

static void test_sched_a_run_without_workers_is_stalled_also_while_chunks_are_delayed(void **state)
{
    struct fixture *f = *state;
    struct sched_action send = given_ten_items_held(f, 5);
    fixture_part(f, 1, &send, 10, &first_item, 1);
    fixture_event(f, SCHED_NO_MORE_WORKERS, 0);
    assert_int_equal(f->actions.count, 0);
    fixture_event(f, SCHED_WORKER_LEFT, 1);
    assert_int_equal(fixture_said(f, SCHED_STALLED, 0), 1);
}

static void test_sched_result_may_leave_failed_items_and_a_rest(void **state)
{
    struct fixture *f = *state;
    struct sched_action send = given_ten_items_held(f, 1);
    const struct sched_span failed[] = {{0, 1}, {3, 2}};
    fixture_part(f, 1, &send, 5, failed, 2);
    assert_int_equal(f->list[0].done, 5);
    assert_int_equal(f->list[0].retried, 3);
    assert_int_equal(fixture_stats(f).items_done, 2);
    assert_int_equal(fixture_stats(f).items_queued, 8);
    f->now_us += DELAY_US;
    fixture_credit(f, 1, 3);
    /* no matter that they are due: the rest waits for a slot only */
    const uint64_t expected[][3] = {{5, 5, 1}, {0, 1, 2}, {3, 2, 2}};
    assert_int_equal(fixture_said(f, SCHED_SEND, 1), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(f->sent[i + 1].first, expected[i][0]);
        assert_int_equal(f->sent[i + 1].count, expected[i][1]);
        assert_int_equal(f->sent[i + 1].attempt, expected[i][2]);
        fixture_result(f, 1, &f->sent[i + 1], 5);
    }
    assert_int_equal(fixture_stats(f).items_done, 10);
    assert_int_equal(fixture_stats(f).tally.ok, 10);
}

static void test_sched_rest_of_a_retried_chunk_has_been_retried_as_often(void **state)
{
    /* given items that failed once, and a result for the first of them */
    struct fixture *f = *state;
    struct sched_action send = given_ten_items_held(f, 1);
    const struct sched_span all = {0, 10};
    fixture_part(f, 1, &send, 10, &all, 1);
    f->now_us += DELAY_US;
    fixture_credit(f, 1, 1);
    fixture_part(f, 1, fixture_last(f), 1, NULL, 0);
    fixture_credit(f, 1, 1);
    assert_int_equal(fixture_last(f)->count, 9);
    assert_int_equal(fixture_last(f)->attempt, 2);
    const struct sched_span rest = {0, 9};
    fixture_part(f, 1, fixture_last(f), 9, &rest, 1);
    assert_int_equal(f->list[0].retried, 0);
    assert_int_equal(fixture_stats(f).tally.failed, 9);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
}

static void test_sched_after_stop_failed_items_are_not_run_again(void **state)
{
    struct fixture *f = *state;
    struct sched_action send = given_ten_items_held(f, 5);
    fixture_event(f, SCHED_STOP, 0);
    fixture_part(f, 1, &send, 6, &first_item, 1);
    assert_int_equal(f->list[0].retried, 0);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
    assert_int_equal(fixture_stats(f).tally.failed, 1);
    assert_int_equal(fixture_stats(f).items_done, 6);
}

static void test_sched_cancel_ends_the_job_also_while_chunks_are_overdue(void **state)
{
    struct fixture *f = *state;
    struct sched_action send = given_ten_items_held(f, 5);
    fixture_part(f, 1, &send, 10, &first_item, 1);
    f->now_us += 2 * DELAY_US;
    assert_int_equal(fixture_event(f, SCHED_CANCEL, 0), 0);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
    assert_int_equal(sched_deadline_us(f->sched), UINT64_MAX);
    assert_int_equal(fixture_stats(f).items_done, 9);
}

static void test_sched_deadline_is_that_of_the_first_lease_or_the_first_delay(void **state)
{
    struct fixture *f = *state;
    struct sched_options options = fixture_options(1);
    options.retries_max = 5;
    options.retry_delay_us = 700;
    options.lease_us = 1000;
    fixture_restart(f, &options);
    fixture_items(f, 2, true);
    fixture_join(f, 1, 2, 2);
    f->now_us = 100;
    fixture_part(f, 1, &f->sent[0], 1, &first_item, 1);
    assert_int_equal(sched_deadline_us(f->sched), 800);
    f->now_us = 400;
    fixture_part(f, 1, &f->sent[1], 1, &first_item, 1);
    assert_int_equal(sched_deadline_us(f->sched), 800);
    f->now_us = 800;
    fixture_event(f, SCHED_TICK, 0);
    assert_int_equal(sched_deadline_us(f->sched), 1100);
    f->now_us = 1100;
    fixture_event(f, SCHED_TICK, 0);
    assert_int_equal(sched_deadline_us(f->sched), 1400);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sched_partial_result_makes_the_rest_a_chunk_of_its_own),
        TEST(test_sched_rest_of_a_chunk_is_the_same_attempt_going_on),
        TEST(test_sched_rest_of_a_chunk_is_next_and_may_go_to_the_same_worker),
        TEST(test_sched_later_results_of_a_chunk_that_was_divided_are_duplicates),
        TEST(test_sched_partial_result_may_come_late),
        TEST(test_sched_learns_the_cost_from_the_items_that_were_run),
        TEST(test_sched_parts_stay_in_the_order_of_their_items),
        TEST(test_sched_runs_failed_items_again_when_their_delay_is_over),
        TEST(test_sched_failed_items_wait_for_another_worker_while_there_is_one),
        TEST(test_sched_failed_items_go_back_when_there_is_no_other_worker),
        TEST(test_sched_items_that_will_run_again_are_not_accounted_for),
        TEST(test_sched_items_that_failed_too_often_count_as_failed),
        TEST(test_sched_delay_doubles_with_each_failure_up_to_64_times),
        TEST(test_sched_without_a_delay_failed_items_run_again_at_once),
        TEST(test_sched_endless_delay_does_not_wrap),
        TEST(test_sched_retries_failed_items_at_another_worker_when_one_could_take_them),
        TEST(test_sched_failures_that_nobody_named_are_not_run_again),
        TEST(test_sched_refuses_failed_items_that_do_not_add_up),
        TEST(test_sched_fresh_chunks_do_not_wait_for_delayed_ones_but_go_behind_due_ones),
        TEST(test_sched_a_run_without_workers_is_stalled_also_while_chunks_are_delayed),
        TEST(test_sched_result_may_leave_failed_items_and_a_rest),
        TEST(test_sched_rest_of_a_retried_chunk_has_been_retried_as_often),
        TEST(test_sched_after_stop_failed_items_are_not_run_again),
        TEST(test_sched_cancel_ends_the_job_also_while_chunks_are_overdue),
        TEST(test_sched_deadline_is_that_of_the_first_lease_or_the_first_delay),
    };
    return cmocka_run_group_tests_name("sched_moves", tests, NULL, NULL) != 0;
}
