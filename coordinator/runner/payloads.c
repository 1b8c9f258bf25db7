/* The bytes of the items in flight; see payloads.h. */
#include "coordinator/runner/payloads.h"

#include "common/base/check.h"
#include "common/base/err.h"
#include "common/base/items.h"

#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 64 };

static struct payload_entry *entry_at(const struct payloads *payloads, size_t index)
{
    return &payloads->ring[(payloads->head + index) & (payloads->capacity - 1)];
}

void payloads_deinit(struct payloads *payloads)
{
    for (size_t i = 0; i < payloads->count; i++) {
        blob_unref(entry_at(payloads, i)->blob);
    }
    free(payloads->ring);
    *payloads = (struct payloads){.ring = NULL};
}

/* Move the live entries together: a chunk that takes long must not keep a place for every one that
 * came after it. */
static void compact(struct payloads *payloads)
{
    size_t kept = 0;
    for (size_t i = 0; i < payloads->count; i++) {
        if (entry_at(payloads, i)->blob != NULL) {
            *entry_at(payloads, kept++) = *entry_at(payloads, i);
        }
    }
    payloads->count = kept;
}

static int make_room(struct payloads *payloads)
{
    if (payloads->count < payloads->capacity) {
        return 0;
    }
    if (payloads->live < payloads->capacity / 2) {
        compact(payloads);
        return 0;
    }
    size_t capacity = payloads->capacity == 0 ? CAPACITY_MIN : 2 * payloads->capacity;
    struct payload_entry *ring = malloc(capacity * sizeof(*ring));
    if (ring == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < payloads->count; i++) {
        ring[i] = *entry_at(payloads, i);
    }
    free(payloads->ring);
    payloads->ring = ring;
    payloads->capacity = capacity;
    payloads->head = 0;
    return 0;
}

int payloads_add(struct payloads *payloads, uint64_t first, uint64_t count, struct blob *payload)
{
    int rc = make_room(payloads);
    if (rc != 0) {
        return rc;
    }
    if (payloads->count > 0) {
        const struct payload_entry *last = entry_at(payloads, payloads->count - 1);
        CHECK(first >= last->first + last->count);
    }
    *entry_at(payloads, payloads->count++) = (struct payload_entry){
        .first = first, .count = count, .left = count, .blob = payload};
    payloads->live++;
    return 0;
}

/* Index of the first entry that ends behind `item`, done with or not; `count` when there is none. */
static size_t first_behind(const struct payloads *payloads, uint64_t item)
{
    size_t low = 0;
    size_t high = payloads->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct payload_entry *entry = entry_at(payloads, middle);
        if (item >= entry->first && item - entry->first >= entry->count) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The index of the entry that has this item; `count` when there is none. */
static size_t search(const struct payloads *payloads, uint64_t item)
{
    size_t index = first_behind(payloads, item);
    bool has = index < payloads->count && item >= entry_at(payloads, index)->first &&
               entry_at(payloads, index)->blob != NULL;
    return has ? index : payloads->count;
}

const struct payload_entry *payloads_find(const struct payloads *payloads, uint64_t item)
{
    size_t index = search(payloads, item);
    return index < payloads->count ? entry_at(payloads, index) : NULL;
}

/* The part [skip, skip + count) of an entry as a payload of its own, malloc'd; NULL without memory. */
static unsigned char *slice(const struct payload_entry *entry,
                            uint64_t skip,
                            uint64_t count,
                            size_t *ret_size)
{
    *ret_size = items_slice_size(blob_bytes(entry->blob), entry->count, skip, count);
    unsigned char *bytes = malloc(*ret_size);
    if (bytes != NULL) {
        items_slice(blob_bytes(entry->blob), entry->count, skip, count, bytes);
    }
    return bytes;
}

/* Put the payload of `added` items behind that of `count` items: lengths to lengths, bytes to
 * bytes. Takes over both; NULL without memory. */
static unsigned char *join(unsigned char *bytes,
                           size_t *size,
                           uint64_t count,
                           unsigned char *more,
                           size_t more_size,
                           uint64_t added)
{
    size_t lengths = (size_t)count * sizeof(uint32_t);
    size_t more_lengths = (size_t)added * sizeof(uint32_t);
    unsigned char *joined = realloc(bytes, *size + more_size);
    if (joined == NULL) {
        free(bytes);
        free(more);
        return NULL;
    }
    memmove(joined + lengths + more_lengths, joined + lengths, *size - lengths);
    memcpy(joined + lengths, more, more_lengths);
    memcpy(joined + *size + more_lengths, more + more_lengths, more_size - more_lengths);
    *size += more_size;
    free(more);
    return joined;
}

/* The bytes of [first, first + count) from all entries that have some of them. */
static int gather(const struct payloads *payloads,
                  uint64_t first,
                  uint64_t count,
                  unsigned char **ret_bytes,
                  size_t *ret_size)
{
    unsigned char *bytes = NULL;
    for (uint64_t done = 0; done < count;) {
        const struct payload_entry *entry = payloads_find(payloads, first + done);
        if (entry == NULL) {
            free(bytes);
            return ERR_NOT_FOUND;
        }
        uint64_t skip = first + done - entry->first;
        uint64_t part = entry->count - skip < count - done ? entry->count - skip : count - done;
        size_t size = 0;
        unsigned char *more = slice(entry, skip, part, &size);
        if (more != NULL && bytes != NULL) {
            bytes = join(bytes, ret_size, done, more, size, part);
        } else {
            free(bytes);
            bytes = more;
            *ret_size = size;
        }
        if (bytes == NULL) {
            return ERR_NOMEM;
        }
        done += part;
    }
    *ret_bytes = bytes;
    return 0;
}

int payloads_get(const struct payloads *payloads,
                 uint64_t first,
                 uint64_t count,
                 struct blob **ret_payload)
{
    const struct payload_entry *entry = payloads_find(payloads, first);
    if (entry != NULL && first == entry->first && count == entry->count) {
        *ret_payload = blob_ref(entry->blob);
        return 0;
    }
    unsigned char *bytes = NULL;
    size_t size = 0;
    int rc = gather(payloads, first, count, &bytes, &size);
    if (rc != 0) {
        return rc;
    }
    *ret_payload = blob_new(bytes, size, NULL, NULL);
    if (*ret_payload == NULL) {
        free(bytes);
        return ERR_NOMEM;
    }
    return 0;
}

static void drop_ends(struct payloads *payloads)
{
    while (payloads->count > 0 && entry_at(payloads, 0)->blob == NULL) {
        payloads->head = (payloads->head + 1) & (payloads->capacity - 1);
        payloads->count--;
    }
    while (payloads->count > 0 && entry_at(payloads, payloads->count - 1)->blob == NULL) {
        payloads->count--;
    }
}

static void take_off(struct payloads *payloads, struct payload_entry *entry, uint64_t count)
{
    CHECK(count <= entry->left);
    entry->left -= count;
    if (entry->left == 0) {
        blob_unref(entry->blob);
        entry->blob = NULL;
        payloads->live--;
    }
}

void payloads_done(struct payloads *payloads, uint64_t first, uint64_t count)
{
    uint64_t end = first + count;
    for (size_t i = first_behind(payloads, first); i < payloads->count; i++) {
        struct payload_entry *entry = entry_at(payloads, i);
        uint64_t entry_end = entry->first + entry->count;
        if (entry->first >= end) {
            break;
        }
        if (entry->blob != NULL) {
            uint64_t from = entry->first > first ? entry->first : first;
            take_off(payloads, entry, (entry_end < end ? entry_end : end) - from);
        }
    }
    drop_ends(payloads);
}
