/* Messages from libzmq to the owner, frame by frame. A message that breaks the rules is read to
 * its end, dropped and reported; the socket goes on. A message of very many frames costs its
 * part of each turn's budget, not the loop. */
#include "common/base/check.h"
#include "common/io/zsock_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Short frames share an 8 KiB receive buffer of libzmq, which lives as long as any of them: a
 * payload is kept for long, so a short one is copied. */
enum { PAYLOAD_COPY_MAX = 4096 };

/* Ids given by libzmq are a zero byte and a number. One that a peer chose for itself is none of
 * ours. The bit above makes 0 nobody. */
struct zsock_peer zsock_peer_of(const void *id, size_t len)
{
    const unsigned char *bytes = id;
    uint64_t value = UINT64_C(1) << (8 * ZSOCK_ID_SIZE);
    if (len != ZSOCK_ID_SIZE || bytes[0] != 0) {
        return (struct zsock_peer){0};
    }
    for (int i = 0; i < ZSOCK_ID_SIZE; i++) {
        value |= (uint64_t)bytes[i] << (8 * i);
    }
    return (struct zsock_peer){value};
}

/* libzmq calls it deprecated, because the number may be used again as soon as the connection has dropped: as is said. */
uint64_t zsock_sender_connection(const struct zsock *socket)
{
    return zsock_connection_of(zmq_msg_get(&socket->in.frames[FRAME_HEADER], ZMQ_SRCFD));
}

static void free_message(void *message)
{
    (void)zmq_msg_close(message);
    free(message);
}

static struct blob *blob_by_reference(zmq_msg_t *frame)
{
    zmq_msg_t *message = malloc(sizeof(*message));
    if (message == NULL) {
        return NULL;
    }
    (void)zmq_msg_init(message);
    (void)zmq_msg_move(message, frame);
    struct blob *blob = blob_new(
        zmq_msg_data(message), zmq_msg_size(message), free_message, message);
    if (blob == NULL) {
        free_message(message);
    }
    return blob;
}

static struct blob *blob_by_copy(zmq_msg_t *frame)
{
    size_t len = zmq_msg_size(frame);
    void *bytes = malloc(len > 0 ? len : 1);
    if (bytes == NULL) {
        return NULL;
    }
    if (len > 0) {
        memcpy(bytes, zmq_msg_data(frame), len);
    }
    struct blob *blob = blob_new(bytes, len, NULL, NULL);
    if (blob == NULL) {
        free(bytes);
    }
    return blob;
}

static void report(struct zsock *socket, const char *why)
{
    if (socket->handlers->bad != NULL) {
        socket->handlers->bad(socket->arg, socket->in.peer, why);
    }
}

static void hand_over(struct zsock *socket)
{
    struct zsock_inbound *in = &socket->in;
    zmq_msg_t *header = &in->frames[FRAME_HEADER];
    zmq_msg_t *frame = &in->frames[FRAME_PAYLOAD];
    size_t len = zmq_msg_size(header);
    struct blob *payload = NULL;
    if (len == 0 && !in->has_payload) {
        return; /* zsock_alive of the other side */
    }
    if (in->has_payload) {
        payload = zmq_msg_size(frame) > PAYLOAD_COPY_MAX ? blob_by_reference(frame)
                                                         : blob_by_copy(frame);
        if (payload == NULL) {
            report(socket, "no memory for its payload");
            return;
        }
    }
    socket->handlers->message(socket->arg, in->peer, zmq_msg_data(header), len, payload);
}

/* Ready for the next message; the memory of this one's frames goes now, not when the next one
 * comes. */
static void begin_message(struct zsock *socket)
{
    struct zsock_inbound *in = &socket->in;
    for (int i = FRAME_HEADER; i < FRAME_KINDS; i++) {
        (void)zmq_msg_close(&in->frames[i]);
        (void)zmq_msg_init(&in->frames[i]);
    }
    in->next = socket->type == ZSOCK_ROUTER ? FRAME_ID : FRAME_HEADER;
    in->has_payload = false;
    in->bad = NULL;
}

/* What is wrong with the frame just received; NULL: nothing. */
static const char *judge(struct zsock *socket)
{
    struct zsock_inbound *in = &socket->in;
    size_t len = zmq_msg_size(&in->frames[in->next]);
    switch (in->next) {
    case FRAME_ID:
        in->peer = zsock_peer_of(zmq_msg_data(&in->frames[FRAME_ID]), len);
        return in->peer.value == 0 ? "it chose a routing id for itself" : NULL;
    case FRAME_HEADER:
        return len > socket->header_max ? "its header is too long" : NULL;
    case FRAME_PAYLOAD:
        in->has_payload = true;
        return len > socket->payload_max ? "its payload is too long" : NULL;
    default:
        return "it has more than two frames";
    }
}

/* Work with the frame just received. Returns what it costs of the budget: a whole message 1, an
 * excess frame likewise. */
static unsigned take_frame(struct zsock *socket)
{
    struct zsock_inbound *in = &socket->in;
    bool more = zmq_msg_more(&in->frames[in->next]) != 0;
    bool excess = in->next == FRAME_EXCESS;
    const char *bad = judge(socket);
    if (in->bad == NULL) {
        in->bad = bad;
    }
    if (more) {
        in->next = excess ? FRAME_EXCESS : in->next + 1;
        return excess;
    }
    if (in->bad != NULL) {
        report(socket, in->bad);
    } else {
        hand_over(socket);
    }
    begin_message(socket);
    return 1;
}

void zsock_receive(struct zsock *socket)
{
    struct zsock_inbound *in = &socket->in;
    unsigned spent = 0;
    while (spent < ZSOCK_BUDGET && !socket->closing) {
        if (zmq_msg_recv(&in->frames[in->next], socket->zmq, ZMQ_DONTWAIT) < 0) {
            CHECK(errno == EAGAIN || errno == EINTR);
            break;
        }
        spent += take_frame(socket);
    }
    if (spent > 0 && !socket->closing && socket->handlers->turn_end != NULL) {
        socket->handlers->turn_end(socket->arg);
    }
}
