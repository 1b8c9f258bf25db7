/* The payload of a chunk whose items are bytes: `count` little-endian uint32_t lengths, then
 * each item's bytes followed by one NUL that its length does not count. One place writes it (the
 * coordinator's source), one reads it (the engine). Pure. */
#ifndef QUARTET_COMMON_BASE_ITEMS_H
#define QUARTET_COMMON_BASE_ITEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ITEM_LEN_MAX = 1024 * 1024 }; /* bytes of one item */

/* Bytes of the payload of `count` items that have `bytes` bytes together. */
size_t items_payload_size(uint64_t count, size_t bytes);

/* Is this a payload of exactly `count` items: lengths that add up to `len`, each at most
 * ITEM_LEN_MAX, a NUL behind each? */
bool items_payload_valid(const void *payload, size_t len, uint64_t count);

/* A part of a valid payload of `count` items as a payload of its own: the items [skip, skip +
 * taken), which are among them. items_slice writes items_slice_size bytes to `to`. */
size_t items_slice_size(const void *payload, uint64_t count, uint64_t skip, uint64_t taken);
void items_slice(const void *payload, uint64_t count, uint64_t skip, uint64_t taken, void *to);

/* Walks the items of a valid payload in order. */
struct items_cursor {
    const unsigned char *lengths;
    const char *next;
    uint64_t left;
};

void items_cursor_init(struct items_cursor *cursor, const void *payload, uint64_t count);

/* The next item, or false when there is none left. `*ret_bytes` is NUL-terminated and borrowed
 * from the payload. */
bool items_cursor_next(struct items_cursor *cursor, const char **ret_bytes, size_t *ret_len);

#endif
