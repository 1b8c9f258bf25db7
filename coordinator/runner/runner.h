/* One run of one job: the shell that holds a scheduler, the source of its items, and the account
 * of what came back.
 *
 * It translates what happens (a worker joined, results came, time passed) into scheduler events
 * and performs the scheduler's actions: it reads items as they are wanted, keeps the bytes of
 * chunks in flight, and queues chunks on a link. The link is ZeroMQ workers (server.c) or the
 * engine in this process (local.c); the runner does not know which. It decides nothing itself. */
#ifndef QUARTET_COORDINATOR_RUNNER_RUNNER_H
#define QUARTET_COORDINATOR_RUNNER_RUNNER_H

#include "common/base/chunk.h"
#include "common/base/err.h"
#include "coordinator/journal/journal.h"
#include "coordinator/report/report.h"
#include "coordinator/runner/halt.h"
#include "coordinator/runner/source.h"
#include "coordinator/sched/sched.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct runner;

/* Where chunks go. `queue`, `drop` and `ended` are called while the runner performs a list of
 * actions and must not call it; `flush` may. */
struct runner_link {
    /* Queue `chunk` for `worker`; takes over its payload reference. What cannot be sent is
     * dropped silently: the loss of the worker is reported apart. */
    void (*queue)(void *arg, struct worker_id worker, const struct chunk *chunk);
    /* Send what was queued. Called after every event but results: their caller flushes once for
     * all messages of a turn. */
    void (*flush)(void *arg);
    /* The worker was silent for too long, and the scheduler has forgotten it: end its session,
     * at the flush that follows. */
    void (*drop)(void *arg, struct worker_id worker);
    /* More of what was noted in the journal is durable: see runner_durable. At the flush that follows
     * it may be acknowledged. NULL: nobody wants to know. */
    void (*durable)(void *arg);
    /* The run is over (done, cancelled, stalled or failed) and, with a journal, what came of it is
     * durable: said once, from inside a call of the runner. */
    void (*ended)(void *arg);
};

struct runner_options {
    struct items_spec items;
    uint64_t items_count; /* how many there are, if that is known; else 0 */
    uint64_t chunk_items; /* 0: automatic */
    uint64_t lease_us;    /* 0: workers are never silent (local) */
    uint32_t workers_max;
    uint32_t retries_max; /* how often an item that failed is run again; needs records */
    uint32_t crash_limit; /* see sched_options; 0: 3 */
    bool speculate;       /* the same */
    struct halt halt;     /* when to stop before the end; all zeros: never */
    struct sink *sink;    /* where records of single items go; NULL: nowhere. Outlives the runner */
    struct journal *journal; /* what comes is noted here; NULL: nowhere. Outlives the runner */
    const struct journal_state *state; /* where an earlier run of the job was; NULL: it begins */
    uint64_t
        grace_us; /* with `state`: from the beginning, while no fresh work goes out: workers may come
                          back with it in hand */
    const struct runner_link *link; /* outlives the runner */
    void *link_arg;
};

enum runner_outcome {
    RUNNER_RUNNING,
    RUNNER_DONE,      /* every item is accounted for */
    RUNNER_CANCELLED, /* stopped on request; the account is partial */
    RUNNER_HALTED,    /* options.halt applied; partial */
    RUNNER_STALLED,   /* all workers are gone and none can come; partial */
    RUNNER_FAILED,    /* items could not be read or results not written, or no memory; partial */
};

enum { RUNNER_FAILURES_MAX = 5 };

/* The failed items with the smallest indices, for people. */
struct runner_failure {
    uint64_t index;
    char text[CHUNK_ERROR_SIZE];
};

int runner_new(const struct runner_options *options,
               struct err_text *ret_error,
               struct runner **ret_runner);
void runner_free(struct runner *runner);

/* Start the clock and let chunks go to the workers that have joined. Workers may join before and
 * after. */
void runner_begin(struct runner *runner, uint64_t now_us);

/* `holding`: what it has in hand from an earlier session, see sched.h. */
void runner_join(struct runner *runner,
                 uint64_t now_us,
                 struct worker_id worker,
                 uint32_t slots,
                 uint32_t credit,
                 const struct sched_holding *holding,
                 size_t holding_count);
/* Results of one message, then its credit. The runner reads the results and leaves what they own
 * to the caller. Their records, if the job asks for them, are valid ones. `worker_name` is for people. Returns 0, or ERR_INVALID when one of them cannot be true (it does not add up
 * to its chunk's items): the others count, but that chunk stays with the worker and will not
 * come again, so the caller ends the worker with SCHED_WORKER_LOST. */
int runner_results(struct runner *runner,
                   uint64_t now_us,
                   struct worker_id worker,
                   const char *worker_name,
                   const struct chunk_result *results,
                   size_t count,
                   uint32_t credit);
void runner_returned(struct runner *runner,
                     uint64_t now_us,
                     struct worker_id worker,
                     struct chunk_id chunk);
/* Something happened to a worker: one of SCHED_HEARD, _WORKER_DRAINING, _WORKER_LEFT,
 * _WORKER_LOST. A worker that never joined is ignored. */
void runner_worker_event(struct runner *runner,
                         uint64_t now_us,
                         struct worker_id worker,
                         enum sched_event_type type);
/* From now on workers may be silent for `lease_us`. */
void runner_lease(struct runner *runner, uint64_t now_us, uint64_t lease_us);
/* No worker can come any more: with none left the run ends as RUNNER_STALLED. */
void runner_no_more_workers(struct runner *runner, uint64_t now_us);
void runner_cancel(struct runner *runner, uint64_t now_us);

/* The sink has room again, or could not write; something of the journal became durable, or could
 * not. */
void runner_outputs_changed(struct runner *runner, uint64_t now_us);

/* What was noted so far is durable when runner_durable has come to the number that runner_noted says
 * now. Both are 0 without a journal: nothing waits then. */
uint64_t runner_noted(const struct runner *runner);
uint64_t runner_durable(const struct runner *runner);

/* When runner_tick is due; UINT64_MAX: never. */
uint64_t runner_deadline_us(const struct runner *runner);
void runner_tick(struct runner *runner, uint64_t now_us);

/* The descriptor to wait on before more items can be read, or -1: none is wanted, or reading
 * never waits. Then call runner_feed. */
int runner_poll_fd(const struct runner *runner);
void runner_feed(struct runner *runner, uint64_t now_us);

enum runner_outcome runner_outcome(const struct runner *runner);
/* Why RUNNER_FAILED: one line. */
const char *runner_error(const struct runner *runner);

void runner_stats(const struct runner *runner, struct sched_stats *ret_stats);
uint64_t runner_items_total(const struct runner *runner); /* 0 while unknown */
size_t runner_failures(const struct runner *runner, const struct runner_failure **ret_failures);
/* "items 12 to 40 and 64 were not run" for a partial account. Returns `ret_text`. */
char *runner_describe_missing(const struct runner *runner, char *ret_text, size_t size);

/* Everything of the sample but cpu_s and startup_s. */
void runner_fill_sample(const struct runner *runner, struct sample *ret_sample);

#endif
