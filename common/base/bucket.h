/* A token bucket: something is allowed `burst` times at once, and once more every `each_us`. One number,
 * the time at which the bucket will be full again (the generic cell rate algorithm, ITU-T I.371, annex A).
 * Initialise with {0}: full. Pure. */
#ifndef QUARTET_COMMON_BASE_BUCKET_H
#define QUARTET_COMMON_BASE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
    uint64_t full_us;
};

/* Take one token; false: there is none, and nothing changed. `burst` and `each_us` are at least 1, and may
 * differ from call to call: one that asks for a smaller burst leaves the rest to the others. */
bool bucket_take(struct bucket *bucket, uint64_t now_us, uint32_t burst, uint32_t each_us);

#endif
