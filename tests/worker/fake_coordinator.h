/* A coordinator whose every word is the test's: a ROUTER that speaks the wire with one worker, for a
 * thread of its own. What does not come within some seconds aborts the test. */
#ifndef QUARTET_TESTS_WORKER_FAKE_COORDINATOR_H
#define QUARTET_TESTS_WORKER_FAKE_COORDINATOR_H

#include "common/wire/wire.h"

#include <stddef.h>
#include <stdint.h>

struct fake_coordinator {
    void *context;
    void *socket;
    char endpoint[128];
    struct wire_encoder *encoder;
    struct wire_decoder *decoder;
    unsigned char peer[16]; /* the routing id that spoke last */
    size_t peer_len;
    uint64_t session; /* the one that stands */
    uint32_t minor;   /* of the protocol, in WELCOME */
    unsigned char header[WIRE_HEADER_MAX];
    unsigned char *payload; /* of the last message, WIRE_PAYLOAD_MAX bytes of room */
    size_t payload_len;
};

/* Listens on a free port of the loopback, and speaks the newest protocol. */
void fake_coordinator_open(struct fake_coordinator *fake);

/* The coordinator dies, with what it still had to say; another one takes its place, at the same port, and
 * knows nothing of sessions. */
void fake_coordinator_replace(struct fake_coordinator *fake);
void fake_coordinator_close(struct fake_coordinator *fake);

/* In the session that stands; `payload` NULL: one frame. */
void fake_coordinator_send(struct fake_coordinator *fake,
                           struct wire_message *message,
                           const void *payload,
                           size_t len);

/* The next message of this type; heartbeats are passed over, any other aborts. Its texts live until
 * the next one. */
void fake_coordinator_expect(struct fake_coordinator *fake,
                             enum wire_type type,
                             struct wire_message *ret_message);

/* A HELLO, and WELCOME to the next session. */
void fake_coordinator_welcome(struct fake_coordinator *fake);

/* BYE, and the worker's. */
void fake_coordinator_say_bye(struct fake_coordinator *fake);

#endif
