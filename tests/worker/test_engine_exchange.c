/* The exchange by itself, single-threaded: who is given how much, who is woken, what is taken back. */
#include "common/base/err.h"
#include "worker/engine/clock.h"
#include "worker/engine/exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SHARES = 8 };

struct fixture {
    struct exchange exchange;
    struct share shares[SHARES];
    struct slot_record records[SHARES];
    unsigned wakes;
    unsigned notifies;
    uint64_t next_id;
};

static const struct share_policy short_policy = {.chunks_max = 64, .expected_ns = 200000};
static const struct share_policy ahead_policy = {.chunks_max = 128,
                                                 .expected_ns = 400000,
                                                 .ahead_ns = 10000000};

static void on_wake(void *arg)
{
    ((struct fixture *)arg)->wakes++;
}

static void on_notify(void *arg)
{
    ((struct fixture *)arg)->notifies++;
}

static struct fixture *make_with(uint32_t shares, struct share_policy policy)
{
    struct fixture *f = aligned_alloc(64, sizeof(*f));
    assert_non_null(f);
    memset(f, 0, sizeof(*f));
    assert_int_equal(exchange_init(&f->exchange, SHARES, on_wake, f), 0);
    exchange_set_notify(&f->exchange, on_notify, f);
    for (uint32_t i = 0; i < shares; i++) {
        share_init(&f->shares[i], &f->records[i], policy);
        exchange_add_share(&f->exchange, &f->shares[i]);
    }
    return f;
}

static void drop(struct fixture *f)
{
    exchange_drop_shares(&f->exchange);
    exchange_deinit(&f->exchange);
    free(f);
}

static void submit(struct fixture *f, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct chunk chunk = {.id = {++f->next_id}, .first = i, .count = 1, .attempt = 1};
        assert_int_equal(exchange_submit(&f->exchange, &chunk, 1), 0);
    }
}

static uint32_t turn(struct fixture *f, uint32_t share)
{
    return exchange_turn(&f->exchange, &f->shares[share], EXCHANGE_NO_WAIT, clock_now_ns());
}

/* The slot begins its next chunk. */
static bool begin(struct fixture *f, uint32_t share)
{
    struct slot_record *record = &f->records[share];
    return slot_record_begin(record, slot_record_range(record).next);
}

/* The slot finishes the chunk that it began last. */
static void finish(struct fixture *f, uint32_t share, uint64_t run_ns)
{
    struct slot_record *record = &f->records[share];
    uint32_t seq = slot_record_range(record).next - 1;
    *slot_record_result(record, seq) = (struct slot_result){.tally = {.ok = 1}, .run_ns = run_ns};
    slot_record_publish(record, seq);
}

/* Let the exchange know that chunks take `run_ns`. */
static void teach(struct fixture *f, uint64_t run_ns)
{
    struct chunk_result result;
    submit(f, 1);
    assert_int_equal(turn(f, 0), 1);
    assert_true(begin(f, 0));
    finish(f, 0, run_ns);
    assert_int_equal(turn(f, 0), 0);
    assert_int_equal(exchange_take(&f->exchange, &result, 1), 1);
}

static void test_exchange_gives_one_chunk_as_long_as_nothing_is_known(void **state)
{
    (void)state;
    struct fixture *f = make_with(2, short_policy);
    submit(f, 1000);
    assert_int_equal(turn(f, 0), 1);
    assert_int_equal(turn(f, 1), 1);
    assert_int_equal(turn(f, 1), 0); /* it has one already */
    drop(f);
}

static void test_exchange_gives_nine_chunks_to_eight_slots_one_each(void **state)
{
    (void)state;
    struct fixture *f = make_with(8, ahead_policy);
    teach(f, 1000);
    submit(f, 9);
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(turn(f, i), 1);
    }
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(turn(f, i), 0);
    }
    drop(f);
}

static void test_exchange_gives_many_short_chunks_at_once(void **state)
{
    (void)state;
    struct fixture *f = make_with(2, short_policy);
    teach(f, 1000);
    submit(f, 1000);
    assert_int_equal(turn(f, 0), 64);
    submit(f, 1);
    assert_int_equal(turn(f, 1), 64);
    drop(f);
}

static void test_exchange_gives_few_when_the_queue_is_short(void **state)
{
    (void)state;
    struct fixture *f = make_with(4, short_policy);
    teach(f, 1000);
    submit(f, 80);
    assert_int_equal(turn(f, 0), 10);
    assert_int_equal(turn(f, 1), 8);
    drop(f);
}

static void test_exchange_gives_long_chunks_one_by_one(void **state)
{
    (void)state;
    struct fixture *f = make_with(2, ahead_policy);
    teach(f, 100000000);
    submit(f, 1000);
    assert_int_equal(turn(f, 0), 1);
    assert_int_equal(turn(f, 0), 0);
    drop(f);
}

static void test_exchange_lets_one_middling_chunk_wait_behind_another(void **state)
{
    (void)state;
    struct fixture *f = make_with(2, ahead_policy);
    teach(f, 1000000);
    submit(f, 1000);
    assert_int_equal(turn(f, 0), 2);
    assert_int_equal(turn(f, 0), 0);
    drop(f);
}

static void test_exchange_wakes_owner_once_until_it_takes(void **state)
{
    (void)state;
    struct fixture *f = make_with(2, short_policy);
    struct chunk_result results[4];
    submit(f, 3);
    for (int round = 0; round < 2; round++) {
        (void)turn(f, 0);
        assert_true(begin(f, 0));
        finish(f, 0, 1000);
        exchange_flush(&f->exchange, &f->shares[0], 0);
        assert_int_equal(f->wakes, 1);
    }
    assert_int_equal(exchange_take(&f->exchange, results, 4), 2);
    (void)turn(f, 0);
    assert_true(begin(f, 0));
    finish(f, 0, 1000);
    (void)turn(f, 0);
    assert_int_equal(f->wakes, 2);
    drop(f);
}

static void test_exchange_notifies_only_a_slot_that_sleeps(void **state)
{
    (void)state;
    struct fixture *f = make_with(2, short_policy);
    submit(f, 1);
    assert_int_equal(f->notifies, 0);
    assert_false(exchange_arm(&f->exchange)); /* there is a chunk */
    assert_int_equal(turn(f, 0), 1);
    assert_true(exchange_arm(&f->exchange));
    submit(f, 1);
    assert_int_equal(f->notifies, 1);
    submit(f, 1); /* it is being woken */
    assert_int_equal(f->notifies, 1);
    drop(f);
}

static void test_exchange_takes_back_newest_first_and_from_shares(void **state)
{
    (void)state;
    struct fixture *f = make_with(2, short_policy);
    struct chunk back[100];
    teach(f, 1000); /* id 1 */
    submit(f, 40);  /* ids 2 to 41 */
    assert_int_equal(turn(f, 0), 10);
    assert_true(begin(f, 0));
    assert_int_equal(exchange_take_back(&f->exchange, back, 100), 39);
    for (uint64_t i = 0; i < 39; i++) {
        assert_int_equal(back[i].id.value, 41 - i);
    }
    assert_false(begin(f, 0));
    assert_int_equal(f->exchange.held, 1);
    drop(f);
}

static void test_exchange_gives_nothing_behind_revoked_chunks_until_the_slot_is_idle(void **state)
{
    (void)state;
    struct fixture *f = make_with(1, short_policy);
    struct chunk back[100];
    struct chunk_result result;
    teach(f, 1000);
    submit(f, 40);
    assert_int_equal(turn(f, 0), 20);
    assert_true(begin(f, 0));
    assert_int_equal(exchange_take_back(&f->exchange, back, 100), 39);
    submit(f, 5);
    assert_int_equal(turn(f, 0), 0);
    finish(f, 0, 1000);
    assert_int_equal(turn(f, 0), 2);
    assert_int_equal(exchange_take(&f->exchange, &result, 1), 1);
    assert_int_equal(result.id.value, 2);
    assert_true(begin(f, 0));
    finish(f, 0, 1000);
    exchange_flush(&f->exchange, &f->shares[0], 0);
    assert_int_equal(exchange_take(&f->exchange, &result, 1), 1);
    assert_int_equal(result.id.value, 42);
    drop(f);
}

static void test_exchange_rescues_what_waits_behind_a_long_chunk(void **state)
{
    (void)state;
    struct fixture *f = make_with(2, short_policy);
    struct chunk_result result;
    teach(f, 1000);
    submit(f, 40);
    assert_int_equal(turn(f, 0), 10);
    assert_true(begin(f, 0));
    finish(f, 0, 1000);
    assert_true(begin(f, 0));
    exchange_rescue(&f->exchange); /* not due */
    assert_int_equal(exchange_take(&f->exchange, &result, 1), 0);
    f->shares[0].touched_ns -= 10 * NS_PER_MS;

    exchange_rescue(&f->exchange);

    assert_int_equal(exchange_take(&f->exchange, &result, 1), 1);
    assert_int_equal(share_outstanding(&f->shares[0]), 1);
    assert_false(begin(f, 0));
    assert_int_equal(turn(f, 1), 9); /* of the 38 that are in the queue again */
    assert_int_equal(share_chunk(&f->shares[1], 0)->id.value, 4);
    drop(f);
}

static void test_exchange_recovers_the_chunk_that_was_begun(void **state)
{
    (void)state;
    struct fixture *f = make_with(2, short_policy);
    struct exchange_lent begun;
    struct chunk_result result;
    uint32_t seq = 0;
    teach(f, 1000);
    submit(f, 40);
    assert_int_equal(turn(f, 0), 10);
    assert_true(begin(f, 0));
    finish(f, 0, 1000);
    assert_true(begin(f, 0));

    assert_true(exchange_recover(&f->exchange, &f->shares[0], &begun, &seq));

    assert_int_equal(begun.chunk.id.value, 3);
    assert_int_equal(seq, 2);
    assert_int_equal(exchange_take(&f->exchange, &result, 1), 1);
    assert_int_equal(result.id.value, 2);
    slot_record_reset(&f->records[0], f->shares[0].issued);

    struct carry carry = {.tally = {.failed = 1}, .error_index = 1, .error_len = 3, .error = "why"};
    begun.chunk.count = 2;
    exchange_give(&f->exchange, &f->shares[0], &begun, &carry);
    finish(f, 0, 1000);
    assert_int_equal(turn(f, 0), 9);
    assert_int_equal(exchange_take(&f->exchange, &result, 1), 1);
    assert_int_equal(result.id.value, 3);
    assert_int_equal(result.tally.ok, 1);
    assert_int_equal(result.tally.failed, 1);
    assert_memory_equal(result.error, "why", 3);
    free(result.error);
    drop(f);
}

static void test_exchange_survives_any_nonsense_in_a_record(void **state)
{
    (void)state;
    static const uint64_t ranges[] = {
        0, UINT64_MAX, 5ULL << 32 | 3, 0xFFFFFFFFULL, 1ULL << 63, 3ULL << 32 | 70, 70ULL << 32 | 3};
    static const uint32_t published[] = {0, 1, 5, 100, UINT32_MAX};
    for (size_t r = 0; r < sizeof(ranges) / sizeof(ranges[0]); r++) {
        for (size_t p = 0; p < sizeof(published) / sizeof(published[0]); p++) {
            struct fixture *f = make_with(1, short_policy);
            struct exchange_lent begun = {.place = 0};
            struct chunk_result results[64];
            uint32_t seq;
            teach(f, 1000);
            submit(f, 40);
            assert_int_equal(turn(f, 0), 20);
            atomic_store(&f->records[0].range, ranges[r]);
            atomic_store(&f->records[0].published, published[p]);
            memset(f->records[0].results, 0xEE, sizeof(f->records[0].results));

            bool one = exchange_recover(&f->exchange, &f->shares[0], &begun, &seq);

            /* Every chunk is in one place: begun, with a result, or in the queue. */
            size_t count = exchange_take(&f->exchange, results, 64);
            for (size_t i = 0; i < count; i++) {
                assert_int_equal(results[i].tally.failed, 1);
                assert_int_equal(results[i].tally.ok, 0);
                chunk_result_deinit(&results[i]);
            }
            assert_int_equal(count + one + chunk_ring_count(&f->exchange.queue), 40);
            drop(f);
        }
    }
}

static void test_slot_record_numbers_go_round(void **state)
{
    (void)state;
    struct fixture *f = make_with(1, short_policy);
    slot_record_reset(&f->records[0], UINT32_MAX - 1);
    f->shares[0].issued = UINT32_MAX - 1;
    f->shares[0].limit = UINT32_MAX - 1;
    f->shares[0].expected = UINT32_MAX - 1;
    teach(f, 1000);
    submit(f, 200);
    for (uint32_t round = 0; round < 2; round++) {
        uint32_t given = turn(f, 0);
        assert_true(given > 1);
        for (uint32_t i = 0; i < given; i++) {
            assert_true(begin(f, 0));
            finish(f, 0, 1000);
        }
        assert_false(begin(f, 0));
    }
    drop(f);
}

static void test_exchange_gives_nothing_when_closed(void **state)
{
    (void)state;
    struct fixture *f = make_with(1, short_policy);
    struct chunk chunk;
    struct exchange_lent lent;
    submit(f, 10);
    exchange_close(&f->exchange);
    assert_int_equal(f->notifies, 1);
    assert_int_equal(turn(f, 0), 0);
    assert_int_equal(exchange_trade(&f->exchange, NULL, 0, &lent, 1), 0);
    assert_true(exchange_arm(&f->exchange));
    assert_int_equal(exchange_take_back(&f->exchange, &chunk, 1), 1);
    drop(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exchange_gives_one_chunk_as_long_as_nothing_is_known),
        cmocka_unit_test(test_exchange_gives_nine_chunks_to_eight_slots_one_each),
        cmocka_unit_test(test_exchange_gives_many_short_chunks_at_once),
        cmocka_unit_test(test_exchange_gives_few_when_the_queue_is_short),
        cmocka_unit_test(test_exchange_gives_long_chunks_one_by_one),
        cmocka_unit_test(test_exchange_lets_one_middling_chunk_wait_behind_another),
        cmocka_unit_test(test_exchange_wakes_owner_once_until_it_takes),
        cmocka_unit_test(test_exchange_notifies_only_a_slot_that_sleeps),
        cmocka_unit_test(test_exchange_takes_back_newest_first_and_from_shares),
        cmocka_unit_test(test_exchange_gives_nothing_behind_revoked_chunks_until_the_slot_is_idle),
        cmocka_unit_test(test_exchange_rescues_what_waits_behind_a_long_chunk),
        cmocka_unit_test(test_exchange_recovers_the_chunk_that_was_begun),
        cmocka_unit_test(test_exchange_survives_any_nonsense_in_a_record),
        cmocka_unit_test(test_slot_record_numbers_go_round),
        cmocka_unit_test(test_exchange_gives_nothing_when_closed),
    };
    return cmocka_run_group_tests_name("engine_exchange", tests, NULL, NULL) != 0;
}
