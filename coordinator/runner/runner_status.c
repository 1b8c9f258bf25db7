#include "coordinator/runner/runner_status.h"

#include "coordinator/runner/runner_internal.h"

#include <poll.h>
#include <string.h>

/* Are more items wanted, with nothing there to read? */
static bool waits_for_input(const struct runner *runner)
{
    struct pollfd input = {.fd = runner_poll_fd(runner), .events = POLLIN};
    return input.fd >= 0 && poll(&input, 1, 0) == 0;
}

void runner_get_status(const struct runner *runner, struct runner_status *ret_status)
{
    memset(ret_status, 0, sizeof(*ret_status));
    ret_status->begun = runner->begun;
    ret_status->begun_us = runner->begun_us;
    ret_status->results_full = runner->held;
    ret_status->input_empty = waits_for_input(runner);
    ret_status->durable_us = runner->durable_us;
    ret_status->retry_due_us = sched_retry_due_us(runner->sched);
}

bool runner_worker_status(const struct runner *runner,
                          struct worker_id worker,
                          struct sched_worker_status *ret_status)
{
    return sched_worker_status(runner->sched, worker, ret_status);
}
