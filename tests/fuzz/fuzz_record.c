/* Any bytes at all as the records of a result: the first byte is how many there should be. What is taken as valid is read inside its
 * bounds, with known values only, and written again is the same bytes. */
#include "common/base/check.h"
#include "common/base/record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { UNUSED_AT = 44, START_UNUSED_AT = 4 }; /* bytes of a head that nobody reads */

static unsigned sum_of(const char *bytes, size_t len)
{
    unsigned sum = 0;
    for (size_t i = 0; i < len; i++) {
        sum += (unsigned char)bytes[i];
    }
    return sum;
}

/* The head's unused bytes are whatever the peer sent; all others come back. */
static void check_same(const struct record *record, const uint8_t *at)
{
    size_t size = record_size(record);
    uint8_t *again = malloc(size);
    CHECK(again != NULL);
    record_write(record, again);
    memcpy(again + UNUSED_AT, at + UNUSED_AT, RECORD_HEAD_SIZE - UNUSED_AT);
    memcpy(again + START_UNUSED_AT, at + START_UNUSED_AT, 4);
    CHECK(memcmp(again, at, size) == 0);
    free(again);
}

static void check_all(const uint8_t *bytes, size_t len, uint64_t count)
{
    static volatile unsigned seen; /* so that the reading is done */
    struct record_cursor cursor;
    struct record record;
    size_t at = 0;
    record_cursor_init(&cursor, bytes, count);
    while (record_cursor_next(&cursor, &record)) {
        CHECK(record.status <= RECORD_CRASHED);
        seen = sum_of(record.out, record.out_len) + sum_of(record.err, record.err_len) +
               sum_of(record.reason, record.reason_len);
        CHECK(record.out_len <= RECORD_OUTPUT_MAX && record.err_len <= RECORD_OUTPUT_MAX);
        check_same(&record, bytes + at);
        at += record_size(&record);
        count--;
    }
    (void)seen;
    CHECK(at == len && count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len == 0) {
        return 0;
    }
    uint8_t *records = malloc(len); /* of its own: reading beyond it is seen */
    CHECK(records != NULL);
    memcpy(records, bytes + 1, len - 1);
    if (records_valid(records, len - 1, bytes[0])) {
        check_all(records, len - 1, bytes[0]);
        CHECK(!records_valid(records, len - 1, (uint64_t)bytes[0] + 1));
    }
    free(records);
    return 0;
}
