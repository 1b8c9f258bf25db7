/* Workers in a modelled time, for tests of how long a job takes: each runs the chunks it is sent in order, in its slots, and answers. No
 * randomness: what it comes to is the same everywhere. Every step checks the scheduler's invariants. */
#ifndef QUARTET_TESTS_COORDINATOR_SCHED_SCHED_WORLD_H
#define QUARTET_TESTS_COORDINATOR_SCHED_SCHED_WORLD_H

#include "coordinator/sched/sched.h"

struct world;

/* Items [0, items) that take `item_us` each, all there from the start. A message is under way for half a millisecond. */
struct world *world_new(const struct sched_options *options, uint64_t items, uint64_t item_us);
void world_free(struct world *world);

/* A worker joins now that holds at most `window` chunks, and takes `slowness` times as long. Ids are 1, 2, 3, ... */
void world_join(struct world *world, uint32_t slots, uint32_t window, uint64_t slowness);

/* It is lost at this time (without a word; the coordinator knows at once), or drains, or freezes for ever without being missed. */
void world_lose_at(struct world *world, uint64_t worker, uint64_t at_us);
void world_drain_at(struct world *world, uint64_t worker, uint64_t at_us);
void world_freeze_at(struct world *world, uint64_t worker, uint64_t at_us);

/* Run to the end, which must come. Returns the time it took, in microseconds. */
uint64_t world_run(struct world *world);

struct sched_stats world_stats(const struct world *world);

#endif
