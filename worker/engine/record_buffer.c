/* The records of one chunk while it is run; see record_buffer.h. */
#include "worker/engine/record_buffer.h"

#include "common/base/check.h"
#include "common/base/err.h"

#include <stdlib.h>
#include <string.h>

enum { CAPACITY_FIRST = 1024 };

void record_buffer_init_fixed(struct record_buffer *buffer, void *bytes, size_t capacity)
{
    *buffer = (struct record_buffer){.bytes = bytes, .capacity = capacity, .fixed = true};
}

void record_buffer_deinit(struct record_buffer *buffer)
{
    if (!buffer->fixed) {
        free(buffer->bytes);
    }
    *buffer = (struct record_buffer){.len = 0};
}

void record_buffer_begin(struct record_buffer *buffer, size_t before)
{
    buffer->len = 0;
    buffer->before = before;
}

/* Room for `more` bytes behind `len`. Doubling, so that a chunk of many small records copies each
 * of them about once. */
static int reserve(struct record_buffer *buffer, size_t more)
{
    if (more > RECORDS_MAX || buffer->before + buffer->len > RECORDS_MAX - more) {
        return ERR_NOMEM;
    }
    if (more <= buffer->capacity - buffer->len) {
        return 0;
    }
    if (buffer->fixed) {
        return ERR_NOMEM;
    }
    size_t capacity = buffer->capacity > 0 ? 2 * buffer->capacity : CAPACITY_FIRST;
    if (capacity < buffer->len + more) {
        capacity = buffer->len + more;
    }
    char *bytes = realloc(buffer->bytes, capacity);
    if (bytes == NULL) {
        return ERR_NOMEM;
    }
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return 0;
}

int record_buffer_add(struct record_buffer *buffer, const struct record *record)
{
    size_t size = record_size(record);
    int rc = reserve(buffer, size);
    if (rc != 0) {
        return rc;
    }
    record_write(record, buffer->bytes + buffer->len);
    buffer->len += size;
    return 0;
}

int record_buffer_append(struct record_buffer *buffer,
                         const void *bytes,
                         size_t len,
                         uint64_t count)
{
    if (len == 0) {
        return count == 0 ? 0 : ERR_INVALID;
    }
    if (len > RECORDS_MAX) {
        return ERR_INVALID;
    }
    int rc = reserve(buffer, len);
    if (rc != 0) {
        return rc;
    }
    char *copy = buffer->bytes + buffer->len;
    memcpy(copy, bytes, len);
    if (!records_valid(copy, len, count)) {
        return ERR_INVALID;
    }
    buffer->len += len;
    return 0;
}

uint64_t record_buffer_repeat(struct record_buffer *buffer,
                              const struct record *record,
                              uint64_t count)
{
    uint64_t added = 0;
    while (added < count && !record_buffer_enough(buffer) &&
           record_buffer_add(buffer, record) == 0) {
        added++;
    }
    return added;
}

bool record_buffer_enough(const struct record_buffer *buffer)
{
    return buffer->before + buffer->len >= RECORDS_ENOUGH_BYTES;
}

struct blob *record_buffer_take(struct record_buffer *buffer)
{
    CHECK(!buffer->fixed);
    if (buffer->len == 0) {
        return NULL;
    }
    /* What doubling has taken too much goes back: the result may wait for long. One that cannot
     * be made smaller stays as it is. */
    char *exact = realloc(buffer->bytes, buffer->len);
    if (exact != NULL) {
        buffer->bytes = exact;
        buffer->capacity = buffer->len;
    }
    struct blob *blob = blob_new(buffer->bytes, buffer->len, NULL, NULL);
    if (blob != NULL) {
        *buffer = (struct record_buffer){.len = 0};
    }
    return blob;
}
