/* What libzmq tells about connections: a stream of events on a socket of its own, made by its
 * own threads. */
#include "common/io/zsock_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    EVENTS = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
             ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
             ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED,
    MONITOR_BUDGET = 64, /* events handled in one turn of the loop */
};

void zsock_monitor_address(struct zsock_context *context, char ret_address[ZSOCK_MONITOR_SIZE])
{
    uint64_t number = atomic_fetch_add(&context->next, 1);
    (void)snprintf(ret_address, ZSOCK_MONITOR_SIZE, "inproc://monitor-%" PRIu64, number);
}

void *zsock_monitor_open(struct zsock_context *context, struct zsock *socket)
{
    char address[ZSOCK_MONITOR_SIZE];
    const int off = 0;
    zsock_monitor_address(context, address);
    if (zmq_socket_monitor(socket->zmq, address, EVENTS) != 0) {
        return NULL;
    }
    void *monitor = zmq_socket(context->zmq, ZMQ_PAIR);
    if (monitor == NULL) {
        return NULL;
    }
    /* Without a limit: libzmq's network thread would wait for room, and with it every
     * connection, while the loop is busy. */
    int rc = zmq_setsockopt(monitor, ZMQ_RCVHWM, &off, sizeof(off));
    if (rc != 0 || zmq_connect(monitor, address) != 0) {
        int error = errno;
        (void)zmq_close(monitor);
        errno = error;
        return NULL;
    }
    return monitor;
}

void zsock_monitor_close(struct zsock *socket)
{
    if (socket->zmq != NULL) {
        (void)zmq_socket_monitor(socket->zmq, NULL, 0);
    }
    if (socket->monitor != NULL) {
        (void)zmq_close(socket->monitor);
        socket->monitor = NULL;
    }
}

/* Its first frame is a number of 16 bits, the event, and one of 32; the second the endpoint. */
bool zsock_monitor_next(void *monitor, struct zsock_event *ret_event)
{
    unsigned char first[6];
    char endpoint[ZSOCK_ENDPOINT_SIZE];
    int len = zmq_recv(monitor, first, sizeof(first), ZMQ_DONTWAIT);
    if (len != (int)sizeof(first)) {
        return false;
    }
    memcpy(&ret_event->type, first, sizeof(ret_event->type));
    memcpy(&ret_event->value, first + sizeof(ret_event->type), sizeof(ret_event->value));
    (void)zmq_recv(monitor, endpoint, sizeof(endpoint), ZMQ_DONTWAIT);
    return true;
}

/* libzmq either tries again, and says so at once, or has given up for good: a peer that broke its protocol. */
static void tell_disconnected(struct zsock *socket, const char *why)
{
    socket->connected = false;
    zsock_may_have_given_up(socket);
    if (socket->handlers->disconnected != NULL) {
        socket->handlers->disconnected(socket->arg, why);
    }
}

/* The key was shown to the coordinator that it is for, and that said no. */
static void tell_refused(struct zsock *socket)
{
    if (socket->handlers->refused != NULL) {
        socket->handlers->refused(socket->arg, "", "the other side does not accept our key");
    }
    tell_disconnected(socket, "the other side does not accept our key");
}

static const char *why_no_handshake(const struct zsock *socket)
{
    return socket->curve ? "the handshake failed: it is not the coordinator that the key is of"
                         : "the handshake failed: is that a quartet coordinator, and one without "
                           "keys? (otherwise: --access)";
}

static void on_dealer_event(struct zsock *socket, const struct zsock_event *event)
{
    switch (event->type) {
    case ZMQ_EVENT_CONNECT_RETRIED:
        zsock_is_connecting(socket);
        if (socket->handlers->retrying != NULL) {
            socket->handlers->retrying(socket->arg);
        }
        break;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        zsock_is_connecting(socket);
        socket->connected = true;
        if (socket->handlers->connected != NULL) {
            socket->handlers->connected(socket->arg);
        }
        break;
    case ZMQ_EVENT_DISCONNECTED:
        if (socket->connected) {
            tell_disconnected(socket, "the connection dropped");
        }
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        tell_refused(socket);
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        tell_disconnected(socket, why_no_handshake(socket));
        break;
    default:
        break;
    }
}

static void on_router_event(struct zsock *socket, const struct zsock_event *event)
{
    zsock_knocks_event(socket, event);
    if (event->type == ZMQ_EVENT_DISCONNECTED) {
        if (socket->handlers->dropping != NULL) {
            socket->handlers->dropping(socket->arg, zsock_connection_of((int)event->value));
        }
        zsock_peer_has_dropped(socket);
    }
}

bool zsock_monitor_receive(struct zsock *socket)
{
    struct zsock_event event;
    for (int i = 0; i < MONITOR_BUDGET; i++) {
        if (socket->closing || !zsock_monitor_next(socket->monitor, &event)) {
            return false;
        }
        if (socket->type == ZSOCK_DEALER) {
            on_dealer_event(socket, &event);
        } else {
            on_router_event(socket, &event);
        }
    }
    return true;
}
