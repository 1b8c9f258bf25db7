/* Why nothing moves: the one place that decides what a run waits for, and says it in words.
 *
 * Pure: what is known of the run goes in, a reason comes out. Items that somebody runs are not
 * waited for, however long they take; a reason is given only for a state in which nothing goes on
 * by itself. */
#ifndef QUARTET_COORDINATOR_STATUS_STALL_H
#define QUARTET_COORDINATOR_STATUS_STALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum stall_reason {
    STALL_NONE = 0,    /* work is under way, or done */
    STALL_GATHERING,   /* workers that are expected have not come */
    STALL_STARTING,    /* engines are being made */
    STALL_SILENT,      /* all that is left is with workers of which nothing is heard */
    STALL_NO_STRATEGY, /* no worker offers the strategy */
    STALL_UNABLE,      /* none can run the job */
    STALL_LOST,        /* all were lost */
    STALL_LEFT,        /* all have left */
    STALL_DRAINING,    /* all are leaving */
    STALL_RETRY,       /* failed items wait for the time of their next attempt */
    STALL_RESULTS,     /* whoever takes the results is slow */
    STALL_INPUT,       /* there is nothing to read */
    STALL_CREDIT,      /* nobody asks for work */
};

enum { STALL_TEXT_SIZE = 320, STALL_REASONS = STALL_CREDIT + 1 };

enum stall_phase {
    STALL_PHASE_GATHERING, /* workers come */
    STALL_PHASE_STARTING,  /* the job is sent out */
    STALL_PHASE_RUNNING,
};

/* Workers by what they are doing. */
struct stall_workers {
    uint32_t expected; /* to begin with; while they gather */
    uint32_t registered;
    uint32_t offering; /* of these, have the strategy */
    uint32_t starting;
    uint32_t running;
    uint32_t leaving;
    uint32_t unable;
    uint32_t restarting; /* of this machine, ended and about to be started again */
    uint64_t lost;       /* in this run so far */
    uint64_t credit;     /* chunks that the running ones would take now */
    uint64_t heard_us;   /* how long ago somebody who holds something was heard of */
    uint64_t result_us;  /* how long ago the last result or grant of credit came */
};

struct stall_items {
    uint64_t held;
    uint64_t queued;   /* to be sent again */
    uint64_t fresh;    /* not sent yet */
    bool final;        /* there will be no more than these */
    bool results_full; /* as many results as may be wait to be written */
    bool input_empty;  /* more are wanted, and reading would have to wait */
    uint64_t
        retry_due_us; /* in how long the first that waits for its time is due; UINT64_MAX: none waits */
};

struct stall_view {
    enum stall_phase phase;
    bool local;           /* no workers: an engine in this process */
    uint64_t silence_us;  /* a worker silent for so long is not all right */
    const char *strategy; /* its name */
    const char *endpoint; /* where workers come to; NULL: none but those started here can come */
    const char
        *launched; /* what the first host that is missing says: "host h1: ..."; NULL: none is */
    const char *lost_since; /* "14:02:11", of the last loss; NULL when nobody was lost */
    const char *last_error; /* of a worker that was lost or is unable; "" when there is none */
    const char *results;    /* where results go: "standard output" */
    const char *input;      /* where items come from: "standard input" */
    struct stall_workers workers;
    struct stall_items items;
};

/* What the run waits for. `ret_text` (one line without a full stop) is empty for STALL_NONE. */
enum stall_reason stall_judge(const struct stall_view *view, char ret_text[STALL_TEXT_SIZE]);

/* "no_strategy", "results", ...: stable names, for machines. "none" for STALL_NONE. */
const char *stall_name(enum stall_reason reason);

#endif
