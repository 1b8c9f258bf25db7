/* What every strategy must do alike, over strategies, workloads and numbers of slots. */
#include "test_engine_rig.h"

#include "worker/workloads/params.h"

#include <stdlib.h>
#include <string.h>

struct kind {
    enum strategy strategy;
    uint32_t slots;
};

static const struct kind kinds[] = {
    {STRATEGY_SERIAL, 1},
    {STRATEGY_THREADS, 1},
    {STRATEGY_THREADS, 3},
    {STRATEGY_THREADS, 8},
    {STRATEGY_ASYNC, 1},
    {STRATEGY_ASYNC, 3},
    {STRATEGY_ASYNC, 8},
    {STRATEGY_PROCESSES, 1},
    {STRATEGY_PROCESSES, 3},
    {STRATEGY_PROCESSES, 8},
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static const struct workload_ops *const workloads[] = {&rig_sum,
                                                       &rig_batch,
                                                       &rig_timer,
                                                       &rig_hash,
                                                       &rig_third};

enum { WORKLOADS = sizeof(workloads) / sizeof(workloads[0]) };

/* Chunks with the ids 1, 2, ... over the items from 0 on, of 1 to 20 items each. Returns how many items. */
static uint64_t make_chunks(struct rig *rig,
                            const struct workload_ops *workload,
                            struct chunk *ret_chunks,
                            size_t count)
{
    uint64_t first = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t items = 1 + i * 7 % 20;
        ret_chunks[i] = (workload->traits & WORKLOAD_BYTES) != 0
                            ? rig_bytes_chunk(rig, i + 1, first, items)
                            : rig_chunk(i + 1, first, items);
        first += items;
    }
    return first;
}

/* Each id once, each with its whole count; returns the sum. */
static struct tally check_results(const struct chunk_result *results,
                                  const struct chunk *chunks,
                                  size_t count)
{
    struct tally sum = {.ok = 0};
    bool *seen = calloc(count, sizeof(*seen));
    assert_non_null(seen);
    for (size_t i = 0; i < count; i++) {
        size_t at = results[i].id.value - 1;
        assert_true(at < count);
        assert_false(seen[at]);
        seen[at] = true;
        assert_int_equal(results[i].attempt, chunks[at].attempt);
        assert_int_equal(results[i].first, chunks[at].first);
        assert_int_equal(results[i].tally.ok + results[i].tally.failed, chunks[at].count);
        assert_true(results[i].tally.failed == 0 || results[i].error_len > 0);
        assert_true(results[i].tally.failed > 0 || results[i].error == NULL);
        tally_merge(&sum, &results[i].tally);
    }
    free(seen);
    return sum;
}

static void run_matrix_cell(struct rig *rig,
                            const struct workload_ops *workload,
                            const struct kind *kind)
{
    enum { CHUNKS = 100 };
    struct chunk chunks[CHUNKS];
    struct chunk_result results[CHUNKS];
    atomic_store(&rig->payloads_released, 0);
    rig_engine(rig, workload, kind->strategy, kind->slots);
    uint64_t items = make_chunks(rig, workload, chunks, CHUNKS);
    assert_int_equal(engine_submit(rig->engine, chunks, CHUNKS / 2), 0);
    assert_int_equal(engine_submit(rig->engine, chunks + CHUNKS / 2, CHUNKS / 2), 0);
    assert_int_equal(engine_held(rig->engine), CHUNKS);

    rig_take(rig, results, CHUNKS);

    struct tally sum = check_results(results, chunks, CHUNKS);
    struct tally expected = rig_expected(workload, 0, items);
    rig_assert_tally(&sum, &expected);
    assert_int_equal(engine_held(rig->engine), 0);
    assert_int_equal(engine_take(rig->engine, results, CHUNKS), 0);
    rig_drop(results, CHUNKS);
    rig_end(rig);
    bool bytes = (workload->traits & WORKLOAD_BYTES) != 0;
    assert_int_equal(atomic_load(&rig->payloads_released), bytes ? CHUNKS : 0);
}

static void test_engine_gives_each_chunk_one_right_result(void **state)
{
    for (size_t w = 0; w < WORKLOADS; w++) {
        for (size_t k = 0; k < KINDS; k++) {
            run_matrix_cell(*state, workloads[w], &kinds[k]);
        }
    }
}

static void test_engine_runs_ten_thousand_chunks_of_one_item(void **state)
{
    enum { CHUNKS = 10000 };
    struct rig *rig = *state;
    struct chunk *chunks = calloc(CHUNKS, sizeof(*chunks));
    struct chunk_result *results = calloc(CHUNKS, sizeof(*results));
    assert_true(chunks != NULL && results != NULL);
    for (size_t i = 0; i < CHUNKS; i++) {
        chunks[i] = rig_chunk(i + 1, i, 1);
    }
    struct tally expected = rig_expected(&rig_sum, 0, CHUNKS);
    for (size_t k = 0; k < KINDS; k++) {
        rig_engine(rig, &rig_sum, kinds[k].strategy, kinds[k].slots);
        assert_int_equal(engine_submit(rig->engine, chunks, CHUNKS), 0);
        rig_take(rig, results, CHUNKS);
        struct tally sum = check_results(results, chunks, CHUNKS);
        rig_assert_tally(&sum, &expected);
        /* Woken for many at once, never for each: a state or two, and at most once per take. */
        assert_true(atomic_load(&rig->wakes) < CHUNKS);
        rig_end(rig);
    }
    free(chunks);
    free(results);
}

static void test_engine_runs_one_chunk_of_a_million_numbers(void **state)
{
    enum { NUMBERS = 1000000 };
    struct rig *rig = *state;
    struct tally expected = rig_expected(&rig_batch, 0, NUMBERS);
    for (size_t k = 0; k < KINDS; k++) {
        struct chunk chunk = rig_chunk(1, 0, NUMBERS);
        struct chunk_result result;
        rig_engine(rig, &rig_batch, kinds[k].strategy, kinds[k].slots);
        assert_int_equal(engine_submit(rig->engine, &chunk, 1), 0);
        rig_take(rig, &result, 1);
        rig_assert_tally(&result.tally, &expected);
        rig_end(rig);
    }
}

static void test_engine_takes_chunks_one_after_another_when_idle_between(void **state)
{
    struct rig *rig = *state;
    for (size_t k = 0; k < KINDS; k++) {
        rig_engine(rig, &rig_sum, kinds[k].strategy, kinds[k].slots);
        rig_await_state(rig, ENGINE_READY);
        for (uint64_t i = 0; i < 50; i++) {
            struct chunk chunk = rig_chunk(i + 1, i, 1);
            struct chunk_result result;
            assert_int_equal(engine_submit(rig->engine, &chunk, 1), 0);
            rig_take(rig, &result, 1);
            assert_int_equal(result.id.value, i + 1);
        }
        rig_end(rig);
    }
}

static void test_engine_gives_every_idle_slot_one_chunk(void **state)
{
    /* Nine chunks that wait, eight slots: all eight are begun, none waits behind another one. */
    static const struct kind pools[] = {{STRATEGY_THREADS, 8}, {STRATEGY_PROCESSES, 8}};
    struct rig *rig = *state;
    for (size_t k = 0; k < 2; k++) {
        (void)rig_reset(state);
        struct chunk chunks[9];
        struct chunk_result results[9];
        for (uint64_t i = 0; i < 9; i++) {
            chunks[i] = rig_chunk(i + 1, RIG_GATE_NUMBER + i, 1);
        }
        rig_engine(rig, &rig_gate, pools[k].strategy, pools[k].slots);
        rig_await_state(rig, ENGINE_READY);
        assert_int_equal(engine_submit(rig->engine, chunks, 9), 0);
        for (size_t i = 0; i < 8; i++) {
            rig_await(&rig->shared->begun);
        }
        struct chunk unbegun[2];
        assert_int_equal(engine_take_back(rig->engine, unbegun, 2), 1);
        atomic_store(&rig->shared->gate_open, true);
        rig_take(rig, results, 8);
        rig_end(rig);
    }
}

static void test_engine_takes_back_exactly_what_was_not_begun(void **state)
{
    enum { CHUNKS = 30 };
    struct rig *rig = *state;
    for (size_t k = 0; k < KINDS; k++) {
        (void)rig_reset(state);
        struct chunk chunks[CHUNKS];
        struct chunk back[CHUNKS];
        struct chunk_result results[CHUNKS];
        bool seen[CHUNKS] = {false};
        for (uint64_t i = 0; i < CHUNKS; i++) {
            chunks[i] = rig_chunk(i + 1, RIG_GATE_NUMBER + i, 1);
        }
        rig_engine(rig, &rig_gate, kinds[k].strategy, kinds[k].slots);
        assert_int_equal(engine_submit(rig->engine, chunks, CHUNKS), 0);
        rig_await(&rig->shared->begun);

        size_t count = engine_take_back(rig->engine, back, CHUNKS);

        assert_true(count >= CHUNKS - kinds[k].slots && count < CHUNKS);
        assert_int_equal(engine_held(rig->engine), CHUNKS - count);
        atomic_store(&rig->shared->gate_open, true);
        rig_take(rig, results, CHUNKS - count);
        assert_int_equal(atomic_load(&rig->shared->gate_items), CHUNKS - count);
        for (size_t i = 0; i < CHUNKS; i++) {
            uint64_t id = i < count ? back[i].id.value : results[i - count].id.value;
            assert_false(seen[id - 1]);
            seen[id - 1] = true;
            /* Not more than one chunk at each slot yet; all others come from the queue, newest first. */
            assert_true(i >= CHUNKS - kinds[k].slots || id == CHUNKS - i);
        }
        /* What was taken back can be given again. */
        assert_int_equal(engine_submit(rig->engine, back, count), 0);
        rig_take(rig, results, count);
        rig_end(rig);
    }
}

/* Waiting, running, finished: looked at all the way down. */
static void test_engine_names_what_it_holds(void **state)
{
    enum { CHUNKS = 300, WARM = 100 };
    struct rig *rig = *state;
    for (size_t k = 0; k < KINDS; k++) {
        (void)rig_reset(state);
        struct chunk chunks[CHUNKS];
        struct chunk_result results[CHUNKS];
        struct chunk few[2];
        for (uint64_t i = 0; i < CHUNKS; i++) {
            chunks[i] = rig_chunk(i + 1, i < WARM ? i * 3 : RIG_GATE_NUMBER + i * 3, 3);
            chunks[i].attempt = 1 + (uint32_t)i % 4;
        }
        rig_engine(rig, &rig_gate, kinds[k].strategy, kinds[k].slots);
        assert_int_equal(engine_holding(rig->engine, few, 2), 0);
        assert_int_equal(engine_submit(rig->engine, chunks, CHUNKS), 0);
        rig_assert_holding(rig, chunks, CHUNKS);
        rig_await(&rig->shared->begun);
        rig_assert_holding(rig, chunks, CHUNKS);
        assert_int_equal(engine_holding(rig->engine, few, 2), engine_held(rig->engine));
        struct chunk back;
        assert_int_equal(engine_take_back(rig->engine, &back, 1), 1);
        rig_assert_holding(rig, chunks, CHUNKS);

        atomic_store(&rig->shared->gate_open, true);
        for (size_t i = 0; i < CHUNKS - 1; i++) {
            rig_take(rig, &results[i], 1);
            rig_assert_holding(rig, chunks, CHUNKS);
        }
        assert_int_equal(engine_held(rig->engine), 0);
        rig_end(rig);
    }
}

static void test_engine_names_asynchronous_items_in_flight(void **state)
{
    enum { CHUNKS = 100 };
    struct rig *rig = *state;
    struct chunk chunks[CHUNKS];
    struct chunk_result result;
    for (uint64_t i = 0; i < CHUNKS; i++) {
        chunks[i] = rig_chunk(i + 1, i < 80 ? i : RIG_GATE_NUMBER + i, 1 + i % 3);
    }
    rig_engine(rig, &rig_timer, STRATEGY_ASYNC, 30);
    assert_int_equal(engine_submit(rig->engine, chunks, CHUNKS), 0);
    for (size_t i = 0; i < 80; i++) {
        rig_assert_holding(rig, chunks, CHUNKS);
        rig_take(rig, &result, 1);
    }
    rig_await(&rig->shared->begun);
    assert_int_equal(engine_held(rig->engine), 20);
    rig_assert_holding(rig, chunks, CHUNKS);
    rig_end(rig);
}

/* Short chunks first, so that the engine hands out many at once; then a long one among short ones. */
static void test_engine_does_not_let_short_chunks_wait_for_a_long_one(void **state)
{
    enum { WARM = 5000, AFTER = 400, LONG_AT = 100 };
    static const struct kind pools[] = {
        {STRATEGY_SERIAL, 1}, {STRATEGY_THREADS, 2}, {STRATEGY_ASYNC, 2}, {STRATEGY_PROCESSES, 2}};
    struct rig *rig = *state;
    struct chunk *chunks = calloc(WARM, sizeof(*chunks));
    struct chunk_result *results = calloc(WARM, sizeof(*results));
    assert_true(chunks != NULL && results != NULL);
    for (size_t k = 0; k < 4; k++) {
        (void)rig_reset(state);
        bool alone = pools[k].strategy == STRATEGY_SERIAL || pools[k].strategy == STRATEGY_ASYNC;
        for (size_t i = 0; i < WARM; i++) {
            chunks[i] = rig_chunk(i + 1, i, 1);
        }
        rig_engine(rig, &rig_gate, pools[k].strategy, pools[k].slots);
        assert_int_equal(engine_submit(rig->engine, chunks, WARM), 0);
        rig_take(rig, results, WARM);
        chunks[LONG_AT].first = RIG_GATE_NUMBER;

        assert_int_equal(engine_submit(rig->engine, chunks, AFTER), 0);
        rig_await(&rig->shared->begun);

        /* One slot: what was before it comes, what is behind it can be taken back. Two: all others come. */
        size_t before = alone ? LONG_AT : AFTER - 1;
        rig_take(rig, results, before);
        for (size_t i = 0; i < before; i++) {
            assert_true(results[i].id.value != LONG_AT + 1);
        }
        assert_int_equal(engine_take_back(rig->engine, chunks, WARM),
                         alone ? AFTER - LONG_AT - 1 : 0);
        assert_int_equal(engine_held(rig->engine), 1);
        atomic_store(&rig->shared->gate_open, true);
        rig_take(rig, results, 1);
        rig_end(rig);
    }
    free(chunks);
    free(results);
}

static void test_engine_stops_while_items_run(void **state)
{
    enum { CHUNKS = 20 };
    struct rig *rig = *state;
    for (size_t k = 0; k < KINDS; k++) {
        (void)rig_reset(state);
        struct chunk chunks[CHUNKS];
        for (uint64_t i = 0; i < CHUNKS; i++) {
            chunks[i] = rig_chunk(i + 1, RIG_GATE_NUMBER + i, 3);
        }
        rig_engine(rig, &rig_gate, kinds[k].strategy, kinds[k].slots);
        assert_int_equal(engine_submit(rig->engine, chunks, CHUNKS), 0);
        rig_await(&rig->shared->begun);
        rig_end(rig);
    }
}

static void test_engine_stops_while_asynchronous_items_are_in_flight(void **state)
{
    struct rig *rig = *state;
    struct chunk chunks[5];
    struct chunk_result result;
    for (uint64_t i = 0; i < 5; i++) {
        chunks[i] = rig_chunk(i + 1, RIG_GATE_NUMBER + i, 2);
    }
    rig_engine(rig, &rig_timer, STRATEGY_ASYNC, 3);
    assert_int_equal(engine_submit(rig->engine, chunks, 5), 0);
    for (size_t i = 0; i < 3; i++) {
        rig_await(&rig->shared->begun);
    }
    engine_stop(rig->engine);
    assert_int_equal(engine_take(rig->engine, &result, 1), 0);
    rig_end(rig);
}

static void test_engine_drops_payloads_of_what_it_did_not_run(void **state)
{
    enum { CHUNKS = 2000 };
    struct rig *rig = *state;
    struct chunk *chunks = calloc(CHUNKS, sizeof(*chunks));
    assert_non_null(chunks);
    for (size_t k = 0; k < KINDS; k++) {
        atomic_store(&rig->payloads_released, 0);
        for (uint64_t i = 0; i < CHUNKS; i++) {
            chunks[i] = rig_bytes_chunk(rig, i + 1, i * 5, 5);
        }
        rig_engine(rig, &rig_hash, kinds[k].strategy, kinds[k].slots);
        assert_int_equal(engine_submit(rig->engine, chunks, CHUNKS), 0);
        /* At whatever point it is now. */
        rig_end(rig);
        assert_int_equal(atomic_load(&rig->payloads_released), CHUNKS);
    }
    free(chunks);
}

static void test_engine_stops_when_idle_and_when_not_ready(void **state)
{
    struct rig *rig = *state;
    for (size_t k = 0; k < KINDS; k++) {
        rig_engine(rig, &rig_sum, kinds[k].strategy, kinds[k].slots);
        rig_await_state(rig, ENGINE_READY);
        rig_end(rig);

        rig_engine(rig, &rig_sum, kinds[k].strategy, kinds[k].slots);
        rig_end(rig);

        rig_engine(rig, &rig_sum, kinds[k].strategy, kinds[k].slots);
        engine_free(rig->engine);
    }
    engine_free(NULL);
}

static void test_engine_says_stopped_to_its_owner(void **state)
{
    struct rig *rig = *state;
    for (size_t k = 0; k < KINDS; k++) {
        rig_engine(rig, &rig_sum, kinds[k].strategy, kinds[k].slots);
        rig_await_state(rig, ENGINE_READY);
        assert_int_equal(engine_join(rig->engine, 0), ERR_TIMEOUT);
        engine_stop(rig->engine);
        rig_await_state(rig, ENGINE_STOPPED);
        rig_end(rig);
    }
}

static void test_engine_counts_items_of_malformed_payload_as_failed(void **state)
{
    struct rig *rig = *state;
    for (size_t k = 0; k < KINDS; k++) {
        struct chunk chunks[3];
        struct chunk_result results[3];
        for (uint64_t i = 0; i < 3; i++) {
            chunks[i] = rig_bytes_chunk(rig, i + 1, i * 4, 4);
        }
        chunks[0].payload_len -= 1;
        chunks[1].payload_offset = 1000000; /* not in the blob at all */
        rig_engine(rig, &rig_hash, kinds[k].strategy, kinds[k].slots);
        assert_int_equal(engine_submit(rig->engine, chunks, 3), 0);
        rig_take(rig, results, 3);
        for (size_t i = 0; i < 3; i++) {
            bool good = results[i].id.value == 3;
            assert_int_equal(results[i].tally.failed, good ? 0 : 4);
            if (!good) {
                assert_int_equal(results[i].error_index, (results[i].id.value - 1) * 4);
                rig_assert_error(&results[i], "malformed");
            }
        }
        rig_drop(results, 3);
        rig_end(rig);
    }
}

static void test_engine_counts_items_of_a_kind_not_taken_as_failed(void **state)
{
    struct rig *rig = *state;
    for (size_t k = 0; k < KINDS; k++) {
        struct chunk chunk = rig_chunk(1, 0, 6);
        struct chunk_result result;
        rig_engine(rig, &rig_hash, kinds[k].strategy, kinds[k].slots);
        assert_int_equal(engine_submit(rig->engine, &chunk, 1), 0);
        rig_take(rig, &result, 1);
        assert_int_equal(result.tally.failed, 6);
        rig_assert_error(&result, "hash does not take items that are numbers");
        rig_drop(&result, 1);
        rig_end(rig);
    }
}

static void test_engine_tells_first_failed_item(void **state)
{
    struct rig *rig = *state;
    for (size_t k = 0; k < KINDS; k++) {
        struct chunk chunk = rig_chunk(1, 100, 10);
        struct chunk_result result;
        rig_engine(rig, &rig_third, kinds[k].strategy, kinds[k].slots);
        assert_int_equal(engine_submit(rig->engine, &chunk, 1), 0);
        rig_take(rig, &result, 1);
        assert_int_equal(result.tally.failed, 3);
        assert_int_equal(result.error_index, 102);
        rig_assert_error(&result, "number 102 is a multiple of 3");
        rig_drop(&result, 1);
        rig_end(rig);
    }
}

static void expect_failure(struct rig *rig,
                           const struct workload_ops *workload,
                           const struct kind *kind,
                           const char *text)
{
    struct chunk chunk = rig_chunk(1, 0, 1);
    struct chunk_result result;
    struct err_text error;
    rig_engine(rig, workload, kind->strategy, kind->slots);
    assert_int_equal(engine_submit(rig->engine, &chunk, 1), 0);
    while (engine_state(rig->engine, &error) != ENGINE_FAILED) {
        assert_int_not_equal(engine_state(rig->engine, NULL), ENGINE_READY);
        rig_await(&rig->woken);
    }
    assert_string_equal(error.s, text);
    assert_int_equal(engine_take(rig->engine, &result, 1), 0);
    rig_end(rig);
}

static void test_engine_fails_with_the_text_of_what_could_not_open(void **state)
{
    for (size_t k = 0; k < KINDS; k++) {
        expect_failure(*state, &rig_no_open, &kinds[k], "this workload never opens");
        expect_failure(*state, &rig_no_slot, &kinds[k], "this slot never opens");
    }
    struct kind async = {STRATEGY_ASYNC, 3};
    expect_failure(*state, &rig_no_async, &async, "this loop is not good enough");
}

static void test_engine_counts_cpu_time_of_its_slots(void **state)
{
    struct rig *rig = *state;
    for (size_t k = 0; k < KINDS; k++) {
        struct chunk chunks[2] = {rig_chunk(1, 0, 1), rig_chunk(2, 1, 1)};
        struct chunk_result results[2];
        rig_engine(rig, &rig_burn, kinds[k].strategy, kinds[k].slots);
        rig_await_state(rig, ENGINE_READY);
        uint64_t before_us = engine_cpu_us(rig->engine);
        assert_int_equal(engine_submit(rig->engine, chunks, 2), 0);
        rig_take(rig, results, 2);
        uint64_t after_us = engine_cpu_us(rig->engine);
        assert_in_range(after_us - before_us, 2 * RIG_BURN_US, 4 * RIG_BURN_US);
        assert_true(results[0].run_us >= RIG_BURN_US);
        engine_stop(rig->engine);
        assert_int_equal(engine_join(rig->engine, RIG_DEADLINE_S * 1000), 0);
        assert_true(engine_cpu_us(rig->engine) >= after_us);
        rig_end(rig);
    }
}

static void nobody(void *arg)
{
    (void)arg;
}

static void test_engine_refuses_wrong_options(void **state)
{
    struct rig *rig = *state;
    static const struct workload_ops no_kind = {WORKLOAD_ABI, .name = "no-kind"};
    struct params params = {.count = 0};
    struct engine_options good = {.workload = &rig_sum,
                                  .params = &params,
                                  .strategy = STRATEGY_THREADS,
                                  .slots = 2,
                                  .zygote = rig->zygote,
                                  .wake = nobody};
    struct engine_options bad[6] = {good, good, good, good, good, good};
    static const char *const texts[6] = {
        "not 0", "not 5000", "not 2", "zygote", "strategy 9", "no-kind"};
    bad[0].slots = 0;
    bad[1].slots = 5000;
    bad[2].strategy = STRATEGY_SERIAL;
    bad[3].strategy = STRATEGY_PROCESSES;
    bad[3].zygote = NULL;
    bad[4].strategy = (enum strategy)9;
    bad[5].workload = &no_kind;
    for (size_t i = 0; i < 6; i++) {
        struct err_text error = {.s = ""};
        struct engine *engine = NULL;
        assert_int_equal(engine_new(&bad[i], &error, &engine), ERR_INVALID);
        assert_null(engine);
        assert_non_null(strstr(error.s, texts[i]));
    }
}

static void test_engine_knows_when_it_is_cooperative(void **state)
{
    struct rig *rig = *state;
    rig_engine(rig, &rig_sum, STRATEGY_ASYNC, 2);
    assert_true(engine_is_cooperative(rig->engine));
    rig_end(rig);
    rig_engine(rig, &rig_timer, STRATEGY_ASYNC, 2);
    assert_false(engine_is_cooperative(rig->engine));
    rig_end(rig);
    rig_engine(rig, &rig_sum, STRATEGY_THREADS, 2);
    assert_false(engine_is_cooperative(rig->engine));
    rig_end(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_engine_gives_each_chunk_one_right_result, rig_reset),
        cmocka_unit_test_setup(test_engine_runs_ten_thousand_chunks_of_one_item, rig_reset),
        cmocka_unit_test_setup(test_engine_runs_one_chunk_of_a_million_numbers, rig_reset),
        cmocka_unit_test_setup(test_engine_takes_chunks_one_after_another_when_idle_between,
                               rig_reset),
        cmocka_unit_test_setup(test_engine_gives_every_idle_slot_one_chunk, rig_reset),
        cmocka_unit_test_setup(test_engine_takes_back_exactly_what_was_not_begun, rig_reset),
        cmocka_unit_test_setup(test_engine_names_what_it_holds, rig_reset),
        cmocka_unit_test_setup(test_engine_names_asynchronous_items_in_flight, rig_reset),
        cmocka_unit_test_setup(test_engine_does_not_let_short_chunks_wait_for_a_long_one,
                               rig_reset),
        cmocka_unit_test_setup(test_engine_stops_while_items_run, rig_reset),
        cmocka_unit_test_setup(test_engine_stops_while_asynchronous_items_are_in_flight, rig_reset),
        cmocka_unit_test_setup(test_engine_drops_payloads_of_what_it_did_not_run, rig_reset),
        cmocka_unit_test_setup(test_engine_stops_when_idle_and_when_not_ready, rig_reset),
        cmocka_unit_test_setup(test_engine_says_stopped_to_its_owner, rig_reset),
        cmocka_unit_test_setup(test_engine_counts_items_of_malformed_payload_as_failed, rig_reset),
        cmocka_unit_test_setup(test_engine_counts_items_of_a_kind_not_taken_as_failed, rig_reset),
        cmocka_unit_test_setup(test_engine_tells_first_failed_item, rig_reset),
        cmocka_unit_test_setup(test_engine_fails_with_the_text_of_what_could_not_open, rig_reset),
        cmocka_unit_test_setup(test_engine_counts_cpu_time_of_its_slots, rig_reset),
        cmocka_unit_test_setup(test_engine_refuses_wrong_options, rig_reset),
        cmocka_unit_test_setup(test_engine_knows_when_it_is_cooperative, rig_reset),
    };
    return cmocka_run_group_tests_name("engine_contract", tests, rig_setup, rig_teardown) != 0;
}
