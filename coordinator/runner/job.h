/* One job: what is run, on which items, with which strategy; and what a run of it came to. Plain
 * values. */
#ifndef QUARTET_COORDINATOR_RUNNER_JOB_H
#define QUARTET_COORDINATOR_RUNNER_JOB_H

#include "common/base/chunk.h"
#include "coordinator/report/report.h"
#include "coordinator/runner/runner.h"
#include "coordinator/runner/source.h"
#include "worker/workloads/workload.h"

#include <stdbool.h>
#include <stdint.h>

struct job_plugin;

struct job {
    uint64_t id; /* on the wire; 0: any. A job that goes on has the id it had */
    const struct workload_ops *workload;
    const struct params *params;     /* resolved */
    const struct job_plugin *plugin; /* has the workload; NULL: it is built in. Workers only */
    struct items_spec items;
    uint64_t items_count; /* how many there are, if that is known; else 0 */
    bool records;         /* a record of each item is wanted: results have records */
    enum strategy strategy;
    uint32_t slots;          /* items at once in each engine; 0: the strategy's default there */
    uint64_t chunk_items;    /* 0: automatic */
    uint32_t credit;         /* chunks that a worker may hold; 0: it adapts */
    uint32_t workers;        /* that take part, of those that are there; 0: all. Distributed only */
    struct sink *sink;       /* NULL: none */
    struct journal *journal; /* NULL: none */
    const struct journal_state *state; /* where an earlier run of it was; NULL: it begins */
    uint32_t retries;                  /* how often an item that failed is run again */
    uint32_t
        crash_limit;   /* workers that an item may take down before it fails; 0: the default, 3 */
    bool speculate;    /* run again what is late, beside the attempt that is under way */
    struct halt halt;  /* when to stop before the end */
    const char *label; /* of the progress bar; NULL: no bar */
    bool keep_bar;     /* leave the finished bar on the terminal */
};

struct job_result {
    struct sample sample;
    enum runner_outcome outcome;
    char missing[256];         /* what was not run, for a partial outcome */
    char error[ERR_TEXT_SIZE]; /* why, for RUNNER_FAILED and RUNNER_STALLED */
    struct runner_failure failures[RUNNER_FAILURES_MAX];
    size_t failure_count;
    uint32_t workers;     /* that were ready at the start; 0 for local */
    uint32_t hosts;       /* machines that these are on */
    bool elsewhere;       /* one of them at least is on another machine */
    uint32_t concurrency; /* items at once, all engines together */
    bool cooperative;
};

/* Copy the account of a run that has ended into `ret_result`, all but workers, concurrency,
 * cpu_s and startup_s. */
void job_result_fill(const struct runner *runner, struct job_result *ret_result);

/* A result that failed before anything ran. */
void job_result_fail(struct job_result *ret_result, const char *why);

#endif
