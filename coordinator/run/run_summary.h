/* What came of a run of one job, in a few lines for people. */
#ifndef QUARTET_COORDINATOR_RUN_RUN_SUMMARY_H
#define QUARTET_COORDINATOR_RUN_RUN_SUMMARY_H

#include "coordinator/runner/job.h"

#include <stdio.h>

struct run_summary {
    const char *workload;
    enum strategy strategy;
    enum placement placement;
    const struct job_result *result;
};

void run_summary_print(const struct run_summary *run, FILE *stream);

#endif
