/* The bytes of the items in flight.
 *
 * Each entry is one payload as the source gave it out: the items [first, first + count), which was
 * one chunk when it was new. It is kept until every item of it is accounted for, because an item
 * may be sent again: as the same chunk, or as a part of it (what a worker did not come to, items
 * that failed and are tried again), or, in a job that goes on after its coordinator died, together
 * with neighbours. Payloads come in the order of the input. Pure, apart from memory. */
#ifndef QUARTET_COORDINATOR_RUNNER_PAYLOADS_H
#define QUARTET_COORDINATOR_RUNNER_PAYLOADS_H

#include "common/base/blob.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Initialise with {0}. Entries are in a ring, ascending by `first`; those that are done with are
 * skipped, and go when they come to an end of it or when there are too many. */
struct payloads {
    struct payload_entry {
        uint64_t first;
        uint64_t count;
        uint64_t left;     /* items not accounted for; 0: done with */
        struct blob *blob; /* NULL: done with */
    } * ring;

    size_t capacity; /* a power of two, or 0 */
    size_t head;
    size_t count;
    size_t live; /* entries that are not done with */
};

void payloads_deinit(struct payloads *payloads);

/* Keep the payload of [first, first + count), which lie behind all that were added. Takes over the
 * reference. Returns 0 or ERR_NOMEM (the reference stays the caller's). */
int payloads_add(struct payloads *payloads, uint64_t first, uint64_t count, struct blob *payload);

/* The entry that `item` is in, or NULL. Borrowed until the next add or done. */
const struct payload_entry *payloads_find(const struct payloads *payloads, uint64_t item);

/* The payload of [first, first + count): the whole entry when that is what it has, or a copy. The
 * reference is the caller's. Returns 0, ERR_NOT_FOUND (one of the items is not here) or
 * ERR_NOMEM. */
int payloads_get(const struct payloads *payloads,
                 uint64_t first,
                 uint64_t count,
                 struct blob **ret_payload);

/* The items [first, first + count), which were not before, are accounted for. Those that are not
 * here are passed over. */
void payloads_done(struct payloads *payloads, uint64_t first, uint64_t count);

#endif
