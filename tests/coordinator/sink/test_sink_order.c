/* Batches cut into runs, and runs put back into the order of the input. */
#include "common/base/rng.h"
#include "coordinator/sink/sink_order.h"
#include "tests/coordinator/sink/sink_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ITEMS = 400 };

static const struct item_fixture five[] = {
    {FIXTURE_ITEM("a"), {.status = RECORD_FAILED, FIXTURE_REASON("no")}},
    {FIXTURE_ITEM(""), {FIXTURE_OUT("B")}},
    {FIXTURE_ITEM("c\0c"), {FIXTURE_OUT("C")}},
    {FIXTURE_ITEM("d"), {.status = RECORD_TIMED_OUT}},
    {FIXTURE_ITEM("e"), {FIXTURE_OUT("E")}},
};

/* Items [first, first + count) of the five, as the input's items from 10 on. */
static struct sink_held *hold(size_t first, size_t count, bool withhold)
{
    struct sink_batch batch = {
        .first = 10 + first,
        .count = count,
        .payload = payload_fixture(five, 5),
        .payload_first = 10,
        .payload_count = 5,
        .records = records_fixture(five + first, count),
        .withhold_failed = withhold,
        .attempt = 2,
        .worker = "w",
    };
    batch.records_len = blob_len(batch.records);
    struct sink_held *held = sink_held_new(&batch, 0);
    assert_non_null(held);
    blob_unref(batch.payload); /* the batch has its own */
    blob_unref(batch.records);
    return held;
}

static void test_sink_span_walks_items_with_their_records(void **state)
{
    (void)state;
    struct sink_held *held = hold(
        1, 3, false); /* neither from the payload's begin nor to its end */
    struct sink_span span;
    struct sink_item item;
    sink_span_init(&span, held);
    for (size_t i = 1; i < 4; i++) {
        assert_true(sink_span_next(&span, &item));
        assert_int_equal(item.index, 10 + i);
        assert_int_equal(item.len, five[i].len);
        assert_memory_equal(item.bytes, five[i].bytes, five[i].len);
        assert_int_equal(item.record.status, five[i].record.status);
        assert_int_equal(item.attempt, 2);
        assert_string_equal(item.worker, "w");
        assert_false(item.is_lost);
        assert_false(sink_held_withholds(held, &item));
    }
    assert_false(sink_span_next(&span, &item));
    sink_held_free(held);
}

static void test_sink_span_of_lost_items_has_the_reason(void **state)
{
    (void)state;
    struct sink_batch batch = {.first = 5, .count = 2, .attempt = 3, .lost = "worker died"};
    struct sink_held *held = sink_held_new(&batch, 100);
    struct sink_span span;
    struct sink_item item;
    sink_span_init(&span, held);
    for (uint64_t i = 0; i < 2; i++) {
        assert_true(sink_span_next(&span, &item));
        assert_null(item.bytes);
        assert_int_equal(item.number, 105 + i);
        assert_true(item.is_lost);
        assert_int_equal(item.record.status, RECORD_FAILED);
        assert_int_equal(item.record.reason_len, strlen("worker died"));
        assert_memory_equal(item.record.reason, "worker died", item.record.reason_len);
        assert_string_equal(item.worker, "");
    }
    assert_false(sink_span_next(&span, &item));
    sink_held_free(held);
}

static void test_sink_span_is_one_run_when_nothing_is_withheld(void **state)
{
    (void)state;
    struct sink_held *held = hold(0, 5, false);
    struct sink_span span;
    struct sink_span run;
    sink_span_init(&span, held);
    assert_true(sink_span_next_run(&span, &run));
    assert_int_equal(run.first, 10);
    assert_int_equal(run.count, 5);
    assert_false(sink_span_next_run(&span, &run));
    sink_held_free(held);
}

static void test_sink_span_runs_leave_out_what_is_withheld(void **state)
{
    (void)state;
    struct sink_held *held = hold(0, 5, true);
    struct sink_span span;
    struct sink_span run;
    struct sink_item item;
    sink_span_init(&span, held);
    assert_true(sink_span_next_run(&span, &run));
    assert_int_equal(run.first, 11);
    assert_int_equal(run.count, 2);
    assert_true(sink_span_next(&run, &item) && sink_span_next(&run, &item));
    assert_int_equal(item.index, 12);
    assert_memory_equal(item.bytes, "c\0c", 3);
    assert_memory_equal(item.record.out, "C", 1);
    assert_false(sink_span_next(&run, &item));
    assert_true(sink_span_next_run(&span, &run));
    assert_int_equal(run.first, 14);
    assert_int_equal(run.count, 1);
    assert_true(sink_span_next(&run, &item));
    assert_memory_equal(item.bytes, "e", 1);
    assert_memory_equal(item.record.out, "E", 1);
    assert_false(sink_span_next_run(&span, &run));
    sink_held_free(held);
}

static struct sink_span span_of(uint64_t first, uint64_t count)
{
    return (struct sink_span){.first = first, .count = count};
}

static void test_sink_order_lets_nothing_over_a_gap(void **state)
{
    (void)state;
    struct sink_order order = {0};
    struct sink_span span = span_of(2, 3);
    struct sink_span out;
    assert_int_equal(sink_order_push(&order, &span), 0);
    assert_false(sink_order_pop(&order, &out));
    span = span_of(1, 1);
    assert_int_equal(sink_order_push(&order, &span), 0);
    assert_false(sink_order_pop(&order, &out));
    span = span_of(0, 1);
    assert_int_equal(sink_order_push(&order, &span), 0);
    for (uint64_t first = 0; first < 3; first++) {
        assert_true(sink_order_pop(&order, &out));
        assert_int_equal(out.first, first);
    }
    assert_false(sink_order_pop(&order, &out));
    assert_int_equal(order.next, 5);
    sink_order_deinit(&order);
}

static void test_sink_order_steps_over_gaps_when_told(void **state)
{
    (void)state;
    struct sink_order order = {0};
    struct sink_span out;
    for (uint64_t i = 10; i > 0; i--) {
        struct sink_span span = span_of(3 * i, 2);
        assert_int_equal(sink_order_push(&order, &span), 0);
    }
    for (uint64_t i = 1; i <= 10; i++) {
        assert_true(sink_order_pop_any(&order, &out));
        assert_int_equal(out.first, 3 * i);
    }
    assert_false(sink_order_pop_any(&order, &out));
    sink_order_deinit(&order);
}

/* The model: a flag an item. After each push the longest beginning without a gap must have left. */
static void run_random_order(uint64_t seed)
{
    size_t firsts[ITEMS + 1];
    size_t spans[ITEMS];
    bool there[ITEMS + 1] = {false};
    size_t count = 0;
    size_t expected = 0;
    struct rng rng;
    struct sink_order order = {0};
    rng_init(&rng, seed);
    for (size_t at = 0; at < ITEMS; at += 1 + rng_below(&rng, 5)) {
        spans[count] = count;
        firsts[count++] = at;
    }
    firsts[count] = ITEMS;
    rng_shuffle(&rng, spans, count);
    for (size_t i = 0; i < count; i++) {
        size_t first = firsts[spans[i]];
        size_t end = firsts[spans[i] + 1];
        struct sink_span span = span_of(first, end - first);
        struct sink_span out;
        assert_int_equal(sink_order_push(&order, &span), 0);
        memset(there + first, 1, end - first);
        while (sink_order_pop(&order, &out)) {
            assert_int_equal(out.first, expected);
            expected += out.count;
        }
        assert_false(there[expected]);
        assert_true(expected == 0 || there[expected - 1]);
    }
    assert_int_equal(expected, ITEMS);
    sink_order_deinit(&order);
}

static void test_sink_order_agrees_with_a_model_in_random_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        run_random_order(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sink_span_walks_items_with_their_records),
        cmocka_unit_test(test_sink_span_of_lost_items_has_the_reason),
        cmocka_unit_test(test_sink_span_is_one_run_when_nothing_is_withheld),
        cmocka_unit_test(test_sink_span_runs_leave_out_what_is_withheld),
        cmocka_unit_test(test_sink_order_lets_nothing_over_a_gap),
        cmocka_unit_test(test_sink_order_steps_over_gaps_when_told),
        cmocka_unit_test(test_sink_order_agrees_with_a_model_in_random_order),
    };
    return cmocka_run_group_tests_name("sink_order", tests, NULL, NULL);
}
