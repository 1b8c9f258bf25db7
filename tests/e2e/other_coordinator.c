/* A coordinator of another version, or none at all, for a doctor that comes to it:
 *
 *   other_coordinator MODE
 *
 * Says "listening on ENDPOINT," and answers each message until standard input ends, as MODE says:
 *
 *   old      as one of before doctors: REJECT, an unknown type
 *   future   with an ECHO of the next major version
 *   garbage  with bytes that are no message
 *   worker   with what only workers say
 *   mute     not at all */
#include "tests/e2e/raw_peer.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

enum { TURN_MS = 20 };

static struct wire_message of_the_past(void)
{
    struct wire_message message = {.type = WIRE_REJECT};
    message.as.reject.reason = WIRE_REASON_MALFORMED;
    message.as.reject.text = wire_text("header: type is 17, which is unknown");
    return message;
}

static struct wire_message of_the_future(void)
{
    struct wire_message message = {.type = WIRE_ECHO};
    message.as.echo = (struct wire_echo){.protocol_major = WIRE_PROTOCOL_MAJOR + 1,
                                         .protocol_minor = 7,
                                         .build = wire_text("9.9.9"),
                                         .host = wire_text("tomorrow")};
    return message;
}

static struct wire_message of_a_worker(void)
{
    struct wire_message message = {.type = WIRE_READY, .session = 1, .job = 1};
    message.as.ready = (struct wire_ready){.slots = 1, .credit = 1};
    return message;
}

/* Returns the bytes of the answer; 0: there is none. */
static size_t make_answer(struct raw *raw, const char *mode, unsigned char *ret_bytes)
{
    struct wire_message message;
    if (strcmp(mode, "mute") == 0) {
        return 0;
    }
    if (strcmp(mode, "garbage") == 0) {
        memset(ret_bytes, 0xff, TURN_MS);
        return TURN_MS;
    }
    message = strcmp(mode, "old") == 0      ? of_the_past()
              : strcmp(mode, "future") == 0 ? of_the_future()
                                            : of_a_worker();
    return raw_encode(raw, &message, ret_bytes);
}

static void answer_one(struct raw *raw, void *socket, const char *mode)
{
    unsigned char bytes[WIRE_HEADER_MAX];
    unsigned char peer[16];
    struct wire_message message;
    int len = zmq_recv(socket, peer, sizeof(peer), ZMQ_DONTWAIT);
    if (len <= 0 || !raw_receive(raw, socket, 0, &message)) {
        return;
    }
    size_t answer_len = make_answer(raw, mode, bytes);
    if (answer_len > 0) {
        raw_send_frame(raw, socket, peer, (size_t)len, true);
        raw_send_frame(raw, socket, bytes, answer_len, false);
    }
}

static bool input_has_ended(void)
{
    char byte;
    struct pollfd item = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&item, 1, TURN_MS) > 0 && read(STDIN_FILENO, &byte, 1) == 0;
}

int main(int argc, char **argv)
{
    struct raw raw;
    char endpoint[256] = "";
    size_t size = sizeof(endpoint);
    raw_open(&raw, "other_coordinator", 1);
    if (argc != 2) {
        raw_give_up(&raw, "MODE");
    }
    void *socket = raw_socket(&raw, ZMQ_ROUTER);
    if (zmq_bind(socket, "tcp://127.0.0.1:*") != 0 ||
        zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size) != 0) {
        raw_give_up(&raw, "cannot listen: %s", zmq_strerror(zmq_errno()));
    }
    (void)fprintf(stderr, "listening on %s,\n", endpoint);
    while (!input_has_ended()) {
        answer_one(&raw, socket, argv[1]);
    }
    (void)zmq_close(socket);
    raw_close(&raw);
    return EXIT_SUCCESS;
}
