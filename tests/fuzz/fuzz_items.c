/* Any bytes at all as the payload of a chunk: the first byte is how many items it should have. What is taken as valid is walked
 * inside its bounds, is what its own items make when they are laid out anew, and every slice of it is valid. */
#include "common/base/check.h"
#include "common/base/items.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_slice(const void *payload, uint64_t count, uint64_t skip, uint64_t taken)
{
    size_t size = items_slice_size(payload, count, skip, taken);
    void *slice = malloc(size + 1);
    CHECK(slice != NULL);
    items_slice(payload, count, skip, taken, slice);
    CHECK(items_payload_valid(slice, size, taken));
    struct items_cursor whole;
    struct items_cursor part;
    const char *a = NULL;
    const char *b = NULL;
    size_t a_len = 0;
    size_t b_len = 0;
    items_cursor_init(&whole, payload, count);
    items_cursor_init(&part, slice, taken);
    for (uint64_t i = 0; i < skip; i++) {
        CHECK(items_cursor_next(&whole, &a, &a_len));
    }
    while (items_cursor_next(&part, &b, &b_len)) {
        CHECK(items_cursor_next(&whole, &a, &a_len));
        CHECK(a_len == b_len && memcmp(a, b, a_len + 1) == 0);
    }
    free(slice);
}

static void check_walk(const void *payload, size_t len, uint64_t count)
{
    struct items_cursor cursor;
    const char *item = NULL;
    size_t item_len = 0;
    size_t sum = 0;
    uint64_t walked = 0;
    items_cursor_init(&cursor, payload, count);
    while (items_cursor_next(&cursor, &item, &item_len)) {
        CHECK(item_len <= ITEM_LEN_MAX && item[item_len] == '\0');
        sum += item_len;
        walked++;
    }
    CHECK(walked == count && items_payload_size(count, sum) == len);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len == 0) {
        return 0;
    }
    uint64_t count = bytes[0];
    size_t payload_len = len - 1;
    uint8_t *payload = malloc(payload_len + 1); /* of its own: reading beyond it is seen */
    CHECK(payload != NULL);
    memcpy(payload, bytes + 1, payload_len);
    if (items_payload_valid(payload, payload_len, count)) {
        check_walk(payload, payload_len, count);
        for (uint64_t skip = 0; skip <= count; skip += 1 + count / 8) {
            check_slice(payload, count, skip, (count - skip + 1) / 2);
        }
    }
    CHECK(!items_payload_valid(payload, payload_len, UINT64_MAX));
    free(payload);
    return 0;
}
