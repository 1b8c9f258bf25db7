/* collatz: how many steps does a number take to come to 1, when an even one is halved and an odd one
 * goes to 3n + 1? The batch form over numbers, for work that is so small that a call for each item
 * would cost more than the item.
 *
 *   quartet compare ./libcollatz.so --range 1:3000000
 *
 * `run` is needed beside it: for a user who wants to see each item's result. */
#include <quartet/workload.h>

static int collatz_open(const struct params *params,
                        const struct workload_host *host,
                        struct err_text *ret_error,
                        void **ret_state)
{
    (void)params;
    (void)host;
    (void)ret_error;
    *ret_state = NULL; /* nothing to share */
    return 0;
}

static void collatz_close(void *state)
{
    (void)state;
}

static int collatz_slot_open(void *state, struct err_text *ret_error, void **ret_slot)
{
    (void)ret_error;
    *ret_slot = state;
    return 0;
}

static void collatz_slot_close(void *slot)
{
    (void)slot;
}

/* Modulo 2^64, so that it is defined for every number. LIMIT ends what wraps into a circle: the
 * longest way of a number below 10^18 has 2283 steps. */
static uint64_t count_steps(uint64_t number)
{
    enum { LIMIT = 10000 };

    uint64_t steps = 0;
    while (number > 1 && steps < LIMIT) {
        number = number % 2 == 0 ? number / 2 : 3 * number + 1;
        steps++;
    }
    return steps;
}

static void collatz_run(void *slot,
                        const struct workload_item *item,
                        struct workload_outcome *outcome)
{
    (void)slot;
    outcome->ok = true;
    outcome->flags = WORKLOAD_HAS_VALUE;
    outcome->value = count_steps(item->number);
    outcome->checksum = outcome->value;
}

/* The same for [first, first + count): adds to the sums what `run` would have come to for each. */
static void collatz_run_numbers(void *slot,
                                uint64_t first,
                                uint64_t count,
                                uint64_t *checksum,
                                uint64_t *bytes)
{
    (void)slot;
    (void)bytes; /* results have none: `run` leaves outcome->bytes 0 */
    for (uint64_t i = 0; i < count; i++) {
        *checksum += count_steps(first + i);
    }
}

static const struct workload_ops collatz_ops = {
    WORKLOAD_ABI,
    .name = "collatz",
    .summary = "counts the steps of a number to 1 in the 3n + 1 problem",
    .traits = WORKLOAD_IDEMPOTENT | WORKLOAD_NUMBERS,
    .default_first = 1,
    .default_last = 1000000,
    .open = collatz_open,
    .close = collatz_close,
    .slot_open = collatz_slot_open,
    .slot_close = collatz_slot_close,
    .run = collatz_run,
    .run_numbers = collatz_run_numbers,
    .numbers_per_batch = 128, /* about 50 us: Ctrl-C and other work wait for so long */
};

WORKLOAD_PLUGIN(collatz_ops)
