/* Workers that come with chunks in hand, from an earlier session or from an earlier coordinator. */
#include "common/base/err.h"
#include "tests/coordinator/sched/sched_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define NONE_DONE ((struct tally){0})

/* An id of epoch 0, which is that of the coordinator before. */
static struct chunk_id foreign(uint64_t number)
{
    return (struct chunk_id){(number << 24) + 1};
}

/* A hundred items in chunks of ten, of which another coordinator had read all and finished none. */
static void given_resumed(struct fixture *f)
{
    struct sched_options options = fixture_options(10);
    options.epoch = 1;
    fixture_restart(f, &options);
    assert_int_equal(sched_restore(f->sched, NULL, 0, 100, &NONE_DONE), 0);
    fixture_items(f, 100, true);
}

static struct sched_holding of_action(const struct sched_action *sent)
{
    return (struct sched_holding){sent->chunk, sent->first, sent->count, sent->attempt};
}

static int finish_foreign(struct fixture *f, uint64_t worker, const struct sched_holding *held)
{
    struct sched_action sent = {
        .chunk = held->chunk, .attempt = held->attempt, .first = held->first, .count = held->count};
    return fixture_result(f, worker, &sent, 5);
}

/* --- of this epoch --- */

static void test_sched_worker_goes_on_with_what_it_held_when_its_session_ended(void **state)
{
    struct fixture *f = *state;

    const enum sched_event_type ends[] = {SCHED_WORKER_LEFT, SCHED_WORKER_LOST};

    for (size_t i = 0; i < 2; i++) {
        struct sched_options options = fixture_options(10);
        fixture_restart(f, &options);
        fixture_items(f, 40, true);
        fixture_join(f, 1, 4, 4);
        const struct sched_holding held[] = {of_action(&f->sent[2]), of_action(&f->sent[0])};
        fixture_event(f, ends[i], 1);
        assert_int_equal(fixture_stats(f).items_queued, 40);
        assert_int_equal(fixture_join_holding(f, 2, 0, held, 2), 0);
        assert_int_equal(f->sent_count, 4); /* nothing is sent again */
        assert_int_equal(fixture_stats(f).items_held, 20);
        assert_int_equal(fixture_stats(f).items_queued, 20);
        assert_int_equal(fixture_stats(f).chunks_adopted, 2);
        fixture_result(f, 2, &f->sent[0], 5);
        fixture_result(f, 2, &f->sent[2], 5);
        assert_int_equal(fixture_stats(f).items_done, 20);
        assert_int_equal(fixture_stats(f).chunks_retried, 0);
    }
}

static void test_sched_what_a_worker_still_holds_burnt_no_attempt(void **state)
{
    /* given an item whose worker loses its session again and again, but not the item */
    struct fixture *f = *state;
    fixture_items(f, 1, true);
    fixture_join(f, 1, 1, 1);
    const struct sched_holding held = of_action(&f->sent[0]);
    for (uint64_t id = 2; id < 20; id++) {
        fixture_event(f, SCHED_WORKER_LOST, id - 1);
        assert_int_equal(fixture_said(f, SCHED_ABANDONED, 0), 0);
        fixture_join_holding(f, id, 0, &held, 1);
        assert_int_equal(fixture_stats(f).items_held, 1);
    }
    fixture_result(f, 19, &f->sent[0], 5);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
    assert_int_equal(fixture_stats(f).tally.ok, 1);
}

static void test_sched_what_it_holds_takes_no_credit(void **state)
{
    struct fixture *f = *state;
    struct sched_options options = fixture_options(10);
    fixture_restart(f, &options);
    fixture_items(f, 100, true);
    fixture_join(f, 1, 2, 2);
    const struct sched_holding held[] = {of_action(&f->sent[0]), of_action(&f->sent[1])};
    fixture_event(f, SCHED_WORKER_LEFT, 1);
    fixture_join_holding(f, 2, 2, held, 2);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 2);
    assert_int_equal(fixture_stats(f).items_held, 40);
}

static void test_sched_what_another_worker_has_by_now_is_not_adopted(void **state)
{
    struct fixture *f = *state;
    fixture_items(f, 1, true);
    fixture_join(f, 1, 1, 1);
    const struct sched_holding held = of_action(&f->sent[0]);
    fixture_event(f, SCHED_WORKER_LEFT, 1);
    fixture_join(f, 2, 1, 1);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 1);
    fixture_join_holding(f, 3, 1, &held, 1);
    assert_int_equal(fixture_stats(f).chunks_adopted, 0);
    /* but its result counts when it is the first */
    fixture_result(f, 3, &f->sent[0], 5);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
}

static void test_sched_delayed_items_are_not_adopted(void **state)
{
    struct fixture *f = *state;
    struct sched_options options = fixture_options(2);
    options.retries_max = 1;
    options.retry_delay_us = 1000;
    fixture_restart(f, &options);
    fixture_items(f, 2, true);
    fixture_join(f, 1, 1, 1);
    const struct sched_span failed = {0, 2};
    fixture_part(f, 1, &f->sent[0], 2, &failed, 1);
    fixture_event(f, SCHED_WORKER_LEFT, 1);
    struct sched_holding held = of_action(&f->sent[0]);
    fixture_join_holding(f, 2, 1, &held, 1);
    assert_int_equal(fixture_stats(f).chunks_adopted, 0);
    assert_int_equal(fixture_stats(f).items_queued, 2);
}

static void test_sched_chunks_that_are_not_what_the_worker_says_are_not_adopted(void **state)
{
    struct fixture *f = *state;
    struct sched_options options = fixture_options(10);
    fixture_restart(f, &options);
    fixture_items(f, 20, true);
    fixture_join(f, 1, 2, 2);
    struct sched_holding held[6];
    for (size_t i = 0; i < 6; i++) {
        held[i] = of_action(&f->sent[0]);
    }
    held[0].count = 9;
    held[1].first = 1;
    held[2].attempt = 2;
    held[3].attempt = 0;
    held[4].chunk.value = 0;
    held[5].chunk.value += UINT64_C(1) << 24; /* never was */
    fixture_event(f, SCHED_WORKER_LEFT, 1);
    assert_int_equal(fixture_join_holding(f, 2, 0, held, 6), 0);
    assert_int_equal(fixture_stats(f).chunks_adopted, 0);
    assert_int_equal(fixture_stats(f).items_queued, 20);
}

/* --- of another epoch --- */

static void test_sched_adopts_chunks_of_the_coordinator_before(void **state)
{
    struct fixture *f = *state;
    given_resumed(f);
    const struct sched_holding held[] = {{foreign(7), 35, 5, 2}, {foreign(3), 0, 4, 1}};
    fixture_join_holding(f, 1, 0, held, 2);
    assert_int_equal(fixture_stats(f).chunks_adopted, 2);
    assert_int_equal(fixture_stats(f).items_held, 9);
    /* what lies between is cut as ever */
    fixture_join(f, 2, 16, 16);
    const uint64_t expected[][2] = {
        {4, 10}, {14, 10}, {24, 10}, {34, 1}, {40, 10}, {50, 10}, {60, 10}, {70, 10}};
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(f->sent[i].first, expected[i][0]);
        assert_int_equal(f->sent[i].count, expected[i][1]);
    }
    /* their results come under the ids that the worker knows */
    assert_int_equal(finish_foreign(f, 1, &held[0]), 0);
    assert_int_equal(f->list[0].type, SCHED_FINISHED);
    assert_int_equal(f->list[0].first, 35);
    assert_int_equal(f->list[0].count, 5);
    assert_int_equal(f->list[0].attempt, 2);
    assert_int_equal(f->list[0].chunk.value >> 56, 1);
    assert_int_equal(finish_foreign(f, 1, &held[1]), 0);
    assert_int_equal(fixture_stats(f).items_done, 9);
    /* once */
    assert_int_equal(finish_foreign(f, 1, &held[0]), 0);
    assert_int_equal(fixture_stats(f).duplicates, 1);
    assert_int_equal(fixture_stats(f).items_done, 9);
}

static void test_sched_adopts_before_the_items_are_read_again(void **state)
{
    struct fixture *f = *state;
    struct sched_options options = fixture_options(10);
    options.epoch = 1;
    fixture_restart(f, &options);
    assert_int_equal(sched_restore(f->sched, NULL, 0, 100, &NONE_DONE), 0);
    const struct sched_holding held = {foreign(7), 30, 10, 1};
    fixture_join_holding(f, 1, 9, &held, 1);
    assert_int_equal(fixture_stats(f).items_held, 10);
    /* and when it is lost it waits for its items; the others do not */
    fixture_event(f, SCHED_WORKER_LEFT, 1);
    fixture_join(f, 2, 16, 16);
    fixture_items(f, 35, false);
    assert_int_equal(f->sent_count, 3);
    assert_int_equal(fixture_stats(f).items_queued, 10);
    fixture_items(f, 40, false);
    assert_int_equal(fixture_last(f)->first, 30);
    assert_int_equal(fixture_last(f)->attempt, 2);
    assert_int_equal(fixture_last(f)->chunk.value >> 56, 1);
}

static void test_sched_adopted_chunk_that_is_lost_goes_elsewhere_and_may_still_be_finished(
    void **state)
{
    struct fixture *f = *state;
    given_resumed(f);
    const struct sched_holding held = {foreign(7), 0, 10, 3};
    fixture_join_holding(f, 1, 0, &held, 1);
    fixture_event(f, SCHED_WORKER_LEFT, 1);
    fixture_join(f, 2, 1, 1);
    assert_int_equal(fixture_last(f)->first, 0);
    assert_int_equal(fixture_last(f)->attempt, 4);
    assert_int_equal(fixture_stats(f).chunks_retried, 1);
    fixture_join(f, 3, 1, 0);
    assert_int_equal(finish_foreign(f, 3, &held), 0);
    assert_int_equal(fixture_said(f, SCHED_FINISHED, 3), 1);
    fixture_result(f, 2, fixture_last(f), 5);
    assert_int_equal(fixture_stats(f).duplicates, 1);
}

static void test_sched_adopted_chunk_comes_back_under_either_id(void **state)
{
    struct fixture *f = *state;
    given_resumed(f);
    const struct sched_holding held = {foreign(7), 0, 10, 1};
    for (uint64_t id = 1; id < 5; id++) {
        fixture_join_holding(f, id, 0, &held, 1);
        assert_int_equal(fixture_stats(f).items_held, 10);
        fixture_event(f, id % 2 == 0 ? SCHED_WORKER_LOST : SCHED_WORKER_LEFT, id);
        assert_int_equal(fixture_stats(f).items_held, 0);
    }
    assert_int_equal(fixture_stats(f).chunks_adopted, 4);
    fixture_join_holding(f, 5, 0, &held, 1);
    assert_int_equal(finish_foreign(f, 5, &held), 0);
    assert_int_equal(fixture_stats(f).items_done, 10);
}

static void test_sched_adopted_chunk_is_given_back_unbegun(void **state)
{
    struct fixture *f = *state;
    given_resumed(f);
    const struct sched_holding held = {foreign(7), 0, 10, 1};
    fixture_join_holding(f, 1, 0, &held, 1);
    fixture_event(f, SCHED_WORKER_DRAINING, 1);
    fixture_returned(f, 1, held.chunk);
    assert_int_equal(fixture_stats(f).items_queued, 10);
    assert_int_equal(fixture_stats(f).items_held, 0);
}

static void test_sched_adopted_chunk_may_end_in_part_and_with_failures(void **state)
{
    struct fixture *f = *state;
    struct sched_options options = fixture_options(10);
    options.epoch = 1;
    options.retries_max = 1;
    fixture_restart(f, &options);
    assert_int_equal(sched_restore(f->sched, NULL, 0, 100, &NONE_DONE), 0);
    fixture_items(f, 100, true);
    const struct sched_holding held = {foreign(7), 50, 10, 1};
    fixture_join_holding(f, 1, 0, &held, 1);
    struct sched_action sent = {.chunk = held.chunk, .attempt = 1};
    const struct sched_span failed = {1, 2};
    fixture_part(f, 1, &sent, 6, &failed, 1);
    assert_int_equal(f->list[0].retried, 2);
    assert_int_equal(fixture_stats(f).items_done, 4);
    assert_int_equal(fixture_stats(f).items_queued, 6);
    /* the foreign id is over with it */
    finish_foreign(f, 1, &held);
    assert_int_equal(fixture_stats(f).duplicates, 1);
    fixture_credit(f, 1, 2);
    assert_int_equal(f->sent[0].first, 56);
    assert_int_equal(f->sent[0].attempt, 1);
    assert_int_equal(f->sent[1].first, 51);
    assert_int_equal(f->sent[1].attempt, 2);
}

static void test_sched_what_was_done_or_cut_since_is_not_adopted(void **state)
{
    struct fixture *f = *state;
    struct sched_options options = fixture_options(10);
    options.epoch = 1;
    fixture_restart(f, &options);
    const struct sched_span done = {40, 10};
    const struct tally ten = {.ok = 10};
    assert_int_equal(sched_restore(f->sched, &done, 1, 90, &ten), 0);
    fixture_items(f, 100, true);
    fixture_join(f, 1, 2, 2); /* 0 to 20 */
    const struct sched_holding held[] = {
        {foreign(1), 10, 10, 1}, /* cut */
        {foreign(2), 19, 10, 1}, /* in part */
        {foreign(3), 40, 10, 1}, /* done */
        {foreign(4), 39, 2, 1},  /* in part */
        {foreign(5), 49, 2, 1},
        {foreign(6), 35, 20, 1},
        {foreign(7), 85, 6, 1}, /* beyond what was known: may be other items now */
        {foreign(8), 90, 5, 1},
    };
    fixture_join_holding(f, 2, 0, held, 8);
    assert_int_equal(fixture_stats(f).chunks_adopted, 0);
    assert_int_equal(fixture_stats(f).items_held, 20);
    /* and their results are of no use */
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(finish_foreign(f, 2, &held[i]), 0);
    }
    assert_int_equal(fixture_stats(f).duplicates, 8);
    assert_int_equal(fixture_stats(f).items_done, 10);
}

static void test_sched_job_that_is_new_adopts_nothing(void **state)
{
    struct fixture *f = *state;
    fixture_items(f, 100, true);
    const struct sched_holding held[] = {{foreign(7), 3, 1, 1}, {{UINT64_C(9) << 56}, 5, 1, 1}};
    fixture_join_holding(f, 1, 0, held, 2);
    assert_int_equal(fixture_stats(f).chunks_adopted, 0);
}

/* --- workers that are broken, or mean harm --- */

static void test_sched_nonsense_in_hand_is_harmless(void **state)
{
    struct fixture *f = *state;
    given_resumed(f);
    const struct sched_holding held[] = {
        {foreign(1), 10, 10, 1},
        {foreign(1), 10, 10, 1},                 /* the same twice */
        {foreign(1), 30, 10, 1},                 /* the same id for other items */
        {foreign(2), 15, 10, 1},                 /* overlaps */
        {foreign(3), 5, 0, 1},                   /* none */
        {foreign(4), UINT64_MAX, UINT64_MAX, 1}, /* wraps */
        {foreign(5), 50, UINT64_MAX, 1},         /* likewise */
        {foreign(6), 60, 10, 0},                 /* no attempt */
        {foreign(7), 60, 10, UINT32_MAX},        /* the next one would wrap */
        {{0}, 60, 10, 1},                        /* no id */
        {{(UINT64_C(1) << 56) + 1}, 60, 10, 1},  /* of this epoch, never was */
    };
    assert_int_equal(fixture_join_holding(f, 1, 0, held, sizeof(held) / sizeof(held[0])), 0);
    assert_int_equal(fixture_stats(f).chunks_adopted, 1);
    assert_int_equal(fixture_stats(f).items_held, 10);
    /* and the job comes to its end */
    finish_foreign(f, 1, &held[0]);
    fixture_join(f, 2, 4, 16);
    while (fixture_finish(f, 2, 5) > 0) {
    }
    assert_int_equal(fixture_stats(f).items_done, 100);
    assert_int_equal(fixture_stats(f).tally.ok, 100);
}

static void test_sched_adopts_thousands_in_any_order_of_many_workers(void **state)
{
    enum { WORKERS = 10, EACH = 1000 };

    struct fixture *f = *state;
    struct sched_options options = fixture_options(10);
    options.epoch = 1;
    fixture_restart(f, &options);
    assert_int_equal(sched_restore(f->sched, NULL, 0, WORKERS * EACH, &NONE_DONE), 0);
    fixture_items(f, WORKERS * EACH, true);
    struct sched_holding *held = calloc(EACH, sizeof(*held));
    assert_non_null(held);
    for (uint64_t worker = 0; worker < WORKERS; worker++) {
        for (uint64_t i = 0; i < EACH; i++) {
            /* 7919 has no factor in common with EACH: each of its items once, all over the place */
            uint64_t item = i * 7919 % EACH * WORKERS + worker;
            held[i] = (struct sched_holding){foreign(item + 1), item, 1, 1};
        }
        fixture_join_holding(f, worker + 1, 0, held, EACH);
    }
    free(held);
    assert_int_equal(fixture_stats(f).items_held, WORKERS * EACH);
    assert_int_equal(f->sent_count, 0);
    uint64_t first = 0;
    uint64_t end = 0;
    assert_int_equal(sched_done_spans(f->sched, 0, &first, &end), 0);
    for (uint64_t item = 0; item < WORKERS * EACH; item += 997) {
        const struct sched_holding one = {foreign(item + 1), item, 1, 1};
        finish_foreign(f, item % WORKERS + 1, &one);
    }
    assert_int_equal(fixture_stats(f).items_done, 11);
    assert_int_equal(sched_done_spans(f->sched, 10, &first, &end), 11);
    assert_int_equal(first, 9970);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sched_worker_goes_on_with_what_it_held_when_its_session_ended),
        TEST(test_sched_what_a_worker_still_holds_burnt_no_attempt),
        TEST(test_sched_what_it_holds_takes_no_credit),
        TEST(test_sched_what_another_worker_has_by_now_is_not_adopted),
        TEST(test_sched_delayed_items_are_not_adopted),
        TEST(test_sched_chunks_that_are_not_what_the_worker_says_are_not_adopted),
        TEST(test_sched_adopts_chunks_of_the_coordinator_before),
        TEST(test_sched_adopts_before_the_items_are_read_again),
        TEST(test_sched_adopted_chunk_that_is_lost_goes_elsewhere_and_may_still_be_finished),
        TEST(test_sched_adopted_chunk_comes_back_under_either_id),
        TEST(test_sched_adopted_chunk_is_given_back_unbegun),
        TEST(test_sched_adopted_chunk_may_end_in_part_and_with_failures),
        TEST(test_sched_what_was_done_or_cut_since_is_not_adopted),
        TEST(test_sched_job_that_is_new_adopts_nothing),
        TEST(test_sched_nonsense_in_hand_is_harmless),
        TEST(test_sched_adopts_thousands_in_any_order_of_many_workers),
    };
    return cmocka_run_group_tests_name("sched_holding", tests, NULL, NULL) != 0;
}
