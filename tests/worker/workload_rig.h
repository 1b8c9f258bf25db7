/* Runs a workload's forms without an engine, so that a test can compare what they come to. Test support; aborts where a test would
 * fail, so that it may be called from any thread. */
#ifndef QUARTET_TESTS_WORKER_WORKLOAD_RIG_H
#define QUARTET_TESTS_WORKER_WORKLOAD_RIG_H

#include "common/base/chunk.h"
#include "worker/workloads/params.h"
#include "worker/workloads/workload.h"

#include <stdatomic.h>
#include <stdint.h>

struct rig {
    const struct workload_ops *ops;
    struct params params;
    struct workload_host host;
    _Atomic uint64_t cancel_at_us; /* `cancelled` says true from then on; UINT64_MAX: never */
    void *state;
};

/* Items 0 to count - 1: the texts, or the numbers first_number + i when `texts` is NULL. */
struct rig_items {
    uint64_t count;
    uint64_t first_number;
    const char *const *texts;
};

struct rig_result {
    struct tally tally;
    char error[WORKLOAD_ERROR_SIZE]; /* of the last item that failed */
    uint32_t flags;                  /* of the last item */
    char out[128];                   /* the same, cut */
};

/* Open the workload with "NAME=VALUE" texts, NULL at the end (at most 8). */
void rig_open(struct rig *rig, const char *workload, const char *const *params);
void rig_close(struct rig *rig);

void rig_run(struct rig *rig, const struct rig_items *items, struct rig_result *ret_result);

/* `threads` slots, each on a thread of its own, item i on slot i % threads. */
void rig_run_threads(struct rig *rig,
                     const struct rig_items *items,
                     unsigned threads,
                     struct rig_result *ret_result);

/* The batch form, in batches of at most `batch`. */
void rig_run_numbers(struct rig *rig,
                     const struct rig_items *items,
                     uint64_t batch,
                     struct rig_result *ret_result);

/* The asynchronous form on a loop of its own, cancelled at rig->cancel_at_us. */
void rig_run_async(struct rig *rig,
                   const struct rig_items *items,
                   uint32_t in_flight,
                   struct rig_result *ret_result);

uint64_t rig_now_us(void);

/* Cancel 30 ms from now; and how long ago that was, 0 when it has not come yet. */
void rig_cancel_soon(struct rig *rig);
uint64_t rig_cancelled_for_us(const struct rig *rig);

#endif
