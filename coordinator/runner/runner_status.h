/* How a run is doing, beside its statistics (runner.h): for whoever asks, never on the hot path. */
#ifndef QUARTET_COORDINATOR_RUNNER_RUNNER_STATUS_H
#define QUARTET_COORDINATOR_RUNNER_RUNNER_STATUS_H

#include "coordinator/runner/runner.h"
#include "coordinator/sched/sched_status.h"

struct runner_status {
    bool begun; /* the clock runs */
    uint64_t begun_us;
    bool results_full;     /* as many results as may be wait to be written */
    bool input_empty;      /* more items are wanted, and reading them would have to wait */
    uint64_t retry_due_us; /* see sched_retry_due_us */
    uint64_t durable_us;   /* when results were last made durable; 0: no journal, or not yet */
};

void runner_get_status(const struct runner *runner, struct runner_status *ret_status);

/* See sched_worker_status. */
bool runner_worker_status(const struct runner *runner,
                          struct worker_id worker,
                          struct sched_worker_status *ret_status);

#endif
