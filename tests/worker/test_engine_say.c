/* A workload whose items say something; see test_engine_say.h. */
#include "test_engine_say.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

struct say_slot {
    char out[64];
    char err[64];
    char *large; /* SAY_HUGE_LEN bytes */
};

int say_open(const struct params *params,
             const struct workload_host *host,
             struct err_text *ret_error,
             void **ret_state)
{
    (void)params;
    (void)ret_error;
    const struct workload_host **state = malloc(sizeof(*state));
    assert_non_null(state);
    *state = host;
    *ret_state = state;
    return 0;
}

void say_close(void *memory)
{
    free(memory);
}

int say_slot_open(void *state, struct err_text *ret_error, void **ret_slot)
{
    (void)state;
    (void)ret_error;
    struct say_slot *slot = calloc(1, sizeof(*slot) + SAY_HUGE_LEN);
    assert_non_null(slot);
    slot->large = (char *)(slot + 1);
    *ret_slot = slot;
    return 0;
}

static size_t large_len(uint64_t index)
{
    if (index >= SAY_CRASH) {
        return SAY_CRASH_LEN;
    }
    return index >= SAY_HUGE ? SAY_HUGE_LEN : SAY_BIG_LEN;
}

static void say_texts(struct say_slot *slot, uint64_t index, struct workload_outcome *outcome)
{
    outcome->out_len = (size_t)snprintf(
        slot->out, sizeof(slot->out), "out-%llu", (unsigned long long)index);
    outcome->err_len = (size_t)snprintf(
        slot->err, sizeof(slot->err), "err-%llu", (unsigned long long)index);
    outcome->out = slot->out;
    outcome->err = slot->err;
    if (index >= SAY_BIG) {
        outcome->out = slot->large;
        outcome->out_len = large_len(index);
        memcpy(slot->large, slot->out, strlen(slot->out));
    }
    if (index >= SAY_HUGE && index < SAY_CRASH) {
        outcome->err = slot->large;
        outcome->err_len = SAY_HUGE_LEN;
    }
}

static void crash_at(uint64_t index)
{
    if (index >= SAY_CRASH && index % 10 == 4) {
        (void)raise(SIGSEGV);
    }
    if (index >= SAY_CRASH && index % 10 == 9) {
        _exit(3);
    }
}

void say(void *slot, const struct workload_item *item, struct workload_outcome *ret_outcome)
{
    uint64_t index = item->index;
    crash_at(index);
    say_texts(slot, index, ret_outcome);
    ret_outcome->ok = index % 5 != 3 && index % 7 != 5;
    ret_outcome->flags = WORKLOAD_HAS_VALUE | (index % 7 == 5 ? WORKLOAD_TIMED_OUT : 0);
    ret_outcome->value = 3 * index;
    ret_outcome->checksum = index + 1;
    ret_outcome->bytes = 1;
    if (!ret_outcome->ok) {
        ret_outcome->exit_status = 7;
        (void)snprintf(ret_outcome->error,
                       sizeof(ret_outcome->error),
                       "item %llu is like that",
                       (unsigned long long)index);
    }
}

void say_check(const struct record *record, uint64_t index)
{
    char text[64];
    bool timed_out = index % 7 == 5;
    bool failed = timed_out || index % 5 == 3;
    assert_int_equal(record->status,
                     timed_out ? RECORD_TIMED_OUT
                     : failed  ? RECORD_FAILED
                               : RECORD_OK);
    bool huge = index >= SAY_HUGE && index < SAY_CRASH;
    assert_int_equal(record->flags,
                     RECORD_HAS_VALUE | (huge ? RECORD_OUT_TRUNCATED | RECORD_ERR_TRUNCATED : 0));
    assert_int_equal(record->value, 3 * index);
    assert_int_equal(record->exit_status, failed ? 7 : 0);
    assert_int_equal(record->signal, 0);
    int len = snprintf(text, sizeof(text), "out-%llu", (unsigned long long)index);
    size_t large = large_len(index) < RECORD_OUTPUT_MAX ? large_len(index) : RECORD_OUTPUT_MAX;
    assert_int_equal(record->out_len, index >= SAY_BIG ? large : (size_t)len);
    assert_memory_equal(record->out, text, (size_t)len);
    len = snprintf(text, sizeof(text), "err-%llu", (unsigned long long)index);
    assert_int_equal(record->err_len, huge ? (size_t)RECORD_OUTPUT_MAX : (size_t)len);
    if (!huge) {
        assert_memory_equal(record->err, text, (size_t)len);
    }
    len = snprintf(text, sizeof(text), "item %llu is like that", (unsigned long long)index);
    assert_int_equal(record->reason_len, failed ? len : 0);
    assert_memory_equal(record->reason, text, record->reason_len);
}

static void run_batch(void *slot, struct workload_batch *batch)
{
    bool go_on = true;
    for (size_t i = 0; i < batch->count && go_on; i++) {
        struct workload_outcome outcome = {.ok = false};
        say(slot, &batch->items[i], &outcome);
        go_on = batch->done(batch, &outcome);
    }
}

static void run_mute_batch(void *slot, struct workload_batch *batch)
{
    for (size_t i = 0; i < batch->count / 2; i++) {
        struct workload_outcome outcome = {.ok = false};
        say(slot, &batch->items[i], &outcome);
        (void)batch->done(batch, &outcome);
    }
}

/* --- the asynchronous form: everything that was begun ends at the loop's next turn --- */

struct say_loop {
    uv_idle_t turn;
    struct workload_call *waiting; /* linked through `workload`, newest first */
    void *slot;
};

static void on_turn(uv_idle_t *turn)
{
    struct say_loop *loop = turn->data;
    struct workload_call *call = loop->waiting;
    loop->waiting = NULL;
    (void)uv_idle_stop(turn);
    while (call != NULL) {
        struct workload_call *next = call->workload;
        struct workload_outcome outcome = {.ok = false};
        say(loop->slot, &call->item, &outcome);
        call->done(call, &outcome);
        call = next;
    }
}

static int async_open(void *state,
                      struct uv_loop_s *uv,
                      struct err_text *ret_error,
                      void **ret_async)
{
    struct say_loop *loop = calloc(1, sizeof(*loop));
    assert_non_null(loop);
    (void)say_slot_open(state, ret_error, &loop->slot);
    (void)uv_idle_init(uv, &loop->turn);
    loop->turn.data = loop;
    *ret_async = loop;
    return 0;
}

static void async_start(void *async, struct workload_call *call)
{
    struct say_loop *loop = async;
    call->workload = loop->waiting;
    loop->waiting = call;
    (void)uv_idle_start(&loop->turn, on_turn);
}

static void async_cancel(void *async)
{
    (void)async; /* what waits ends soon anyway */
}

static void on_closed(uv_handle_t *handle)
{
    struct say_loop *loop = handle->data;
    say_close(loop->slot);
    free(loop);
}

static void async_close(void *async)
{
    struct say_loop *loop = async;
    assert_null(loop->waiting);
    uv_close((uv_handle_t *)&loop->turn, on_closed);
}

#define SAY_COMMON                                                                                 \
    .summary = "a test", .traits = WORKLOAD_NUMBERS | WORKLOAD_BYTES, .open = say_open,            \
    .close = say_close, .slot_open = say_slot_open, .slot_close = say_close

const struct workload_ops say_single = {WORKLOAD_ABI, .name = "say", SAY_COMMON, .run = say};
const struct workload_ops say_batch = {WORKLOAD_ABI,
                                       .name = "say-batch",
                                       SAY_COMMON,
                                       .run_batch = run_batch,
                                       .batch_max = SAY_BATCH};
const struct workload_ops say_mute = {WORKLOAD_ABI,
                                      .name = "say-mute",
                                      SAY_COMMON,
                                      .run_batch = run_mute_batch,
                                      .batch_max = SAY_BATCH};
const struct workload_ops say_async = {WORKLOAD_ABI,
                                       .name = "say-async",
                                       SAY_COMMON,
                                       .run = say,
                                       .async_open = async_open,
                                       .async_start = async_start,
                                       .async_cancel = async_cancel,
                                       .async_close = async_close};

/* --- the owner --- */

struct plan {
    struct rig *rig;
    bool bytes;
    uint64_t next_id;
    struct chunk *chunks; /* [id - 1], with room for one result an item and one more */
};

static void submit(struct plan *plan, uint64_t first, uint64_t count)
{
    uint64_t id = ++plan->next_id;
    struct chunk chunk = plan->bytes ? rig_bytes_chunk(plan->rig, id, first, count)
                                     : rig_chunk(id, first, count);
    plan->chunks[id - 1] = chunk;
    assert_int_equal(engine_submit(plan->rig->engine, &chunk, 1), 0);
}

static void check_records(const struct chunk_result *result,
                          uint64_t first,
                          uint64_t count,
                          void (*check)(const struct record *record, uint64_t index))
{
    struct record_cursor cursor;
    struct record record;
    uint64_t failed = 0;
    assert_non_null(result->records);
    assert_true(result->records_len <= RECORDS_MAX);
    const char *bytes = (const char *)blob_bytes(result->records) + result->records_offset;
    assert_true(records_valid(bytes, result->records_len, count));
    record_cursor_init(&cursor, bytes, count);
    for (uint64_t i = 0; record_cursor_next(&cursor, &record); i++) {
        check(&record, first + i);
        failed += record.status != RECORD_OK;
    }
    assert_int_equal(failed, result->tally.failed);
}

/* Returns how many items the result is of. What it leaves out becomes a new chunk. */
static uint64_t on_result(struct plan *plan,
                          const struct chunk_result *result,
                          void (*check)(const struct record *record, uint64_t index))
{
    struct chunk *chunk = &plan->chunks[result->id.value - 1];
    uint64_t count = result->tally.ok + result->tally.failed;
    assert_in_range(count, 1, chunk->count);
    assert_int_equal(result->first, chunk->first);
    check_records(result, chunk->first, count, check);
    assert_true(result->tally.failed == 0 || result->error_len > 0);
    if (count < chunk->count) {
        submit(plan, chunk->first + count, chunk->count - count);
    }
    /* Each chunk has one result. */
    plan->chunks[result->id.value - 1].count = 0;
    return count;
}

struct tally say_run(struct rig *rig,
                     bool bytes,
                     uint64_t first,
                     uint64_t count,
                     uint64_t chunk,
                     void (*check)(const struct record *record, uint64_t index),
                     uint64_t *ret_results)
{
    struct plan plan = {.rig = rig, .bytes = bytes};
    struct tally sum = {.ok = 0};
    uint64_t results = 0;
    plan.chunks = calloc(2 * count + 1, sizeof(*plan.chunks));
    assert_non_null(plan.chunks);
    for (uint64_t at = 0; at < count; at += chunk) {
        submit(&plan, first + at, count - at < chunk ? count - at : chunk);
    }
    for (uint64_t done = 0; done < count; results++) {
        struct chunk_result result;
        rig_take(rig, &result, 1);
        done += on_result(&plan, &result, check);
        tally_merge(&sum, &result.tally);
        rig_drop(&result, 1);
    }
    assert_int_equal(sum.ok + sum.failed, count);
    assert_int_equal(engine_held(rig->engine), 0);
    free(plan.chunks);
    if (ret_results != NULL) {
        *ret_results = results;
    }
    return sum;
}
