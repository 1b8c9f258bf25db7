/* Sockets whose every byte is the test's; see raw_peer.h. */
#include "tests/e2e/raw_peer.h"

#include "common/base/check.h"
#include "common/io/access.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <zmq.h>

enum { CREDIT_MAX = 64 };

static void raise_limit_of_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

void raw_open(struct raw *raw, const char *program, int sockets)
{
    raise_limit_of_files();
    raw->program = program;
    raw->context = zmq_ctx_new();
    raw->encoder = wire_encoder_new();
    raw->decoder = wire_decoder_new();
    CHECK(raw->context != NULL && raw->encoder != NULL && raw->decoder != NULL);
    CHECK(zmq_ctx_set(raw->context, ZMQ_MAX_SOCKETS, sockets + 1) == 0);
}

void raw_close(struct raw *raw)
{
    wire_encoder_free(raw->encoder);
    wire_decoder_free(raw->decoder);
    (void)zmq_ctx_term(raw->context);
}

void raw_give_up(const struct raw *raw, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fprintf(stderr, "%s: ", raw->program);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    exit(EXIT_FAILURE);
}

void raw_set(const struct raw *raw, void *socket, int option, int value)
{
    if (zmq_setsockopt(socket, option, &value, sizeof(value)) != 0) {
        raw_give_up(
            raw, "cannot set option %d to %d: %s", option, value, zmq_strerror(zmq_errno()));
    }
}

void *raw_socket(const struct raw *raw, int type)
{
    void *socket = zmq_socket(raw->context, type);
    if (socket == NULL) {
        raw_give_up(raw, "no socket: %s", zmq_strerror(zmq_errno()));
    }
    raw_set(raw, socket, ZMQ_RCVTIMEO, RAW_LIMIT_MS);
    raw_set(raw, socket, ZMQ_SNDTIMEO, RAW_LIMIT_MS);
    raw_set(raw, socket, ZMQ_LINGER, RAW_LINGER_MS);
    return socket;
}

static void set_key(void *socket, int option, const char *key)
{
    CHECK(zmq_setsockopt(socket, option, key, KEY_TEXT_SIZE) == 0);
}

void raw_use_access(const struct raw *raw, void *socket, const char *access_path)
{
    struct access access;
    struct err_text error;
    if (access_path == NULL) {
        return;
    }
    if (access_read(access_path, false, &error, &access) != 0) {
        raw_give_up(raw, "%s", error.s);
    }
    set_key(socket, ZMQ_CURVE_SERVERKEY, access.server_key);
    set_key(socket, ZMQ_CURVE_PUBLICKEY, access.pair.public_key);
    set_key(socket, ZMQ_CURVE_SECRETKEY, access.pair.secret_key);
    access_wipe(&access);
}

void *raw_connect(const struct raw *raw, const char *endpoint, const char *access_path)
{
    void *socket = raw_socket(raw, ZMQ_DEALER);
    raw_use_access(raw, socket, access_path);
    if (zmq_connect(socket, endpoint) != 0) {
        raw_give_up(raw, "cannot connect to '%s': %s", endpoint, zmq_strerror(zmq_errno()));
    }
    return socket;
}

size_t raw_encode(struct raw *raw, const struct wire_message *message, unsigned char *ret_bytes)
{
    size_t len = wire_size(raw->encoder, message);
    CHECK(len <= WIRE_HEADER_MAX);
    wire_write(raw->encoder, ret_bytes);
    return len;
}

void raw_send_frame(const struct raw *raw, void *socket, const void *bytes, size_t len, bool more)
{
    if (zmq_send(socket, bytes, len, more ? ZMQ_SNDMORE : 0) < 0) {
        raw_give_up(raw, "cannot send a frame of %zu bytes: %s", len, zmq_strerror(zmq_errno()));
    }
}

void raw_send(struct raw *raw, void *socket, const struct wire_message *message)
{
    unsigned char bytes[WIRE_HEADER_MAX];
    size_t len = raw_encode(raw, message, bytes);
    raw_send_frame(raw, socket, bytes, len, false);
}

static bool has_more(void *socket)
{
    int more = 0;
    size_t size = sizeof(more);
    return zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size) == 0 && more != 0;
}

bool raw_receive(struct raw *raw, void *socket, int flags, struct wire_message *ret_message)
{
    struct err_text error;
    int len;
    do {
        len = zmq_recv(socket, raw->header, sizeof(raw->header), flags);
        while (len >= 0 && has_more(socket)) {
            (void)zmq_recv(socket, NULL, 0, 0);
        }
    } while (len == 0);
    if (len < 0) {
        return false;
    }
    if (wire_decode(raw->decoder, raw->header, (size_t)len, &error, ret_message) != 0) {
        raw_give_up(raw, "what came cannot be read: %s", error.s);
    }
    return true;
}

void raw_wait_for(struct raw *raw,
                  void *socket,
                  enum wire_type type,
                  struct wire_message *ret_message)
{
    do {
        if (!raw_receive(raw, socket, 0, ret_message)) {
            raw_give_up(raw, "no %s came", wire_type_name(type));
        }
    } while (ret_message->type != type);
}

struct wire_message raw_hello(const struct wire_text *workload, uint64_t nonce)
{
    struct wire_message message = {.type = WIRE_HELLO};
    message.as.hello = (struct wire_hello){
        .protocol_major = WIRE_PROTOCOL_MAJOR,
        .protocol_minor = WIRE_PROTOCOL_MINOR,
        .build = wire_text("strange"),
        .name = wire_text("strange"),
        .host = wire_text("elsewhere"),
        .nonce = nonce,
        .pid = 1,
        .cores = 1,
        .strategies = 1U << 1,
        .credit_max = CREDIT_MAX,
        .workloads = workload,
        .workload_count = 1,
    };
    return message;
}
