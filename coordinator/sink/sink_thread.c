/* The sink's thread: writes what comes, keeps the account of what waits; see sink.h.
 *
 * It takes the whole queue at a time, so that the lock is held for moves of pointers only. */
#include "coordinator/sink/sink_internal.h"

#include <stdlib.h>

static void tell(const struct sink *sink)
{
    if (sink->wake != NULL && !sink->orphaned) {
        sink->wake(sink->wake_arg);
    }
}

void sink_backlog_add(struct sink *sink, size_t bytes)
{
    size_t all = atomic_fetch_add(&sink->backlog_bytes, bytes) + bytes;
    sink->was_full = sink->was_full || all >= SINK_FULL_BYTES;
}

static void backlog_sub(struct sink *sink, size_t bytes)
{
    size_t all = atomic_fetch_sub(&sink->backlog_bytes, bytes) - bytes;
    if (sink->was_full && all < SINK_FULL_BYTES / 2) {
        sink->was_full = false;
        tell(sink);
    }
}

/* Remember the first failure; from then on nothing is written. */
static void fail(struct sink *sink, int code, const struct err_text *error)
{
    if (code == 0 || sink_has_failed(sink)) {
        return;
    }
    bool broken_pipe = sink_outputs_broken_pipe(sink->outputs);
    (void)pthread_mutex_lock(&sink->lock);
    sink->code = code;
    sink->error = *error;
    sink->broken_pipe = broken_pipe;
    atomic_store(&sink->has_failed, true);
    tell(sink);
    (void)pthread_mutex_unlock(&sink->lock);
}

/* The batches that the next mark tells of. */
static void add_untold(struct sink *sink, struct sink_held *held)
{
    held->next = sink->untold;
    held->link = &sink->untold;
    if (held->next != NULL) {
        held->next->link = &held->next;
    }
    sink->untold = held;
}

static void remove_untold(struct sink_held *held)
{
    if (held->link != NULL) {
        *held->link = held->next;
        if (held->next != NULL) {
            held->next->link = held->link;
        }
        held->link = NULL;
    }
}

static void release(struct sink *sink, struct sink_held *held)
{
    remove_untold(held);
    (void)pthread_mutex_lock(&sink->lock);
    backlog_sub(sink, held->backlog_bytes);
    (void)pthread_mutex_unlock(&sink->lock);
    sink_held_free(held);
}

/* Write the items of the span but those that will come again, to the outputs of these kinds. */
static void write_span(struct sink *sink, unsigned when, struct sink_span *span)
{
    struct sink_item item;
    struct err_text error;
    while (!sink_has_failed(sink) && sink_span_next(span, &item)) {
        if (!sink_held_withholds(span->held, &item)) {
            fail(sink, sink_outputs_put(sink->outputs, when, &item, &error), &error);
        }
    }
}

static void write_ordered(struct sink *sink, struct sink_span *span)
{
    struct sink_held *held = span->held;
    write_span(sink, SINK_IN_ORDER, span);
    if (--held->span_count == 0) {
        release(sink, held);
    }
}

/* Give the runs of the batch to the order. Each takes memory while it waits; the first one is in
 * the batch's account already. */
static void put_in_order(struct sink *sink, struct sink_held *held)
{
    struct sink_span span;
    struct sink_span run;
    int code = 0;
    sink_span_init(&span, held);
    held->span_count = 1; /* ours, until all runs are in */
    if (held->waited) {
        sink_span_skip(&span, sink->order.next);
    } else if (sink->marked != NULL) {
        add_untold(sink, held);
    }
    while (code == 0 && sink_span_next_run(&span, &run)) {
        code = sink_order_push(&sink->order, &run);
        held->span_count += code == 0;
    }
    if (code != 0) {
        struct err_text error;
        fail(sink, err_set(&error, code, "no memory to keep the order of the results"), &error);
    }
    if (held->span_count > 2) {
        size_t more = (size_t)(held->span_count - 2) * sizeof(run);
        held->backlog_bytes += more;
        (void)pthread_mutex_lock(&sink->lock);
        sink_backlog_add(sink, more);
        (void)pthread_mutex_unlock(&sink->lock);
    }
    if (--held->span_count == 0) {
        release(sink, held);
    }
}

/* Write one batch, or what of it has its turn. */
static void process(struct sink *sink, struct sink_held *held)
{
    bool in_order = sink_outputs_have(sink->outputs, SINK_IN_ORDER);
    if (!held->waited && (!in_order || sink_outputs_have(sink->outputs, SINK_AT_ONCE))) {
        struct sink_span span;
        sink_span_init(&span, held);
        write_span(sink, SINK_AT_ONCE, &span);
    }
    if (!in_order || sink_has_failed(sink)) {
        release(sink, held);
        return;
    }
    put_in_order(sink, held);
    struct sink_span next;
    while (sink_order_pop(&sink->order, &next)) {
        write_ordered(sink, &next);
    }
}

/* A list of what `untold` has, which is empty then; NULL without memory. */
static struct sink_batch *take_untold(struct sink *sink, size_t *ret_count)
{
    size_t count = 0;
    for (const struct sink_held *held = sink->untold; held != NULL; held = held->next) {
        count++;
    }
    struct sink_batch *batches = calloc(count + 1, sizeof(*batches));
    *ret_count = count;
    for (size_t i = 0; batches != NULL && i < count; i++) {
        batches[i] = sink_held_batch(sink->untold);
        remove_untold(sink->untold);
    }
    return batches;
}

/* Everything that was put before the mark is written: make it last, and say so. */
static void reach_mark(struct sink *sink, uint64_t number)
{
    struct err_text error;
    struct sink_mark mark = {.number = number, .next = sink->order.next};
    if (!sink_has_failed(sink)) {
        fail(sink,
             sink_outputs_sync(sink->outputs, &error, &mark.places, &mark.place_count),
             &error);
    }
    if (sink_has_failed(sink)) {
        return;
    }
    struct sink_batch *waiting = take_untold(sink, &mark.waiting_count);
    if (waiting == NULL) {
        fail(sink, err_set(&error, ERR_NOMEM, "no memory to write results"), &error);
        return;
    }
    mark.waiting = waiting;
    (void)pthread_mutex_lock(&sink->lock);
    if (!sink->orphaned) { /* whoever is called may be gone with the owner */
        sink->marked(sink->marked_arg, &mark);
    }
    (void)pthread_mutex_unlock(&sink->lock);
    free(waiting);
}

/* With nobody waiting for it any more, what is left is dropped. */
static void check_give_up(struct sink *sink)
{
    if (atomic_load_explicit(&sink->give_up, memory_order_relaxed)) {
        struct err_text error;
        fail(sink,
             err_set(&error, ERR_CANCELLED, "results that were still to be written were dropped"),
             &error);
    }
}

static void process_all(struct sink *sink, struct sink_held *list)
{
    while (list != NULL) {
        struct sink_held *held = list;
        list = list->next;
        check_give_up(sink);
        if (held->mark == 0) {
            process(sink, held);
        } else {
            reach_mark(sink, held->mark);
            sink_held_free(held);
        }
    }
}

static void drop_order(struct sink *sink)
{
    struct sink_span span;
    while (sink_order_pop_any(&sink->order, &span)) {
        write_ordered(sink, &span); /* writes nothing: it has failed */
    }
}

static void flush(struct sink *sink)
{
    struct err_text error;
    if (!sink_has_failed(sink)) {
        fail(sink, sink_outputs_flush(sink->outputs, &error), &error);
    }
    if (sink_has_failed(sink)) {
        drop_order(sink);
    }
}

/* The batches that were put since; waits for some. NULL: the sink is being closed and there are no
 * more. What was written so far is flushed before it waits. */
static struct sink_held *take_queue(struct sink *sink)
{
    bool is_flushed = false;
    (void)pthread_mutex_lock(&sink->lock);
    while (sink->queue == NULL && !sink->closing) {
        if (is_flushed) {
            (void)pthread_cond_wait(&sink->changed, &sink->lock);
            continue;
        }
        (void)pthread_mutex_unlock(&sink->lock);
        flush(sink);
        is_flushed = true;
        (void)pthread_mutex_lock(&sink->lock);
    }
    struct sink_held *list = sink->queue;
    sink->queue = NULL;
    sink->queue_end = &sink->queue;
    (void)pthread_mutex_unlock(&sink->lock);
    return list;
}

/* Write what waited for items that come no more, and close. */
static void finish(struct sink *sink)
{
    struct sink_span span;
    struct err_text error;
    while (sink_order_pop_any(&sink->order, &span)) {
        check_give_up(sink);
        write_ordered(sink, &span);
    }
    fail(sink, sink_outputs_close(sink->outputs, &error), &error);
}

void *sink_thread_run(void *arg)
{
    struct sink *sink = arg;
    struct err_text error;
    fail(sink, sink_outputs_begin(sink->outputs, &error), &error);
    for (;;) {
        struct sink_held *list = take_queue(sink);
        if (list == NULL) {
            break;
        }
        process_all(sink, list);
    }
    finish(sink);

    (void)pthread_mutex_lock(&sink->lock);
    sink->ended = true;
    if (sink->tells_end) {
        tell(sink);
    }
    bool orphaned = sink->orphaned;
    (void)pthread_cond_broadcast(&sink->changed);
    (void)pthread_mutex_unlock(&sink->lock);
    if (orphaned) {
        sink_destroy(sink);
    }
    return NULL;
}
