/* What is put up with from a connection and from a worker; see patience.h. */
#include "coordinator/server/patience.h"

enum { EACH_US = 1000000, SLOT_BITS = 14 };

_Static_assert(PATIENCE_SLOTS == 1 << SLOT_BITS, "a slot has as many bits");

/* Fibonacci hashing (Knuth, The Art of Computer Programming, 6.4): neighbours lie far apart. */
static struct bucket *bucket_of(struct patience *patience, uint64_t connection)
{
    return &patience->connections[(connection * UINT64_C(0x9E3779B97F4A7C15)) >> (64 - SLOT_BITS)];
}

bool patience_refuse(struct patience *patience, uint64_t connection, uint64_t now_us)
{
    return bucket_take(bucket_of(patience, connection), now_us, PATIENCE_REFUSALS, EACH_US);
}

bool patience_hello(struct patience *patience, uint64_t connection, uint64_t now_us)
{
    return bucket_take(bucket_of(patience, connection), now_us, PATIENCE_HELLOS, EACH_US);
}

void patience_shun(struct patience *patience, uint64_t nonce)
{
    patience->shunned[patience->shunned_next++ % PATIENCE_SHUNNED] = nonce;
}

bool patience_is_shunned(const struct patience *patience, uint64_t nonce)
{
    for (size_t i = 0; nonce != 0 && i < PATIENCE_SHUNNED; i++) {
        if (patience->shunned[i] == nonce) {
            return true;
        }
    }
    return false;
}
