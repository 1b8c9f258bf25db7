/* The bytes of the items in flight; see payloads.h. */
#include "coordinator/payloads.h"

#include "common/base/check.h"
#include "common/base/err.h"
#include "common/base/items.h"

#include <stdlib.h>

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

/* Its index among the entries; `count` when there is none. */
static size_t search(const struct payloads *payloads, uint64_t item)
{
    size_t low = 0;
    size_t high = payloads->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct payload_entry *entry = entry_at(payloads, middle);
        if (item < entry->first) {
            high = middle;
        } else if (item - entry->first >= entry->count) {
            low = middle + 1;
        } else {
            return entry->blob != NULL ? middle : payloads->count;
        }
    }
    return payloads->count;
}

const struct payload_entry *payloads_find(const struct payloads *payloads, uint64_t item)
{
    size_t index = search(payloads, item);
    return index < payloads->count ? entry_at(payloads, index) : NULL;
}

int payloads_get(const struct payloads *payloads,
                 uint64_t first,
                 uint64_t count,
                 struct blob **ret_payload)
{
    const struct payload_entry *entry = payloads_find(payloads, first);
    if (entry == NULL || first - entry->first + count > entry->count) {
        return ERR_NOT_FOUND;
    }
    if (count == entry->count) {
        *ret_payload = blob_ref(entry->blob);
        return 0;
    }
    uint64_t skip = first - entry->first;
    size_t size = items_slice_size(blob_bytes(entry->blob), entry->count, skip, count);
    void *bytes = malloc(size);
    if (bytes == NULL) {
        return ERR_NOMEM;
    }
    items_slice(blob_bytes(entry->blob), entry->count, skip, count, bytes);
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

void payloads_done(struct payloads *payloads, uint64_t item, uint64_t count)
{
    size_t index = search(payloads, item);
    if (index == payloads->count) {
        return;
    }
    struct payload_entry *entry = entry_at(payloads, index);
    CHECK(count <= entry->left);
    entry->left -= count;
    if (entry->left > 0) {
        return;
    }
    blob_unref(entry->blob);
    entry->blob = NULL;
    payloads->live--;
    drop_ends(payloads);
}
