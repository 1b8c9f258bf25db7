/* How a running command is doing: plain values, gathered when somebody asks (session_status.c), as
 * JSON and as text for people.
 *
 * JSON follows schema quartet.status/1 (README, "Asking a running coordinator"): keys are only ever
 * added. */
#ifndef QUARTET_COORDINATOR_STATUS_STATUS_H
#define QUARTET_COORDINATOR_STATUS_STATUS_H

#include "coordinator/report/report.h"
#include "coordinator/sched/sched.h"
#include "coordinator/status/pace.h"
#include "coordinator/status/stall.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Where a command is. */
enum status_phase {
    STATUS_GATHERING, /* waits for workers to come */
    STATUS_STARTING,  /* engines are being made */
    STATUS_RUNNING,   /* items are run */
    STATUS_WRITING,   /* all is run; results are being written */
    STATUS_IDLE,      /* between two jobs, before the first, after the last */
};

struct status_worker {
    const char *name; /* borrowed */
    const char *host;
    const char *state; /* "idle", "starting", "running", "leaving", "unable" */
    uint32_t slots;    /* of the job; 0: not known yet */
    uint32_t chunks_held;
    uint64_t items_done; /* of the job, as far as it has said */
    double heard_s;      /* since its last word */
    uint32_t cores;
};

/* The job that is on stage. */
struct status_job {
    const char *label; /* borrowed, as are the others */
    const char *workload;
    const char *strategy;
    enum placement placement;
    bool begun;       /* its clock runs */
    double elapsed_s; /* since then */
    uint64_t total;   /* items; 0: not known yet */
    struct sched_stats stats;
    struct pace_rates rates;
    uint64_t late;    /* results of sessions that were over */
    double durable_s; /* since results were last made durable; below 0: no journal */
};

struct status {
    long pid;
    const char *host;
    char **command;      /* argv, NULL-terminated, borrowed */
    const char *started; /* RFC 3339 */
    double elapsed_s;
    enum status_phase phase;
    bool has_job;
    struct status_job job;
    enum stall_reason stall;
    char stall_text[STALL_TEXT_SIZE];
    double still_s; /* for how long nothing was done; of a job that has begun */
    uint32_t workers_expected;
    struct status_worker *workers;
    size_t worker_count;
};

/* NULL without memory. */
json_t *status_json(const struct status *status);

/* What status_json gave (or something else: nothing is taken for granted), for a person. */
void status_print(const json_t *status, FILE *stream);

/* One line: process, command, since when. */
void status_print_line(const json_t *status, FILE *stream);

#endif
