/* What travels between scheduler, wire and engine: chunks, their results, and the tally that
 * results are folded into.
 *
 * Plain values. The bytes of a chunk's items live in a `struct blob` that chunks of one message
 * share by reference. */
#ifndef QUARTET_COMMON_BASE_CHUNK_H
#define QUARTET_COMMON_BASE_CHUNK_H

#include "common/base/blob.h"

#include <stdint.h>

/* Never reused in the life of a run; 0 is none. */
struct chunk_id {
    uint64_t value;
};

struct worker_id {
    uint64_t value;
};

/* The four local strategies. The values travel on the wire: append only. */
enum strategy {
    STRATEGY_SERIAL = 1,    /* one item at a time */
    STRATEGY_THREADS = 2,   /* a fixed pool of POSIX threads */
    STRATEGY_ASYNC = 3,     /* one libuv loop, many items in flight */
    STRATEGY_PROCESSES = 4, /* a fixed pool of processes */
};

enum { STRATEGY_COUNT = 4 };

/* "serial", "threads", "async", "processes"; NULL for any other value. */
const char *strategy_name(enum strategy strategy);

/* Returns 0, or ERR_NOT_FOUND. `name` is compared whole and in lower case. */
int strategy_from_name(const char *name, enum strategy *ret_strategy);

/* How many items a strategy runs at once when nobody says: 1; 8 or `cores`, whichever is more;
 * 100 in flight; as threads. */
uint32_t strategy_default_slots(enum strategy strategy, uint32_t cores);

/* A contiguous run of items [first, first + count), counted from 0 in the order of the input.
 *
 * For a range the item with index i is the number range_first + i (range_first is the job's) and
 * `payload` is NULL. For items that are bytes, the payload slice holds `count` little-endian
 * uint32_t lengths, then each item's bytes followed by one NUL that its length does not count. */
struct chunk {
    struct chunk_id id;
    uint64_t first;
    uint64_t count;       /* at least 1 */
    uint32_t attempt;     /* from 1 */
    uint32_t payload_len; /* bytes of this chunk's slice; 0 without payload */
    struct blob
        *payload; /* shared; NULL without payload. Whoever holds the chunk holds one reference */
    size_t payload_offset;
};

/* Folded results of some items. Merging is addition in every member, so the order never matters. */
struct tally {
    uint64_t ok;        /* items that succeeded */
    uint64_t failed;    /* items that did not */
    uint64_t checksum;  /* of the results, modulo 2^64 */
    uint64_t bytes_out; /* bytes that the results amount to, as the workload defines them */
};

void tally_merge(struct tally *into, const struct tally *from);

enum { CHUNK_ERROR_SIZE = 240 };

/* What one attempt at a chunk came to. tally.ok + tally.failed is how many of its items, from the
 * first, were run: all of them; or, when their records grew large, at least one: the others were
 * not begun, and are a new chunk's. */
struct chunk_result {
    struct chunk_id id;
    uint32_t attempt;
    uint32_t error_len; /* bytes at `error`; 0 when no item failed */
    uint64_t first;     /* of the chunk: index of the first item that was run */
    uint64_t run_us;    /* from the first item's start to the last one's end */
    struct tally tally;
    uint64_t
        error_index; /* index of the first item that failed; meaningful when tally.failed > 0 */
    char *
        error; /* owned, malloc'd, why it failed in one line (no NUL counted); NULL when none failed */
    /* One record (common/base/record.h) for each item that was run, when the job asks for them. */
    struct blob *records; /* shared; NULL without records. One reference is owned */
    size_t records_offset;
    uint32_t records_len;
};

/* Give back what a result owns, and forget it. */
void chunk_result_deinit(struct chunk_result *result);

#endif
