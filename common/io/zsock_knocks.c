/* Connections that come to a ROUTER and fail in their handshake: who, and why. For people: a
 * descriptor may have been given to another connection meanwhile, and the address is then that
 * one's. */
#include "common/io/zsock_internal.h"

#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

const char zsock_unfinished[] = "it did not finish its handshake (a port scan, or a worker with "
                                "keys or a version that do not fit)";

static const char *why_it_failed(const struct zsock *socket, const struct zsock_event *event)
{
    if (event->type == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL) {
        return zsock_unfinished;
    }
    if (event->value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH) {
        return socket->curve ? "it wants to talk in plaintext, without a key"
                             : "it wants to encrypt, and this coordinator has no keys";
    }
    if (event->value == ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC) {
        return "it does not have this coordinator's key, but another one's";
    }
    return "what it said is no handshake of quartet's";
}

static void remember(struct zsock_knocks *knocks, int fd)
{
    struct zsock_accepted *accepted = &knocks->accepted[knocks->next];
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);
    knocks->next = (knocks->next + 1) % ZSOCK_ACCEPTED_KEPT;
    accepted->fd = fd;
    accepted->address[0] = '\0';
    if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0 && peer.ss_family != AF_UNIX) {
        (void)getnameinfo((struct sockaddr *)&peer,
                          len,
                          accepted->address,
                          sizeof(accepted->address),
                          NULL,
                          0,
                          NI_NUMERICHOST);
    }
}

/* The latest one with this descriptor. */
static const char *recall(const struct zsock_knocks *knocks, int fd)
{
    for (unsigned i = 1; i <= ZSOCK_ACCEPTED_KEPT; i++) {
        unsigned at = (knocks->next + ZSOCK_ACCEPTED_KEPT - i) % ZSOCK_ACCEPTED_KEPT;
        if (knocks->accepted[at].fd == fd) {
            return knocks->accepted[at].address;
        }
    }
    return "";
}

void zsock_knocks_event(struct zsock *socket, const struct zsock_event *event)
{
    struct zsock_knocks *knocks = &socket->knocks;
    switch (event->type) {
    case ZMQ_EVENT_ACCEPTED:
        remember(knocks, (int)event->value);
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        knocks->why = why_it_failed(socket, event);
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL: /* may follow the one that has it */
        knocks->why = knocks->why != NULL ? knocks->why : why_it_failed(socket, event);
        break;
    case ZMQ_EVENT_DISCONNECTED:
        if (knocks->why != NULL && socket->handlers->refused != NULL) {
            socket->handlers->refused(socket->arg, recall(knocks, (int)event->value), knocks->why);
        }
        knocks->why = NULL;
        break;
    default:
        break;
    }
}
