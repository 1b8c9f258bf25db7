/* A token bucket; see bucket.h. */
#include "common/base/bucket.h"

bool bucket_take(struct bucket *bucket, uint64_t now_us, uint32_t burst, uint32_t each_us)
{
    uint64_t full_us = bucket->full_us > now_us ? bucket->full_us : now_us;
    if (full_us - now_us > (uint64_t)(burst - 1) * each_us) {
        return false;
    }
    bucket->full_us = full_us + each_us;
    return true;
}
