/* The records of one chunk while its items are run: appended one by one, then taken as a blob for
 * the chunk's result.
 *
 * Either in memory of its own that grows (threads and loops; also the feeder of a process), or in
 * memory that somebody else has provided (an executor, in memory that it shares with its feeder).
 * Knows the two bounds of record.h: with RECORDS_ENOUGH_BYTES no further item should be begun, and
 * there are never more than RECORDS_MAX. Used by one thread at a time. */
#ifndef QUARTET_WORKER_ENGINE_RECORD_BUFFER_H
#define QUARTET_WORKER_ENGINE_RECORD_BUFFER_H

#include "common/base/blob.h"
#include "common/base/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Initialise with {0}: empty, growing. */
struct record_buffer {
    char *bytes;
    size_t len;
    size_t capacity;
    size_t
        before; /* bytes of the same chunk's records that are elsewhere: both bounds count them */
    bool fixed; /* `bytes` are somebody else's, and all that there will be */
};

/* Use `capacity` bytes at `bytes`, which outlive the buffer, and no others. */
void record_buffer_init_fixed(struct record_buffer *buffer, void *bytes, size_t capacity);

/* Free what is its own; it is then as new. */
void record_buffer_deinit(struct record_buffer *buffer);

/* Begin a chunk: forget what is there. `before` bytes of its records are elsewhere already. */
void record_buffer_begin(struct record_buffer *buffer, size_t before);

/* Append one. Returns 0, or ERR_NOMEM (no memory, or beyond RECORDS_MAX) with nothing changed. */
int record_buffer_add(struct record_buffer *buffer, const struct record *record);

/* Append exactly `count` records that somebody wrote into `len` bytes at `bytes`, which may be
 * memory that he can still write to: what is judged and kept is a copy. Returns 0, ERR_INVALID
 * (these are not `count` records) or ERR_NOMEM; unchanged then. */
int record_buffer_append(struct record_buffer *buffer,
                         const void *bytes,
                         size_t len,
                         uint64_t count);

/* Append `record` once for each of `count` items that all came to the same, until that is enough
 * or memory is missing. Returns how often. */
uint64_t record_buffer_repeat(struct record_buffer *buffer,
                              const struct record *record,
                              uint64_t count);

/* Are there so many bytes that no further item should be begun? */
bool record_buffer_enough(const struct record_buffer *buffer);

/* Take all as a blob with one reference; the buffer is then empty. NULL: no memory, or there is
 * nothing; unchanged then. Not for fixed ones. */
struct blob *record_buffer_take(struct record_buffer *buffer);

#endif
