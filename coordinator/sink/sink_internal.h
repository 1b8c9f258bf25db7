/* What the two files of the sink share: sink.c is what the owner's thread does, sink_thread.c what
 * the sink's own does. */
#ifndef QUARTET_COORDINATOR_SINK_SINK_INTERNAL_H
#define QUARTET_COORDINATOR_SINK_SINK_INTERNAL_H

#include "coordinator/sink/sink.h"
#include "coordinator/sink/sink_held.h"
#include "coordinator/sink/sink_order.h"
#include "coordinator/sink/sink_outputs.h"

#include <pthread.h>

struct sink {
    /* Set once, then read by both. */
    void (*wake)(void *arg);
    void *wake_arg;
    void (*marked)(void *arg, const struct sink_mark *mark);
    void *marked_arg;
    bool is_range;
    uint64_t range_first;
    pthread_t thread;

    /* The thread's alone, but for sink_open. */
    struct sink_outputs *outputs;
    struct sink_order order;
    struct sink_held *untold; /* batches that wait and were at no mark yet */

    /* Read without the lock: hints, whose true state comes a little later. */
    atomic_size_t backlog_bytes; /* changed under the lock */
    atomic_bool has_failed;      /* the same; `code` and `error` stay as they are then */
    atomic_bool give_up;         /* the owner waits no longer for readers */

    /* Under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t
        changed; /* for the thread: there are batches, or closing; for the owner: ended */
    struct sink_held *queue;
    struct sink_held **queue_end;
    bool was_full; /* and nobody was told yet that it no longer is */
    bool closing;
    bool tells_end; /* the owner waits in a loop: sink_finish */
    bool ended;     /* the thread touches nothing of the sink any more */
    bool orphaned;  /* the owner is gone: the thread frees the sink */
    int code;
    bool broken_pipe;
    struct err_text error;
};

/* The body of the thread; `arg` is the sink. */
void *sink_thread_run(void *arg);

/* Count bytes that wait, under the lock. */
void sink_backlog_add(struct sink *sink, size_t bytes);

/* Has writing failed? A hint from any thread: the details are under the lock. */
static inline bool sink_has_failed(const struct sink *sink)
{
    return atomic_load_explicit(&sink->has_failed, memory_order_relaxed);
}

/* Free what the sink is made of. Nobody may use it any more, and its queue is empty. */
void sink_destroy(struct sink *sink);

#endif
