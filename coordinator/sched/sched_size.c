/* How many items a chunk gets.
 *
 * Guided self-scheduling (C. D. Polychronopoulos and D. J. Kuck, "Guided self-scheduling", IEEE
 * Transactions on Computers, 1987) bounds a chunk by a share of what is left; a measured cost
 * and a target time bound it from the side of overhead and delay. */
#include "coordinator/sched/sched_internal.h"

/* A result counts with the weight of its items and fades by an eighth with each later one. */
static const double fading = 7.0 / 8.0;

/* More than so many times the expected time is an outlier. */
static const double outlier = 4.0;

void sched_size_learn(struct sched_cost *cost, uint64_t items, uint64_t run_us)
{
    /* Too quick for the clock is not free: from zeros the average would fade into denormal
     * numbers, on which every operation is so slow that dispatch took twice as long. */
    double us = run_us > 0 ? (double)run_us : 0.5;
    double expected_us = cost->items > 0 ? cost->us / cost->items * (double)items : us;
    /* One outlier may be a worker that was descheduled; a second in a row is believed. */
    cost->doubted = us > outlier * expected_us && !cost->doubted;
    if (cost->doubted) {
        us = outlier * expected_us;
    }
    cost->us = cost->us * fading + us;
    cost->items = cost->items * fading + (double)items;
    if (items > cost->measured_max) {
        cost->measured_max = items;
    }
}

/* As many items as take `us`, at least 1 and at most `limit`. */
static uint64_t items_in(const struct sched_cost *cost, double us, uint64_t limit)
{
    double items = us * cost->items;
    if (items >= cost->us * (double)limit) {
        return limit;
    }
    uint64_t count = (uint64_t)(items / cost->us);
    return count > 0 ? count : 1;
}

/* Never grow on a guess: at most twice what has come back. */
static uint64_t growth_limit(const struct sched_cost *cost)
{
    if (cost->measured_max == 0) {
        return 1;
    }
    return cost->measured_max <= UINT64_MAX / 2 ? cost->measured_max * 2 : UINT64_MAX;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t bytes_limit(const struct sched *sched)
{
    return sched->chunk_items_max > 0 ? sched->chunk_items_max : UINT64_MAX;
}

uint64_t sched_size_wanted(const struct sched *sched)
{
    uint64_t size = sched->options.chunk_items;
    if (size == 0) {
        size = items_in(
            &sched->cost, (double)sched->options.chunk_target_us, growth_limit(&sched->cost));
    }
    return least(size, bytes_limit(sched));
}

uint64_t sched_size_next(const struct sched *sched)
{
    uint64_t size = sched_size_wanted(sched);
    uint64_t fresh = sched->fresh;
    if (sched->options.chunk_items == 0) {
        uint64_t slots = sched->workers.slots > 0 ? sched->workers.slots : 1;
        uint64_t share = fresh / (SCHED_SHARES * slots);
        if (share < size) {
            /* So small that handing it over costs more than running it helps nobody to finish
             * together. */
            uint64_t grain = items_in(&sched->cost, SCHED_GRAIN_US, size);
            size = share > grain ? share : grain;
        }
    }
    return least(size, least(fresh, sched->gap_end - sched->cut));
}

bool sched_size_may_wait(const struct sched *sched, uint64_t items)
{
    const struct sched_cost *cost = &sched->cost;
    /* While nothing is known, what waits behind a long item would be missed by the workers that
     * join a moment later. */
    if (cost->items <= 0) {
        return false;
    }
    if (cost->us * (double)items < SCHED_TAIL_US * cost->items) {
        return true;
    }
    return sched->chunks.queued_count + sched->fresh / items >= sched->workers.slots;
}
