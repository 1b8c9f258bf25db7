/* noop: nothing is done to an item. What a run of it costs is what everything around the items
 * costs. */
#include "worker/workloads/mark.h"
#include "worker/workloads/registry.h"

static int noop_open(const struct params *params,
                     const struct workload_host *host,
                     struct err_text *ret_error,
                     void **ret_state)
{
    (void)params;
    (void)host;
    (void)ret_error;
    *ret_state = NULL; /* there is none to keep */
    return 0;
}

static void noop_close(void *state)
{
    (void)state;
}

static int noop_slot_open(void *state, struct err_text *ret_error, void **ret_slot)
{
    (void)ret_error;
    *ret_slot = state;
    return 0;
}

static void noop_slot_close(void *slot)
{
    (void)slot;
}

static void noop_run(void *slot,
                     const struct workload_item *item,
                     struct workload_outcome *ret_outcome)
{
    (void)slot;
    ret_outcome->ok = true;
    ret_outcome->checksum = mark_item(item);
    ret_outcome->bytes = 0;
}

static void noop_run_numbers(void *slot,
                             uint64_t first,
                             uint64_t count,
                             uint64_t *checksum,
                             uint64_t *bytes)
{
    (void)slot;
    (void)bytes;
    *checksum += mark_numbers(first, count);
}

const struct workload_ops workload_noop_ops = {
    WORKLOAD_ABI,
    .name = "noop",
    .summary = "does nothing: what everything around the items costs",
    .traits = WORKLOAD_IDEMPOTENT | WORKLOAD_NUMBERS | WORKLOAD_BYTES,
    .default_first = 1,
    .default_last = 1000000,
    .open = noop_open,
    .close = noop_close,
    .slot_open = noop_slot_open,
    .slot_close = noop_slot_close,
    .run = noop_run,
    .run_numbers = noop_run_numbers,
    .numbers_per_batch = 65536,
};
