#include "tests/coordinator/server/fake_worker.h"

#include "common/base/check.h"
#include "common/base/chunk.h"

#include <stdlib.h>
#include <zmq.h>

enum { ANSWER_LIMIT_MS = 20000, LINGER_MS = 5000 };

static void set(struct fake_worker *fake, int option, int value)
{
    CHECK(zmq_setsockopt(fake->socket, option, &value, sizeof(value)) == 0);
}

static void set_key(struct fake_worker *fake, int option, const char *key)
{
    CHECK(zmq_setsockopt(fake->socket, option, key, KEY_TEXT_LEN) == 0);
}

void fake_worker_open(struct fake_worker *fake, const char *endpoint)
{
    fake_worker_open_with(fake, endpoint, NULL);
}

void fake_worker_open_with(struct fake_worker *fake,
                           const char *endpoint,
                           const struct zsock_keys *keys)
{
    *fake = (struct fake_worker){.context = zmq_ctx_new()};
    fake->socket = zmq_socket(fake->context, ZMQ_DEALER);
    fake->encoder = wire_encoder_new();
    fake->decoder = wire_decoder_new();
    fake->payload = malloc(WIRE_PAYLOAD_MAX);
    CHECK(fake->socket != NULL && fake->encoder != NULL && fake->decoder != NULL);
    CHECK(fake->payload != NULL);
    set(fake, ZMQ_RCVTIMEO, ANSWER_LIMIT_MS);
    set(fake, ZMQ_SNDTIMEO, ANSWER_LIMIT_MS);
    set(fake, ZMQ_LINGER, LINGER_MS);
    if (keys != NULL) {
        set_key(fake, ZMQ_CURVE_SERVERKEY, keys->server_key);
        set_key(fake, ZMQ_CURVE_PUBLICKEY, keys->own->public_key);
        set_key(fake, ZMQ_CURVE_SECRETKEY, keys->own->secret_key);
    }
    CHECK(zmq_connect(fake->socket, endpoint) == 0);
}

void fake_worker_close(struct fake_worker *fake)
{
    wire_encoder_free(fake->encoder);
    wire_decoder_free(fake->decoder);
    free(fake->payload);
    (void)zmq_close(fake->socket);
    (void)zmq_ctx_term(fake->context);
}

void fake_worker_send(struct fake_worker *fake,
                      struct wire_message *message,
                      const void *payload,
                      size_t len)
{
    unsigned char bytes[WIRE_HEADER_MAX];
    message->session = fake->session;
    message->job = fake->job;
    size_t header_len = wire_size(fake->encoder, message);
    CHECK(header_len <= sizeof(bytes));
    wire_write(fake->encoder, bytes);
    CHECK(zmq_send(fake->socket, bytes, header_len, payload != NULL ? ZMQ_SNDMORE : 0) >= 0);
    if (payload != NULL) {
        CHECK(zmq_send(fake->socket, payload, len, 0) >= 0);
    }
}

void fake_worker_wait_for_any(struct fake_worker *fake, struct wire_message *ret_message)
{
    int more = 0;
    size_t size = sizeof(more);
    int len = zmq_recv(fake->socket, fake->header, sizeof(fake->header), 0);
    CHECK(len >= 0 && "nothing came");
    CHECK(zmq_getsockopt(fake->socket, ZMQ_RCVMORE, &more, &size) == 0);
    fake->payload_len = 0;
    if (more != 0) {
        int payload_len = zmq_recv(fake->socket, fake->payload, WIRE_PAYLOAD_MAX, 0);
        CHECK(payload_len >= 0);
        fake->payload_len = (size_t)payload_len;
    }
    if (len == 0) {
        *ret_message = (struct wire_message){0}; /* the coordinator asks whether we live */
        return;
    }
    CHECK(wire_decode(fake->decoder, fake->header, (size_t)len, NULL, ret_message) == 0);
}

void fake_worker_wait_for(struct fake_worker *fake,
                          enum wire_type type,
                          struct wire_message *ret_message)
{
    do {
        fake_worker_wait_for_any(fake, ret_message);
    } while (ret_message->type != type);
}

void fake_worker_hello(struct fake_worker *fake, uint32_t minor)
{
    const struct wire_text workload = wire_text("noop");
    struct wire_message message = {.type = WIRE_HELLO};
    message.as.hello = (struct wire_hello){
        .protocol_major = WIRE_PROTOCOL_MAJOR,
        .protocol_minor = minor,
        .build = wire_text("fake"),
        .name = wire_text("fake"),
        .host = wire_text("nowhere"),
        .nonce = 12345,
        .pid = 1,
        .cores = 1,
        .strategies = 1U << STRATEGY_SERIAL,
        .credit_max = 64,
        .workloads = &workload,
        .workload_count = 1,
    };
    fake->session = 0;
    fake_worker_send(fake, &message, NULL, 0);
}

void fake_worker_register(struct fake_worker *fake, uint32_t minor)
{
    struct wire_message message;
    fake_worker_hello(fake, minor);
    fake_worker_wait_for(fake, WIRE_WELCOME, &message);
    fake->session = message.session;
}

void fake_worker_get_ready(struct fake_worker *fake, uint32_t credit)
{
    struct wire_message message;
    fake_worker_wait_for(fake, WIRE_JOB, &message);
    fake->job = message.job;
    message = (struct wire_message){.type = WIRE_READY};
    message.as.ready = (struct wire_ready){.slots = 1, .credit = credit};
    fake_worker_send(fake, &message, NULL, 0);
}
