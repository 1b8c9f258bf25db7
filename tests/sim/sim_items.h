/* What items come to: which fail, and which kill. */
#ifndef QUARTET_TESTS_SIM_SIM_ITEMS_H
#define QUARTET_TESTS_SIM_SIM_ITEMS_H

#include "coordinator/sched/sched.h"
#include "tests/sim/sim_plan.h"

/* What items [first, first + count) come to. */
struct tally sim_tally(const struct sim_job *job, uint64_t first, uint64_t count, uint32_t attempt);

/* Which of them fail, `first` counted from the first. Returns how many spans; the list is the caller's. */
size_t sim_failed(const struct sim_job *job,
                  uint64_t first,
                  uint64_t count,
                  uint32_t attempt,
                  struct sched_span **ret_spans);

/* How often an item is run when nothing else goes wrong. */
uint32_t sim_tries(const struct sim_job *job, uint64_t item);

/* The first of these items that is poisonous; `first + count` when none is. And how many are. */
uint64_t sim_poison(const struct sim_job *job, uint64_t first, uint64_t count);
uint64_t sim_poison_count(const struct sim_job *job);

/* Is it few enough items to keep a record of each? */
bool sim_counts_tries(const struct sim_job *job);

#endif
