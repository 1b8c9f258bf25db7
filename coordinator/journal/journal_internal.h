/* What the files of the journal share: journal.c is what the owner's thread does, journal_thread.c
 * what the journal's own does. SQLite is entered by the latter alone, from opening to closing: a
 * connection is best left to one thread, and there a write beyond a limit is an error and no signal
 * (background.h). */
#ifndef QUARTET_COORDINATOR_JOURNAL_JOURNAL_INTERNAL_H
#define QUARTET_COORDINATOR_JOURNAL_JOURNAL_INTERNAL_H

#include "coordinator/journal/journal.h"
#include "coordinator/journal/journal_batch.h"
#include "coordinator/journal/journal_group.h"
#include "coordinator/journal/journal_store.h"

#include <pthread.h>
#include <stdatomic.h>

/* How the thread begins; borrowed from the call that opens. */
struct journal_beginning {
    const char *path;
    const char *job; /* NULL: open one that is there */
    uint64_t job_id;
    struct journal_state *state; /* written when it is opened */
    struct err_text *error;
};

enum journal_stage {
    JOURNAL_IDLE,   /* no group is under way */
    JOURNAL_CLOSED, /* one waits for its mark */
    JOURNAL_READY,  /* one is to be committed, or is being so */
};

struct journal {
    /* Set once, then read by both. */
    void (*wake)(void *arg);
    void *wake_arg;
    bool has_sink;
    pthread_t thread;

    /* The owner's alone. */
    struct interval_set noted; /* everything, so that nothing is noted twice */
    struct journal_group open;
    uint64_t number; /* of the open group */

    /* The thread's alone. */
    struct journal_store *store;

    /* Changed under the lock, read without. */
    atomic_uint_fast64_t durable;
    atomic_bool has_failed; /* `code` and `error` stay as they are then */

    /* Under the lock; `closed` and `mark` are the thread's while it is READY. */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* for the thread: ready, or closing; for the owner: begun */
    enum journal_stage stage;
    struct journal_group closed;
    struct journal_mark mark;
    bool closing;
    bool begun;
    int code;
    struct err_text error;
    const struct journal_beginning *beginning; /* NULL once begun */
};

/* The body of the thread; `arg` is the journal. */
void *journal_thread_run(void *arg);

/* Nothing more becomes durable, because of this. Under the lock. */
void journal_fail(struct journal *journal, int code, const struct err_text *error);

#endif
