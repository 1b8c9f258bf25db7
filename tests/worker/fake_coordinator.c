#include "tests/worker/fake_coordinator.h"

#include "common/base/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum { ANSWER_LIMIT_MS = 20000, LINGER_MS = 5000, HEARTBEAT_MS = 3600000 };

static void set(struct fake_coordinator *fake, int option, int value)
{
    CHECK(zmq_setsockopt(fake->socket, option, &value, sizeof(value)) == 0);
}

static void listen_at(struct fake_coordinator *fake, const char *endpoint)
{
    size_t size = sizeof(fake->endpoint);
    fake->socket = zmq_socket(fake->context, ZMQ_ROUTER);
    CHECK(fake->socket != NULL);
    set(fake, ZMQ_RCVTIMEO, ANSWER_LIMIT_MS);
    set(fake, ZMQ_SNDTIMEO, ANSWER_LIMIT_MS);
    set(fake, ZMQ_LINGER, LINGER_MS);
    while (zmq_bind(fake->socket, endpoint) != 0) {
        CHECK(errno == EADDRINUSE); /* the last one's socket is closed by a thread of libzmq */
    }
    CHECK(zmq_getsockopt(fake->socket, ZMQ_LAST_ENDPOINT, fake->endpoint, &size) == 0);
}

void fake_coordinator_open(struct fake_coordinator *fake)
{
    *fake = (struct fake_coordinator){.context = zmq_ctx_new(), .minor = WIRE_PROTOCOL_MINOR};
    fake->encoder = wire_encoder_new();
    fake->decoder = wire_decoder_new();
    fake->payload = malloc(WIRE_PAYLOAD_MAX);
    CHECK(fake->encoder != NULL && fake->decoder != NULL && fake->payload != NULL);
    listen_at(fake, "tcp://127.0.0.1:*");
}

void fake_coordinator_replace(struct fake_coordinator *fake)
{
    char endpoint[sizeof(fake->endpoint)];
    memcpy(endpoint, fake->endpoint, sizeof(endpoint));
    set(fake, ZMQ_LINGER, 0);
    (void)zmq_close(fake->socket);
    fake->session += 1000;
    listen_at(fake, endpoint);
}

void fake_coordinator_close(struct fake_coordinator *fake)
{
    wire_encoder_free(fake->encoder);
    wire_decoder_free(fake->decoder);
    free(fake->payload);
    (void)zmq_close(fake->socket);
    (void)zmq_ctx_term(fake->context);
}

void fake_coordinator_send(struct fake_coordinator *fake,
                           struct wire_message *message,
                           const void *payload,
                           size_t len)
{
    unsigned char bytes[WIRE_HEADER_MAX];
    message->session = fake->session;
    size_t header_len = wire_size(fake->encoder, message);
    CHECK(header_len <= sizeof(bytes));
    wire_write(fake->encoder, bytes);
    CHECK(zmq_send(fake->socket, fake->peer, fake->peer_len, ZMQ_SNDMORE) >= 0);
    CHECK(zmq_send(fake->socket, bytes, header_len, payload != NULL ? ZMQ_SNDMORE : 0) >= 0);
    if (payload != NULL) {
        CHECK(zmq_send(fake->socket, payload, len, 0) >= 0);
    }
}

static void receive(struct fake_coordinator *fake, struct wire_message *ret_message)
{
    int more = 0;
    size_t size = sizeof(more);
    struct err_text error = {{0}};
    int id_len = zmq_recv(fake->socket, fake->peer, sizeof(fake->peer), 0);
    CHECK(id_len > 0 && "nothing came");
    fake->peer_len = (size_t)id_len;
    int len = zmq_recv(fake->socket, fake->header, sizeof(fake->header), 0);
    CHECK(len > 0);
    CHECK(zmq_getsockopt(fake->socket, ZMQ_RCVMORE, &more, &size) == 0);
    fake->payload_len = 0;
    if (more != 0) {
        int payload_len = zmq_recv(fake->socket, fake->payload, WIRE_PAYLOAD_MAX, 0);
        CHECK(payload_len >= 0);
        fake->payload_len = (size_t)payload_len;
    }
    CHECK(wire_decode(fake->decoder, fake->header, (size_t)len, &error, ret_message) == 0);
}

void fake_coordinator_expect(struct fake_coordinator *fake,
                             enum wire_type type,
                             struct wire_message *ret_message)
{
    char line[256];
    do {
        receive(fake, ret_message);
    } while (ret_message->type == WIRE_HEARTBEAT && type != WIRE_HEARTBEAT);
    if (ret_message->type != type) {
        (void)fprintf(stderr,
                      "%s is due, and this came: %s\n",
                      wire_type_name(type),
                      wire_describe(ret_message, line, sizeof(line)));
        abort();
    }
}

void fake_coordinator_welcome(struct fake_coordinator *fake)
{
    struct wire_message message;
    fake_coordinator_expect(fake, WIRE_HELLO, &message);
    CHECK(message.as.hello.protocol_minor == WIRE_PROTOCOL_MINOR);
    fake->session++;
    message = (struct wire_message){.type = WIRE_WELCOME};
    message.as.welcome.protocol_minor = fake->minor;
    message.as.welcome.heartbeat_ms = HEARTBEAT_MS;
    fake_coordinator_send(fake, &message, NULL, 0);
}

void fake_coordinator_say_bye(struct fake_coordinator *fake)
{
    struct wire_message message = {.type = WIRE_BYE};
    fake_coordinator_send(fake, &message, NULL, 0);
    fake_coordinator_expect(fake, WIRE_BYE, &message);
}
