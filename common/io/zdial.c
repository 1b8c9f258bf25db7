#include "common/io/zdial.h"

#include "common/base/check.h"
#include "common/io/clock.h"
#include "common/io/zsock_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    US_PER_MS = 1000,
    FRAMES_MAX = 2,
    MESSAGE_MAX = 16 * 1024 * 1024,
};

struct zdial {
    void *zmq;
    void *monitor;
    uint64_t begun_us;
    bool reached; /* it was connected */
    bool dropped; /* and is not any more */
};

static void set(void *zmq, int name, const void *value, size_t size)
{
    int rc = zmq_setsockopt(zmq, name, value, size);
    CHECK(rc == 0);
}

static void set_number(void *zmq, int name, int value)
{
    set(zmq, name, &value, sizeof(value));
}

/* --- life --- */

static void configure(struct zdial *dial, const char *endpoint, const struct zsock_keys *keys)
{
    const int64_t message_max = MESSAGE_MAX;
    set_number(dial->zmq, ZMQ_LINGER, 0);
    set_number(dial->zmq, ZMQ_IMMEDIATE, 1);
    set_number(dial->zmq, ZMQ_IPV6, zsock_endpoint_wants_ipv6(endpoint));
    set(dial->zmq, ZMQ_MAXMSGSIZE, &message_max, sizeof(message_max));
    if (keys != NULL) {
        set(dial->zmq, ZMQ_CURVE_SERVERKEY, keys->server_key, KEY_TEXT_LEN);
        set(dial->zmq, ZMQ_CURVE_PUBLICKEY, keys->own->public_key, KEY_TEXT_LEN);
        set(dial->zmq, ZMQ_CURVE_SECRETKEY, keys->own->secret_key, KEY_TEXT_LEN);
    }
}

static int open_sockets(struct zdial *dial, struct zsock_context *context)
{
    char address[ZSOCK_MONITOR_SIZE];
    zsock_monitor_address(context, address);
    dial->zmq = zmq_socket(context->zmq, ZMQ_DEALER);
    dial->monitor = zmq_socket(context->zmq, ZMQ_PAIR);
    return dial->zmq == NULL || dial->monitor == NULL ||
                   zmq_socket_monitor(dial->zmq, address, ZMQ_EVENT_ALL) != 0 ||
                   zmq_connect(dial->monitor, address) != 0
               ? ERR_IO
               : 0;
}

int zdial_open(struct zsock_context *context,
               const char *endpoint,
               const struct zsock_keys *keys,
               struct err_text *ret_error,
               struct zdial **ret_dial)
{
    struct zdial *dial = calloc(1, sizeof(*dial));
    if (dial == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for a connection");
    }
    int rc = open_sockets(dial, context);
    if (rc != 0) {
        rc = err_set(ret_error, rc, "cannot make a socket of ZeroMQ: %s", zmq_strerror(errno));
        goto out;
    }
    configure(dial, endpoint, keys);
    dial->begun_us = clock_now_us();
    if (zmq_connect(dial->zmq, endpoint) != 0) {
        rc = err_set(
            ret_error, ERR_INVALID, "cannot connect to '%s': %s", endpoint, zmq_strerror(errno));
    }
out:
    if (rc != 0) {
        zdial_close(dial);
        return rc;
    }
    *ret_dial = dial;
    return 0;
}

void zdial_close(struct zdial *dial)
{
    if (dial == NULL) {
        return;
    }
    if (dial->zmq != NULL) {
        (void)zmq_socket_monitor(dial->zmq, NULL, 0);
        (void)zmq_close(dial->zmq);
    }
    if (dial->monitor != NULL) {
        (void)zmq_close(dial->monitor);
    }
    free(dial);
}

/* --- connecting --- */

/* Is this event the end of the try? */
static bool is_end(struct zdial *dial, const struct zsock_event *event, enum zdial_end *ret_end)
{
    switch (event->type) {
    case ZMQ_EVENT_CONNECTED:
        dial->reached = true;
        return false;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        *ret_end = ZDIAL_OPEN;
        return true;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        *ret_end = ZDIAL_KEY_REFUSED;
        return true;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        *ret_end = event->value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH ? ZDIAL_MISMATCH
                                                                              : ZDIAL_NO_HANDSHAKE;
        return true;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
    case ZMQ_EVENT_DISCONNECTED:
        *ret_end = ZDIAL_HUNG_UP;
        return true;
    case ZMQ_EVENT_CONNECT_RETRIED:
    case ZMQ_EVENT_CLOSED:
        *ret_end = dial->reached ? ZDIAL_HUNG_UP : ZDIAL_UNREACHED;
        return true;
    default:
        return false;
    }
}

/* Until `end_us`. False: it has passed. */
static bool await_event(struct zdial *dial, uint64_t end_us, struct zsock_event *ret_event)
{
    zmq_pollitem_t item = {.socket = dial->monitor, .events = ZMQ_POLLIN};
    while (!zsock_monitor_next(dial->monitor, ret_event)) {
        uint64_t at_us = clock_now_us();
        if (at_us >= end_us) {
            return false;
        }
        (void)zmq_poll(&item, 1, (long)((end_us - at_us + US_PER_MS - 1) / US_PER_MS));
    }
    return true;
}

enum zdial_end zdial_await(struct zdial *dial,
                           uint32_t connect_ms,
                           uint32_t handshake_ms,
                           uint64_t *ret_connect_us)
{
    struct zsock_event event;
    enum zdial_end end = ZDIAL_UNREACHED;
    uint64_t end_us = dial->begun_us + (uint64_t)connect_ms * US_PER_MS;
    *ret_connect_us = 0;
    while (await_event(dial, end_us, &event)) {
        bool reached = dial->reached;
        if (is_end(dial, &event, &end)) {
            *ret_connect_us = dial->reached ? *ret_connect_us : clock_now_us() - dial->begun_us;
            return end;
        }
        if (dial->reached && !reached) {
            *ret_connect_us = clock_now_us() - dial->begun_us;
            end_us = clock_now_us() + (uint64_t)handshake_ms * US_PER_MS;
        }
    }
    *ret_connect_us = dial->reached ? *ret_connect_us : clock_now_us() - dial->begun_us;
    return dial->reached ? ZDIAL_STUCK : ZDIAL_UNREACHED;
}

/* --- talking --- */

static int send_frame(struct zdial *dial, const void *bytes, size_t len, bool more)
{
    zmq_msg_t frame;
    if (zmq_msg_init_size(&frame, len) != 0) {
        return ERR_NOMEM;
    }
    if (bytes != NULL) {
        memcpy(zmq_msg_data(&frame), bytes, len);
    } else {
        memset(zmq_msg_data(&frame), 0, len);
    }
    if (zmq_msg_send(&frame, dial->zmq, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) < 0) {
        (void)zmq_msg_close(&frame);
        return ERR_GONE;
    }
    return 0;
}

int zdial_send(struct zdial *dial, const void *header, size_t len, size_t payload_len)
{
    /* libzmq takes it for a while after it has said that the connection is gone. */
    int rc = dial->dropped ? ERR_GONE : send_frame(dial, header, len, payload_len > 0);
    return rc == 0 && payload_len > 0 ? send_frame(dial, NULL, payload_len, false) : rc;
}

static void note_drops(struct zdial *dial)
{
    struct zsock_event event;
    while (zsock_monitor_next(dial->monitor, &event)) {
        dial->dropped |= event.type == ZMQ_EVENT_DISCONNECTED;
    }
}

/* All frames of one message that is there. Returns how many there were; 0: no message. */
static unsigned take_message(struct zdial *dial, void *header, size_t size, size_t *ret_lens)
{
    unsigned count = 0;
    int more = 1;
    size_t more_size = sizeof(more);
    while (more != 0) {
        zmq_msg_t frame;
        (void)zmq_msg_init(&frame);
        if (zmq_msg_recv(&frame, dial->zmq, ZMQ_DONTWAIT) < 0) {
            (void)zmq_msg_close(&frame);
            break;
        }
        size_t len = zmq_msg_size(&frame);
        if (count < FRAMES_MAX) {
            ret_lens[count] = len;
        }
        if (count == 0) {
            memcpy(header, zmq_msg_data(&frame), len < size ? len : size);
        }
        count++;
        (void)zmq_msg_close(&frame);
        if (zmq_getsockopt(dial->zmq, ZMQ_RCVMORE, &more, &more_size) != 0) {
            break;
        }
    }
    return count;
}

int zdial_receive(struct zdial *dial,
                  uint32_t limit_ms,
                  void *ret_header,
                  size_t size,
                  size_t *ret_len,
                  size_t *ret_payload_len)
{
    uint64_t end_us = clock_now_us() + (uint64_t)limit_ms * US_PER_MS;
    for (;;) {
        size_t lens[FRAMES_MAX] = {0};
        note_drops(dial); /* first: what came before a drop is there by then, and still counts */
        unsigned frames = take_message(dial, ret_header, size, lens);
        if (frames > FRAMES_MAX || (frames > 0 && lens[0] > size)) {
            return ERR_PROTOCOL;
        }
        if (frames > 0 && lens[0] > 0) {
            *ret_len = lens[0];
            *ret_payload_len = lens[1];
            return 0;
        }
        uint64_t at_us = clock_now_us();
        if (frames == 0 && (dial->dropped || at_us >= end_us)) {
            return dial->dropped ? ERR_GONE : ERR_TIMEOUT;
        }
        zmq_pollitem_t items[] = {{.socket = dial->zmq, .events = ZMQ_POLLIN},
                                  {.socket = dial->monitor, .events = ZMQ_POLLIN}};
        uint64_t left_us = at_us < end_us ? end_us - at_us : 0;
        (void)zmq_poll(items, 2, (long)((left_us + US_PER_MS - 1) / US_PER_MS));
    }
}
