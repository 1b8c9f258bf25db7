#include "coordinator/runner/job.h"

#include <stdio.h>
#include <string.h>

void job_result_fill(const struct runner *runner, struct job_result *ret_result)
{
    runner_fill_sample(runner, &ret_result->sample);
    ret_result->outcome = runner_outcome(runner);
    (void)snprintf(ret_result->error, sizeof(ret_result->error), "%s", runner_error(runner));
    (void)runner_describe_missing(runner, ret_result->missing, sizeof(ret_result->missing));
    const struct runner_failure *failures = NULL;
    ret_result->failure_count = runner_failures(runner, &failures);
    memcpy(ret_result->failures, failures, ret_result->failure_count * sizeof(*failures));
}

void job_result_fail(struct job_result *ret_result, const char *why)
{
    memset(ret_result, 0, sizeof(*ret_result));
    ret_result->outcome = RUNNER_FAILED;
    (void)snprintf(ret_result->error, sizeof(ret_result->error), "%s", why);
}
