/* The processes strategy when items crash: each costs itself and nothing else, whatever it does to its process. */
#include "test_engine_rig.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

static void run_chunks(struct rig *rig,
                       const struct workload_ops *workload,
                       uint32_t slots,
                       struct chunk *chunks,
                       struct chunk_result *ret_results,
                       size_t count)
{
    rig_engine(rig, workload, STRATEGY_PROCESSES, slots);
    assert_int_equal(engine_submit(rig->engine, chunks, count), 0);
    rig_take(rig, ret_results, count);
}

/* The tally of [first, first + count) without the items 7 and 9, which count as failed. */
static struct tally expected_without_crashes(const struct workload_ops *workload,
                                             uint64_t first,
                                             uint64_t count)
{
    struct tally sum = {.ok = 0};
    for (uint64_t i = first; i < first + count; i++) {
        struct tally one = {.failed = 1};
        if (i != 7 && i != 9) {
            one = rig_expected(workload, i, 1);
        }
        tally_merge(&sum, &one);
    }
    return sum;
}

static void test_processes_crash_costs_only_its_item(void **state)
{
    struct rig *rig = *state;
    struct chunk chunk = rig_chunk(1, 4, 16);
    struct chunk_result result;

    run_chunks(rig, &rig_crash, 1, &chunk, &result, 1);

    struct tally expected = expected_without_crashes(&rig_third, 4, 16);
    rig_assert_tally(&result.tally, &expected);
    for (uint64_t i = 4; i < 20; i++) {
        assert_int_equal(atomic_load(&rig->shared->runs[i]), 1);
    }
    /* Item 6 failed before item 7 crashed; it is the first one. */
    assert_int_equal(result.error_index, 6);
    rig_assert_error(&result, "number 6 is a multiple of 3");
    rig_drop(&result, 1);
    rig_end(rig);
}

static void test_processes_tells_signal_of_crash(void **state)
{
    struct rig *rig = *state;
    struct chunk chunk = rig_chunk(1, 7, 1);
    struct chunk_result result;

    run_chunks(rig, &rig_crash, 1, &chunk, &result, 1);

    assert_int_equal(result.tally.ok, 0);
    assert_int_equal(result.tally.failed, 1);
    assert_int_equal(result.error_index, 7);
    rig_assert_error(&result, "killed by signal 11 (Segmentation fault)");
    rig_drop(&result, 1);
    rig_end(rig);
}

static void test_processes_tells_status_of_exit(void **state)
{
    struct rig *rig = *state;
    struct chunk chunk = rig_chunk(1, 8, 4);
    struct chunk_result result;

    run_chunks(rig, &rig_crash, 3, &chunk, &result, 1);

    struct tally expected = expected_without_crashes(&rig_third, 8, 4);
    rig_assert_tally(&result.tally, &expected);
    assert_int_equal(result.first, 8);
    assert_int_equal(result.error_index, 9);
    rig_assert_error(&result, "exited with status 3");
    rig_drop(&result, 1);
    rig_end(rig);
}

static void test_processes_finds_culprit_in_batch(void **state)
{
    struct rig *rig = *state;
    struct chunk chunk = rig_chunk(1, 0, 1000);
    struct chunk_result result;

    run_chunks(rig, &rig_crash_batch, 1, &chunk, &result, 1);

    struct tally expected = expected_without_crashes(&rig_sum, 0, 1000);
    rig_assert_tally(&result.tally, &expected);
    assert_int_equal(result.error_index, 7);
    rig_assert_error(&result, "signal 11");
    rig_drop(&result, 1);
    rig_end(rig);
}

static void test_processes_loses_no_neighbour_of_crash(void **state)
{
    enum { CHUNKS = 3000 };
    struct rig *rig = *state;
    static struct chunk chunks[CHUNKS];
    static struct chunk_result results[CHUNKS];
    static bool seen[CHUNKS];
    memset(seen, 0, sizeof(seen));
    struct tally expected = {.ok = 0};
    /* Every 600th chunk crashes, each of the two ways; the engine has learned by then to hand out many at once. */
    for (uint64_t i = 0; i < CHUNKS; i++) {
        uint64_t first = i % 600 == 599 ? 7 : 100 + i;
        chunks[i] = rig_chunk(i + 1, first, 3);
        struct tally tally = expected_without_crashes(&rig_third, first, 3);
        tally_merge(&expected, &tally);
    }

    run_chunks(rig, &rig_crash, 3, chunks, results, CHUNKS);

    struct tally sum = {.ok = 0};
    for (size_t i = 0; i < CHUNKS; i++) {
        assert_false(seen[results[i].id.value - 1]);
        seen[results[i].id.value - 1] = true;
        assert_int_equal(results[i].first, chunks[results[i].id.value - 1].first);
        tally_merge(&sum, &results[i].tally);
    }
    rig_assert_tally(&sum, &expected);
    rig_drop(results, CHUNKS);
    rig_end(rig);
}

/* Also what is between two processes: the chunk of one that crashed, before the next one has it. */
static void test_processes_names_what_it_holds_between_crashes(void **state)
{
    enum { CHUNKS = 60 };
    struct rig *rig = *state;
    struct chunk chunks[CHUNKS];
    struct chunk_result results[CHUNKS];
    for (uint64_t i = 0; i < CHUNKS; i++) {
        chunks[i] = rig_chunk(i + 1, i % 3 == 0 ? 5 : 100 + i, 6);
    }
    rig_engine(rig, &rig_crash, STRATEGY_PROCESSES, 2);
    assert_int_equal(engine_submit(rig->engine, chunks, CHUNKS), 0);
    for (size_t taken = 0; taken < CHUNKS;) {
        rig_assert_holding(rig, chunks, CHUNKS);
        taken += engine_take(rig->engine, &results[taken], 1);
    }
    for (size_t i = 0; i < CHUNKS; i++) {
        assert_int_equal(results[i].first, chunks[results[i].id.value - 1].first);
    }
    rig_drop(results, CHUNKS);
    rig_end(rig);
}

static void test_processes_survives_items_that_all_crash(void **state)
{
    struct rig *rig = *state;
    struct chunk chunk = rig_chunk(1, 0, 20);
    struct chunk_result result;

    run_chunks(rig, &rig_crash_all, 2, &chunk, &result, 1);

    assert_int_equal(result.tally.failed, 20);
    assert_int_equal(result.error_index, 0);
    rig_assert_error(&result, "killed by signal 9 (Killed)");
    rig_drop(&result, 1);
    rig_await_state(rig, ENGINE_READY);
    rig_end(rig);
}

static void test_processes_resumes_chunk_of_bytes(void **state)
{
    struct rig *rig = *state;
    struct chunk chunks[2] = {rig_bytes_chunk(rig, 1, 0, 30), rig_bytes_chunk(rig, 2, 30, 30)};
    struct chunk_result results[2];

    run_chunks(rig, &rig_crash_bytes, 2, chunks, results, 2);

    struct tally sum = results[0].tally;
    tally_merge(&sum, &results[1].tally);
    struct tally expected = rig_expected(&rig_hash, 0, 60);
    struct tally lost = rig_expected(&rig_hash, 17, 1);
    expected.ok -= 1;
    expected.failed += 1;
    expected.checksum -= lost.checksum;
    expected.bytes_out -= lost.bytes_out;
    rig_assert_tally(&sum, &expected);
    rig_drop(results, 2);
    rig_end(rig);
    assert_int_equal(atomic_load(&rig->payloads_released), 2);
}

static void test_processes_replaces_process_killed_when_idle(void **state)
{
    struct rig *rig = *state;
    struct chunk chunk = rig_chunk(1, 1, 1);
    struct chunk_result result;
    run_chunks(rig, &rig_census, 1, &chunk, &result, 1);
    pid_t before = atomic_load(&rig->shared->pids[1]);

    assert_int_equal(kill(before, SIGKILL), 0);
    /* Whether it is dead already when the next chunk comes or not: no item is lost that was not begun. */
    for (uint64_t i = 2; atomic_load(&rig->shared->pids[1]) == before; i++) {
        chunk = rig_chunk(i, 1, 1);
        assert_int_equal(engine_submit(rig->engine, &chunk, 1), 0);
        rig_take(rig, &result, 1);
        rig_drop(&result, 1);
    }
    assert_int_equal(result.tally.ok, 1);
    rig_end(rig);
}

static void test_processes_kills_what_never_ends(void **state)
{
    struct rig *rig = *state;
    struct chunk chunk = rig_chunk(1, RIG_GATE_NUMBER, 1);
    rig_engine(rig, &rig_census, STRATEGY_PROCESSES, 3);
    assert_int_equal(engine_submit(rig->engine, &chunk, 1), 0);
    rig_await(&rig->shared->begun);
    pid_t pid = atomic_load(&rig->shared->pids[RIG_GATE_NUMBER % 64]);
    rig_end(rig);
    /* Gone and reaped, not only dying. */
    assert_int_equal(kill(pid, 0), -1);
}

static void test_processes_fails_when_no_process_can_be_had_again(void **state)
{
    struct rig *rig = *state;
    struct chunk chunk = rig_chunk(1, 7, 3);
    struct chunk_result result;
    struct err_text error = {.s = ""};
    rig_engine(rig, &rig_crash, STRATEGY_PROCESSES, 1);
    rig_await_state(rig, ENGINE_READY);
    atomic_store(&rig->shared->open_fails, 1);

    assert_int_equal(engine_submit(rig->engine, &chunk, 1), 0);
    while (engine_state(rig->engine, &error) != ENGINE_FAILED) {
        rig_await(&rig->woken);
    }

    assert_string_equal(error.s, "open was told to fail");
    /* One start and three vain ones, no more. */
    assert_int_equal(atomic_load(&rig->shared->opened), 4);
    rig_take(rig, &result, 1);
    assert_int_equal(result.tally.failed, 3);
    assert_int_equal(result.first, 7);
    rig_assert_error(&result, "signal 11");
    rig_drop(&result, 1);
    rig_end(rig);
}

static void test_processes_fails_when_descriptors_run_out(void **state)
{
    struct rig *rig = *state;
    struct rlimit before;
    struct err_text error = {.s = ""};
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit few = {.rlim_cur = 20, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);

    rig_engine(rig, &rig_sum, STRATEGY_PROCESSES, 64);
    while (engine_state(rig->engine, &error) != ENGINE_FAILED) {
        rig_await(&rig->woken);
    }

    assert_non_null(strstr(error.s, "Too many open files"));
    rig_end(rig);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void test_processes_gives_its_places_back(void **state)
{
    struct rig *rig = *state;
    for (int round = 0; round < 5; round++) {
        struct chunk chunk = rig_chunk(1, 0, 100);
        struct chunk_result result;
        run_chunks(rig, &rig_sum, 150, &chunk, &result, 1);
        rig_await_state(rig, ENGINE_READY);
        rig_end(rig);
    }
}

static void test_processes_counts_cpu_time_of_the_dead(void **state)
{
    struct rig *rig = *state;
    struct chunk chunk = rig_chunk(1, 1, 1);
    struct chunk_result result;
    run_chunks(rig, &rig_burn_crash, 1, &chunk, &result, 1);
    rig_drop(&result, 1);
    assert_true(engine_cpu_us(rig->engine) >= RIG_BURN_US);
    rig_end(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_processes_crash_costs_only_its_item, rig_reset),
        cmocka_unit_test_setup(test_processes_tells_signal_of_crash, rig_reset),
        cmocka_unit_test_setup(test_processes_tells_status_of_exit, rig_reset),
        cmocka_unit_test_setup(test_processes_finds_culprit_in_batch, rig_reset),
        cmocka_unit_test_setup(test_processes_loses_no_neighbour_of_crash, rig_reset),
        cmocka_unit_test_setup(test_processes_names_what_it_holds_between_crashes, rig_reset),
        cmocka_unit_test_setup(test_processes_survives_items_that_all_crash, rig_reset),
        cmocka_unit_test_setup(test_processes_resumes_chunk_of_bytes, rig_reset),
        cmocka_unit_test_setup(test_processes_replaces_process_killed_when_idle, rig_reset),
        cmocka_unit_test_setup(test_processes_kills_what_never_ends, rig_reset),
        cmocka_unit_test_setup(test_processes_fails_when_no_process_can_be_had_again, rig_reset),
        cmocka_unit_test_setup(test_processes_fails_when_descriptors_run_out, rig_reset),
        cmocka_unit_test_setup(test_processes_gives_its_places_back, rig_reset),
        cmocka_unit_test_setup(test_processes_counts_cpu_time_of_the_dead, rig_reset),
    };
    return cmocka_run_group_tests_name("engine_crash", tests, rig_setup, rig_teardown) != 0;
}
