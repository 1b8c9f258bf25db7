/* The processes strategy with records when items crash: the neighbours' records are kept, the culprit has one that says so, and
 * whatever a process does to the memory that it shares harms its own chunk only. */
#include "test_engine_say.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void start(struct rig *rig, const struct workload_ops *workload, uint32_t slots)
{
    rig->records = true;
    rig_engine(rig, workload, STRATEGY_PROCESSES, slots);
}

static void assert_reason(const struct record *record, const char *reason)
{
    assert_int_equal(record->reason_len, strlen(reason));
    assert_memory_equal(record->reason, reason, record->reason_len);
}

static void check_crashes(const struct record *record, uint64_t index)
{
    if (index % 10 != 4 && index % 10 != 9) {
        say_check(record, index);
        return;
    }
    bool signalled = index % 10 == 4;
    assert_int_equal(record->status, RECORD_CRASHED);
    assert_int_equal(record->signal, signalled ? SIGSEGV : 0);
    assert_int_equal(record->exit_status, signalled ? 0 : 3);
    assert_int_equal(record->out_len + record->err_len, 0);
    assert_true(record->start_us > 0);
    assert_reason(record,
                  signalled ? "killed by signal 11 (Segmentation fault)" : "exited with status 3");
}

static struct tally expected_with_crashes(uint64_t first, uint64_t count)
{
    struct tally tally = {.ok = 0};
    for (uint64_t i = first; i < first + count; i++) {
        bool ok = i % 5 != 3 && i % 7 != 5 && i % 10 != 4 && i % 10 != 9;
        tally.ok += ok;
        tally.failed += !ok;
        tally.checksum += ok ? i + 1 : 0;
        tally.bytes_out += ok;
    }
    return tally;
}

/* Outputs are large enough to end chunks of 60 items early, with what was carried before a crash counted in. */
static void test_crash_keeps_records_of_its_neighbours(void **state)
{
    enum { ITEMS = 60 };
    static const struct workload_ops *const forms[] = {&say_single, &say_batch};
    static const uint64_t sizes[] = {1, 6, ITEMS};
    struct rig *rig = *state;
    struct tally expected = expected_with_crashes(SAY_CRASH, ITEMS);
    for (size_t i = 0; i < 2 * 3 * 2; i++) {
        uint64_t results;
        start(rig, forms[i % 2], i % 4 < 2 ? 1 : 4);
        struct tally tally = say_run(
            rig, i % 3 == 0, SAY_CRASH, ITEMS, sizes[i / 4], check_crashes, &results);
        rig_assert_tally(&tally, &expected);
        assert_in_range(results, i / 4 == 2 ? 4 : ITEMS / sizes[i / 4], ITEMS);
        rig_end(rig);
    }
}

static void test_crash_within_a_batch_is_found_without_records(void **state)
{
    enum { ITEMS = 60 };
    struct rig *rig = *state;
    struct tally expected = expected_with_crashes(SAY_CRASH, ITEMS);
    struct chunk chunk = rig_chunk(1, SAY_CRASH, ITEMS);
    struct chunk_result result;
    rig_engine(rig, &say_batch, STRATEGY_PROCESSES, 1);
    assert_int_equal(engine_submit(rig->engine, &chunk, 1), 0);
    rig_take(rig, &result, 1);
    rig_assert_tally(&result.tally, &expected);
    assert_null(result.records);
    rig_drop(&result, 1);
    rig_end(rig);
}

static void check_killed(const struct record *record, uint64_t index)
{
    (void)index;
    assert_int_equal(record->status, RECORD_CRASHED);
    assert_int_equal(record->signal, SIGKILL);
    assert_reason(record, "killed by signal 9 (Killed)");
}

static void test_crash_of_every_item_is_told_of_each(void **state)
{
    struct rig *rig = *state;
    start(rig, &rig_crash_all, 2);
    struct tally tally = say_run(rig, false, 0, 20, 7, check_killed, NULL);
    assert_int_equal(tally.failed, 20);
    rig_end(rig);
}

static void check_burnt(const struct record *record, uint64_t index)
{
    (void)index;
    assert_int_equal(record->status, RECORD_CRASHED);
    assert_true(record->run_us >= RIG_BURN_US);
}

static void test_crash_is_told_with_the_time_until_then(void **state)
{
    struct rig *rig = *state;
    start(rig, &rig_burn_crash, 1);
    (void)say_run(rig, false, 1, 2, 2, check_burnt, NULL);
    rig_end(rig);
}

/* --- a batch of which every item was told before the crash --- */

static void run_batch_and_crash(void *slot, struct workload_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct workload_outcome outcome = {.ok = false};
        say(slot, &batch->items[i], &outcome);
        (void)batch->done(batch, &outcome);
    }
    if (batch->items[0].index / SAY_BATCH % 2 == 0) {
        (void)raise(SIGSEGV);
    }
}

static const struct workload_ops late_crash = {WORKLOAD_ABI,
                                               .name = "late-crash",
                                               .summary = "a test",
                                               .traits = WORKLOAD_NUMBERS,
                                               .open = say_open,
                                               .close = say_close,
                                               .slot_open = say_slot_open,
                                               .slot_close = say_close,
                                               .run_batch = run_batch_and_crash,
                                               .batch_max = SAY_BATCH};

static void test_crash_behind_the_last_report_of_a_batch_costs_no_item(void **state)
{
    struct rig *rig = *state;
    start(rig, &late_crash, 1);
    /* The crashes are in the chunk's first batch and in its last one. */
    (void)say_run(rig, false, 0, 6 * SAY_BATCH, 3 * SAY_BATCH, say_check, NULL);
    rig_end(rig);
}

/* --- processes that go wild --- */

enum { WILD = 25, WILD_CRASH = 45 };

static const char wild_records[] = "its executor left records that are none of these items'";

/* Fill the memory shared for records with nonsense. */
static void scribble(void)
{
    char line[512];
    uintptr_t first = 0;
    uintptr_t end = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
        if (strstr(line, "quartet-records") != NULL &&
            sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &first, &end) == 2) {
            memset((void *)first, 0xff, RECORDS_ENOUGH_BYTES);
        }
    }
    if (maps != NULL) {
        (void)fclose(maps);
    }
    if (first == 0) {
        abort(); /* it is called something else now: the test is to fail */
    }
}

static void run_wild(void *slot, const struct workload_item *item, struct workload_outcome *outcome)
{
    if (item->index == WILD || item->index == WILD_CRASH) {
        scribble();
    }
    if (item->index == WILD_CRASH) {
        (void)raise(SIGSEGV);
    }
    say(slot, item, outcome);
}

static const struct workload_ops wild = {WORKLOAD_ABI,
                                         .name = "wild",
                                         .summary = "a test",
                                         .traits = WORKLOAD_NUMBERS,
                                         .open = say_open,
                                         .close = say_close,
                                         .slot_open = say_slot_open,
                                         .slot_close = say_close,
                                         .run = run_wild};

static void check_wild(const struct record *record, uint64_t index)
{
    if (index == WILD_CRASH) {
        assert_int_equal(record->status, RECORD_CRASHED);
        assert_int_equal(record->signal, SIGSEGV);
    } else if (index / 10 == WILD / 10 || (index / 10 == WILD_CRASH / 10 && index < WILD_CRASH)) {
        assert_int_equal(record->status, RECORD_FAILED);
        assert_reason(record, wild_records);
    } else {
        say_check(record, index);
    }
}

static void test_wild_process_harms_its_own_chunk_only(void **state)
{
    struct rig *rig = *state;
    for (uint32_t slots = 1; slots < 5; slots += 3) {
        start(rig, &wild, slots);
        (void)say_run(rig, false, 0, 100, 10, check_wild, NULL);
        rig_end(rig);
    }
}

static void test_executor_keeps_no_descriptor_of_the_memory(void **state)
{
    struct rig *rig = *state;
    start(rig, &rig_census, 1);
    struct chunk chunk = rig_chunk(1, 1, 1);
    struct chunk_result result;
    assert_int_equal(engine_submit(rig->engine, &chunk, 1), 0);
    rig_take(rig, &result, 1);
    rig_drop(&result, 1);
    assert_int_equal(atomic_load(&rig->shared->descriptors), 4); /* 0, 1, 2, its connection */
    rig_end(rig);
}

/* --- what cannot be had --- */

static void check_abandoned(const struct record *record, uint64_t index)
{
    if (index == 7) {
        assert_int_equal(record->status, RECORD_CRASHED);
    } else {
        assert_int_equal(record->status, RECORD_FAILED);
        assert_reason(record, "open was told to fail");
    }
}

static void test_rest_of_a_chunk_that_nobody_resumes_has_records_of_failure(void **state)
{
    struct rig *rig = *state;
    start(rig, &rig_crash, 1);
    rig_await_state(rig, ENGINE_READY);
    atomic_store(&rig->shared->open_fails, 1);
    struct tally tally = say_run(rig, false, 7, 3, 3, check_abandoned, NULL);
    assert_int_equal(tally.failed, 3);
    rig_end(rig);
}

static void test_engine_says_when_there_are_no_descriptors_for_records(void **state)
{
    struct rig *rig = *state;
    struct rlimit before;
    struct err_text error = {.s = ""};
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit few = {.rlim_cur = 20, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);

    start(rig, &say_single, 64);
    while (engine_state(rig->engine, &error) != ENGINE_FAILED) {
        rig_await(&rig->woken);
    }

    assert_non_null(strstr(error.s, "Too many open files"));
    rig_end(rig);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* Places and memory come back: more engines one after the other than there are places. */
static void test_engine_gives_memory_for_records_back(void **state)
{
    struct rig *rig = *state;
    for (int round = 0; round < 6; round++) {
        start(rig, &say_single, 100);
        (void)say_run(rig, false, 0, 200, 1, say_check, NULL);
        rig_end(rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_crash_keeps_records_of_its_neighbours, rig_reset),
        cmocka_unit_test_setup(test_crash_within_a_batch_is_found_without_records, rig_reset),
        cmocka_unit_test_setup(test_crash_of_every_item_is_told_of_each, rig_reset),
        cmocka_unit_test_setup(test_crash_is_told_with_the_time_until_then, rig_reset),
        cmocka_unit_test_setup(test_crash_behind_the_last_report_of_a_batch_costs_no_item,
                               rig_reset),
        cmocka_unit_test_setup(test_wild_process_harms_its_own_chunk_only, rig_reset),
        cmocka_unit_test_setup(test_executor_keeps_no_descriptor_of_the_memory, rig_reset),
        cmocka_unit_test_setup(test_rest_of_a_chunk_that_nobody_resumes_has_records_of_failure,
                               rig_reset),
        cmocka_unit_test_setup(test_engine_says_when_there_are_no_descriptors_for_records,
                               rig_reset),
        cmocka_unit_test_setup(test_engine_gives_memory_for_records_back, rig_reset),
    };
    return cmocka_run_group_tests_name("engine_records_crash", tests, rig_setup, rig_teardown) != 0;
}
