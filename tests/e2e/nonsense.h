/* Messages that no receiver can read, in every way that a seed leads to: random bytes, valid ones cut short or with bits
 * turned over, too long, of too many frames. For tests that send them to either side. */
#ifndef QUARTET_TESTS_E2E_NONSENSE_H
#define QUARTET_TESTS_E2E_NONSENSE_H

#include "tests/e2e/raw_peer.h"

struct nonsense {
    struct raw *raw;
    struct rng rng;
    unsigned char *zeros; /* WIRE_PAYLOAD_MAX + 1 bytes */
};

void nonsense_init(struct nonsense *nonsense, struct raw *raw, uint64_t seed);
void nonsense_deinit(struct nonsense *nonsense);

/* One such message, to the peer of that routing id when `id_len` is not 0 (for a ROUTER). Few of them have frames of 16 MiB or
 * thousands of frames: these cost the sender most. A turned bit may leave a message valid, but not
 * one that ends a worker. */
void nonsense_say(struct nonsense *nonsense, void *socket, const void *id, size_t id_len);

void nonsense_fill(struct nonsense *nonsense, unsigned char *bytes, size_t len);

#endif
