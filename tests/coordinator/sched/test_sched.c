/* The scheduler's life of a job: what each event does, what counts, and when it is over. */
#include "common/base/err.h"
#include "tests/coordinator/sched/sched_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Two items in chunks of one, both with worker 1, who has slots for them. */
static void given_two_chunks_held(struct fixture *f)
{
    assert_int_equal(fixture_items(f, 2, true), 0);
    assert_int_equal(fixture_join(f, 1, 2, 2), 0);
    assert_int_equal(fixture_sent(f, 1), 2);
}

/* --- beginning and end --- */

static void test_sched_refuses_options_out_of_range(void **state)
{
    (void)state;
    struct sched *sched = NULL;
    struct sched_options bad[6];
    for (size_t i = 0; i < 6; i++) {
        bad[i] = fixture_options(0);
    }
    bad[0].workers_max = 0;
    bad[1].workers_max = 65537;
    bad[2].crash_limit = 0;
    bad[3].chunk_target_us = 0;
    bad[4].crash_limit = 256;
    bad[5].retries_max = 1001;
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(sched_new(&bad[i], &sched), ERR_INVALID);
        assert_null(sched);
    }
    sched_free(NULL);
}

static void test_sched_is_done_at_once_without_items(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_items(f, 0, true), 0);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
}

static void test_sched_sends_in_order_of_items_when_a_worker_comes(void **state)
{
    struct fixture *f = *state;
    fixture_items(f, 3, true);
    assert_int_equal(f->actions.count, 0);
    fixture_join(f, 7, 4, 4);
    assert_int_equal(f->actions.count, 3);
    for (uint64_t i = 0; i < 3; i++) {
        assert_int_equal(f->list[i].type, SCHED_SEND);
        assert_int_equal(f->list[i].worker.value, 7);
        assert_int_equal(f->list[i].first, i);
        assert_int_equal(f->list[i].count, 1);
        assert_int_equal(f->list[i].attempt, 1);
        assert_true(f->list[i].chunk.value > 0);
    }
}

static void test_sched_sends_when_items_come_after_the_worker(void **state)
{
    struct fixture *f = *state;
    fixture_join(f, 1, 4, 4);
    assert_int_equal(f->actions.count, 0);
    fixture_items(f, 3, true);
    assert_int_equal(fixture_said(f, SCHED_SEND, 1), 3);
}

static void test_sched_sends_only_against_credit(void **state)
{
    struct fixture *f = *state;
    fixture_items(f, 100, true);
    fixture_join(f, 1, 8, 0);
    assert_int_equal(f->actions.count, 0);
    fixture_credit(f, 1, 3);
    assert_int_equal(fixture_said(f, SCHED_SEND, 1), 3);
    /* an answer alone brings nothing more */
    fixture_result(f, 1, &f->sent[0], 1);
    assert_int_equal(fixture_said(f, SCHED_SEND, 1), 0);
}

static void test_sched_is_done_when_every_item_is_accounted_for_and_says_it_once(void **state)
{
    struct fixture *f = *state;
    given_two_chunks_held(f);
    fixture_result(f, 1, &f->sent[1], 5);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 0);
    fixture_result(f, 1, &f->sent[0], 5);
    assert_int_equal(fixture_said(f, SCHED_FINISHED, 1), 1);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
    assert_int_equal(sched_deadline_us(f->sched), UINT64_MAX);
    /* and nothing after it, whatever comes */
    fixture_result(f, 1, &f->sent[0], 5);
    fixture_event(f, SCHED_WORKER_LOST, 1);
    fixture_event(f, SCHED_NO_MORE_WORKERS, 0);
    assert_int_equal(fixture_event(f, SCHED_CANCEL, 0), 0);
    assert_int_equal(f->actions.count, 0);
    assert_int_equal(fixture_stats(f).items_done, 2);
}

static void test_sched_is_not_done_while_the_input_goes_on(void **state)
{
    struct fixture *f = *state;
    fixture_items(f, 1, false);
    fixture_join(f, 1, 2, 2);
    fixture_result(f, 1, &f->sent[0], 5);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 0);
    fixture_items(f, 1, true);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
}

static void test_sched_cancel_ends_the_job_at_once(void **state)
{
    struct fixture *f = *state;
    given_two_chunks_held(f);
    fixture_result(f, 1, &f->sent[0], 5);
    fixture_event(f, SCHED_CANCEL, 0);
    assert_int_equal(f->actions.count, 1);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
    fixture_result(f, 1, &f->sent[1], 5);
    assert_int_equal(f->actions.count, 0);
    assert_int_equal(fixture_stats(f).items_done, 1);
}

/* --- what counts --- */

static void test_sched_adds_up_the_tallies(void **state)
{
    struct fixture *f = *state;
    given_two_chunks_held(f);
    struct sched_event event = {.type = SCHED_RESULT, .worker = {1}};
    event.as.result.chunk = f->sent[0].chunk;
    event.as.result.attempt = 1;
    event.as.result.tally = (struct tally){.failed = 1, .checksum = UINT64_MAX, .bytes_out = 7};
    fixture_step(f, &event);
    event.as.result.chunk = f->sent[1].chunk;
    event.as.result.tally = (struct tally){.ok = 1, .checksum = 3, .bytes_out = 8};
    fixture_step(f, &event);
    struct tally tally = fixture_stats(f).tally;
    assert_int_equal(tally.ok, 1);
    assert_int_equal(tally.failed, 1);
    assert_int_equal(tally.checksum, 2);
    assert_int_equal(tally.bytes_out, 15);
}

static void test_sched_finished_names_worker_attempt_and_slot(void **state)
{
    struct fixture *f = *state;
    given_two_chunks_held(f);
    fixture_result(f, 1, &f->sent[1], 5);
    assert_int_equal(f->list[0].type, SCHED_FINISHED);
    assert_int_equal(f->list[0].worker.value, 1);
    assert_int_equal(f->list[0].chunk.value, f->sent[1].chunk.value);
    assert_int_equal(f->list[0].slot, f->sent[1].slot);
    assert_int_equal(f->list[0].first, f->sent[1].first);
    assert_int_equal(f->list[0].count, 1);
    assert_int_equal(f->list[0].attempt, 1);
}

static void test_sched_drops_and_counts_a_duplicate(void **state)
{
    struct fixture *f = *state;
    given_two_chunks_held(f);
    fixture_result(f, 1, &f->sent[0], 5);
    assert_int_equal(fixture_result(f, 1, &f->sent[0], 5), 0);
    assert_int_equal(f->actions.count, 0);
    assert_int_equal(fixture_stats(f).duplicates, 1);
    assert_int_equal(fixture_stats(f).items_done, 1);
    assert_int_equal(fixture_stats(f).tally.ok, 1);
}

static void test_sched_tells_a_duplicate_also_when_its_slot_has_another_chunk(void **state)
{
    struct fixture *f = *state;
    fixture_items(f, 10, true);
    fixture_join(f, 1, 1, 1);
    fixture_finish(f, 1, 5);
    assert_int_equal(f->sent[0].slot, f->sent[1].slot);
    struct sched_action first = f->sent[0];
    first.count = 1;
    assert_int_equal(fixture_result(f, 1, &first, 5), 0);
    assert_int_equal(fixture_stats(f).duplicates, 1);
    assert_int_equal(fixture_stats(f).items_done, 1);
}

static void test_sched_counts_results_of_chunks_that_never_were_as_strays(void **state)
{
    struct fixture *f = *state;
    given_two_chunks_held(f);
    struct sched_action never = f->sent[0];
    const uint64_t ids[] = {
        0, 1, f->sent[0].chunk.value + 2, UINT64_MAX, f->sent[0].chunk.value + (UINT64_C(1) << 24)};
    for (size_t i = 0; i < 5; i++) {
        never.chunk.value = ids[i];
        assert_int_equal(fixture_result(f, 1, &never, 5), 0);
        assert_int_equal(fixture_stats(f).strays, i + 1);
    }
    assert_int_equal(fixture_stats(f).items_done, 0);
    assert_int_equal(fixture_stats(f).duplicates, 0);
}

static void test_sched_counts_results_of_attempts_that_never_were_as_strays(void **state)
{
    struct fixture *f = *state;
    given_two_chunks_held(f);
    struct sched_action never = f->sent[0];
    never.attempt = 0;
    fixture_result(f, 1, &never, 5);
    never.attempt = 2;
    fixture_result(f, 1, &never, 5);
    assert_int_equal(fixture_stats(f).strays, 2);
    assert_int_equal(fixture_stats(f).items_done, 0);
}

static void test_sched_counts_a_result_of_an_unregistered_worker_as_stray(void **state)
{
    struct fixture *f = *state;
    given_two_chunks_held(f);
    assert_int_equal(fixture_result(f, 9, &f->sent[0], 5), 0);
    assert_int_equal(fixture_stats(f).strays, 1);
    assert_int_equal(fixture_stats(f).items_done, 0);
}

static void test_sched_refuses_a_result_of_no_item_or_of_more_than_there_are(void **state)
{
    struct fixture *f = *state;
    given_two_chunks_held(f);
    struct sched_stats before = fixture_stats(f);
    const struct tally bad[] = {
        {.ok = 0, .failed = 0}, {.ok = 2}, {.ok = 1, .failed = 1}, {.ok = 2, .failed = UINT64_MAX}};
    struct sched_event event = {.type = SCHED_RESULT, .worker = {1}};
    event.as.result.chunk = f->sent[0].chunk;
    event.as.result.attempt = 1;
    for (size_t i = 0; i < 4; i++) {
        event.as.result.tally = bad[i];
        assert_int_equal(fixture_step(f, &event), ERR_INVALID);
    }
    struct sched_stats after = fixture_stats(f);
    assert_memory_equal(&before, &after, sizeof(before));
}

static void test_sched_never_gives_an_id_twice(void **state)
{
    struct fixture *f = *state;
    fixture_items(f, 3000, true);
    fixture_join(f, 1, 3, 3);
    while (fixture_finish(f, 1, 5) > 0) {
    }
    assert_int_equal(f->sent_count, 3000);
    for (size_t i = 0; i < f->sent_count; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_true(f->sent[i].chunk.value != f->sent[j].chunk.value);
        }
    }
}

/* --- refusals --- */

static void test_sched_refuses_events_of_unknown_workers(void **state)
{
    struct fixture *f = *state;
    given_two_chunks_held(f);
    struct sched_stats before = fixture_stats(f);

    const enum sched_event_type types[] = {SCHED_CREDIT,
                                           SCHED_HEARD,
                                           SCHED_CHUNK_RETURNED,
                                           SCHED_WORKER_DRAINING,
                                           SCHED_WORKER_LEFT,
                                           SCHED_WORKER_LOST};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        assert_int_equal(fixture_event(f, types[i], 5), ERR_INVALID);
        assert_int_equal(fixture_event(f, types[i], 0), ERR_INVALID);
    }
    assert_int_equal(fixture_event(f, (enum sched_event_type)99, 1), ERR_INVALID);
    struct sched_stats after = fixture_stats(f);
    assert_memory_equal(&before, &after, sizeof(before));
}

static void test_sched_refuses_workers_that_make_no_sense(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_join(f, 0, 1, 1), ERR_INVALID);
    assert_int_equal(fixture_join(f, 1, 0, 1), ERR_INVALID);
    assert_int_equal(fixture_join(f, 1, 65537, 1), ERR_INVALID);
    assert_int_equal(fixture_join(f, 1, 1, 1), 0);
    assert_int_equal(fixture_join(f, 1, 1, 1), ERR_INVALID);
    assert_int_equal(fixture_credit(f, 1, UINT32_MAX), ERR_INVALID);
    assert_int_equal(fixture_stats(f).workers_live, 1);
}

static void test_sched_refuses_more_workers_than_it_may_have(void **state)
{
    struct fixture *f = *state;
    struct sched_options options = fixture_options(1);
    options.workers_max = 2;
    fixture_restart(f, &options);
    assert_int_equal(fixture_join(f, 1, 1, 1), 0);
    assert_int_equal(fixture_join(f, 2, 1, 1), 0);
    assert_int_equal(fixture_join(f, 3, 1, 1), ERR_BUSY);
    fixture_event(f, SCHED_WORKER_LEFT, 1);
    assert_int_equal(fixture_join(f, 3, 1, 1), 0);
}

static void test_sched_refuses_an_input_that_shrinks_or_grows_after_its_end(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_items(f, 10, false), 0);
    assert_int_equal(fixture_items(f, 9, false), ERR_INVALID);
    assert_int_equal(fixture_items(f, 12, true), 0);
    assert_int_equal(fixture_items(f, 13, true), ERR_INVALID);
    assert_int_equal(fixture_items(f, 12, false), ERR_INVALID);
    assert_int_equal(fixture_items(f, 12, true), 0);
    assert_int_equal(fixture_stats(f).items_available, 12);
    assert_true(fixture_stats(f).items_final);
}

/* --- what it tells --- */

static void test_sched_done_spans_are_what_lies_between_live_chunks(void **state)
{
    struct fixture *f = *state;
    uint64_t first = 0;
    uint64_t end = 0;
    assert_int_equal(sched_done_spans(f->sched, 0, &first, &end), 0);
    fixture_items(f, 100, true);
    fixture_join(f, 1, 8, 8); /* items 0 to 7, one a chunk */
    const size_t done[] = {0, 3, 4, 7};
    for (size_t i = 0; i < 4; i++) {
        fixture_result(f, 1, &f->sent[done[i]], 5);
    }
    const uint64_t expected[][2] = {{0, 1}, {3, 5}, {7, 8}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(sched_done_spans(f->sched, i, &first, &end), 3);
        assert_int_equal(first, expected[i][0]);
        assert_int_equal(end, expected[i][1]);
    }
    first = 77;
    assert_int_equal(sched_done_spans(f->sched, 3, &first, &end), 3);
    assert_int_equal(first, 77);
}

static void test_sched_describes_events_and_actions_in_a_line(void **state)
{
    (void)state;
    char text[200];
    struct sched_event event = {.type = SCHED_RESULT, .worker = {3}};
    event.as.result.chunk.value = 17;
    event.as.result.attempt = 2;
    event.as.result.run_us = 99;
    event.as.result.tally = (struct tally){.ok = 4, .failed = 1};
    assert_string_equal(sched_describe_event(&event, text, sizeof(text)),
                        "RESULT worker=3 chunk=17 attempt=2 ok=4 failed=1 run_us=99");
    const struct sched_span spans[] = {{0, 1}, {2, 3}, {7, 1}, {9, 1}, {11, 1}};
    event.as.result.failed = spans;
    event.as.result.failed_count = 2;
    event.as.result.tally.failed = 4;
    assert_string_equal(sched_describe_event(&event, text, sizeof(text)),
                        "RESULT worker=3 chunk=17 attempt=2 ok=4 failed=4 run_us=99 spans=0+1,2+3");
    event.as.result.failed_count = 5;
    assert_non_null(strstr(sched_describe_event(&event, text, sizeof(text)), ",9+1,..."));
    event = (struct sched_event){.type = SCHED_HOLD, .as.hold = true};
    assert_string_equal(sched_describe_event(&event, text, sizeof(text)), "HOLD on");
    event.as.hold = false;
    assert_string_equal(sched_describe_event(&event, text, sizeof(text)), "HOLD off");
    event = (struct sched_event){.type = SCHED_STOP};
    assert_string_equal(sched_describe_event(&event, text, sizeof(text)), "STOP");
    event = (struct sched_event){.type = SCHED_LEASE, .as.lease_us = 60000000};
    assert_string_equal(sched_describe_event(&event, text, sizeof(text)),
                        "LEASE lease_us=60000000");
    event = (struct sched_event){.type = SCHED_ITEMS};
    event.as.items.available = 10;
    event.as.items.final = true;
    assert_string_equal(sched_describe_event(&event, text, sizeof(text)),
                        "ITEMS available=10 final");
    event = (struct sched_event){.type = SCHED_WORKER_JOINED, .worker = {1}};
    event.as.joined.slots = 8;
    event.as.joined.credit = 16;
    assert_string_equal(sched_describe_event(&event, text, sizeof(text)),
                        "WORKER_JOINED worker=1 slots=8 credit=16");
    event.as.joined.holding_count = 3;
    assert_string_equal(sched_describe_event(&event, text, sizeof(text)),
                        "WORKER_JOINED worker=1 slots=8 credit=16 holding=3");
    struct sched_action action = {.type = SCHED_SEND, .worker = {1}, .chunk = {9}, .attempt = 1};
    action.count = 5;
    assert_string_equal(sched_describe_action(&action, text, sizeof(text)),
                        "SEND worker=1 chunk=9 slot=0 attempt=1 first=0 count=5");
    action.type = SCHED_FINISHED;
    action.done = 4;
    action.retried = 2;
    assert_string_equal(
        sched_describe_action(&action, text, sizeof(text)),
        "FINISHED worker=1 chunk=9 slot=0 attempt=1 first=0 count=5 done=4 retried=2");
    action = (struct sched_action){.type = SCHED_SPLIT, .chunk = {9}, .attempt = 2, .count = 5};
    assert_string_equal(sched_describe_action(&action, text, sizeof(text)),
                        "SPLIT chunk=9 slot=0 attempt=2 first=0 count=5");
    action = (struct sched_action){.type = SCHED_DONE};
    assert_string_equal(sched_describe_action(&action, text, sizeof(text)), "DONE");
    action.type = (enum sched_action_type)77;
    assert_string_equal(sched_describe_action(&action, text, sizeof(text)), "?");
    assert_string_equal(sched_describe_event(&event, text, 8), "WORKER_");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sched_refuses_options_out_of_range),
        TEST(test_sched_is_done_at_once_without_items),
        TEST(test_sched_sends_in_order_of_items_when_a_worker_comes),
        TEST(test_sched_sends_when_items_come_after_the_worker),
        TEST(test_sched_sends_only_against_credit),
        TEST(test_sched_is_done_when_every_item_is_accounted_for_and_says_it_once),
        TEST(test_sched_is_not_done_while_the_input_goes_on),
        TEST(test_sched_cancel_ends_the_job_at_once),
        TEST(test_sched_adds_up_the_tallies),
        TEST(test_sched_finished_names_worker_attempt_and_slot),
        TEST(test_sched_drops_and_counts_a_duplicate),
        TEST(test_sched_tells_a_duplicate_also_when_its_slot_has_another_chunk),
        TEST(test_sched_counts_results_of_chunks_that_never_were_as_strays),
        TEST(test_sched_counts_results_of_attempts_that_never_were_as_strays),
        TEST(test_sched_counts_a_result_of_an_unregistered_worker_as_stray),
        TEST(test_sched_refuses_a_result_of_no_item_or_of_more_than_there_are),
        TEST(test_sched_never_gives_an_id_twice),
        TEST(test_sched_refuses_events_of_unknown_workers),
        TEST(test_sched_refuses_workers_that_make_no_sense),
        TEST(test_sched_refuses_more_workers_than_it_may_have),
        TEST(test_sched_refuses_an_input_that_shrinks_or_grows_after_its_end),
        TEST(test_sched_done_spans_are_what_lies_between_live_chunks),
        TEST(test_sched_describes_events_and_actions_in_a_line),
    };
    return cmocka_run_group_tests_name("sched", tests, NULL, NULL) != 0;
}
