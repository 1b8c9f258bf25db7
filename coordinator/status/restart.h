/* When a local worker that has ended is started again: pure.
 *
 * A worker may be taken down by an item; then the item is found and given up, and the run goes on
 * with the next worker. But one that cannot live must not be started for ever. What tells them apart
 * is progress: as long as workers register and items get done between two ends, the next start is
 * soon. Each end without that doubles the delay, and after `limit` of them in a row nobody is
 * started any more. */
#ifndef QUARTET_COORDINATOR_STATUS_RESTART_H
#define QUARTET_COORDINATOR_STATUS_RESTART_H

#include <stdint.h>

enum { RESTART_FIRST_US = 50 * 1000, RESTART_LONGEST_US = 5 * 1000 * 1000 };

static const uint64_t RESTART_NEVER = UINT64_MAX;

struct restart {
    uint32_t limit;
    uint32_t in_a_row; /* ends without progress */
    uint64_t registered;
    uint64_t items_done;
};

/* `limit`: ends in a row without progress after which nobody is started again, at least 1. An item
 * that kills whoever runs it makes no progress until it is given up: that takes crash_limit workers
 * which ran nothing else, a few before these, which clear what was beside it, and others may end
 * meanwhile for reasons of their own. crash_limit + 3, and 2 for each worker, is enough. */
void restart_init(struct restart *restart, uint32_t limit);

/* A worker has ended that was not asked to. `registered`: workers that have registered so far, in
 * all; `items_done`: of the run. Neither decreases but for a new run. Returns after how long, in
 * microseconds, one is to be started, or RESTART_NEVER. */
uint64_t restart_after(struct restart *restart, uint64_t registered, uint64_t items_done);

#endif
