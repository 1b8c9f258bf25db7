/* One chunk being run on one slot; see chunk_run.h. */
#include "worker/engine/chunk_run.h"

#include "common/base/err.h"
#include "worker/engine/chunk_batch.h"
#include "worker/engine/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int chunk_run_init(struct chunk_run *run)
{
    const struct workload_ops *workload = run->workload;
    if (workload->run_batch == NULL || workload->batch_max == 0) {
        return 0;
    }
    run->items_max = workload->batch_max < CHUNK_BATCH_MAX ? workload->batch_max : CHUNK_BATCH_MAX;
    run->items = calloc(run->items_max, sizeof(*run->items));
    return run->items != NULL ? 0 : ERR_NOMEM;
}

void chunk_run_deinit(struct chunk_run *run)
{
    free(run->items);
    run->items = NULL;
}

/* --- records --- */

static uint32_t to_u32(size_t value)
{
    return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

static uint8_t status_of(const struct workload_outcome *outcome)
{
    if (outcome->ok) {
        return RECORD_OK;
    }
    if ((outcome->flags & WORKLOAD_CRASHED) != 0) {
        return RECORD_CRASHED;
    }
    return (outcome->flags & WORKLOAD_TIMED_OUT) != 0 ? RECORD_TIMED_OUT : RECORD_FAILED;
}

static uint8_t flags_of(const struct workload_outcome *outcome)
{
    return (uint8_t)(((outcome->flags & WORKLOAD_OUT_TRUNCATED) != 0 ? RECORD_OUT_TRUNCATED : 0) |
                     ((outcome->flags & WORKLOAD_ERR_TRUNCATED) != 0 ? RECORD_ERR_TRUNCATED : 0) |
                     ((outcome->flags & WORKLOAD_HAS_VALUE) != 0 ? RECORD_HAS_VALUE : 0));
}

/* Borrows the outcome's texts. */
static struct record record_of(const struct workload_outcome *outcome)
{
    struct record record = {
        .status = status_of(outcome),
        .flags = flags_of(outcome),
        .exit_status = (uint8_t)outcome->exit_status,
        .signal = (uint8_t)outcome->signal,
        .value = outcome->value,
        .out = outcome->out,
        .err = outcome->err,
        .reason = outcome->error,
        .out_len = outcome->out != NULL ? to_u32(outcome->out_len) : 0,
        .err_len = outcome->err != NULL ? to_u32(outcome->err_len) : 0,
        .reason_len = outcome->ok ? 0 : (uint32_t)strnlen(outcome->error, WORKLOAD_ERROR_SIZE),
    };
    return record;
}

/* The record of an item that took from run->item_ns to `now_ns`. */
static void set_times(const struct chunk_run *run, uint64_t now_ns, struct record *record)
{
    record->start_us = run->wall_us + (run->item_ns - run->start_ns) / NS_PER_US;
    record->run_us = (now_ns - run->item_ns) / NS_PER_US;
}

static void no_further_item(struct chunk_run *run, bool full)
{
    run->enough = true;
    run->full = full;
}

/* False: there is no room for it, and the item has to be run another time. Apart from the counting
 * of items that have none: room for a record on the stack would cost these 2 ns each. */
__attribute__((noinline)) static bool keep_record(struct chunk_run *run,
                                                  const struct workload_outcome *outcome)
{
    struct record record = record_of(outcome);
    uint64_t now_ns = clock_now_ns();
    set_times(run, now_ns, &record);
    run->item_ns = now_ns;
    if (record_buffer_add(run->records, &record) != 0) {
        no_further_item(run, true);
        return false;
    }
    if (record_buffer_enough(run->records)) {
        no_further_item(run, false);
    }
    return true;
}

/* Records of the next `count` items, which failed alike; returns how many there is room for. */
static uint64_t keep_failures(struct chunk_run *run, uint64_t count, const char *reason)
{
    uint64_t now_ns = clock_now_ns();
    struct record record = {.status = RECORD_FAILED,
                            .reason = reason,
                            .reason_len = (uint32_t)strnlen(reason, CHUNK_ERROR_SIZE)};
    set_times(run, now_ns, &record);
    run->item_ns = now_ns;
    uint64_t kept = record_buffer_repeat(run->records, &record, count);
    if (kept < count || record_buffer_enough(run->records)) {
        no_further_item(run, kept < count);
    }
    return kept;
}

const char record_spare_reason[] = "no memory for the item's record";

struct blob *record_spare(void)
{
    struct record_buffer buffer = {.len = 0};
    struct record record = {.status = RECORD_FAILED,
                            .reason = record_spare_reason,
                            .reason_len = sizeof(record_spare_reason) - 1};
    struct blob *spare = NULL;
    if (record_buffer_add(&buffer, &record) == 0) {
        spare = record_buffer_take(&buffer);
    }
    record_buffer_deinit(&buffer);
    return spare;
}

struct blob *chunk_run_take_records(struct chunk_run *run, struct blob *spare)
{
    struct blob *records = record_buffer_take(run->records);
    if (records != NULL) {
        return records;
    }
    run->tally = (struct tally){.failed = 1};
    run->error_index = run->input.first;
    run->error_len = sizeof(record_spare_reason) - 1;
    memcpy(run->error, record_spare_reason, run->error_len);
    return blob_ref(spare);
}

/* --- beginning --- */

void chunk_run_fail(struct chunk_run *run, uint64_t count, const char *reason)
{
    uint64_t failed = run->records != NULL ? keep_failures(run, count, reason) : count;
    if (failed == 0) {
        return;
    }
    if (run->tally.failed == 0) {
        run->error_index = run->input.first + run->done;
        run->error_len = (uint32_t)strnlen(reason, CHUNK_ERROR_SIZE);
        memcpy(run->error, reason, run->error_len);
    }
    run->tally.failed += failed;
    run->done += failed;
}

__attribute__((format(printf, 2, 3))) static void fail_all(struct chunk_run *run,
                                                           const char *format,
                                                           ...)
{
    char reason[CHUNK_ERROR_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    chunk_run_fail(run, run->input.count - run->done, reason);
}

static void reset(struct chunk_run *run, const struct chunk_input *input, uint64_t now_ns)
{
    run->input = *input;
    run->done = input->skip;
    run->enough = false;
    run->full = false;
    run->start_ns = now_ns;
    run->tally = (struct tally){.ok = 0};
    run->error_index = 0;
    run->error_len = 0;
    if (run->records != NULL) {
        run->item_ns = now_ns;
        run->wall_us = clock_wall_us(now_ns);
        record_buffer_begin(run->records, input->records_before);
    }
}

void chunk_run_begin(struct chunk_run *run, const struct chunk_input *input, uint64_t now_ns)
{
    reset(run, input, now_ns);
    bool numbers = input->payload == NULL;
    if ((run->workload->traits & (numbers ? WORKLOAD_NUMBERS : WORKLOAD_BYTES)) == 0) {
        fail_all(run,
                 "workload %s does not take items that are %s",
                 run->workload->name,
                 numbers ? "numbers" : "bytes");
        return;
    }
    if (numbers) {
        return;
    }
    if (!items_payload_valid(input->payload, input->payload_len, input->count)) {
        fail_all(run,
                 "malformed chunk: its payload of %zu bytes is not %llu items",
                 input->payload_len,
                 (unsigned long long)input->count);
        return;
    }
    items_cursor_init(&run->cursor, input->payload, input->count);
    const char *bytes;
    size_t len;
    for (uint64_t i = 0; i < input->skip; i++) {
        (void)items_cursor_next(&run->cursor, &bytes, &len);
    }
}

bool chunk_run_done(const struct chunk_run *run)
{
    return run->done == run->input.count || run->enough;
}

/* --- items --- */

void chunk_run_next_item(struct chunk_run *run, uint64_t ahead, struct workload_item *ret_item)
{
    *ret_item = (struct workload_item){
        .index = run->input.first + run->done + ahead,
        .attempt = run->input.attempt,
    };
    if (run->input.payload == NULL) {
        ret_item->number = run->input.range_first + ret_item->index;
    } else {
        (void)items_cursor_next(&run->cursor, &ret_item->bytes, &ret_item->bytes_len);
    }
}

void chunk_run_count(struct chunk_run *run,
                     const struct workload_item *item,
                     const struct workload_outcome *outcome)
{
    if (outcome->cpu_us > 0) {
        atomic_fetch_add_explicit(run->elsewhere_us, outcome->cpu_us, memory_order_relaxed);
    }
    if (run->records != NULL && !keep_record(run, outcome)) {
        return;
    }
    run->done++;
    if (outcome->ok) {
        run->tally.ok++;
        run->tally.checksum += outcome->checksum;
        run->tally.bytes_out += outcome->bytes;
        return;
    }
    if (run->tally.failed++ == 0) {
        run->error_index = item->index;
        run->error_len = (uint32_t)strnlen(outcome->error, WORKLOAD_ERROR_SIZE);
        memcpy(run->error, outcome->error, run->error_len);
    }
}

void chunk_run_note(const struct chunk_run *run, uint64_t block)
{
    if (run->record == NULL) {
        return;
    }
    struct slot_progress progress = {
        .done = run->done,
        .block = block,
        .start_ns = run->start_ns,
        .item_ns = run->item_ns,
        .tally = run->tally,
        .error_index = run->error_index,
        .error_len = run->error_len,
        .seq = run->seq,
        .records_len = run->records != NULL ? (uint32_t)run->records->len : 0,
    };
    slot_record_note(run->record, &progress);
}

static void step_item(struct chunk_run *run)
{
    struct workload_item item;
    struct workload_outcome outcome;
    if (run->record != NULL) {
        chunk_run_note(run, 1);
    }
    /* The error's bytes are left as they are: clearing 240 bytes would cost more than a small
     * item. */
    memset(&outcome, 0, offsetof(struct workload_outcome, error) + 1);
    chunk_run_next_item(run, 0, &item);
    run->workload->run(run->slot, &item, &outcome);
    chunk_run_count(run, &item, &outcome);
}

static void step_block(struct chunk_run *run)
{
    uint64_t block = run->input.count - run->done;
    if (block > run->workload->numbers_per_batch) {
        block = run->workload->numbers_per_batch;
    }
    chunk_run_note(run, block);
    uint64_t number = run->input.range_first + run->input.first + run->done;
    run->workload->run_numbers(
        run->slot, number, block, &run->tally.checksum, &run->tally.bytes_out);
    run->tally.ok += block;
    run->done += block;
}

/* Numbers whose single results nobody wants to see, with a form for many of them. */
static bool in_blocks(const struct chunk_run *run)
{
    return run->workload->run_numbers != NULL && run->workload->numbers_per_batch > 0 &&
           run->input.payload == NULL && run->records == NULL;
}

void chunk_run_step(struct chunk_run *run, const struct workload_host *host, uint64_t deadline_ns)
{
    bool blocks = in_blocks(run);
    if (run->records != NULL) {
        run->item_ns = clock_now_ns();
    }
    while (!chunk_run_done(run) && !host->cancelled(host)) {
        bool careful = run->done < run->input.careful;
        if (blocks && !careful) {
            step_block(run);
        } else if (run->items != NULL) {
            chunk_batch_step(run, host, careful ? 1 : run->items_max);
        } else {
            step_item(run);
        }
        if (deadline_ns != UINT64_MAX && clock_now_ns() >= deadline_ns) {
            return;
        }
    }
}
