/* One chunk being run on one slot: its items in order, what they came to so far, and how to go
 * on.
 *
 * Used by every strategy: whole (a thread, an executor), in slices (cooperatively on a loop), or
 * item by item from outside (asynchronously). Knows nothing of queues. */
#ifndef QUARTET_WORKER_ENGINE_CHUNK_RUN_H
#define QUARTET_WORKER_ENGINE_CHUNK_RUN_H

#include "common/base/chunk.h"
#include "common/base/items.h"
#include "worker/engine/record_buffer.h"
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
    uint32_t attempt;
    uint32_t records_before; /* bytes of the records of the items that are skipped */
};

struct chunk_run {
    const struct workload_ops *workload;
    void *slot;
    struct slot_record
        *record; /* where to note progress, for slots that may crash; NULL: nowhere */
    uint32_t seq;
    struct record_buffer *records;  /* for a record of each item; NULL: nobody wants them */
    _Atomic uint64_t *elsewhere_us; /* where CPU time of other processes is counted */
    struct workload_item *items;    /* items_max of them, for run_batch; NULL: not used */
    size_t items_max;

    struct chunk_input input;
    struct items_cursor cursor;
    uint64_t done;     /* items, with those skipped */
    bool enough;       /* the records are: no further item is begun, the rest is a new chunk's */
    bool full;         /* no more of them can be kept: what else ends is not counted, either */
    uint64_t start_ns; /* of the chunk */
    uint64_t item_ns;  /* with records: when the item at `done` began: as the one before it ended */
    uint64_t wall_us;  /* with records: the time of day at start_ns */
    struct tally tally;
    uint64_t error_index;
    uint32_t error_len;
    char *error; /* CHUNK_ERROR_SIZE bytes, the text of the first failure */
};

/* Memory for the blocking forms of run->workload, which is set already. Returns 0 or ERR_NOMEM;
 * chunk_run_deinit gives it back, and accepts zeros. */
int chunk_run_init(struct chunk_run *run);
void chunk_run_deinit(struct chunk_run *run);

/* Begin a chunk. Items that cannot be run (a malformed payload, a kind that the workload does
 * not take) are counted as failed at once. workload, slot, record, seq, records and error are
 * set already. */
void chunk_run_begin(struct chunk_run *run, const struct chunk_input *input, uint64_t now_ns);

/* Is every item done, or are the records enough? */
bool chunk_run_done(const struct chunk_run *run);

/* Run items until all are done, or `host` says cancelled, or it is later than `deadline_ns`
 * (UINT64_MAX: the clock is not looked at). */
void chunk_run_step(struct chunk_run *run, const struct workload_host *host, uint64_t deadline_ns);

/* For items run from outside: an item, then what it came to. `ahead` is 0 for the next one to be
 * counted, 1 for the one behind it; each item is to be asked for once, in order. Only while not
 * done. An outcome whose record cannot be kept is not counted: the run is then done. */
void chunk_run_next_item(struct chunk_run *run, uint64_t ahead, struct workload_item *ret_item);
void chunk_run_count(struct chunk_run *run,
                     const struct workload_item *item,
                     const struct workload_outcome *outcome);

/* Count the next `count` items as failed for one reason (of at most CHUNK_ERROR_SIZE bytes), those
 * of them that records can be kept of. */
void chunk_run_fail(struct chunk_run *run, uint64_t count, const char *reason);

/* Note in run->record that the next `block` items are being run, if it is there. */
void chunk_run_note(const struct chunk_run *run, uint64_t block);

/* At the end of a run with records: these, as one reference to a blob. Where there is no memory
 * for that, the run comes to its first item alone, which failed, and `spare` is the record of it
 * (record_spare): a chunk must come to something, or it would be tried for ever. */
struct blob *chunk_run_take_records(struct chunk_run *run, struct blob *spare);

/* The record of an item that failed because there was no memory for its record, for use when there
 * is none: made beforehand. NULL: no memory. */
struct blob *record_spare(void);
extern const char record_spare_reason[];

#endif
