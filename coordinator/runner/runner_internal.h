/* What the files of the runner share: runner.c (events in), runner_perform.c (actions out), runner_records.c
 * (results of single items), runner_journal.c (what is made durable), runner_restore.c (a job that
 * goes on), runner_account.c (what it all came to). */
#ifndef QUARTET_COORDINATOR_RUNNER_RUNNER_INTERNAL_H
#define QUARTET_COORDINATOR_RUNNER_RUNNER_INTERNAL_H

#include "common/base/record.h"
#include "coordinator/runner/payloads.h"
#include "coordinator/runner/runner.h"

enum {
    ACTIONS_MAX = 512,
    CANCEL_LIMIT_US = 2000000, /* who wants to stop does not wait longer for the journal */
};

struct runner {
    struct sched *sched;
    struct source *source;
    const struct runner_link *link;
    void *link_arg;
    enum runner_outcome outcome;
    bool begun;
    bool
        early; /* the scheduler was told of items before the run began, for a worker that holds some */
    uint64_t grace_us; /* see runner_options */
    bool over; /* nothing is decided any more; what was noted may still have to become durable */
    bool ended_said;                 /* that too is done */
    enum runner_outcome outcome_due; /* when it is over: what it will have come to */
    uint64_t over_limit_us;          /* when nobody waits for the journal any longer */
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

    /* The journal. */
    struct journal *journal; /* NULL: there is none */
    bool noted;              /* its open group has something */
    bool completed;          /* its last group, which says that the job is complete, is closed */
    uint64_t closed_us;      /* when its last group was closed */
    uint64_t told_durable;   /* what the link was told */
    uint64_t durable_us;     /* when that was; 0: nothing was yet */
    struct journal_counts counts_before; /* of earlier runs of the job */
    uint64_t items_before;               /* done in these */

    struct halt halt;
    enum halt_when halting;

    struct runner_failure failures[RUNNER_FAILURES_MAX]; /* ascending by index */
    size_t failure_count;
    struct err_text error;
    struct sched_action list[ACTIONS_MAX];
};

/* --- runner_perform.c --- */

/* Do what one action says. `result`: the one of the event in hand, or NULL. */
void runner_perform(struct runner *runner,
                    uint64_t now_us,
                    const struct sched_action *action,
                    const struct chunk_result *result);

/* The run is over for a reason that is not the scheduler's; unless the runner's error has a text
 * already, it becomes "`what`: the code's name". */
void runner_fail(struct runner *runner, uint64_t now_us, int code, const char *what);

/* When the run is over, say so as soon as what came of it is durable. */
void runner_conclude(struct runner *runner, uint64_t now_us);

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

/* The items [first, first + count) of the chunk that are over with `action` and not run again: calls
 * `done` for each run of them, until one returns an error, which it returns. */
int runner_for_accounted(struct runner *runner,
                         const struct sched_action *action,
                         uint64_t count,
                         int (*done)(struct runner *runner, uint64_t first, uint64_t count));

/* --- runner_journal.c --- */

/* Note what is over with `action` (FINISHED with its result, or ABANDONED with NULL and `lost`).
 * Nothing happens without a journal. Returns 0, or an error that ends the run. */
int runner_note_journal(struct runner *runner,
                        const struct sched_action *action,
                        const struct chunk_result *result,
                        const char *lost);

/* Close the open group if it is time, and tell the link what has become durable. */
void runner_follow_journal(struct runner *runner, uint64_t now_us);

/* When runner_follow_journal has something to do although nothing else happens. */
uint64_t runner_journal_due_us(const struct runner *runner);

/* The run is over: see to it that all that was noted, and that the job is `complete`, becomes
 * durable. Returns true when it is, or cannot be (then the runner's error says why). */
bool runner_finish_journal(struct runner *runner, uint64_t now_us, bool complete);

/* Does the journal say, durably, that the job is complete? */
bool runner_journal_is_complete(const struct runner *runner);

/* --- runner_restore.c --- */

/* Take over what an earlier run of the job has done: before any event. `items_count`: see
 * runner_options. Returns 0 or an error with its text. */
int runner_restore(struct runner *runner,
                   const struct journal_state *state,
                   uint64_t items_count,
                   struct err_text *ret_error);

/* A worker goes on with chunks of an earlier run: read the input as far as these are. */
int runner_read_until(struct runner *runner,
                      const struct sched_holding *holding,
                      size_t holding_count,
                      struct err_text *ret_error);

/* --- runner_account.c --- */

/* Keep this failure if it is among those with the smallest indices. */
void runner_note_failure(struct runner *runner, uint64_t index, const char *text, size_t len);

/* Likewise those of a result that counts and has some; not when `action` says that they are run
 * again. */
void runner_note_result(struct runner *runner,
                        const struct sched_action *action,
                        const struct chunk_result *result);

#endif
