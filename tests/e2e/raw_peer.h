/* A peer whose every byte is the test's: a ZeroMQ socket, and the wire's own encoder and decoder to begin from what is
 * valid. It calls libzmq itself, as only common/io/zsock.c does otherwise: that one refuses to send what these must send.
 * For programs of one thread; what goes wrong ends the program with a line on standard error. */
#ifndef QUARTET_TESTS_E2E_RAW_PEER_H
#define QUARTET_TESTS_E2E_RAW_PEER_H

#include "common/base/rng.h"
#include "common/wire/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RAW_LIMIT_MS = 20000, RAW_LINGER_MS = 5000 };

/* What all sockets of a program share. */
struct raw {
    const char *program; /* for errors */
    void *context;
    struct wire_encoder *encoder;
    struct wire_decoder *decoder;
    unsigned char header[WIRE_HEADER_MAX];
};

/* With room for `sockets` of them. Raises the limit of open files. */
void raw_open(struct raw *raw, const char *program, int sockets);
void raw_close(struct raw *raw);

_Noreturn void raw_give_up(const struct raw *raw, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A socket of this type (ZMQ_DEALER, ZMQ_ROUTER) that waits at most RAW_LIMIT_MS to send or receive. */
void *raw_socket(const struct raw *raw, int type);
void raw_set(const struct raw *raw, void *socket, int option, int value);
/* With what is in this access file: everything is encrypted. Before the socket is connected. NULL: plaintext. */
void raw_use_access(const struct raw *raw, void *socket, const char *access_path);
/* A DEALER there. */
void *raw_connect(const struct raw *raw, const char *endpoint, const char *access_path);

/* The bytes of a message's header frame, to `ret_bytes` of WIRE_HEADER_MAX bytes. Returns how many. */
size_t raw_encode(struct raw *raw, const struct wire_message *message, unsigned char *ret_bytes);

void raw_send_frame(const struct raw *raw, void *socket, const void *bytes, size_t len, bool more);
void raw_send(struct raw *raw, void *socket, const struct wire_message *message);

/* The next message's header; payload frames are skipped, empty messages too. `flags`: ZMQ_DONTWAIT or 0. False when there
 * is none (in time). Its texts and arrays live until the next one. */
bool raw_receive(struct raw *raw, void *socket, int flags, struct wire_message *ret_message);
/* The next one of that type; others are passed over. */
void raw_wait_for(struct raw *raw,
                  void *socket,
                  enum wire_type type,
                  struct wire_message *ret_message);

/* A HELLO that passes, by a worker with one core that has `workload`, which outlives the message. */
struct wire_message raw_hello(const struct wire_text *workload, uint64_t nonce);

#endif
