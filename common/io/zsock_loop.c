/* A socket on the loop.
 *
 * libzmq's file descriptor says once that something has changed, not that there is something to
 * read, and every call may use that up. So before the loop sleeps (prepare) libzmq is asked, if
 * it was called at all since it last had nothing; when it has something, an idle handle keeps
 * the loop from sleeping, and after polling (check) messages are handed over. An idle loop is
 * not woken at all. The same shape: pijyoi/zmq_libev, flux-core's ev_zmq.c. */
#include "common/base/check.h"
#include "common/io/zsock_internal.h"

#include <errno.h>
#include <stdlib.h>

enum {
    /* When to tell the owner that some peer dropped: libzmq announces it just before it takes
     * the peer away, on another thread. */
    DROPPED_FIRST_MS = 2,
    DROPPED_AGAIN_MS = 100,
    DROPS_TO_TELL = 2,
    CONNECT_ANEW_MS = 1000, /* after libzmq has given up */
};

bool zsock_has_input(struct zsock *socket)
{
    int events = 0;
    size_t size = sizeof(events);
    int rc = zmq_getsockopt(socket->zmq, ZMQ_EVENTS, &events, &size);
    /* EINTR says nothing either way: look again in the next turn. */
    bool input = rc != 0 || (events & ZMQ_POLLIN) != 0;
    socket->watch.touched = input;
    return input;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct zsock *socket = poll->data;
    (void)status;
    (void)events;
    socket->watch.woken = true;
}

static void on_monitor_poll(uv_poll_t *poll, int status, int events)
{
    struct zsock *socket = poll->data;
    (void)status;
    (void)events;
    socket->watch.monitor_woken = true;
}

/* Only its being active matters: the loop then does not sleep. */
static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct zsock *socket = prepare->data;
    struct zsock_watch *watch = &socket->watch;
    bool awake = watch->monitor_woken;
    if (watch->touched && zsock_has_input(socket)) {
        watch->woken = true;
        awake = true;
    }
    if (awake && !watch->held_awake) {
        (void)uv_idle_start(&watch->idle, on_idle);
    } else if (!awake && watch->held_awake) {
        (void)uv_idle_stop(&watch->idle);
    }
    watch->held_awake = awake;
}

static void on_dropped_timer(uv_timer_t *timer)
{
    struct zsock *socket = timer->data;
    if (--socket->watch.drops_to_tell > 0) {
        (void)uv_timer_start(timer, on_dropped_timer, DROPPED_AGAIN_MS, 0);
    }
    if (socket->handlers->peer_dropped != NULL) {
        socket->handlers->peer_dropped(socket->arg);
    }
}

void zsock_peer_has_dropped(struct zsock *socket)
{
    if (socket->watch.drops_to_tell == DROPS_TO_TELL) {
        return; /* about to be told: a storm of drops must not put that off */
    }
    socket->watch.drops_to_tell = DROPS_TO_TELL;
    (void)uv_timer_start(&socket->watch.dropped_timer, on_dropped_timer, DROPPED_FIRST_MS, 0);
}

static void on_connect_timer(uv_timer_t *timer)
{
    struct zsock *socket = timer->data;
    /* It still counts as connected there, and connecting to it would do nothing. */
    (void)zmq_disconnect(socket->zmq, socket->endpoint);
    if (zmq_connect(socket->zmq, socket->endpoint) != 0) {
        (void)uv_timer_start(timer, on_connect_timer, CONNECT_ANEW_MS, 0);
    }
    socket->watch.touched = true;
}

void zsock_may_have_given_up(struct zsock *socket)
{
    (void)uv_timer_start(&socket->watch.dropped_timer, on_connect_timer, CONNECT_ANEW_MS, 0);
}

void zsock_is_connecting(struct zsock *socket)
{
    (void)uv_timer_stop(&socket->watch.dropped_timer);
}

static void on_check(uv_check_t *check)
{
    struct zsock *socket = check->data;
    struct zsock_watch *watch = &socket->watch;
    if (watch->monitor_woken) {
        watch->monitor_woken = zsock_monitor_receive(socket);
    }
    if (watch->woken && !socket->closing) {
        watch->woken = false;
        watch->touched = true;
        zsock_receive(socket);
    }
}

static void own(struct zsock *socket, uv_handle_t *handle)
{
    handle->data = socket;
    socket->watch.handles[socket->watch.handle_count++] = handle;
}

static int start_poll(struct zsock *socket,
                      uv_loop_t *loop,
                      uv_poll_t *poll,
                      void *zmq,
                      uv_poll_cb cb)
{
    int fd = -1;
    size_t size = sizeof(fd);
    if (zmq_getsockopt(zmq, ZMQ_FD, &fd, &size) != 0) {
        return -1;
    }
    int rc = uv_poll_init(loop, poll, fd);
    if (rc != 0) {
        errno = -rc;
        return -1;
    }
    own(socket, (uv_handle_t *)poll);
    rc = uv_poll_start(poll, UV_READABLE, cb);
    CHECK(rc == 0);
    return 0;
}

int zsock_watch_start(struct zsock *socket, uv_loop_t *loop)
{
    struct zsock_watch *watch = &socket->watch;
    if (start_poll(socket, loop, &watch->poll, socket->zmq, on_poll) != 0 ||
        start_poll(socket, loop, &watch->monitor_poll, socket->monitor, on_monitor_poll) != 0) {
        return -1;
    }
    (void)uv_prepare_init(loop, &watch->prepare);
    own(socket, (uv_handle_t *)&watch->prepare);
    (void)uv_check_init(loop, &watch->check);
    own(socket, (uv_handle_t *)&watch->check);
    (void)uv_idle_init(loop, &watch->idle);
    own(socket, (uv_handle_t *)&watch->idle);
    (void)uv_timer_init(loop, &watch->dropped_timer);
    own(socket, (uv_handle_t *)&watch->dropped_timer);
    (void)uv_prepare_start(&watch->prepare, on_prepare);
    (void)uv_check_start(&watch->check, on_check);
    /* What happened before the loop watched. */
    watch->touched = true;
    watch->monitor_woken = true;
    return 0;
}

static void destroy(struct zsock *socket)
{
    /* Not before: the socket may have been closed by the callback that a frame was lent to. */
    for (int i = 0; i < FRAME_KINDS; i++) {
        (void)zmq_msg_close(&socket->in.frames[i]);
    }
    free(socket);
}

static void on_closed(uv_handle_t *handle)
{
    struct zsock *socket = handle->data;
    if (--socket->watch.handle_count == 0) {
        destroy(socket);
    }
}

void zsock_watch_stop(struct zsock *socket)
{
    unsigned count = socket->watch.handle_count;
    for (unsigned i = 0; i < count; i++) {
        uv_close(socket->watch.handles[i], on_closed);
    }
    zsock_monitor_close(socket);
    if (socket->zmq != NULL) {
        (void)zmq_close(socket->zmq);
    }
    if (count == 0) {
        destroy(socket);
    }
}
