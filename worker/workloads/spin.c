/* spin: arithmetic for a given CPU time of the thread. The yardstick for what computing costs
 * under each strategy; CPU time and not wall time, so that an item is the same amount of work on
 * a crowded machine. */
#include "common/base/check.h"
#include "worker/workloads/mark.h"
#include "worker/workloads/params.h"
#include "worker/workloads/registry.h"

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

/* About 10 us of arithmetic between two looks at the clock, which is a system call for this
 * clock and costs 0.2 us. */
enum { STEPS_PER_LOOK = 8192 };

struct spin_state {
    const struct workload_host *host;
    uint64_t duration_ns;
};

struct spin_slot {
    const struct spin_state *state;
    volatile uint64_t sink; /* keeps the arithmetic from being optimised away */
};

static uint64_t cpu_ns(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static int spin_open(const struct params *params,
                     const struct workload_host *host,
                     struct err_text *ret_error,
                     void **ret_state)
{
    struct spin_state *state = malloc(sizeof(*state));
    if (state == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for workload spin");
    }
    state->host = host;
    state->duration_ns = (uint64_t)(params_seconds(params, "seconds") * 1e9);
    *ret_state = state;
    return 0;
}

static void spin_close(void *state)
{
    free(state);
}

static int spin_slot_open(void *state, struct err_text *ret_error, void **ret_slot)
{
    struct spin_slot *slot = calloc(1, sizeof(*slot));
    if (slot == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for a slot of workload spin");
    }
    slot->state = state;
    *ret_slot = slot;
    return 0;
}

static void spin_slot_close(void *slot)
{
    free(slot);
}

/* Each step needs the one before it, so that the time does not hang on how wide the processor
 * is. */
static uint64_t compute(uint64_t value)
{
    for (int i = 0; i < STEPS_PER_LOOK; i++) {
        value = value * 6364136223846793005U + 1442695040888963407U;
    }
    return value;
}

static void spin_run(void *opaque,
                     const struct workload_item *item,
                     struct workload_outcome *ret_outcome)
{
    struct spin_slot *slot = opaque;
    const struct spin_state *state = slot->state;
    uint64_t until = cpu_ns() + state->duration_ns;
    uint64_t value = item->index;
    while (cpu_ns() < until && !state->host->cancelled(state->host)) {
        value = compute(value);
    }
    slot->sink = value;
    ret_outcome->ok = true;
    ret_outcome->checksum = mark_item(
        item); /* not `value`: how many steps fitted in is not a result */
    ret_outcome->bytes = 0;
}

static const struct param_spec spin_params[] = {
    {.name = "seconds",
     .kind = PARAM_SECONDS,
     .unit = "seconds",
     .default_value = "0.001",
     .max = 86400,
     .help = "CPU time that each item uses"},
};

const struct workload_ops workload_spin_ops = {
    WORKLOAD_ABI,
    .name = "spin",
    .summary = "does arithmetic: what computing costs",
    .traits = WORKLOAD_IDEMPOTENT | WORKLOAD_NUMBERS | WORKLOAD_BYTES,
    .params = spin_params,
    .param_count = sizeof(spin_params) / sizeof(spin_params[0]),
    .default_first = 1,
    .default_last = 1000,
    .open = spin_open,
    .close = spin_close,
    .slot_open = spin_slot_open,
    .slot_close = spin_slot_close,
    .run = spin_run,
};
