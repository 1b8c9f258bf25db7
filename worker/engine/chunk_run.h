/* One chunk being run on one slot: its items in order, what they came to so far, and how to go
 * on.
 *
 * Used by every strategy: whole (a thread, an executor), in slices (cooperatively on a loop), or
 * item by item from outside (asynchronously). Knows nothing of queues. */
#ifndef QUARTET_WORKER_ENGINE_CHUNK_RUN_H
#define QUARTET_WORKER_ENGINE_CHUNK_RUN_H

#include "common/base/chunk.h"
#include "common/base/items.h"
#include "worker/engine/slot_record.h"
#include "worker/workloads/workload.h"

#include <stdbool.h>
#include <stdint.h>

/* What is to be run. `skip` items were done before (by an executor that crashed) and are not
 * counted again; the items before `careful` are run one by one even if there is a batch form,
 * because one of them crashes. */
struct chunk_input {
    uint64_t first;
    uint64_t count;
    uint64_t range_first;
    uint64_t skip;
    uint64_t careful;
    const char *payload; /* NULL: items are numbers */
    size_t payload_len;
};

struct chunk_run {
    const struct workload_ops *workload;
    void *slot;
    struct slot_record
        *record; /* where to note progress, for slots that may crash; NULL: nowhere */
    uint32_t seq;

    struct chunk_input input;
    struct items_cursor cursor;
    uint64_t done; /* items, with those skipped */
    uint64_t start_ns;
    struct tally tally;
    uint64_t error_index;
    uint32_t error_len;
    char *error; /* CHUNK_ERROR_SIZE bytes, the text of the first failure */
};

/* Begin a chunk. Items that cannot be run (a malformed payload, a kind that the workload does
 * not take) are counted as failed at once. workload, slot, record, seq and error are set
 * already. */
void chunk_run_begin(struct chunk_run *run, const struct chunk_input *input, uint64_t now_ns);

/* Is every item done? */
bool chunk_run_done(const struct chunk_run *run);

/* Run items until all are done, or `host` says cancelled, or it is later than `deadline_ns`
 * (UINT64_MAX: the clock is not looked at). */
void chunk_run_step(struct chunk_run *run, const struct workload_host *host, uint64_t deadline_ns);

/* For items run from outside: the next item, then what it came to. Only while not done. */
void chunk_run_next_item(struct chunk_run *run, struct workload_item *ret_item);
void chunk_run_count(struct chunk_run *run,
                     const struct workload_item *item,
                     const struct workload_outcome *outcome);

#endif
