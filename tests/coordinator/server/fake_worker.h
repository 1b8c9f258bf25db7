/* A worker whose every word is the test's: a DEALER that speaks the wire, for a thread of its own.
 * What does not come within some seconds aborts the test. */
#ifndef QUARTET_TESTS_COORDINATOR_SERVER_FAKE_WORKER_H
#define QUARTET_TESTS_COORDINATOR_SERVER_FAKE_WORKER_H

#include "common/io/zsock.h"
#include "common/wire/wire.h"

#include <stddef.h>
#include <stdint.h>

struct fake_worker {
    void *context;
    void *socket;
    struct wire_encoder *encoder;
    struct wire_decoder *decoder;
    uint64_t session;
    uint64_t job;
    unsigned char header[WIRE_HEADER_MAX];
    unsigned char *payload; /* of the last message, WIRE_PAYLOAD_MAX bytes of room */
    size_t payload_len;
};

void fake_worker_open(struct fake_worker *fake, const char *endpoint);
/* The same with keys. */
void fake_worker_open_with(struct fake_worker *fake,
                           const char *endpoint,
                           const struct zsock_keys *keys);
void fake_worker_close(struct fake_worker *fake);

/* In this session and about this job; `payload` NULL: one frame. */
void fake_worker_send(struct fake_worker *fake,
                      struct wire_message *message,
                      const void *payload,
                      size_t len);

/* The next message of this type; others are passed over. Its texts live until the next one. */
void fake_worker_wait_for(struct fake_worker *fake,
                          enum wire_type type,
                          struct wire_message *ret_message);

/* The next message, whatever it is; type 0: an empty one, which asks nothing. */
void fake_worker_wait_for_any(struct fake_worker *fake, struct wire_message *ret_message);

/* HELLO, and nothing more. */
void fake_worker_hello(struct fake_worker *fake, uint32_t minor);

/* HELLO, as one that speaks protocol 1.`minor`, and its WELCOME. */
void fake_worker_register(struct fake_worker *fake, uint32_t minor);

/* The job, and READY with credit for `credit` chunks. */
void fake_worker_get_ready(struct fake_worker *fake, uint32_t credit);

#endif
