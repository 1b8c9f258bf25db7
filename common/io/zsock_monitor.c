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
             ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_DISCONNECTED,
    MONITOR_BUDGET = 64, /* events handled in one turn of the loop */
};

void *zsock_monitor_open(void *zmq_context, struct zsock *socket)
{
    char address[64];
    const int off = 0;
    (void)snprintf(address, sizeof(address), "inproc://zsock-%" PRIxPTR, (uintptr_t)socket);
    if (zmq_socket_monitor(socket->zmq, address, EVENTS) != 0) {
        return NULL;
    }
    void *monitor = zmq_socket(zmq_context, ZMQ_PAIR);
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

/* One event; false when there is none. Its first frame is a number of 16 bits, the event, and
 * one of 32; the second the endpoint. */
static bool next_event(void *monitor, uint16_t *ret_event)
{
    unsigned char first[6];
    char endpoint[ZSOCK_ENDPOINT_SIZE];
    int len = zmq_recv(monitor, first, sizeof(first), ZMQ_DONTWAIT);
    if (len != (int)sizeof(first)) {
        return false;
    }
    memcpy(ret_event, first, sizeof(*ret_event));
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

static void on_dealer_event(struct zsock *socket, uint16_t event)
{
    switch (event) {
    case ZMQ_EVENT_CONNECT_RETRIED:
        zsock_is_connecting(socket);
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
        tell_disconnected(socket, "the other side does not accept our key");
        break;
    default:
        tell_disconnected(socket, "the handshake failed: is that a quartet coordinator?");
        break;
    }
}

bool zsock_monitor_receive(struct zsock *socket)
{
    uint16_t event;
    for (int i = 0; i < MONITOR_BUDGET; i++) {
        if (socket->closing || !next_event(socket->monitor, &event)) {
            return false;
        }
        if (socket->type == ZSOCK_DEALER) {
            on_dealer_event(socket, event);
        } else if (event == ZMQ_EVENT_DISCONNECTED) {
            zsock_peer_has_dropped(socket);
        }
    }
    return true;
}
