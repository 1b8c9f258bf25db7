/* Records of single items, over every strategy and every form of a workload: what they tell, where a chunk ends early, what else
 * workloads may say. */
#include "test_engine_say.h"

#include "worker/engine/note_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct say_kind kinds[] = {
    {STRATEGY_SERIAL, 1},
    {STRATEGY_THREADS, 1},
    {STRATEGY_THREADS, 4},
    {STRATEGY_ASYNC, 1},
    {STRATEGY_ASYNC, 4},
    {STRATEGY_PROCESSES, 1},
    {STRATEGY_PROCESSES, 4},
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]), FORMS = 3 };

static const struct workload_ops *const forms[FORMS] = {&say_single, &say_batch, &say_async};

static void start(struct rig *rig, const struct workload_ops *workload, const struct say_kind *kind)
{
    rig->records = true;
    rig_engine(rig, workload, kind->strategy, kind->slots);
}

static struct tally expected_tally(uint64_t first, uint64_t count)
{
    struct tally tally = {.ok = 0};
    for (uint64_t i = first; i < first + count; i++) {
        bool ok = i % 5 != 3 && i % 7 != 5;
        tally.ok += ok;
        tally.failed += !ok;
        tally.checksum += ok ? i + 1 : 0;
        tally.bytes_out += ok;
    }
    return tally;
}

static void test_records_tell_of_each_item_in_order(void **state)
{
    enum { ITEMS = 500, FIRST = 12 };
    struct rig *rig = *state;
    static const uint64_t sizes[] = {1, 23, ITEMS};
    for (size_t k = 0; k < KINDS; k++) {
        for (size_t i = 0; i < FORMS * 3; i++) {
            for (int bytes = 0; bytes < 2; bytes++) {
                start(rig, forms[i % FORMS], &kinds[k]);
                struct tally tally = say_run(
                    rig, bytes, FIRST, ITEMS, sizes[i / FORMS], say_check, NULL);
                struct tally expected = expected_tally(FIRST, ITEMS);
                rig_assert_tally(&tally, &expected);
                rig_end(rig);
            }
        }
    }
}

static void test_records_are_not_made_unless_asked_for(void **state)
{
    struct rig *rig = *state;
    for (size_t k = 0; k < KINDS; k++) {
        for (size_t i = 0; i < FORMS; i++) {
            struct chunk chunk = rig_chunk(1, 0, 100);
            struct chunk_result result;
            rig_engine(rig, forms[i], kinds[k].strategy, kinds[k].slots);
            assert_int_equal(engine_submit(rig->engine, &chunk, 1), 0);
            rig_take(rig, &result, 1);
            struct tally expected = expected_tally(0, 100);
            rig_assert_tally(&result.tally, &expected);
            assert_null(result.records);
            assert_int_equal(result.records_len, 0);
            rig_drop(&result, 1);
            rig_end(rig);
        }
    }
}

static void test_records_that_are_many_end_a_chunk_early(void **state)
{
    enum { ITEMS = 60 };
    struct rig *rig = *state;
    for (size_t k = 0; k < KINDS; k++) {
        for (size_t i = 0; i < FORMS; i++) {
            uint64_t results;
            start(rig, forms[i], &kinds[k]);
            struct tally tally = say_run(rig, i == 1, SAY_BIG, ITEMS, 20, say_check, &results);
            struct tally expected = expected_tally(SAY_BIG, ITEMS);
            rig_assert_tally(&tally, &expected);
            /* Four of them are the first to be over 1 MiB. */
            assert_int_equal(results, ITEMS / 4);
            rig_end(rig);
        }
    }
}

static void test_records_that_end_a_chunk_end_what_is_held_of_it(void **state)
{
    struct rig *rig = *state;
    for (size_t k = 0; k < KINDS; k++) {
        struct chunk chunk = rig_chunk(1, SAY_BIG, 20);
        struct chunk held = {.count = 0};
        start(rig, &say_single, &kinds[k]);
        assert_int_equal(engine_submit(rig->engine, &chunk, 1), 0);
        while (held.count != 4) { /* as soon as it has a result, which nobody has taken */
            assert_int_equal(engine_holding(rig->engine, &held, 1), 1);
            assert_int_equal(held.first, SAY_BIG);
            assert_true(held.count == 20 || held.count == 4);
            if (held.count == 20) {
                rig_await(&rig->woken);
            }
        }
        rig_end(rig);
    }
}

static void test_records_of_huge_outputs_are_cut_and_go_one_by_one(void **state)
{
    struct rig *rig = *state;
    for (size_t k = 0; k < KINDS; k++) {
        for (size_t i = 0; i < FORMS; i++) {
            uint64_t results;
            start(rig, forms[i], &kinds[k]);
            (void)say_run(rig, false, SAY_HUGE, 5, 5, say_check, &results);
            assert_int_equal(results, 5);
            rig_end(rig);
        }
    }
}

/* Small items behind large ones, so that memory that was used is used again. */
static void test_records_of_small_outputs_follow_huge_ones(void **state)
{
    struct rig *rig = *state;
    for (size_t k = 0; k < KINDS; k++) {
        start(rig, &say_single, &kinds[k]);
        (void)say_run(rig, false, SAY_HUGE, 2, 1, say_check, NULL);
        (void)say_run(rig, false, 0, 300, 100, say_check, NULL);
        rig_end(rig);
    }
}

static uint64_t wall_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t last_end_us;

/* Items of one chunk run one after the other: none begins before the one before it has ended, but for what rounding down to
 * microseconds takes away. */
static void check_times(const struct record *record, uint64_t index)
{
    assert_true(index == 0 || record->start_us + 2 >= last_end_us);
    last_end_us = record->start_us + record->run_us;
}

static void test_records_tell_when_an_item_began_and_how_long_it_took(void **state)
{
    enum { SLACK_US = 1000 }; /* the two clocks are not read at one instant */
    struct rig *rig = *state;
    for (size_t k = 0; k < KINDS; k++) {
        for (size_t i = 0; i < FORMS; i++) {
            uint64_t before_us = wall_us();
            last_end_us = before_us - SLACK_US;
            start(rig, forms[i], &kinds[k]);
            (void)say_run(rig, false, 0, 200, 200, check_times, NULL);
            assert_true(last_end_us <= wall_us() + SLACK_US);
            assert_true(last_end_us >= before_us - SLACK_US);
            rig_end(rig);
        }
    }
}

static void check_took_long(const struct record *record, uint64_t index)
{
    (void)index;
    assert_true(record->run_us >= RIG_BURN_US);
}

static void test_records_tell_the_time_of_an_item_that_works(void **state)
{
    struct rig *rig = *state;
    for (size_t k = 0; k < KINDS; k++) {
        start(rig, &rig_burn, &kinds[k]);
        (void)say_run(rig, false, 0, 2, 2, check_took_long, NULL);
        rig_end(rig);
    }
}

static void check_numbers_have_no_batch(const struct record *record, uint64_t index)
{
    (void)index;
    assert_int_equal(record->status, RECORD_OK);
    assert_int_equal(record->out_len + record->err_len + record->reason_len, 0);
}

static void test_records_are_made_of_numbers_that_could_be_run_in_blocks(void **state)
{
    struct rig *rig = *state;
    struct tally expected = rig_expected(&rig_batch, 0, 5000);
    for (size_t k = 0; k < KINDS; k++) {
        start(rig, &rig_batch, &kinds[k]);
        struct tally tally = say_run(rig, false, 0, 5000, 2000, check_numbers_have_no_batch, NULL);
        rig_assert_tally(&tally, &expected);
        rig_end(rig);
    }
}

static void check_malformed(const struct record *record, uint64_t index)
{
    static const char reason[] = "malformed chunk: its payload of";
    (void)index;
    assert_int_equal(record->status, RECORD_FAILED);
    assert_true(record->reason_len > strlen(reason));
    assert_memory_equal(record->reason, reason, strlen(reason));
}

/* Takes one result, whose every record `check` is given. */
static void check_one_result(struct rig *rig,
                             uint64_t count,
                             void (*check)(const struct record *, uint64_t))
{
    struct chunk_result result;
    struct record_cursor cursor;
    struct record record;
    rig_take(rig, &result, 1);
    assert_int_equal(result.tally.failed, count);
    assert_non_null(result.records);
    assert_true(records_valid(blob_bytes(result.records), result.records_len, count));
    record_cursor_init(&cursor, blob_bytes(result.records), count);
    for (uint64_t i = 0; record_cursor_next(&cursor, &record); i++) {
        check(&record, i);
    }
    rig_drop(&result, 1);
}

static void test_records_tell_of_items_of_a_malformed_payload(void **state)
{
    struct rig *rig = *state;
    for (size_t k = 0; k < KINDS; k++) {
        struct chunk chunk = rig_bytes_chunk(rig, 1, 0, 6);
        chunk.payload_len -= 1;
        start(rig, &say_async, &kinds[k]);
        assert_int_equal(engine_submit(rig->engine, &chunk, 1), 0);
        check_one_result(rig, 6, check_malformed);
        rig_end(rig);
    }
}

static void check_wrong_kind(const struct record *record, uint64_t index)
{
    static const char reason[] = "workload hash does not take items that are numbers";
    (void)index;
    assert_int_equal(record->status, RECORD_FAILED);
    assert_int_equal(record->reason_len, strlen(reason));
    assert_memory_equal(record->reason, reason, strlen(reason));
}

static void test_records_tell_of_items_of_a_kind_not_taken(void **state)
{
    struct rig *rig = *state;
    for (size_t k = 0; k < KINDS; k++) {
        uint64_t results;
        start(rig, &rig_hash, &kinds[k]);
        /* So many that their records fill several results. */
        (void)say_run(rig, false, 0, 25000, 25000, check_wrong_kind, &results);
        assert_int_equal(results, 3);
        rig_end(rig);
    }
}

static void check_mute(const struct record *record, uint64_t index)
{
    static const char reason[] =
        "workload say-mute did not say what became of 4 of a batch of 7 items";
    if (index % SAY_BATCH < SAY_BATCH / 2) {
        say_check(record, index);
    } else {
        assert_int_equal(record->status, RECORD_FAILED);
        assert_int_equal(record->reason_len, strlen(reason));
        assert_memory_equal(record->reason, reason, strlen(reason));
    }
}

static void test_batch_that_stops_reporting_fails_its_rest_in_every_strategy(void **state)
{
    enum { ITEMS = 10 * SAY_BATCH };
    struct rig *rig = *state;
    for (size_t k = 0; k < KINDS; k++) {
        start(rig, &say_mute, &kinds[k]);
        (void)say_run(rig, false, 0, ITEMS, ITEMS, check_mute, NULL);
        rig_end(rig);
        /* And without records. */
        struct chunk chunk = rig_chunk(1, 0, ITEMS);
        struct chunk_result result;
        rig->records = false;
        rig_engine(rig, &say_mute, kinds[k].strategy, kinds[k].slots);
        assert_int_equal(engine_submit(rig->engine, &chunk, 1), 0);
        rig_take(rig, &result, 1);
        assert_int_equal(result.tally.ok + result.tally.failed, ITEMS);
        assert_true(result.tally.failed >= ITEMS / 2);
        rig_drop(&result, 1);
        rig_end(rig);
    }
}

/* --- the attempt --- */

static void run_attempt(void *slot,
                        const struct workload_item *item,
                        struct workload_outcome *ret_outcome)
{
    (void)slot;
    ret_outcome->ok = true;
    ret_outcome->flags = WORKLOAD_HAS_VALUE;
    ret_outcome->value = item->attempt;
}

static void run_attempt_batch(void *slot, struct workload_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct workload_outcome outcome = {.ok = false};
        run_attempt(slot, &batch->items[i], &outcome);
        (void)batch->done(batch, &outcome);
    }
}

#define ATTEMPT_COMMON                                                                             \
    .summary = "a test", .traits = WORKLOAD_NUMBERS, .open = say_open, .close = say_close,         \
    .slot_open = say_slot_open, .slot_close = say_close

static const struct workload_ops attempt_single = {WORKLOAD_ABI,
                                                   .name = "attempt",
                                                   ATTEMPT_COMMON,
                                                   .run = run_attempt};
static const struct workload_ops attempt_batch = {WORKLOAD_ABI,
                                                  .name = "attempt-batch",
                                                  ATTEMPT_COMMON,
                                                  .run_batch = run_attempt_batch,
                                                  .batch_max = 3};

static void test_items_know_which_attempt_they_are(void **state)
{
    static const struct workload_ops *const both[] = {&attempt_single, &attempt_batch};
    struct rig *rig = *state;
    for (size_t k = 0; k < 2 * KINDS; k++) {
        struct chunk_result result;
        struct record_cursor cursor;
        struct record record;
        struct chunk chunk = rig_chunk(1, 0, 10);
        chunk.attempt = 17;
        start(rig, both[k % 2], &kinds[k / 2]);
        assert_int_equal(engine_submit(rig->engine, &chunk, 1), 0);
        rig_take(rig, &result, 1);
        assert_int_equal(result.attempt, 17);
        record_cursor_init(&cursor, blob_bytes(result.records), 10);
        while (record_cursor_next(&cursor, &record)) {
            assert_int_equal(record.value, 17);
        }
        rig_drop(&result, 1);
        rig_end(rig);
    }
}

/* --- stopping --- */

static void test_engine_stops_while_records_are_made(void **state)
{
    enum { CHUNKS = 200 };
    struct rig *rig = *state;
    for (size_t k = 0; k < KINDS; k++) {
        for (size_t i = 0; i < FORMS; i++) {
            struct chunk chunks[CHUNKS];
            struct chunk_result result;
            for (uint64_t c = 0; c < CHUNKS; c++) {
                chunks[c] = rig_bytes_chunk(rig, c + 1, 10 * c, 10);
            }
            start(rig, forms[i], &kinds[k]);
            assert_int_equal(engine_submit(rig->engine, chunks, CHUNKS), 0);
            rig_take(rig, &result, 1);
            rig_drop(&result, 1);
            /* At whatever point it is now: nothing leaks. */
            rig_end(rig);
        }
    }
}

/* A batch in whose middle the engine is stopped. */
static void run_gate_batch(void *slot, struct workload_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct workload_outcome outcome = {.ok = false};
        rig_gate.run(slot, &batch->items[i], &outcome);
        if (!batch->done(batch, &outcome)) {
            return;
        }
    }
}

static void test_engine_stops_in_the_middle_of_a_batch(void **state)
{
    struct rig *rig = *state;
    struct workload_ops gate_batch = rig_gate;
    gate_batch.run = NULL;
    gate_batch.run_batch = run_gate_batch;
    gate_batch.batch_max = 5;
    for (size_t k = 0; k < KINDS && kinds[k].strategy != STRATEGY_PROCESSES; k++) {
        struct chunk chunk = rig_chunk(1, RIG_GATE_NUMBER - 2, 10);
        (void)rig_reset(state);
        start(rig, &gate_batch, &kinds[k]);
        assert_int_equal(engine_submit(rig->engine, &chunk, 1), 0);
        rig_await(&rig->shared->begun);
        rig_end(rig);
        assert_int_equal(atomic_load(&rig->shared->gate_items), 1);
    }
}

/* --- notes --- */

static const struct workload_host *host_of(void *slot)
{
    return *(const struct workload_host **)slot;
}

static int share_state(void *state, struct err_text *ret_error, void **ret_slot)
{
    (void)ret_error;
    *ret_slot = state;
    return 0;
}

static void keep_state(void *slot)
{
    (void)slot;
}

static void run_note(void *slot, const struct workload_item *item, struct workload_outcome *outcome)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "note %llu\nof this", (unsigned long long)item->number % 3);
    host_of(slot)->note(host_of(slot), text);
    outcome->ok = true;
}

static const struct workload_ops noting = {WORKLOAD_ABI,
                                           .name = "noting",
                                           .summary = "a test",
                                           .traits = WORKLOAD_NUMBERS,
                                           .open = say_open,
                                           .close = say_close,
                                           .slot_open = share_state,
                                           .slot_close = keep_state,
                                           .run = run_note};

static void test_notes_are_passed_on_once_each(void **state)
{
    struct rig *rig = *state;
    for (size_t k = 0; k < KINDS; k++) {
        struct chunk chunks[8];
        struct chunk_result results[8];
        for (uint64_t i = 0; i < 8; i++) {
            chunks[i] = rig_chunk(i + 1, i * 10, 10);
        }
        rig_engine(rig, &noting, kinds[k].strategy, kinds[k].slots);
        assert_int_equal(engine_submit(rig->engine, chunks, 8), 0);
        rig_take(rig, results, 8);
        rig_drop(results, 8);
        /* What an executor says comes before the results that it says next. */
        rig_end(rig);
        assert_int_equal(atomic_load(&rig->notes), 3);
        bool seen[3] = {false};
        for (size_t i = 0; i < 3; i++) {
            assert_memory_equal(rig->note[i], "note ", 5);
            assert_string_equal(rig->note[i] + 6, "?of this");
            seen[rig->note[i][5] - '0'] = true;
        }
        assert_true(seen[0] && seen[1] && seen[2]);
    }
}

static void run_chatter(void *slot,
                        const struct workload_item *item,
                        struct workload_outcome *outcome)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "item %llu", (unsigned long long)item->number);
    host_of(slot)->note(host_of(slot), text);
    outcome->ok = true;
}

static const struct workload_ops chatter = {WORKLOAD_ABI,
                                            .name = "chatter",
                                            .summary = "a test",
                                            .traits = WORKLOAD_NUMBERS,
                                            .open = say_open,
                                            .close = say_close,
                                            .slot_open = share_state,
                                            .slot_close = keep_state,
                                            .run = run_chatter};

static void test_notes_of_a_chatterer_are_bounded(void **state)
{
    struct rig *rig = *state;
    for (size_t k = 0; k < KINDS; k++) {
        struct chunk chunk = rig_chunk(1, 0, 1000);
        struct chunk_result result;
        rig_engine(rig, &chatter, kinds[k].strategy, kinds[k].slots);
        assert_int_equal(engine_submit(rig->engine, &chunk, 1), 0);
        rig_take(rig, &result, 1);
        rig_drop(&result, 1);
        rig_end(rig);
        assert_int_equal(atomic_load(&rig->notes), NOTE_SET_MAX);
    }
}

/* --- traits --- */

static void nobody(void *arg)
{
    (void)arg;
}

static void test_engine_refuses_to_fork_what_does_not_survive_it(void **state)
{
    struct rig *rig = *state;
    struct workload_ops fragile = rig_sum;
    fragile.traits |= WORKLOAD_NO_FORK;
    struct engine_options options = {.workload = &fragile,
                                     .strategy = STRATEGY_PROCESSES,
                                     .slots = 2,
                                     .zygote = rig->zygote,
                                     .wake = nobody};
    struct err_text error = {.s = ""};
    struct engine *engine = NULL;
    assert_int_equal(engine_new(&options, &error, &engine), ERR_INVALID);
    assert_non_null(strstr(error.s, "workload sum cannot run in forked processes"));
    options.strategy = STRATEGY_THREADS;
    assert_int_equal(engine_new(&options, &error, &engine), 0);
    engine_free(engine);
}

static void test_engine_refuses_what_has_no_form_for_its_strategy(void **state)
{
    (void)state;
    struct workload_ops formless = say_async;
    formless.run = NULL;
    formless.run_batch = say_batch.run_batch; /* of batches of 0 items */
    struct engine_options options = {
        .workload = &formless, .strategy = STRATEGY_THREADS, .slots = 2, .wake = nobody};
    struct err_text error = {.s = ""};
    struct engine *engine = NULL;
    assert_int_equal(engine_new(&options, &error, &engine), ERR_INVALID);
    assert_non_null(strstr(error.s, "workload say-async has no blocking form"));
    options.strategy = STRATEGY_ASYNC;
    assert_int_equal(engine_new(&options, &error, &engine), 0);
    engine_free(engine);
}

static atomic_uint at_once;
static atomic_uint most_at_once;

static void run_alone(void *slot,
                      const struct workload_item *item,
                      struct workload_outcome *outcome)
{
    unsigned now = atomic_fetch_add(&at_once, 1) + 1;
    unsigned most = atomic_load(&most_at_once);
    while (now > most && !atomic_compare_exchange_weak(&most_at_once, &most, now)) {
    }
    rig_sum.run(slot, item, outcome);
    (void)nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    atomic_fetch_sub(&at_once, 1);
}

static void test_threads_run_one_item_at_a_time_where_more_would_be_unsafe(void **state)
{
    enum { CHUNKS = 40 };
    struct rig *rig = *state;
    struct workload_ops unsafe = rig_sum;
    struct chunk chunks[CHUNKS];
    struct chunk_result results[CHUNKS];
    unsafe.run = run_alone;
    unsafe.traits |= WORKLOAD_ONE_THREAD;
    for (uint64_t i = 0; i < CHUNKS; i++) {
        chunks[i] = rig_chunk(i + 1, i, 1);
    }
    rig_engine(rig, &unsafe, STRATEGY_THREADS, 8);
    assert_int_equal(engine_submit(rig->engine, chunks, CHUNKS), 0);
    rig_take(rig, results, CHUNKS);
    rig_drop(results, CHUNKS);
    rig_end(rig);
    assert_int_equal(atomic_load(&most_at_once), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_records_tell_of_each_item_in_order, rig_reset),
        cmocka_unit_test_setup(test_records_are_not_made_unless_asked_for, rig_reset),
        cmocka_unit_test_setup(test_records_that_are_many_end_a_chunk_early, rig_reset),
        cmocka_unit_test_setup(test_records_that_end_a_chunk_end_what_is_held_of_it, rig_reset),
        cmocka_unit_test_setup(test_records_of_huge_outputs_are_cut_and_go_one_by_one, rig_reset),
        cmocka_unit_test_setup(test_records_of_small_outputs_follow_huge_ones, rig_reset),
        cmocka_unit_test_setup(test_records_tell_when_an_item_began_and_how_long_it_took,
                               rig_reset),
        cmocka_unit_test_setup(test_records_tell_the_time_of_an_item_that_works, rig_reset),
        cmocka_unit_test_setup(test_records_are_made_of_numbers_that_could_be_run_in_blocks,
                               rig_reset),
        cmocka_unit_test_setup(test_records_tell_of_items_of_a_malformed_payload, rig_reset),
        cmocka_unit_test_setup(test_records_tell_of_items_of_a_kind_not_taken, rig_reset),
        cmocka_unit_test_setup(test_batch_that_stops_reporting_fails_its_rest_in_every_strategy,
                               rig_reset),
        cmocka_unit_test_setup(test_items_know_which_attempt_they_are, rig_reset),
        cmocka_unit_test_setup(test_engine_stops_while_records_are_made, rig_reset),
        cmocka_unit_test_setup(test_engine_stops_in_the_middle_of_a_batch, rig_reset),
        cmocka_unit_test_setup(test_notes_are_passed_on_once_each, rig_reset),
        cmocka_unit_test_setup(test_notes_of_a_chatterer_are_bounded, rig_reset),
        cmocka_unit_test_setup(test_engine_refuses_to_fork_what_does_not_survive_it, rig_reset),
        cmocka_unit_test_setup(test_engine_refuses_what_has_no_form_for_its_strategy, rig_reset),
        cmocka_unit_test_setup(test_threads_run_one_item_at_a_time_where_more_would_be_unsafe,
                               rig_reset),
    };
    return cmocka_run_group_tests_name("engine_records", tests, rig_setup, rig_teardown) != 0;
}
