/* The scheduler's memory: what it takes follows what is in flight, and a failed allocation changes nothing. */
#include "common/base/err.h"
#include "tests/coordinator/sched/sched_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);

/* How many allocations still succeed, and the bytes of the largest so far. */
static size_t allowed = SIZE_MAX;
static size_t largest;

static bool allow(size_t size)
{
    if (allowed == 0) {
        return false;
    }
    allowed -= allowed != SIZE_MAX;
    largest = size > largest ? size : largest;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return allow(size) ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return allow(count * size) ? __real_calloc(count, size) : NULL;
}

void *__wrap_realloc(void *old, size_t size)
{
    return allow(size) ? __real_realloc(old, size) : NULL;
}

static int setup(void **state)
{
    allowed = SIZE_MAX;
    return fixture_setup(state);
}

static int teardown(void **state)
{
    allowed = SIZE_MAX;
    return fixture_teardown(state);
}

static void test_sched_new_fails_cleanly_at_every_allocation(void **state)
{
    (void)state;
    struct sched_options options = fixture_options(0);
    struct sched *sched = NULL;
    for (size_t n = 0;; n++) {
        allowed = n;
        int rc = sched_new(&options, &sched);
        if (rc == 0) {
            assert_int_equal(n, 4);
            break;
        }
        assert_int_equal(rc, ERR_NOMEM);
        assert_null(sched);
    }
    sched_free(sched);
}

static void test_sched_worker_that_finds_no_memory_is_refused_and_nothing_changes(void **state)
{
    struct fixture *f = *state;
    fixture_items(f, 100, true);
    uint64_t id = 0;
    for (size_t n = 0; n < 2; n++) {
        int rc = 0;
        allowed = SIZE_MAX;
        while (rc == 0) {
            allowed = n;
            rc = fixture_join(f, ++id, 1, 0);
        }
        assert_int_equal(rc, ERR_NOMEM);
        assert_int_equal(fixture_stats(f).workers_live, id - 1);
        /* and it may come again */
        allowed = SIZE_MAX;
        assert_int_equal(fixture_join(f, id, 1, 0), 0);
    }
    /* and all are still found */
    for (uint64_t i = 1; i <= id; i++) {
        assert_int_equal(fixture_event(f, SCHED_HEARD, i), 0);
    }
}

static void test_sched_without_memory_for_more_chunks_fewer_are_in_flight(void **state)
{
    struct fixture *f = *state;
    fixture_items(f, 1000, true);
    allowed = 0;
    assert_int_equal(fixture_join(f, 1, 200, 200), 0);
    size_t in_flight = f->sent_count;
    assert_true(in_flight >= 32 && in_flight < 200);
    assert_int_equal(sched_deadline_us(f->sched), UINT64_MAX); /* no busy waiting for memory */
    /* then the job goes on with those */
    for (size_t i = 0; i < 50; i++) {
        assert_true(fixture_finish(f, 1, 5) > 0);
        assert_int_equal(f->sent_count, in_flight + i + 1);
    }
    /* and with all, when there is memory again */
    allowed = SIZE_MAX;
    fixture_finish(f, 1, 5);
    assert_int_equal(fixture_stats(f).items_held, 200);
}

/* Chunks of `items` with worker 1, and no memory for more of them than `room`. Returns one of them. */
static struct sched_action given_full_table(struct fixture *f, uint64_t items, size_t room)
{
    struct sched_options options = fixture_options(items);
    options.retries_max = 1;
    options.retry_delay_us = 10;
    allowed = SIZE_MAX;
    fixture_restart(f, &options);
    fixture_items(f, items * 1000, true);
    allowed = 0;
    fixture_join(f, 1, 1000, 1000);
    size_t slots = f->sent_count;
    assert_in_range(slots, room + 1, 999);
    for (size_t i = 0; i < room; i++) {
        fixture_event(f, SCHED_WORKER_DRAINING, 1); /* so that nothing takes the place */
        fixture_result(f, 1, &f->sent[slots - 1 - i], 5);
    }
    return f->sent[0];
}

static void test_sched_rest_of_a_chunk_needs_no_memory(void **state)
{
    struct fixture *f = *state;
    struct sched_action send = given_full_table(f, 10, 0);
    size_t in_flight = f->sent_count;
    assert_int_equal(fixture_part(f, 1, &send, 4, NULL, 0), 0);
    assert_int_equal(f->sent_count, in_flight + 1);
    assert_int_equal(fixture_last(f)->first, 4);
    assert_int_equal(fixture_stats(f).items_done, 4);
}

static void test_sched_without_memory_for_all_retries_the_items_count_as_failed(void **state)
{
    struct fixture *f = *state;
    const struct sched_span failed[] = {{0, 1}, {2, 1}, {4, 1}};
    for (size_t room = 0; room <= 3; room++) {
        struct sched_action send = given_full_table(f, 10, room);
        fixture_event(f, SCHED_WORKER_DRAINING, 1);
        uint64_t done = fixture_stats(f).items_done;
        /* three retries and the rest: one has the slot of the chunk, three need slots */
        assert_int_equal(fixture_part(f, 1, &send, 5, failed, 3), 0);
        assert_int_equal(f->list[0].done, 5);
        assert_int_equal(f->list[0].retried, room < 3 ? 0 : 3);
        assert_int_equal(fixture_stats(f).tally.failed, room < 3 ? 3 : 0);
        assert_int_equal(fixture_stats(f).items_done - done, room < 3 ? 5 : 2);
        assert_int_equal(fixture_stats(f).items_queued, room < 3 ? 5 : 8);
    }
}

static void test_sched_one_failed_chunk_is_retried_without_memory(void **state)
{
    struct fixture *f = *state;
    struct sched_action send = given_full_table(f, 1, 0);
    const struct sched_span failed = {0, 1};
    assert_int_equal(fixture_part(f, 1, &send, 1, &failed, 1), 0);
    assert_int_equal(f->list[0].retried, 1);
}

static void test_sched_without_memory_for_pieces_a_suspect_is_tried_as_a_whole(void **state)
{
    struct fixture *f = *state;
    struct sched_options options = fixture_options(100);
    fixture_restart(f, &options);
    fixture_items(f, 100, true);
    fixture_join(f, 1, 1, 1);
    allowed = 0;
    /* as one among others, then as a suspect three times: it has had its attempts */
    for (uint64_t id = 2; id <= 5; id++) {
        assert_int_equal(fixture_stats(f).items_held, 100);
        fixture_event(f, SCHED_WORKER_LOST, id - 1);
        assert_int_equal(fixture_said(f, SCHED_SPLIT, 0), 0);
        fixture_join(f, id, 1, 1);
    }
    assert_int_equal(fixture_stats(f).tally.failed, 100);
    assert_int_equal(fixture_stats(f).chunks_abandoned, 1);
}

static void test_sched_rest_of_a_suspect_that_had_used_up_its_attempts_has_some_again(void **state)
{
    /* given 60 suspects, each alone with a worker, which all fall silent, and room to give up a few */
    struct fixture *f = *state;
    struct sched_options options = fixture_options(10);
    options.crash_limit = 1;
    options.lease_us = 1000;
    fixture_restart(f, &options);
    fixture_items(f, 600, true);
    fixture_join(f, 1, 60, 60);
    fixture_event(f, SCHED_WORKER_LOST, 1);
    for (uint64_t id = 2; id <= 61; id++) {
        fixture_join(f, id, 1, 1);
    }
    f->now_us = 1000;
    fixture_join(f, 99, 1, 0);
    allowed = 0;
    f->capacity = SCHED_ACTIONS_MIN;
    fixture_event(f, SCHED_TICK, 0);
    assert_in_range(fixture_said(f, SCHED_ABANDONED, 0), 1, 50);
    /* when a late result for a part of the last of them comes after all */
    f->capacity = FIXTURE_ACTIONS;
    fixture_part(f, 99, fixture_last(f), 4, NULL, 0);
    assert_int_equal(fixture_said(f, SCHED_FINISHED, 99), 1);
    /* then all others are given up, but not what it leaves */
    assert_int_equal(fixture_stats(f).items_queued, 6);
    fixture_credit(f, 99, 1);
    assert_int_equal(fixture_last(f)->first, 594);
}

static void test_sched_splits_a_suspect_when_there_is_memory_again(void **state)
{
    struct fixture *f = *state;
    struct sched_options options = fixture_options(100);
    fixture_restart(f, &options);
    fixture_items(f, 100, true);
    fixture_join(f, 1, 1, 1);
    allowed = 0;
    fixture_event(f, SCHED_WORKER_LOST, 1);
    fixture_join(f, 2, 1, 1);
    fixture_event(f, SCHED_WORKER_LOST, 2);
    assert_int_equal(fixture_said(f, SCHED_SPLIT, 0), 0);
    fixture_join(f, 3, 1, 1);
    allowed = SIZE_MAX;
    fixture_event(f, SCHED_WORKER_LOST, 3);
    assert_int_equal(fixture_said(f, SCHED_SPLIT, 0), 1);
    fixture_join(f, 4, 1, 1);
    assert_int_equal(fixture_last(f)->count, 1);
}

static void test_sched_restore_without_memory_changes_nothing(void **state)
{
    struct fixture *f = *state;
    const struct sched_span done[] = {{0, 5}, {7, 1}};
    const struct tally six = {.ok = 6};
    allowed = 0;
    assert_int_equal(sched_restore(f->sched, done, 2, 10, &six), ERR_NOMEM);
    assert_int_equal(fixture_stats(f).items_done, 0);
    sched_check(f->sched);
    allowed = SIZE_MAX;
    assert_int_equal(sched_restore(f->sched, done, 2, 10, &six), 0);
    assert_int_equal(fixture_stats(f).items_done, 6);
}

static void test_sched_without_memory_a_worker_goes_on_with_less_of_what_it_holds(void **state)
{
    struct fixture *f = *state;
    const struct tally none = {0};
    const struct sched_holding held[] = {{{1 << 24}, 10, 10, 1}, {{2 << 24}, 40, 10, 1}};
    uint64_t adopted = 0;
    for (size_t n = 0; adopted < 2; n++) {
        struct sched_options options = fixture_options(10);
        options.epoch = 1;
        allowed = SIZE_MAX;
        fixture_restart(f, &options);
        assert_int_equal(sched_restore(f->sched, NULL, 0, 100, &none), 0);
        fixture_items(f, 100, true);
        allowed = n;
        assert_int_equal(fixture_join_holding(f, 1, 0, held, 2), 0);
        adopted = fixture_stats(f).chunks_adopted;
        assert_true(n < 10);
        /* and all is done once, whatever it was */
        allowed = SIZE_MAX;
        fixture_event(f, SCHED_WORKER_LEFT, 1);
        fixture_join(f, 2, 4, 4);
        while (fixture_finish(f, 2, 5) > 0) {
        }
        assert_int_equal(fixture_stats(f).tally.ok, 100);
    }
}

static void test_sched_without_memory_for_duplicates_there_are_none(void **state)
{
    /* given a full table, and a worker that is late with all of it */
    struct fixture *f = *state;
    struct sched_options options = fixture_options(1);
    options.speculate = true;
    fixture_restart(f, &options);
    fixture_items(f, 65, true);
    fixture_join(f, 2, 1, 1);
    fixture_finish(f, 2, 20000);
    fixture_join(f, 1, 100, 100);
    fixture_finish(f, 2, 20000);
    assert_int_equal(fixture_stats(f).items_held, 63);
    fixture_credit(f, 2, 8);
    f->now_us += 1000000;
    allowed = 0;
    fixture_event(f, SCHED_TICK, 0);
    assert_in_range(fixture_stats(f).chunks_speculated, 0, 1);
    fixture_join(f, 3, 8, 8);
    f->now_us += 1000000;
    fixture_event(f, SCHED_TICK, 0);
    assert_int_equal(fixture_stats(f).chunks_speculated, 1);
    allowed = SIZE_MAX;
    f->now_us += 1000000;
    fixture_event(f, SCHED_TICK, 0);
    assert_true(fixture_stats(f).chunks_speculated > 1);
}

static void test_sched_forgets_and_finds_workers_in_any_order(void **state)
{
    struct fixture *f = *state;
    /* ids that crowd together in a hash table, and that are far apart */
    for (uint64_t round = 0; round < 3; round++) {
        for (uint64_t i = 1; i <= 300; i++) {
            assert_int_equal(fixture_join(f, i << (round * 20), 1, 1), 0);
        }
        for (uint64_t i = 1; i <= 300; i += 3) {
            assert_int_equal(fixture_event(f, SCHED_WORKER_LEFT, i << (round * 20)), 0);
        }
        for (uint64_t i = 1; i <= 300; i++) {
            int expected = i % 3 == 1 ? ERR_INVALID : 0;
            assert_int_equal(fixture_event(f, SCHED_HEARD, i << (round * 20)), expected);
        }
        for (uint64_t i = 300; i > 0; i--) {
            (void)fixture_event(f, SCHED_WORKER_LEFT, i << (round * 20));
        }
        assert_int_equal(fixture_stats(f).workers_live, 0);
    }
}

/* A worker that answers in the order in which it was sent to; here without the fixture's memory of everything. */
static void run_all(struct sched *sched, uint64_t item_ns)
{
    enum { ROOM = 256 };

    struct sched_action list[ROOM];
    struct sched_actions actions = {list, 0, ROOM};
    struct sched_action pending[ROOM];
    size_t head = 0;
    size_t tail = 0;
    struct sched_event event = {.type = SCHED_WORKER_JOINED, .worker = {1}};
    event.as.joined.slots = 8;
    event.as.joined.credit = 64;
    for (bool done = false; !done;) {
        actions.count = 0;
        assert_int_equal(sched_step(sched, 0, &event, &actions), 0);
        for (size_t i = 0; i < actions.count; i++) {
            done = done || list[i].type == SCHED_DONE;
            if (list[i].type == SCHED_SEND) {
                pending[tail++ % ROOM] = list[i];
            }
        }
        if (event.type == SCHED_RESULT) {
            event = (struct sched_event){.type = SCHED_CREDIT, .worker = {1}, .as.credit = 1};
        } else if (!done) {
            assert_true(head < tail);
            struct sched_action *next = &pending[head++ % ROOM];
            event = (struct sched_event){.type = SCHED_RESULT, .worker = {1}};
            event.as.result.chunk = next->chunk;
            event.as.result.attempt = next->attempt;
            event.as.result.run_us = next->count * item_ns / 1000;
            event.as.result.tally.ok = next->count;
        }
    }
}

static void test_sched_memory_is_the_same_for_a_thousand_times_the_items(void **state)
{
    (void)state;
    const uint64_t items[] = {1000000, 1000000000};
    size_t used[2];
    for (size_t i = 0; i < 2; i++) {
        struct sched_options options = fixture_options(i == 0 ? 10 : 10000);
        struct sched *sched = NULL;
        largest = 0;
        assert_int_equal(sched_new(&options, &sched), 0);
        struct sched_action list[SCHED_ACTIONS_MIN];
        struct sched_actions actions = {list, 0, SCHED_ACTIONS_MIN};
        struct sched_event event = {.type = SCHED_ITEMS};
        event.as.items.available = items[i];
        event.as.items.final = true;
        assert_int_equal(sched_step(sched, 0, &event, &actions), 0);
        run_all(sched, 1000);
        used[i] = largest;
        struct sched_stats stats;
        sched_get_stats(sched, &stats);
        assert_int_equal(stats.items_done, items[i]);
        assert_int_equal(stats.chunks_finished, 100000);
        uint64_t first = 1;
        uint64_t end = 0;
        assert_int_equal(sched_done_spans(sched, 0, &first, &end), 1);
        assert_int_equal(first, 0);
        assert_int_equal(end, items[i]);
        sched_free(sched);
    }
    assert_int_equal(used[0], used[1]);
    assert_true(used[0] < 65536);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sched_new_fails_cleanly_at_every_allocation),
        TEST(test_sched_worker_that_finds_no_memory_is_refused_and_nothing_changes),
        TEST(test_sched_without_memory_for_more_chunks_fewer_are_in_flight),
        TEST(test_sched_rest_of_a_chunk_needs_no_memory),
        TEST(test_sched_without_memory_for_all_retries_the_items_count_as_failed),
        TEST(test_sched_one_failed_chunk_is_retried_without_memory),
        TEST(test_sched_without_memory_for_pieces_a_suspect_is_tried_as_a_whole),
        TEST(test_sched_rest_of_a_suspect_that_had_used_up_its_attempts_has_some_again),
        TEST(test_sched_splits_a_suspect_when_there_is_memory_again),
        TEST(test_sched_restore_without_memory_changes_nothing),
        TEST(test_sched_without_memory_a_worker_goes_on_with_less_of_what_it_holds),
        TEST(test_sched_without_memory_for_duplicates_there_are_none),
        TEST(test_sched_forgets_and_finds_workers_in_any_order),
        TEST(test_sched_memory_is_the_same_for_a_thousand_times_the_items),
    };
    return cmocka_run_group_tests_name("sched_memory", tests, NULL, NULL) != 0;
}
