/* How much the server puts up with. Whoever can connect can talk nonsense as fast as the network carries
 * it, and need not read what is answered: answers would pile up in libzmq, one queue for each connection.
 * So a connection gets PATIENCE_REFUSALS refusals, and PATIENCE_HELLOS with its registrations, and then
 * one a second. Beyond that what it says is dropped without a word. Registrations are left room that
 * refusals cannot use: a worker that wakes from a long sleep may have much to be refused, and must then
 * be able to register.
 *
 * A worker whose messages cannot be true is not taken again, or it would be given the same chunks until
 * the end of time.
 *
 * Fixed memory: connections share PATIENCE_SLOTS buckets; of workers that are not taken again the last
 * PATIENCE_SHUNNED are remembered. Pure. */
#ifndef QUARTET_COORDINATOR_SERVER_PATIENCE_H
#define QUARTET_COORDINATOR_SERVER_PATIENCE_H

#include "common/base/bucket.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PATIENCE_SLOTS = 16384, /* a power of 2 */
    PATIENCE_REFUSALS = 32,
    PATIENCE_HELLOS = 64,
    PATIENCE_SHUNNED = 64,
};

/* Initialise with {0}. */
struct patience {
    struct bucket connections[PATIENCE_SLOTS];
    uint64_t shunned[PATIENCE_SHUNNED]; /* nonces; 0: none */
    size_t shunned_next;
};

/* May this connection be told once more that it is refused? Counts as told. */
bool patience_refuse(struct patience *patience, uint64_t connection, uint64_t now_us);
/* May it try to register once more? Counts as tried. */
bool patience_hello(struct patience *patience, uint64_t connection, uint64_t now_us);

void patience_shun(struct patience *patience, uint64_t nonce);
bool patience_is_shunned(const struct patience *patience, uint64_t nonce);

#endif
