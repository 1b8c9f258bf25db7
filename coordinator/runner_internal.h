/* What the files of the runner share: runner.c (events in, actions performed), runner_records.c
 * (results of single items), runner_account.c (what it all came to). */
#ifndef QUARTET_COORDINATOR_RUNNER_INTERNAL_H
#define QUARTET_COORDINATOR_RUNNER_INTERNAL_H

#include "common/base/record.h"
#include "coordinator/payloads.h"
#include "coordinator/runner.h"

enum { ACTIONS_MAX = 512 };

struct runner {
    struct sched *sched;
    struct source *source;
    const struct runner_link *link;
    void *link_arg;
    enum runner_outcome outcome;
    bool begun;
    bool ended_said;
    bool cancelled;
    bool performing; /* going through `list`, which every event overwrites */
    uint64_t now_us; /* the latest that was told */
    uint64_t begun_us;
    uint64_t ended_us;

    struct payloads payloads;
    uint64_t taken; /* items [0, taken) have been taken from the source */

    uint64_t told_available; /* what the scheduler knows of the source */
    bool told_final;

    /* Results of single items. */
    struct sink *sink;         /* NULL: nobody wants them */
    bool held;                 /* the scheduler holds fresh work back until the sink has room */
    bool retries;              /* failed items may be run again */
    struct sched_span *failed; /* of the result in hand */
    size_t failed_count;
    size_t failed_capacity;
    const char *worker_name; /* whose results are in hand */

    struct halt halt;
    enum halt_when halting;

    struct runner_failure failures[RUNNER_FAILURES_MAX]; /* ascending by index */
    size_t failure_count;
    struct err_text error;
    struct sched_action list[ACTIONS_MAX];
};

/* --- runner_records.c --- */

/* Walk the records of a result that has some. */
void runner_walk_records(const struct chunk_result *result, struct record_cursor *ret_cursor);

/* Which items of `result` failed, into runner->failed; for runs with retries. Returns 0 or
 * ERR_NOMEM. */
int runner_find_failed(struct runner *runner, const struct chunk_result *result);

/* The chunk of `action` (FINISHED with its result, or ABANDONED with NULL and `lost`) is over: its
 * items go to the sink, and their bytes when nothing needs them any more. Returns 0 or ERR_NOMEM. */
int runner_put_items(struct runner *runner,
                     const struct sched_action *action,
                     const struct chunk_result *result,
                     const char *lost);

/* --- runner_account.c --- */

/* Keep this failure if it is among those with the smallest indices. */
void runner_note_failure(struct runner *runner, uint64_t index, const char *text, size_t len);

/* Likewise those of a result that counts and has some; not when `action` says that they are run
 * again. */
void runner_note_result(struct runner *runner,
                        const struct sched_action *action,
                        const struct chunk_result *result);

#endif
