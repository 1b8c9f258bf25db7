/* The asynchronous form of exec: the children of one loop. A flight is a child with the handles
 * that watch it; it tells its outcome when the last of them is closed, and is then used again. */
#include "common/base/check.h"
#include "worker/workloads/exec_child.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

enum { NS_PER_MS = 1000 * 1000, WATCHES = EXEC_STREAMS + 1, LEADER = EXEC_STREAMS };

/* In one of three lists: running, refused or spare. */
struct flight {
    struct exec_child child;
    struct exec_async *owner;
    struct workload_call *call;
    struct workload_outcome outcome; /* once it is over, or was refused */
    uv_poll_t watches[WATCHES];      /* the streams, and the leader's end */
    uv_timer_t timer;
    unsigned handles; /* not closed yet */
    bool over;
    struct flight *next;
    struct flight *previous; /* running */
};

struct exec_async {
    struct exec_state *state;
    uv_loop_t *loop;
    struct flight *running;
    struct flight *spare;
    bool cancelled;

    /* `done` must not be called from async_start: `turn` is active while there is something to
     * tell that was known at once. */
    uv_idle_t turn;
    struct flight *refused;
    struct workload_call *starved; /* found no memory for a flight; linked through `workload` */
};

/* --- flights --- */

static struct flight *take_spare(struct exec_async *async)
{
    struct flight *flight = async->spare;
    if (flight != NULL) {
        async->spare = flight->next;
        return flight;
    }
    flight = calloc(1, sizeof(*flight));
    if (flight != NULL && exec_child_init(&flight->child, async->state) != 0) {
        exec_child_deinit(&flight->child);
        free(flight);
        return NULL;
    }
    if (flight != NULL) {
        flight->owner = async;
    }
    return flight;
}

static void push_running(struct exec_async *async, struct flight *flight)
{
    flight->previous = NULL;
    flight->next = async->running;
    if (flight->next != NULL) {
        flight->next->previous = flight;
    }
    async->running = flight;
}

static void leave_running(struct exec_async *async, struct flight *flight)
{
    if (flight->next != NULL) {
        flight->next->previous = flight->previous;
    }
    if (flight->previous != NULL) {
        flight->previous->next = flight->next;
    } else {
        async->running = flight->next;
    }
}

/* The flight becomes spare only afterwards: the outcome is in its buffers, and the engine begins
 * the next item from inside `done`. */
static void tell(struct flight *flight)
{
    struct exec_async *async = flight->owner;
    flight->call->done(flight->call, &flight->outcome);
    flight->next = async->spare;
    async->spare = flight;
}

/* --- watching a child --- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct flight *flight = handle->data;
    flight->handles--;
    if (flight->handles == 0 && flight->over) {
        leave_running(flight->owner, flight);
        tell(flight);
    }
}

static void close_watch(struct flight *flight, int watch)
{
    uv_handle_t *handle = (uv_handle_t *)&flight->watches[watch];
    if (handle->data != NULL && !uv_is_closing(handle)) {
        uv_close(handle, on_handle_closed);
    }
}

static void close_handles(struct flight *flight)
{
    for (int i = 0; i < WATCHES; i++) {
        close_watch(flight, i);
    }
    uv_close((uv_handle_t *)&flight->timer, on_handle_closed);
    flight->over = true;
}

static void on_timer(uv_timer_t *timer);

static void arm(struct flight *flight)
{
    uint64_t now_ns = exec_now_ns();
    uint64_t look_ns = exec_child_look_ns(&flight->child, now_ns);
    if (look_ns == UINT64_MAX) {
        (void)uv_timer_stop(&flight->timer);
        return;
    }
    uint64_t wait_ns = look_ns > now_ns ? look_ns - now_ns : 0;
    CHECK(uv_timer_start(&flight->timer, on_timer, (wait_ns + NS_PER_MS - 1) / NS_PER_MS, 0) == 0);
}

/* The handles first: a descriptor that is closed must not be watched. */
static void end_if_done(struct flight *flight)
{
    if (!flight->over && exec_child_done(&flight->child)) {
        close_handles(flight);
        exec_child_end(&flight->child, &flight->outcome);
    }
}

/* The loop's time may lag behind, and fire too early: then nothing is due yet. */
static void on_timer(uv_timer_t *timer)
{
    struct flight *flight = timer->data;
    exec_child_on_time(&flight->child, exec_now_ns());
    end_if_done(flight);
    if (!flight->over) {
        arm(flight);
    }
}

/* A status below zero is a stream whose other end is gone: serving it says so too. */
static void on_stream(uv_poll_t *watch, int status, int events)
{
    (void)status;
    (void)events;
    struct flight *flight = watch->data;
    int stream = (int)(watch - flight->watches);
    if (!exec_child_serve(&flight->child, (enum exec_stream)stream)) {
        close_watch(flight, stream);
        exec_child_close(&flight->child, (enum exec_stream)stream);
        end_if_done(flight);
    }
}

static void on_leader(uv_poll_t *watch, int status, int events)
{
    (void)status;
    (void)events;
    struct flight *flight = watch->data;
    (void)uv_poll_stop(watch);
    exec_child_leader_ended(&flight->child);
    end_if_done(flight);
}

static int watch_one(struct flight *flight, int index, int fd, int events, uv_poll_cb callback)
{
    uv_poll_t *watch = &flight->watches[index];
    int rc = uv_poll_init(flight->owner->loop, watch, fd);
    if (rc != 0) {
        return rc;
    }
    watch->data = flight;
    flight->handles++;
    return uv_poll_start(watch, events, callback);
}

static int watch_all(struct flight *flight)
{
    const struct exec_child *child = &flight->child;
    int rc = watch_one(flight, LEADER, child->process.pidfd, UV_READABLE, on_leader);
    for (int i = 0; i < EXEC_STREAMS && rc == 0; i++) {
        int events = i == EXEC_IN ? UV_WRITABLE : UV_READABLE;
        if (child->streams[i] >= 0) {
            rc = watch_one(flight, i, child->streams[i], events, on_stream);
        }
    }
    return rc;
}

/* A child that was started. Its end is told from a callback, whatever happens here. */
static void watch(struct flight *flight)
{
    for (int i = 0; i < WATCHES; i++) {
        flight->watches[i].data = NULL;
    }
    flight->over = false;
    flight->handles = 1;
    CHECK(uv_timer_init(flight->owner->loop, &flight->timer) == 0);
    flight->timer.data = flight;
    push_running(flight->owner, flight);
    int rc = watch_all(flight);
    if (rc != 0) {
        char reason[WORKLOAD_ERROR_SIZE];
        (void)snprintf(reason, sizeof(reason), "cannot watch a process: %s", uv_strerror(rc));
        close_handles(flight);
        exec_child_abort(&flight->child, reason, &flight->outcome);
        return;
    }
    arm(flight);
}

/* --- what was known at once --- */

static void tell_starved(struct exec_async *async)
{
    struct workload_call *call = async->starved;
    async->starved = NULL;
    while (call != NULL) {
        struct workload_call *next = call->workload;
        struct workload_outcome outcome;
        exec_outcome_fail("no memory to run a command", &outcome);
        call->done(call, &outcome);
        call = next;
    }
}

static void tell_refused(struct exec_async *async)
{
    struct flight *flight = async->refused;
    async->refused = NULL;
    while (flight != NULL) {
        struct flight *next = flight->next;
        tell(flight);
        flight = next;
    }
}

static void on_turn(uv_idle_t *turn)
{
    struct exec_async *async = turn->data;
    (void)uv_idle_stop(turn);
    tell_starved(async);
    tell_refused(async);
}

static void want_turn(struct exec_async *async)
{
    (void)uv_idle_start(&async->turn, on_turn); /* fails only without a callback */
}

/* --- the form's four functions --- */

int exec_async_open(void *state, uv_loop_t *loop, struct err_text *ret_error, void **ret_async)
{
    struct exec_async *async = calloc(1, sizeof(*async));
    if (async == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for workload exec");
    }
    async->state = state;
    async->loop = loop;
    CHECK(uv_idle_init(loop, &async->turn) == 0);
    async->turn.data = async;
    *ret_async = async;
    return 0;
}

void exec_async_start(void *opaque, struct workload_call *call)
{
    struct exec_async *async = opaque;
    struct flight *flight = take_spare(async);
    if (flight == NULL) {
        call->workload = async->starved;
        async->starved = call;
        want_turn(async);
        return;
    }
    flight->call = call;
    bool begun = false;
    if (async->cancelled) {
        exec_outcome_fail("cancelled", &flight->outcome);
    } else {
        begun = exec_child_begin(&flight->child, &call->item, &flight->outcome);
    }
    if (begun) {
        watch(flight);
        return;
    }
    flight->next = async->refused;
    async->refused = flight;
    want_turn(async);
}

void exec_async_cancel(void *opaque)
{
    struct exec_async *async = opaque;
    uint64_t now_ns = exec_now_ns();
    async->cancelled = true;
    for (struct flight *flight = async->running; flight != NULL; flight = flight->next) {
        if (!flight->over) {
            exec_child_cancel(&flight->child, now_ns);
            arm(flight);
        }
    }
}

static void on_turn_closed(uv_handle_t *handle)
{
    struct exec_async *async = handle->data;
    while (async->spare != NULL) {
        struct flight *next = async->spare->next;
        exec_child_deinit(&async->spare->child);
        free(async->spare);
        async->spare = next;
    }
    free(async);
}

void exec_async_close(void *opaque)
{
    struct exec_async *async = opaque;
    CHECK(async->running == NULL && async->refused == NULL && async->starved == NULL);
    uv_close((uv_handle_t *)&async->turn, on_turn_closed);
}
