/* The sink as its owner sees it: open, put, close; see sink.h.
 *
 * The owner's thread puts batches into a queue. Everything that touches files or walks items is done
 * by the sink's own thread, in sink_thread.c. */
#include "coordinator/sink/sink.h"

#include "common/base/check.h"
#include "coordinator/sink/background.h"
#include "coordinator/sink/sink_internal.h"

#include <stdlib.h>
#include <time.h>

enum { ABANDON_POLL_MS = 20, ABANDON_GRACE_MS = 1000, NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

static struct sink *new_sink(const struct sink_options *options)
{
    struct sink *sink = calloc(1, sizeof(*sink));
    if (sink == NULL) {
        return NULL;
    }
    sink->wake = options->wake;
    sink->wake_arg = options->wake_arg;
    sink->marked = options->marked;
    sink->marked_arg = options->marked_arg;
    sink->is_range = options->is_range;
    sink->range_first = options->range_first;
    sink->order.next = options->resume && options->keep_order ? options->next : 0;
    sink->queue_end = &sink->queue;
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&sink->lock, NULL);
    (void)pthread_cond_init(&sink->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    return sink;
}

void sink_destroy(struct sink *sink)
{
    sink_outputs_free(sink->outputs);
    sink_order_deinit(&sink->order);
    (void)pthread_mutex_destroy(&sink->lock);
    (void)pthread_cond_destroy(&sink->changed);
    free(sink);
}

int sink_open(const struct sink_options *options,
              struct err_text *ret_error,
              struct sink **ret_sink)
{
    struct sink *sink = new_sink(options);
    if (sink == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory to write results");
    }
    int code = sink_outputs_open(options, &sink->give_up, ret_error, &sink->outputs);
    if (code != 0) {
        sink_destroy(sink);
        return code;
    }
    int thread_code = background_start(&sink->thread, sink_thread_run, sink);
    if (thread_code != 0) {
        sink_outputs_undo(sink->outputs);
        sink->outputs = NULL;
        sink_destroy(sink);
        return err_set(ret_error,
                       ERR_NOMEM,
                       "no thread could be had to write results: %s",
                       strerror(thread_code));
    }
    *ret_sink = sink;
    return 0;
}

static void enqueue(struct sink *sink, struct sink_held *held)
{
    (void)pthread_mutex_lock(&sink->lock);
    bool was_empty = sink->queue == NULL;
    *sink->queue_end = held;
    sink->queue_end = &held->next;
    sink_backlog_add(sink, held->backlog_bytes);
    (void)pthread_mutex_unlock(&sink->lock);
    if (was_empty) {
        (void)pthread_cond_signal(&sink->changed);
    }
}

int sink_put(struct sink *sink, const struct sink_batch *batch)
{
    CHECK(batch->count > 0 && (batch->payload != NULL || sink->is_range));
    CHECK(batch->payload == NULL ||
          (batch->first >= batch->payload_first && batch->count <= batch->payload_count &&
           batch->first - batch->payload_first <= batch->payload_count - batch->count));
    if (sink_has_failed(sink)) {
        return 0;
    }
    struct sink_held *held = sink_held_new(batch, sink->range_first);
    if (held == NULL) {
        return ERR_NOMEM;
    }
    enqueue(sink, held);
    return 0;
}

int sink_put_mark(struct sink *sink, uint64_t number)
{
    CHECK(sink->marked != NULL && number > 0);
    if (sink_has_failed(sink)) {
        return 0;
    }
    struct sink_held *held = sink_held_new_mark(number);
    if (held == NULL) {
        return ERR_NOMEM;
    }
    enqueue(sink, held);
    return 0;
}

bool sink_is_full(const struct sink *sink)
{
    return atomic_load_explicit(&sink->backlog_bytes, memory_order_relaxed) >= SINK_FULL_BYTES;
}

void sink_finish(struct sink *sink)
{
    (void)pthread_mutex_lock(&sink->lock);
    sink->closing = true;
    sink->tells_end = true;
    (void)pthread_cond_broadcast(&sink->changed);
    (void)pthread_mutex_unlock(&sink->lock);
}

bool sink_is_written(struct sink *sink)
{
    (void)pthread_mutex_lock(&sink->lock);
    bool ended = sink->ended;
    (void)pthread_mutex_unlock(&sink->lock);
    return ended;
}

int sink_error(struct sink *sink, struct err_text *ret_error, bool *ret_broken_pipe)
{
    (void)pthread_mutex_lock(&sink->lock);
    int code = sink->code;
    if (ret_broken_pipe != NULL) {
        *ret_broken_pipe = sink->broken_pipe;
    }
    if (code != 0 && ret_error != NULL) {
        *ret_error = sink->error;
    }
    (void)pthread_mutex_unlock(&sink->lock);
    return code;
}

static struct timespec ms_from_now(long ms)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += ms % 1000 * NS_PER_MS;
    if (at.tv_nsec >= NS_PER_S) {
        at.tv_nsec -= NS_PER_S;
        at.tv_sec++;
    }
    return at;
}

/* Wait until the thread has ended, or, a while after *abandon has become true, no longer: the thread
 * is on its own then, and so is the sink. Under the lock. */
static void wait_ended(struct sink *sink, const atomic_bool *abandon)
{
    long grace_ms = ABANDON_GRACE_MS;
    while (!sink->ended && grace_ms > 0) {
        struct timespec until = ms_from_now(ABANDON_POLL_MS);
        if (abandon == NULL) {
            (void)pthread_cond_wait(&sink->changed, &sink->lock);
        } else {
            (void)pthread_cond_timedwait(&sink->changed, &sink->lock, &until);
        }
        if (abandon != NULL && atomic_load(abandon)) {
            atomic_store(&sink->give_up, true);
            grace_ms -= ABANDON_POLL_MS;
        }
    }
    sink->orphaned = !sink->ended;
}

int sink_close(struct sink *sink,
               const atomic_bool *abandon,
               struct err_text *ret_error,
               bool *ret_broken_pipe)
{
    if (ret_broken_pipe != NULL) {
        *ret_broken_pipe = false;
    }
    if (sink == NULL) {
        return 0;
    }
    (void)pthread_mutex_lock(&sink->lock);
    sink->closing = true;
    (void)pthread_cond_broadcast(&sink->changed);
    wait_ended(sink, abandon);
    bool orphaned = sink->orphaned;
    pthread_t thread = sink->thread;
    (void)pthread_mutex_unlock(&sink->lock);
    if (orphaned) {
        (void)pthread_detach(thread); /* `sink` may be gone already */
        return err_set(ret_error,
                       ERR_CANCELLED,
                       "results that the system did not take in time were left behind");
    }
    (void)pthread_join(thread, NULL);
    int code = sink_error(sink, ret_error, ret_broken_pipe);
    sink_destroy(sink);
    return code;
}
