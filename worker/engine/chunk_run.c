/* One chunk being run on one slot; see chunk_run.h. */
#include "worker/engine/chunk_run.h"

#include "worker/engine/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static void fail_all(struct chunk_run *run,
                                                           const char *format,
                                                           ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(run->error, CHUNK_ERROR_SIZE, format, arguments);
    va_end(arguments);
    run->error_len = (uint32_t)strnlen(run->error, CHUNK_ERROR_SIZE);
    run->error_index = run->input.first + run->input.skip;
    run->tally.failed += run->input.count - run->input.skip;
    run->done = run->input.count;
}

void chunk_run_begin(struct chunk_run *run, const struct chunk_input *input, uint64_t now_ns)
{
    run->input = *input;
    run->done = input->skip;
    run->start_ns = now_ns;
    run->tally = (struct tally){.ok = 0};
    run->error_index = 0;
    run->error_len = 0;
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
    return run->done == run->input.count;
}

void chunk_run_next_item(struct chunk_run *run, struct workload_item *ret_item)
{
    *ret_item = (struct workload_item){.index = run->input.first + run->done};
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

static void note(const struct chunk_run *run, uint64_t block)
{
    struct slot_progress progress = {
        .done = run->done,
        .block = block,
        .start_ns = run->start_ns,
        .tally = run->tally,
        .error_index = run->error_index,
        .error_len = run->error_len,
        .seq = run->seq,
    };
    slot_record_note(run->record, &progress);
}

static void step_item(struct chunk_run *run)
{
    struct workload_item item;
    struct workload_outcome outcome;
    if (run->record != NULL) {
        note(run, 1);
    }
    /* The error's bytes are left as they are: clearing 240 bytes would cost more than a small
     * item. */
    memset(&outcome, 0, offsetof(struct workload_outcome, error) + 1);
    chunk_run_next_item(run, &item);
    run->workload->run(run->slot, &item, &outcome);
    chunk_run_count(run, &item, &outcome);
}

static void step_block(struct chunk_run *run)
{
    uint64_t block = run->input.count - run->done;
    if (block > run->workload->numbers_per_batch) {
        block = run->workload->numbers_per_batch;
    }
    if (run->record != NULL) {
        note(run, block);
    }
    uint64_t number = run->input.range_first + run->input.first + run->done;
    run->workload->run_numbers(
        run->slot, number, block, &run->tally.checksum, &run->tally.bytes_out);
    run->tally.ok += block;
    run->done += block;
}

void chunk_run_step(struct chunk_run *run, const struct workload_host *host, uint64_t deadline_ns)
{
    bool blocks = run->workload->run_numbers != NULL && run->workload->numbers_per_batch > 0 &&
                  run->input.payload == NULL;
    while (!chunk_run_done(run) && !host->cancelled(host)) {
        if (blocks && run->done >= run->input.careful) {
            step_block(run);
        } else {
            step_item(run);
        }
        if (deadline_ns != UINT64_MAX && clock_now_ns() >= deadline_ns) {
            return;
        }
    }
}
