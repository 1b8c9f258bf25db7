/* Making, sending and closing. Receiving, the loop and the monitor have their own files. */
#include "common/io/zsock.h"

#include "common/base/check.h"
#include "common/io/descriptors.h"
#include "common/io/zsock_internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    /* A message is sent only against credit, which is at most 65,536 chunks, so that a queue of
     * this length is never full. */
    QUEUE_MAX = 65536 + 4096,
    ROUTER_RECEIVE_QUEUE_MAX = 1000, /* of one peer: a flooding one is slowed down by TCP */
    /* libzmq writes frames from 8 KiB on straight from where they are, and copies shorter ones
     * anyway. */
    BY_REFERENCE_MIN = 8192,
    /* Of libzmq's two threads, their mailboxes, the socket and its monitor, and for a listener or
     * a first connection. libzmq 4.3.4 asserts that it gets them. */
    DESCRIPTORS_OF_ZMQ = 10,
    THREADS_OF_ZMQ = 2,
    MEMORY_OF_ZMQ = 16 * 1024 * 1024,
};

static void *wait_for_release(void *held)
{
    (void)pthread_mutex_lock(held);
    (void)pthread_mutex_unlock(held);
    return NULL;
}

/* Can the threads of libzmq be started, all of them at a time, and is there memory beside them for
 * what it and the resolver load? It aborts when there is not. */
static int expect_threads(struct err_text *ret_error)
{
    pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
    pthread_t threads[THREADS_OF_ZMQ];
    int started = 0;
    int error = 0;
    (void)pthread_mutex_lock(&held);
    while (started < THREADS_OF_ZMQ && error == 0) {
        error = pthread_create(&threads[started], NULL, wait_for_release, &held);
        started += error == 0;
    }
    void *room = mmap(
        NULL, MEMORY_OF_ZMQ, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    error = error == 0 && room == MAP_FAILED ? errno : error;
    if (room != MAP_FAILED) {
        (void)munmap(room, MEMORY_OF_ZMQ);
    }
    (void)pthread_mutex_unlock(&held);
    for (int i = 0; i < started; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    return error == 0 ? 0
                      : err_set(ret_error,
                                ERR_IO,
                                "cannot start the %d threads that ZeroMQ needs: %s (raise ulimit "
                                "-u or -v)",
                                THREADS_OF_ZMQ,
                                strerror(error));
}

int zsock_context_new(struct err_text *ret_error, struct zsock_context **ret_context)
{
    int rc = descriptors_expect(DESCRIPTORS_OF_ZMQ, "for ZeroMQ", ret_error);
    rc = rc != 0 ? rc : expect_threads(ret_error);
    if (rc != 0) {
        return rc;
    }
    struct zsock_context *context = malloc(sizeof(*context));
    void *zmq = context == NULL ? NULL : zmq_ctx_new();
    if (zmq == NULL) {
        free(context);
        return err_set(ret_error, ERR_NOMEM, "no memory for ZeroMQ");
    }
    context->zmq = zmq;
    context->zap = NULL;
    atomic_init(&context->next, 1);
    (void)zmq_ctx_set(zmq, ZMQ_BLOCKY, 0);
    *ret_context = context;
    return 0;
}

void zsock_context_free(struct zsock_context *context)
{
    if (context == NULL) {
        return;
    }
    if (context->zap != NULL) {
        (void)zmq_ctx_shutdown(context->zmq); /* its thread waits in a call */
        zap_end(context->zap);
    }
    while (zmq_ctx_term(context->zmq) != 0 && errno == EINTR) {
        continue;
    }
    free(context);
}

struct option {
    int name;
    int value;
};

/* Reasons and measurements: no ZMTP heartbeats, because with a full receive queue they abort
 * libzmq 4.3.4; TCP_MAXRT finds a host that lost power while data waits, keepalive one that lost
 * it while idle. All must be set before bind or connect. */
static const struct option common_options[] = {
    {ZMQ_LINGER, 0},
    {ZMQ_HANDSHAKE_IVL, 30000},
    {ZMQ_TCP_KEEPALIVE, 1},
    {ZMQ_TCP_KEEPALIVE_IDLE, 30},
    {ZMQ_TCP_KEEPALIVE_INTVL, 10},
    {ZMQ_TCP_KEEPALIVE_CNT, 3},
    {ZMQ_TCP_MAXRT, 30000},
    {ZMQ_SNDHWM, QUEUE_MAX},
};

static const struct option router_options[] = {
    {ZMQ_ROUTER_MANDATORY, 1}, /* or sends to peers that are gone succeed */
    {ZMQ_RCVHWM, ROUTER_RECEIVE_QUEUE_MAX},
    {ZMQ_BACKLOG, 1024},
};

static const struct option dealer_options[] = {
    {ZMQ_IMMEDIATE, 1}, /* or a new coordinator gets what was meant for the old one */
    {ZMQ_RCVHWM, QUEUE_MAX},
    {ZMQ_RECONNECT_IVL, 100},
    {ZMQ_RECONNECT_IVL_MAX, 1000}, /* a coordinator that is back finds its workers soon */
    {ZMQ_CONNECT_TIMEOUT, 5000},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void set_options(void *zmq, const struct option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int rc = zmq_setsockopt(zmq, options[i].name, &options[i].value, sizeof(int));
        CHECK(rc == 0);
    }
}

static void configure(struct zsock *socket)
{
    size_t larger = socket->header_max > socket->payload_max ? socket->header_max
                                                             : socket->payload_max;
    int64_t frame_max = (int64_t)larger;
    set_options(socket->zmq, common_options, COUNT_OF(common_options));
    if (socket->type == ZSOCK_ROUTER) {
        set_options(socket->zmq, router_options, COUNT_OF(router_options));
    } else {
        set_options(socket->zmq, dealer_options, COUNT_OF(dealer_options));
    }
    int rc = zmq_setsockopt(socket->zmq, ZMQ_MAXMSGSIZE, &frame_max, sizeof(frame_max));
    CHECK(rc == 0);
}

static struct zsock *allocate(const struct zsock_options *options)
{
    struct zsock *socket = calloc(1, sizeof(*socket));
    if (socket == NULL) {
        return NULL;
    }
    socket->type = options->type;
    socket->header_max = options->header_max;
    socket->payload_max = options->payload_max;
    socket->handlers = options->handlers;
    socket->arg = options->arg;
    socket->in.next = options->type == ZSOCK_ROUTER ? FRAME_ID : FRAME_HEADER;
    for (int i = 0; i < FRAME_KINDS; i++) {
        (void)zmq_msg_init(&socket->in.frames[i]);
    }
    return socket;
}

int zsock_new(struct zsock_context *context,
              struct uv_loop_s *loop,
              const struct zsock_options *options,
              struct err_text *ret_error,
              struct zsock **ret_socket)
{
    struct zsock *socket = allocate(options);
    if (socket == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for a socket");
    }
    int type = options->type == ZSOCK_ROUTER ? ZMQ_ROUTER : ZMQ_DEALER;
    CHECK(options->keys == NULL || type == ZMQ_DEALER || context->zap != NULL);
    socket->context = context->zmq;
    socket->zmq = zmq_socket(context->zmq, type);
    if (socket->zmq == NULL) {
        goto out;
    }
    configure(socket);
    if (options->keys != NULL) {
        zsock_set_keys(socket, options->keys);
    }
    socket->monitor = zsock_monitor_open(context, socket);
    if (socket->monitor == NULL || zsock_watch_start(socket, loop) != 0) {
        goto out;
    }
    *ret_socket = socket;
    return 0;
out:
    (void)err_set(ret_error, ERR_IO, "cannot make a socket: %s", zmq_strerror(errno));
    zsock_close(socket, 0);
    return ERR_IO;
}

static int bind_error(const char *endpoint, int error, struct err_text *ret_error)
{
    switch (error) {
    case EADDRINUSE:
        return err_set(ret_error,
                       ERR_BUSY,
                       "cannot listen on %s: the address is in use; choose another, or port * for "
                       "a free one",
                       endpoint);
    case EADDRNOTAVAIL:
    case ENODEV:
        return err_set(ret_error,
                       ERR_INVALID,
                       "cannot listen on %s: this machine has no such address; give it in "
                       "numbers, as in tcp://127.0.0.1:5555: names are not looked up",
                       endpoint);
    case EINVAL:
    case ENAMETOOLONG:
    case ENOCOMPATPROTO:
    case EPROTONOSUPPORT:
        return err_set(ret_error,
                       ERR_INVALID,
                       "cannot listen on \"%s\": not an endpoint such as tcp://127.0.0.1:5555 or "
                       "ipc:///run/quartet",
                       endpoint);
    default:
        return err_set(ret_error, ERR_IO, "cannot listen on %s: %s", endpoint, zmq_strerror(error));
    }
}

static void set_ipv6(struct zsock *socket, const char *endpoint)
{
    const struct option option = {ZMQ_IPV6, zsock_endpoint_wants_ipv6(endpoint)};
    set_options(socket->zmq, &option, 1);
}

int zsock_bind(struct zsock *socket, const char *endpoint, struct err_text *ret_error)
{
    size_t size = sizeof(socket->endpoint);
    if (zsock_ipc_is_taken(endpoint)) {
        return bind_error(endpoint, EADDRINUSE, ret_error);
    }
    if (!zsock_port_is_sound(endpoint)) {
        return bind_error(endpoint, EINVAL, ret_error);
    }
    set_ipv6(socket, endpoint);
    if (zmq_bind(socket->zmq, endpoint) != 0) {
        return bind_error(endpoint, errno, ret_error);
    }
    socket->watch.touched = true;
    int rc = zmq_getsockopt(socket->zmq, ZMQ_LAST_ENDPOINT, socket->endpoint, &size);
    CHECK(rc == 0);
    return 0;
}

const char *zsock_endpoint(const struct zsock *socket)
{
    return socket->endpoint;
}

int zsock_connect(struct zsock *socket, const char *endpoint, struct err_text *ret_error)
{
    size_t len = strlen(endpoint);
    set_ipv6(socket, endpoint);
    if (len >= sizeof(socket->endpoint) || !zsock_port_is_sound(endpoint) ||
        zmq_connect(socket->zmq, endpoint) != 0) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "cannot connect to \"%.200s\": not an endpoint such as tcp://HOST:5555 or "
                       "ipc:///run/quartet",
                       endpoint);
    }
    socket->watch.touched = true;
    memcpy(socket->endpoint, endpoint, len + 1);
    return 0;
}

int zsock_connect_elsewhere(struct zsock *socket, const char *endpoint, struct err_text *ret_error)
{
    zsock_is_connecting(socket); /* no longer: whatever waits to try the old one again is stopped */
    (void)zmq_disconnect(socket->zmq, socket->endpoint);
    socket->connected = false;
    return zsock_connect(socket, endpoint, ret_error);
}

void *zsock_header(struct zsock *socket, size_t len)
{
    if (socket->outgoing_made) {
        (void)zmq_msg_close(&socket->outgoing);
    }
    socket->outgoing_made = zmq_msg_init_size(&socket->outgoing, len) == 0;
    return socket->outgoing_made ? zmq_msg_data(&socket->outgoing) : NULL;
}

/* Returns 0 or errno. The frame stays the caller's on an error. */
static int send_frame(struct zsock *socket, zmq_msg_t *frame, int flags)
{
    socket->watch.touched = true;
    while (zmq_msg_send(frame, socket->zmq, flags | ZMQ_DONTWAIT) < 0) {
        if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

/* The first frame of a message decides whether it can be sent. libzmq looks for freed room only
 * now and then while it is busy: make it look before its EAGAIN is believed. */
static int send_first(struct zsock *socket, zmq_msg_t *frame, int flags)
{
    int error = send_frame(socket, frame, flags);
    if (error == EAGAIN) {
        (void)zsock_has_input(socket);
        error = send_frame(socket, frame, flags);
    }
    if (error == 0) {
        return 0;
    }
    CHECK(error == EAGAIN || error == EHOSTUNREACH);
    bool gone = error == EHOSTUNREACH || (socket->type == ZSOCK_DEALER && !socket->connected);
    return gone ? ERR_GONE : ERR_BUSY;
}

static int send_id(struct zsock *socket, struct zsock_peer peer)
{
    zmq_msg_t frame;
    int rc = zmq_msg_init_size(&frame, ZSOCK_ID_SIZE);
    CHECK(rc == 0); /* so short a frame lives inside zmq_msg_t */
    unsigned char *id = zmq_msg_data(&frame);
    for (int i = 0; i < ZSOCK_ID_SIZE; i++) {
        id[i] = (unsigned char)(peer.value >> (8 * i));
    }
    rc = send_first(socket, &frame, ZMQ_SNDMORE);
    if (rc != 0) {
        (void)zmq_msg_close(&frame);
    }
    return rc;
}

/* Send `header` and, unless NULL, `payload`; both are used up whatever happens. */
static int send_frames(struct zsock *socket,
                       struct zsock_peer peer,
                       zmq_msg_t *header,
                       zmq_msg_t *payload)
{
    CHECK(!socket->closing);
    int more = payload != NULL ? ZMQ_SNDMORE : 0;
    int rc;
    if (socket->type == ZSOCK_ROUTER) {
        rc = send_id(socket, peer);
        if (rc == 0) {
            /* Once the id is accepted, ROUTER takes the rest, and drops it if the peer goes
             * meanwhile. */
            int error = send_frame(socket, header, more);
            CHECK(error == 0);
        }
    } else {
        rc = send_first(socket, header, more);
    }
    if (rc == 0 && payload != NULL && send_frame(socket, payload, 0) != 0) {
        rc = ERR_GONE; /* DEALER: the connection went between the frames, and the header with it */
    }
    /* Closing a frame that was sent is harmless: libzmq left an empty one. */
    (void)zmq_msg_close(header);
    if (payload != NULL) {
        (void)zmq_msg_close(payload);
    }
    return rc;
}

/* Called by a thread of libzmq once the frame is written. */
static void release_blob(void *bytes, void *blob)
{
    (void)bytes;
    blob_unref(blob);
}

static int frame_of_blob(zmq_msg_t *ret_frame, struct blob *blob)
{
    void *bytes = (void *)(uintptr_t)blob_bytes(blob);
    size_t len = blob_len(blob);
    if (len >= BY_REFERENCE_MIN) {
        int rc = zmq_msg_init_data(ret_frame, bytes, len, release_blob, blob_ref(blob));
        if (rc != 0) {
            blob_unref(blob);
        }
        return rc;
    }
    if (zmq_msg_init_size(ret_frame, len) != 0) {
        return -1;
    }
    if (len > 0) {
        memcpy(zmq_msg_data(ret_frame), bytes, len);
    }
    return 0;
}

/* Take over the header made, or drop it for want of a payload. */
static int send_made(struct zsock *socket, struct zsock_peer peer, bool made, zmq_msg_t *payload)
{
    CHECK(socket->outgoing_made);
    socket->outgoing_made = false;
    if (!made) {
        (void)zmq_msg_close(&socket->outgoing);
        return ERR_NOMEM;
    }
    return send_frames(socket, peer, &socket->outgoing, payload);
}

int zsock_send(struct zsock *socket, struct zsock_peer peer, struct blob *payload)
{
    zmq_msg_t frame;
    if (payload == NULL) {
        return send_made(socket, peer, true, NULL);
    }
    return send_made(socket, peer, frame_of_blob(&frame, payload) == 0, &frame);
}

int zsock_send_parts(struct zsock *socket,
                     struct zsock_peer peer,
                     const struct zsock_part *parts,
                     size_t count)
{
    zmq_msg_t frame;
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        len += parts[i].len;
    }
    if (zmq_msg_init_size(&frame, len) != 0) {
        return send_made(socket, peer, false, NULL);
    }
    unsigned char *to = zmq_msg_data(&frame);
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > 0) {
            memcpy(to, parts[i].bytes, parts[i].len);
            to += parts[i].len;
        }
    }
    return send_made(socket, peer, true, &frame);
}

bool zsock_alive(struct zsock *socket, struct zsock_peer peer)
{
    zmq_msg_t empty;
    if (socket->type == ZSOCK_DEALER) {
        return socket->connected;
    }
    (void)zmq_msg_init(&empty);
    (void)zsock_has_input(socket); /* so that libzmq has taken note of who went */
    return send_frames(socket, peer, &empty, NULL) != ERR_GONE;
}

void zsock_close(struct zsock *socket, int linger_ms)
{
    if (socket == NULL) {
        return;
    }
    CHECK(!socket->closing);
    socket->closing = true;
    if (socket->outgoing_made) {
        (void)zmq_msg_close(&socket->outgoing);
    }
    if (socket->zmq != NULL) {
        (void)zmq_setsockopt(socket->zmq, ZMQ_LINGER, &linger_ms, sizeof(linger_ms));
    }
    /* The file descriptors that the loop watches go with the sockets: first off the loop, then
     * closed. */
    zsock_watch_stop(socket);
}
