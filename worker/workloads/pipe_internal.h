/* What the files of workload pipe share: its state, its slots, and the run of one batch.
 *
 *   pipe.c           parameters, life, the forms of the contract
 *   pipe_run.c       one batch: keep the program fed, take its answers, decide what silence means
 *   pipe_fault.c     a program that ended badly: who is to blame, what is tried again, the words
 *   pipe_program.h   the child and its pipes
 *   pipe_busy.h      is it at work?
 * and, pure:
 *   pipe_frames.h    items and answers as bytes
 *   pipe_window.h    which items are in the program
 *   pipe_patience.h  how long to wait for it
 *   pipe_words.h     what it says on its standard error */
#ifndef QUARTET_WORKER_WORKLOADS_PIPE_INTERNAL_H
#define QUARTET_WORKER_WORKLOADS_PIPE_INTERNAL_H

#include "worker/workloads/command_line.h"
#include "worker/workloads/pipe_busy.h"
#include "worker/workloads/pipe_frames.h"
#include "worker/workloads/pipe_patience.h"
#include "worker/workloads/pipe_program.h"
#include "worker/workloads/pipe_window.h"
#include "worker/workloads/workload.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PIPE_ITEMS_MAX = 1024,         /* in the program, when nobody says */
    PIPE_SLICE_MS = 100,           /* how often `cancelled` is looked at */
    PIPE_LEAVE_MS = 1000,          /* for a program to end after its input has */
    PIPE_BACKOFF_FIRST_US = 10000, /* before a program is started again; doubles */
    PIPE_BACKOFF_MAX_US = 1000000,
};

/* Shared by all slots; what changes is atomic. */
struct pipe_state {
    const struct workload_host *host;
    struct command_words words;
    char *path;
    char *cwd; /* absolute, or NULL */
    struct pipe_command command;
    char **environment; /* of the programs; its texts are borrowed */
    enum pipe_framing framing;
    size_t items_max; /* 0: ours to choose */
    size_t bytes_max;
    size_t answer_max;
    uint32_t crash_limit;
    struct pipe_habit habit;
    /* What a batch takes that needs a program of its own: an average over the smallest batches that
     * did, of `own_count` items; 0: none did. Rough, and written by any slot. */
    _Atomic uint64_t own_us;
    _Atomic size_t own_count;
    atomic_bool answered; /* some program of this job has answered something */
    atomic_bool hopeless; /* the last programs of this job answered nothing */
    atomic_bool words_told;
};

struct pipe_slot {
    struct pipe_state *state;
    struct pipe_program program;
    struct pipe_patience patience; /* with the program that runs */
    struct pipe_busy busy;
    struct pipe_window window;
    uint64_t progress_us;   /* when answers last came, or this batch */
    uint64_t pace_ns;       /* between answers, a moving average; 0: not known */
    uint64_t backoff_us;    /* the next one */
    uint64_t not_before_us; /* when a program may be started again */
    uint32_t barren;        /* programs in a row that answered nothing */
    char *kept;             /* the answer that `run` gave out last */
    size_t kept_capacity;
};

/* One run_batch. */
struct pipe_run {
    struct pipe_slot *slot;
    struct pipe_state *state;
    struct workload_batch *batch;
    bool stop;       /* the batch begins no further item */
    bool more;       /* items are left that the window admits */
    uint64_t now_us; /* read once a turn */
};

/* Why a program is over before its time. */
enum pipe_fault {
    PIPE_FAULT_ENDED,    /* it exited, or was killed */
    PIPE_FAULT_NONSENSE, /* its answers cannot be told apart any more */
    PIPE_FAULT_NOMEM,
    PIPE_FAULT_TIMED_OUT, /* the user's limit */
    PIPE_FAULT_SILENT,    /* ours */
};

uint64_t pipe_now_us(void);

/* Say something to the user, once. */
void pipe_note(const struct pipe_state *state, const char *text);

/* More answers than items: say what that means. */
void pipe_note_out_of_turn(const struct pipe_state *state);

/* An item as the program gets it: its bytes, or its number in decimal, written to `digits`. */
enum { PIPE_DIGITS_SIZE = 20 };

const char *pipe_item_text(const struct workload_item *item,
                           char digits[PIPE_DIGITS_SIZE],
                           size_t *ret_len);

/* pipe.c -> pipe_run.c. Returns early only when cancelled. */
void pipe_run_batch(struct pipe_slot *slot, struct workload_batch *batch);

/* pipe_run.c -> pipe_fault.c: the program is to be given up, with items in flight or without. It
 * is killed; the items are to be begun again, or failed and reported. */
void pipe_fault(struct pipe_run *run, enum pipe_fault fault);

/* It gave an answer that no item had asked for; none is in flight. It is killed. */
void pipe_fault_out_of_turn(struct pipe_run *run);

/* It cannot be started, for the reason in `error`. */
void pipe_fault_no_start(struct pipe_run *run, const struct err_text *error);

/* Report the oldest item as failed because it cannot be written to the program. */
void pipe_fail_refused(struct pipe_run *run);

#endif
