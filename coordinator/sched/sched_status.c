#include "coordinator/sched/sched_status.h"

#include "coordinator/sched/sched_internal.h"

bool sched_worker_status(struct sched *sched,
                         struct worker_id worker,
                         struct sched_worker_status *ret_status)
{
    uint32_t index = sched_workers_find(&sched->workers, worker);
    if (index == INDEX_NONE) {
        return false;
    }
    const struct sched_worker *found = &sched->workers.table[index];
    ret_status->held = found->held_count;
    ret_status->credit = found->draining ? 0 : found->credit;
    return true;
}

uint64_t sched_retry_due_us(const struct sched *sched)
{
    return sched->chunks.due_us;
}
