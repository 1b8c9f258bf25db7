/* Tests of worker/engine/chunk_run.c and chunk_batch.c: one chunk by itself, with workloads that keep to the batch contract and
 * with some that do not, with records and without, and without memory for them. */
#include "common/base/err.h"
#include "worker/engine/chunk_batch.h"
#include "worker/engine/chunk_run.h"
#include "worker/engine/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Allocations of at least `fail_size` bytes fail; 0: none. */
static size_t fail_size;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
    return fail_size > 0 && size >= fail_size ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fail_size > 0 && size >= fail_size ? NULL : __real_realloc(old, size);
}

enum { BATCH = 8, OUT = 100000 };

/* How the workload behaves; its slot. */
struct script {
    size_t report;        /* of each batch; SIZE_MAX: all */
    size_t more;          /* reports beyond the last item */
    bool stubborn;        /* goes on after `done` has said false */
    size_t out_len;       /* of each item */
    uint64_t fails;       /* the item with this number does; UINT64_MAX: none */
    size_t batches;       /* calls of run_batch */
    size_t stops;         /* times that `done` said false */
    size_t largest;       /* batch that came */
    uint64_t began;       /* items that were begun */
    uint32_t attempt;     /* of the last item */
    bool cancel_now;      /* what `cancelled` says */
    uint64_t overhead_us; /* of each batch */
    uint64_t called_ns;   /* when run_batch was, last */
    struct workload_host host;
};

static char output[OUT];

static struct workload_outcome outcome_of(const struct script *script,
                                          const struct workload_item *item)
{
    struct workload_outcome outcome = {
        .ok = item->number != script->fails,
        .checksum = item->number,
        .bytes = 1,
        .flags = WORKLOAD_HAS_VALUE,
        .value = item->number,
        .out = output,
        .out_len = script->out_len,
        .error = "as told",
    };
    return outcome;
}

static void run(void *slot, const struct workload_item *item, struct workload_outcome *ret_outcome)
{
    struct script *script = slot;
    script->began++;
    script->attempt = item->attempt;
    *ret_outcome = outcome_of(script, item);
}

static void run_batch(void *slot, struct workload_batch *batch)
{
    struct script *script = slot;
    batch->overhead_us = script->overhead_us;
    script->called_ns = clock_now_ns();
    script->batches++;
    script->largest = batch->count > script->largest ? batch->count : script->largest;
    size_t count = batch->count < script->report ? batch->count : script->report;
    bool go_on = true;
    for (size_t i = 0; i < count && (go_on || script->stubborn); i++) {
        struct workload_outcome outcome = outcome_of(script, &batch->items[i]);
        script->began++;
        script->attempt = batch->items[i].attempt;
        go_on = batch->done(batch, &outcome) && go_on;
    }
    for (size_t i = 0; i < script->more; i++) {
        struct workload_outcome outcome = {.ok = true, .checksum = 1000000};
        assert_false(batch->done(batch, &outcome));
    }
    script->stops += !go_on;
}

static const struct workload_ops one_by_one = {WORKLOAD_ABI,
                                               .name = "one-by-one",
                                               .traits = WORKLOAD_NUMBERS,
                                               .run = run};

/* No `run`: it is not to be called. */
static const struct workload_ops in_batches = {WORKLOAD_ABI,
                                               .name = "in-batches",
                                               .traits = WORKLOAD_NUMBERS | WORKLOAD_BYTES,
                                               .run_batch = run_batch,
                                               .batch_max = BATCH};

static bool is_cancelled(const struct workload_host *host)
{
    const struct script *script = (const struct script *)((const char *)host -
                                                          offsetof(struct script, host));
    return script->cancel_now;
}

struct bench {
    struct script script;
    struct record_buffer records;
    struct slot_record record;
    struct chunk_run run;
    _Atomic uint64_t elsewhere_us;
    struct blob *spare;
    char error[CHUNK_ERROR_SIZE];
};

static int set_up(void **state)
{
    struct bench *bench = aligned_alloc(_Alignof(struct bench), sizeof(*bench));
    assert_non_null(bench);
    memset(bench, 0, sizeof(*bench));
    bench->script = (struct script){
        .report = SIZE_MAX, .fails = UINT64_MAX, .host = {.cancelled = is_cancelled}};
    bench->spare = record_spare();
    assert_non_null(bench->spare);
    *state = bench;
    fail_size = 0;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    fail_size = 0;
    chunk_run_deinit(&bench->run);
    record_buffer_deinit(&bench->records);
    blob_unref(bench->spare);
    free(bench);
    return 0;
}

/* Run the numbers [first, first + count), as far as it goes. */
static void run_input(struct bench *bench,
                      const struct workload_ops *workload,
                      bool records,
                      const struct chunk_input *input)
{
    bench->run = (struct chunk_run){.elsewhere_us = &bench->elsewhere_us,
                                    .workload = workload,
                                    .slot = &bench->script,
                                    .records = records ? &bench->records : NULL,
                                    .error = bench->error};
    assert_int_equal(chunk_run_init(&bench->run), 0);
    chunk_run_begin(&bench->run, input, clock_now_ns());
    chunk_run_step(&bench->run, &bench->script.host, UINT64_MAX);
}

static void run_numbers(struct bench *bench,
                        const struct workload_ops *workload,
                        bool records,
                        uint64_t first,
                        uint64_t count)
{
    run_input(bench,
              workload,
              records,
              &(struct chunk_input){.first = first, .count = count, .attempt = 3});
}

static void assert_tally(const struct bench *bench, uint64_t ok, uint64_t failed)
{
    assert_int_equal(bench->run.tally.ok, ok);
    assert_int_equal(bench->run.tally.failed, failed);
}

/* Takes the records: of the `count` numbers from `first`, of which those from `failed` on failed. */
static void assert_records(struct bench *bench, uint64_t first, uint64_t count, uint64_t failed)
{
    struct blob *blob = chunk_run_take_records(&bench->run, bench->spare);
    struct record_cursor cursor;
    struct record record;
    assert_ptr_not_equal(blob, bench->spare);
    assert_true(records_valid(blob_bytes(blob), blob_len(blob), count));
    record_cursor_init(&cursor, blob_bytes(blob), count);
    for (uint64_t i = 0; record_cursor_next(&cursor, &record); i++) {
        assert_int_equal(record.status, i < failed ? RECORD_OK : RECORD_FAILED);
        assert_true(i >= failed || record.value == first + i);
    }
    blob_unref(blob);
}

static void test_batch_runs_every_item_once_and_no_more_at_once_than_it_may(void **state)
{
    struct bench *bench = *state;
    for (int records = 0; records < 2; records++) {
        bench->script.batches = 0;
        bench->script.began = 0;
        run_numbers(bench, &in_batches, records, 100, 20);
        assert_true(chunk_run_done(&bench->run));
        assert_tally(bench, 20, 0);
        assert_int_equal(bench->run.tally.checksum, 20 * 100 + 190);
        assert_int_equal(bench->script.batches, 3);
        assert_int_equal(bench->script.largest, BATCH);
        assert_int_equal(bench->script.began, 20);
        assert_int_equal(bench->script.attempt, 3);
        chunk_run_deinit(&bench->run);
    }
    assert_records(bench, 100, 20, 20);
}

static void test_batch_gives_items_that_are_bytes(void **state)
{
    struct bench *bench = *state;
    const char payload[] = "\3\0\0\0\0\0\0\0\1\0\0\0abc\0\0z";
    run_input(bench,
              &in_batches,
              true,
              &(struct chunk_input){
                  .count = 3, .attempt = 1, .payload = payload, .payload_len = sizeof(payload)});
    assert_tally(bench, 3, 0);
    const struct workload_item *items = bench->run.items;
    assert_string_equal(items[0].bytes, "abc");
    assert_string_equal(items[1].bytes, "");
    assert_string_equal(items[2].bytes, "z");
    assert_int_equal(items[2].index, 2);
}

static void test_batch_s_overhead_is_not_time_of_its_chunk(void **state)
{
    struct bench *bench = *state;
    run_numbers(bench, &in_batches, false, 0, 10);
    assert_true(bench->run.start_ns < bench->script.called_ns);
    chunk_run_deinit(&bench->run);
    bench->script.overhead_us = UINT32_MAX; /* more than it can have been */
    run_numbers(bench, &in_batches, false, 0, 10);
    assert_tally(bench, 10, 0);
    assert_true(bench->run.start_ns >= bench->script.called_ns);
    assert_true(bench->run.start_ns <= clock_now_ns());
}

static void test_batch_is_never_larger_than_there_is_memory_for(void **state)
{
    struct bench *bench = *state;
    struct workload_ops greedy = in_batches;
    greedy.batch_max = SIZE_MAX;
    run_numbers(bench, &greedy, false, 0, 2 * CHUNK_BATCH_MAX + 1);
    assert_tally(bench, 2 * CHUNK_BATCH_MAX + 1, 0);
    assert_int_equal(bench->script.batches, 3);
    assert_int_equal(bench->script.largest, CHUNK_BATCH_MAX);
}

static void test_batch_runs_careful_items_one_by_one(void **state)
{
    struct bench *bench = *state;
    run_input(bench,
              &in_batches,
              false,
              &(struct chunk_input){.count = 12, .skip = 2, .careful = 5, .attempt = 1});
    assert_tally(bench, 10, 0);
    assert_int_equal(bench->script.batches, 3 + 1);
    assert_int_equal(bench->script.largest, 7);
}

static void test_batch_that_stops_reporting_fails_the_rest(void **state)
{
    struct bench *bench = *state;
    for (int records = 0; records < 2; records++) {
        bench->script.report = 5;
        run_numbers(bench, &in_batches, records, 10, 8);
        assert_true(chunk_run_done(&bench->run));
        assert_tally(bench, 5, 3);
        assert_int_equal(bench->run.error_index, 15);
        bench->error[bench->run.error_len] = '\0';
        assert_string_equal(
            bench->error, "workload in-batches did not say what became of 3 of a batch of 8 items");
        chunk_run_deinit(&bench->run);
    }
    assert_records(bench, 10, 8, 5);
}

static void test_batch_that_reports_nothing_fails_each_item_once(void **state)
{
    struct bench *bench = *state;
    bench->script.report = 0;
    run_numbers(bench, &in_batches, true, 0, 3 * BATCH);
    assert_tally(bench, 0, 3 * BATCH);
    assert_int_equal(bench->script.batches, 3);
    assert_records(bench, 0, 3 * BATCH, 0);
}

static void test_batch_reports_beyond_its_items_are_not_counted(void **state)
{
    struct bench *bench = *state;
    bench->script.more = 3;
    run_numbers(bench, &in_batches, true, 0, BATCH);
    assert_tally(bench, BATCH, 0);
    assert_int_equal(bench->run.tally.checksum, 28);
    assert_records(bench, 0, BATCH, BATCH);
}

static void test_batch_ends_when_records_are_enough(void **state)
{
    struct bench *bench = *state;
    bench->script.out_len = OUT;
    run_numbers(bench, &in_batches, true, 0, 100);
    /* 11 of 100,000 bytes are the first to be over 1 MiB. */
    assert_true(chunk_run_done(&bench->run));
    assert_tally(bench, 11, 0);
    assert_int_equal(bench->script.began, 11);
    assert_int_equal(bench->script.stops, 1);
    assert_records(bench, 0, 11, 11);
}

static void test_batch_keeps_what_was_begun_before_it_was_told_to_stop(void **state)
{
    struct bench *bench = *state;
    bench->script.out_len = OUT;
    bench->script.stubborn = true;
    run_numbers(bench, &in_batches, true, 0, 100);
    assert_tally(bench, 2 * BATCH, 0); /* two whole batches */
    assert_records(bench, 0, 2 * BATCH, 2 * BATCH);
}

static void test_batch_that_goes_on_for_ever_is_cut_at_the_maximum(void **state)
{
    struct bench *bench = *state;
    struct workload_ops large = in_batches;
    large.batch_max = 1000;
    bench->script.out_len = OUT;
    bench->script.stubborn = true;
    run_numbers(bench, &large, true, 0, 1000);
    assert_int_equal(bench->script.began, 1000);
    assert_true(chunk_run_done(&bench->run));
    uint64_t kept = RECORDS_MAX / (OUT + RECORD_HEAD_SIZE);
    assert_tally(bench, kept, 0);
    assert_int_equal(bench->run.done, kept);
    assert_records(bench, 0, kept, kept);
}

static void test_batch_that_was_cancelled_fails_nothing(void **state)
{
    struct bench *bench = *state;
    bench->script.cancel_now = true;
    bench->run = (struct chunk_run){.elsewhere_us = &bench->elsewhere_us,
                                    .workload = &in_batches,
                                    .slot = &bench->script,
                                    .error = bench->error};
    assert_int_equal(chunk_run_init(&bench->run), 0);
    chunk_run_begin(&bench->run, &(struct chunk_input){.count = 5}, 0);
    chunk_batch_step(&bench->run, &bench->script.host, BATCH);
    assert_tally(bench, 1, 0); /* the one whose `done` said false */
    assert_int_equal(bench->script.stops, 1);
    assert_false(chunk_run_done(&bench->run));
}

static void test_batch_notes_each_item_for_the_case_of_a_crash(void **state)
{
    struct bench *bench = *state;
    bench->script.report = 2;
    bench->run = (struct chunk_run){.elsewhere_us = &bench->elsewhere_us,
                                    .workload = &in_batches,
                                    .slot = &bench->script,
                                    .record = &bench->record,
                                    .records = &bench->records,
                                    .error = bench->error};
    assert_int_equal(chunk_run_init(&bench->run), 0);
    chunk_run_begin(&bench->run, &(struct chunk_input){.count = 6}, clock_now_ns());
    chunk_batch_step(&bench->run, &bench->script.host, BATCH);
    struct slot_progress progress = slot_record_progress(&bench->record);
    assert_int_equal(progress.done, 2);
    assert_int_equal(progress.block, 4);
    assert_int_equal(progress.tally.ok, 2);
    assert_int_equal(progress.records_len, 2 * RECORD_HEAD_SIZE);
    assert_true(progress.item_ns >= progress.start_ns);
}

static void test_run_without_memory_for_an_output_ends_before_that_item(void **state)
{
    struct bench *bench = *state;
    bench->script.out_len = 1000;
    fail_size = 4096;
    run_numbers(bench, &one_by_one, true, 0, 100);
    assert_true(chunk_run_done(&bench->run));
    /* Two records are 2,096 bytes; the buffer would have doubled for the third. */
    assert_tally(bench, 2, 0);
    assert_int_equal(bench->run.done, 2);
    assert_records(bench, 0, 2, 2);
}

static void assert_spare(struct bench *bench, uint64_t first)
{
    struct blob *blob = chunk_run_take_records(&bench->run, bench->spare);
    struct record_cursor cursor;
    struct record record;
    assert_ptr_equal(blob, bench->spare);
    assert_tally(bench, 0, 1);
    assert_int_equal(bench->run.error_index, first);
    assert_int_equal(bench->run.error_len, strlen(record_spare_reason));
    assert_true(records_valid(blob_bytes(blob), blob_len(blob), 1));
    record_cursor_init(&cursor, blob_bytes(blob), 1);
    assert_true(record_cursor_next(&cursor, &record));
    assert_int_equal(record.status, RECORD_FAILED);
    assert_int_equal(record.out_len, 0);
    assert_memory_equal(record.reason, record_spare_reason, record.reason_len);
    blob_unref(blob);
}

static void test_run_without_memory_for_the_first_record_comes_to_one_failed_item(void **state)
{
    struct bench *bench = *state;
    const struct workload_ops *const forms[] = {&one_by_one, &in_batches};
    bench->script.out_len = 10000;
    for (size_t i = 0; i < 2; i++) {
        fail_size = 4096;
        run_numbers(bench, forms[i], true, 40, 5);
        assert_true(chunk_run_done(&bench->run));
        assert_spare(bench, 40);
        chunk_run_deinit(&bench->run);
    }
    /* The same when it is all there and only the blob is missing. */
    fail_size = 0;
    bench->script.out_len = 0;
    run_numbers(bench, &one_by_one, true, 40, 5);
    assert_tally(bench, 5, 0);
    fail_size = 1;
    assert_spare(bench, 40);
}

static void test_run_that_cannot_begin_fails_all_items_with_records(void **state)
{
    struct bench *bench = *state;
    struct chunk_input input = {
        .first = 7, .count = 4, .attempt = 1, .payload = "x", .payload_len = 1};
    run_input(bench, &in_batches, true, &input);
    assert_tally(bench, 0, 4);
    assert_int_equal(bench->run.error_index, 7);
    assert_records(bench, 7, 4, 0);
}

static void test_run_that_cannot_begin_a_large_chunk_ends_it_early(void **state)
{
    struct bench *bench = *state;
    struct chunk_input input = {
        .count = UINT64_C(1) << 40, .attempt = 1, .payload = "x", .payload_len = 1};
    run_input(bench, &in_batches, true, &input);
    assert_true(chunk_run_done(&bench->run));
    uint64_t failed = bench->run.tally.failed;
    assert_in_range(failed, 1000, RECORDS_ENOUGH_BYTES / RECORD_HEAD_SIZE);
    assert_records(bench, 0, failed, 0);
    /* Nobody wants records: all at once. */
    chunk_run_deinit(&bench->run);
    run_input(bench, &in_batches, false, &input);
    assert_tally(bench, 0, input.count);
}

static void test_run_counts_records_that_are_elsewhere(void **state)
{
    struct bench *bench = *state;
    bench->script.out_len = OUT;
    run_input(
        bench,
        &one_by_one,
        true,
        &(struct chunk_input){
            .count = 50, .skip = 4, .attempt = 1, .records_before = RECORDS_ENOUGH_BYTES - OUT});
    assert_tally(bench, 1, 0);
    assert_int_equal(bench->run.done, 5);
}

static void test_run_records_every_member_of_an_outcome(void **state)
{
    struct bench *bench = *state;

    static const struct {
        struct workload_outcome outcome;
        struct record record;
    } cases[] = {
        {{.ok = true, .out = "o", .out_len = 1, .err = "er", .err_len = 2, .error = "no reason"},
         {.out_len = 1, .err_len = 2}},
        {{.flags = WORKLOAD_TIMED_OUT, .error = "slow"},
         {.status = RECORD_TIMED_OUT, .reason_len = 4}},
        {{.flags = WORKLOAD_CRASHED | WORKLOAD_TIMED_OUT, .signal = 11, .error = "dead"},
         {.status = RECORD_CRASHED, .signal = 11, .reason_len = 4}},
        {{.exit_status = 255, .flags = WORKLOAD_OUT_TRUNCATED | WORKLOAD_ERR_TRUNCATED},
         {.status = RECORD_FAILED,
          .exit_status = 255,
          .flags = RECORD_OUT_TRUNCATED | RECORD_ERR_TRUNCATED}},
        {{.ok = true, .flags = WORKLOAD_HAS_VALUE, .value = UINT64_MAX},
         {.flags = RECORD_HAS_VALUE, .value = UINT64_MAX}},
        {{.ok = true, .out = NULL, .out_len = 5}, {.out_len = 0}}, /* a broken workload */
    };

    enum { CASES = sizeof(cases) / sizeof(cases[0]) };

    bench->run = (struct chunk_run){.elsewhere_us = &bench->elsewhere_us,
                                    .workload = &one_by_one,
                                    .records = &bench->records,
                                    .error = bench->error};
    chunk_run_begin(&bench->run, &(struct chunk_input){.count = CASES}, clock_now_ns());
    for (size_t i = 0; i < CASES; i++) {
        struct workload_item item;
        chunk_run_next_item(&bench->run, 0, &item);
        chunk_run_count(&bench->run, &item, &cases[i].outcome);
    }
    struct blob *blob = chunk_run_take_records(&bench->run, bench->spare);
    struct record_cursor cursor;
    struct record record;
    record_cursor_init(&cursor, blob_bytes(blob), CASES);
    for (size_t i = 0; i < CASES; i++) {
        const struct record *expected = &cases[i].record;
        assert_true(record_cursor_next(&cursor, &record));
        assert_int_equal(record.status, expected->status);
        assert_int_equal(record.flags, expected->flags);
        assert_int_equal(record.exit_status, expected->exit_status);
        assert_int_equal(record.signal, expected->signal);
        assert_true(record.value == expected->value);
        assert_int_equal(record.out_len, expected->out_len);
        assert_int_equal(record.err_len, expected->err_len);
        assert_int_equal(record.reason_len, expected->reason_len);
        assert_memory_equal(record.reason, cases[i].outcome.error, record.reason_len);
    }
    blob_unref(blob);
}

#define RUN_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN_TEST(test_batch_runs_every_item_once_and_no_more_at_once_than_it_may),
        RUN_TEST(test_batch_gives_items_that_are_bytes),
        RUN_TEST(test_batch_s_overhead_is_not_time_of_its_chunk),
        RUN_TEST(test_batch_is_never_larger_than_there_is_memory_for),
        RUN_TEST(test_batch_runs_careful_items_one_by_one),
        RUN_TEST(test_batch_that_stops_reporting_fails_the_rest),
        RUN_TEST(test_batch_that_reports_nothing_fails_each_item_once),
        RUN_TEST(test_batch_reports_beyond_its_items_are_not_counted),
        RUN_TEST(test_batch_ends_when_records_are_enough),
        RUN_TEST(test_batch_keeps_what_was_begun_before_it_was_told_to_stop),
        RUN_TEST(test_batch_that_goes_on_for_ever_is_cut_at_the_maximum),
        RUN_TEST(test_batch_that_was_cancelled_fails_nothing),
        RUN_TEST(test_batch_notes_each_item_for_the_case_of_a_crash),
        RUN_TEST(test_run_without_memory_for_an_output_ends_before_that_item),
        RUN_TEST(test_run_without_memory_for_the_first_record_comes_to_one_failed_item),
        RUN_TEST(test_run_that_cannot_begin_fails_all_items_with_records),
        RUN_TEST(test_run_that_cannot_begin_a_large_chunk_ends_it_early),
        RUN_TEST(test_run_counts_records_that_are_elsewhere),
        RUN_TEST(test_run_records_every_member_of_an_outcome),
    };
    return cmocka_run_group_tests_name("chunk_run", tests, NULL, NULL) != 0;
}
