/* What came of the first items of a chunk, on the feeder's side: carried from an executor that
 * crashed to the next one, until the chunk has come to its end. */
#ifndef QUARTET_WORKER_ENGINE_CARRY_H
#define QUARTET_WORKER_ENGINE_CARRY_H

#include "common/base/chunk.h"
#include "worker/engine/record_buffer.h"

#include <stddef.h>
#include <stdint.h>

/* Initialise with {0}. */
struct carry {
    struct tally tally;
    uint64_t run_ns;
    uint64_t error_index;
    uint32_t error_len;
    char error[CHUNK_ERROR_SIZE];
    struct record_buffer records; /* of the items in the tally */
    struct blob
        *spare; /* record of one failed item, for want of memory; borrowed. NULL: no records */
};

/* What an executor says of items: borrowed, and not to be believed. `tally` was checked to be of
 * as many items as there may be. */
struct carry_part {
    struct tally tally;
    uint64_t error_index;
    const char *error;
    size_t error_len;
    const char *records;
    size_t records_len;
};

/* Begin with nothing, freeing what was there. */
void carry_begin(struct carry *carry, struct blob *spare);

/* How many items are in it. */
uint64_t carry_count(const struct carry *carry);

/* With records: are they so many that the chunk ends here? */
bool carry_enough(const struct carry *carry);

/* Add the next items of `chunk`. Records that are not what they should be become those of failed
 * items; when they are enough some of those may be left out. */
void carry_add(struct carry *carry, const struct chunk *chunk, const struct carry_part *part);

/* Add the next `count` items of `chunk`, which all failed as `record` tells, or, with records, as
 * many of them as are enough. */
void carry_fail(struct carry *carry,
                const struct chunk *chunk,
                uint64_t count,
                const struct record *record);

/* The result of `chunk`, which ends here. Takes the records. */
struct chunk_result carry_result(struct carry *carry, const struct chunk *chunk);

/* A failed item's record, with the text borrowed. */
struct record carry_failure(enum record_status status, const char *reason);

#endif
