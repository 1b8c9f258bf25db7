/* Sums in closed form, hashes by XXH3. Pure. */
#include "worker/workloads/mark.h"

#include <xxhash.h>

uint64_t mark_item(const struct workload_item *item)
{
    if (item->bytes == NULL) {
        return item->number;
    }
    return XXH3_64bits_withSeed(item->bytes, item->bytes_len, item->index);
}

uint64_t mark_output(const struct workload_item *item, const char *out, size_t len)
{
    return XXH3_64bits_withSeed(out, len, mark_item(item));
}

uint64_t mark_numbers(uint64_t first, uint64_t count)
{
    /* count * (count - 1) / 2 must be halved before it is multiplied: the product wraps, the
     * halves do not. */
    uint64_t half = count / 2;
    uint64_t pairs = count % 2 == 0 ? half * (count - 1) : count * half;
    return first * count + pairs;
}
