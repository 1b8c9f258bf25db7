/* The payload of a chunk whose items are bytes; see items.h. */
#include "common/base/items.h"

#include "common/base/check.h"

#include <endian.h>
#include <string.h>

enum { LENGTH_SIZE = sizeof(uint32_t) };

static uint32_t length_at(const unsigned char *lengths, uint64_t i)
{
    uint32_t little;
    memcpy(&little, lengths + i * LENGTH_SIZE, LENGTH_SIZE);
    return le32toh(little);
}

size_t items_payload_size(uint64_t count, size_t bytes)
{
    return (size_t)count * (LENGTH_SIZE + 1) + bytes;
}

bool items_payload_valid(const void *payload, size_t len, uint64_t count)
{
    const unsigned char *bytes = payload;
    if (count > len / (LENGTH_SIZE + 1)) {
        return false;
    }
    size_t at = (size_t)count * LENGTH_SIZE;
    for (uint64_t i = 0; i < count; i++) {
        uint32_t item_len = length_at(bytes, i);
        if (item_len > ITEM_LEN_MAX || item_len >= len - at || bytes[at + item_len] != '\0') {
            return false;
        }
        at += item_len + 1;
    }
    return at == len;
}

/* Bytes of the items [from, from + count), each with its NUL. */
static size_t bytes_of(const void *payload, uint64_t from, uint64_t count)
{
    size_t bytes = 0;
    for (uint64_t i = from; i < from + count; i++) {
        bytes += (size_t)length_at(payload, i) + 1;
    }
    return bytes;
}

size_t items_slice_size(const void *payload, uint64_t count, uint64_t skip, uint64_t taken)
{
    CHECK(skip <= count && taken <= count - skip);
    return (size_t)taken * LENGTH_SIZE + bytes_of(payload, skip, taken);
}

void items_slice(const void *payload, uint64_t count, uint64_t skip, uint64_t taken, void *to)
{
    CHECK(skip <= count && taken <= count - skip);
    size_t lengths = (size_t)taken * LENGTH_SIZE;
    const char *from = (const char *)payload + count * LENGTH_SIZE + bytes_of(payload, 0, skip);
    memcpy(to, (const char *)payload + skip * LENGTH_SIZE, lengths);
    memcpy((char *)to + lengths, from, bytes_of(payload, skip, taken));
}

void items_cursor_init(struct items_cursor *cursor, const void *payload, uint64_t count)
{
    cursor->lengths = payload;
    cursor->next = (const char *)payload + count * LENGTH_SIZE;
    cursor->left = count;
}

bool items_cursor_next(struct items_cursor *cursor, const char **ret_bytes, size_t *ret_len)
{
    if (cursor->left == 0) {
        return false;
    }
    *ret_len = length_at(cursor->lengths, 0);
    *ret_bytes = cursor->next;
    cursor->next += *ret_len + 1;
    cursor->lengths += LENGTH_SIZE;
    cursor->left--;
    return true;
}
