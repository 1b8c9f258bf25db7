/* What the scheduler knows beside its statistics, for whoever asks how a run is doing: never called
 * on the hot path. */
#ifndef QUARTET_COORDINATOR_SCHED_SCHED_STATUS_H
#define QUARTET_COORDINATOR_SCHED_SCHED_STATUS_H

#include "coordinator/sched/sched.h"

struct sched_worker_status {
    uint32_t held;   /* chunks */
    uint32_t credit; /* chunks that it would take now */
};

/* Of a registered worker; returns whether it is one, and leaves `ret_status` alone otherwise. */
bool sched_worker_status(struct sched *sched,
                         struct worker_id worker,
                         struct sched_worker_status *ret_status);

/* When the first of the items that wait for the time of their next attempt may be sent; UINT64_MAX:
 * none waits. */
uint64_t sched_retry_due_us(const struct sched *sched);

#endif
