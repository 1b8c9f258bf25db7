/* squares: n * n of every number, modulo 2^64. The checksum of a range is the sum of its
 * squares, which has a closed form.
 *
 * The batch form writes the squares to the slot's buffer, as a program would that needs them,
 * and then folds the buffer. The buffer is used again for every batch: it stays in the cache,
 * where a fresh array of the whole range would cost a page fault for every 512 squares (28 ms
 * instead of 3 ms for ten million, measured). */
#include "worker/workloads/params.h"
#include "worker/workloads/registry.h"

#include <stdint.h>
#include <stdlib.h>

enum { SQUARES_PER_BATCH = 8192 };

/* AVX-512 has a 64-bit multiplication of vectors and takes 2.3 ms for ten million, the plain
 * x86-64 code 4.1 ms (AVX2 must build it from 32-bit ones: 3.9 ms, not worth a copy). Which one
 * runs is decided when the program is loaded; sanitizers are not ready then. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) &&                             \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#    define BEST_VECTORS __attribute__((target_clones("arch=x86-64-v4", "default")))
#else
#    define BEST_VECTORS
#endif

struct squares_slot {
    uint64_t squares[SQUARES_PER_BATCH];
};

static int squares_open(const struct params *params,
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

static void squares_close(void *state)
{
    (void)state;
}

static int squares_slot_open(void *state, struct err_text *ret_error, void **ret_slot)
{
    (void)state;
    struct squares_slot *slot = calloc(1, sizeof(*slot));
    if (slot == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for a slot of workload squares");
    }
    *ret_slot = slot;
    return 0;
}

static void squares_slot_close(void *slot)
{
    free(slot);
}

static void squares_run(void *opaque,
                        const struct workload_item *item,
                        struct workload_outcome *ret_outcome)
{
    struct squares_slot *slot = opaque;
    slot->squares[0] = item->number * item->number;
    ret_outcome->ok = true;
    ret_outcome->checksum = slot->squares[0];
    ret_outcome->value = slot->squares[0];
    ret_outcome->flags = WORKLOAD_HAS_VALUE;
    ret_outcome->bytes = sizeof(slot->squares[0]);
}

/* Both loops are plain so that the compiler makes vectors of them (this file is compiled with
 * -O3). */
BEST_VECTORS
static void store_squares(uint64_t *restrict squares, uint64_t first, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t number = first + i;
        squares[i] = number * number;
    }
}

BEST_VECTORS
static uint64_t fold(const uint64_t *restrict squares, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += squares[i];
    }
    return sum;
}

static void squares_run_numbers(void *opaque,
                                uint64_t first,
                                uint64_t count,
                                uint64_t *checksum,
                                uint64_t *bytes)
{
    struct squares_slot *slot = opaque;
    *bytes += count * sizeof(slot->squares[0]);
    while (count > 0) {
        size_t batch = count < SQUARES_PER_BATCH ? (size_t)count : SQUARES_PER_BATCH;
        store_squares(slot->squares, first, batch);
        *checksum += fold(slot->squares, batch);
        first += batch;
        count -= batch;
    }
}

const struct workload_ops workload_squares_ops = {
    WORKLOAD_ABI,
    .name = "squares",
    .summary = "computes n * n modulo 2^64 and stores it: what memory and arithmetic cost",
    .traits = WORKLOAD_IDEMPOTENT | WORKLOAD_NUMBERS,
    .default_first = 1,
    .default_last = 10000000,
    .open = squares_open,
    .close = squares_close,
    .slot_open = squares_slot_open,
    .slot_close = squares_slot_close,
    .run = squares_run,
    .run_numbers = squares_run_numbers,
    .numbers_per_batch = SQUARES_PER_BATCH,
};
