/* What single items came to, as it travels from the slot that ran them to the file they are
 * written to.
 *
 * Only for jobs that ask for it: otherwise results are folded into a tally where they arise. The
 * records of one chunk result lie one behind the other, in the order of its items from the first:
 * record k is of item `chunk.first + k`, and there are tally.ok + tally.failed of them. Each is a
 * head of RECORD_HEAD_SIZE bytes, little-endian, then the bytes of `out`, `err` and `reason`.
 * One place writes them (the engine), any number read. Pure. */
#ifndef QUARTET_COMMON_BASE_RECORD_H
#define QUARTET_COMMON_BASE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RECORD_HEAD_SIZE = 48,
    RECORD_OUTPUT_MAX = 4 * 1024 * 1024, /* bytes of `out`, and of `err`; longer ones are cut */
    RECORDS_ENOUGH_BYTES = 1024 * 1024,  /* a chunk result with so many begins no further item */
    RECORDS_MAX = RECORDS_ENOUGH_BYTES + 2 * RECORD_OUTPUT_MAX + 4096, /* of one chunk result */
};

enum record_status {
    RECORD_OK = 0,
    RECORD_FAILED = 1,
    RECORD_TIMED_OUT = 2, /* failed because it took too long */
    RECORD_CRASHED = 3,   /* failed because what ran it died: an executor, a program */
};

enum record_flag {
    RECORD_OUT_TRUNCATED = 1,
    RECORD_ERR_TRUNCATED = 2,
    RECORD_HAS_VALUE = 4,
};

/* One record; texts are borrowed, not NUL-terminated, never NULL in a decoded one. */
struct record {
    uint8_t status; /* enum record_status */
    uint8_t flags;  /* of enum record_flag */
    uint8_t exit_status;
    uint8_t signal;    /* 0: none */
    uint64_t start_us; /* when it began: microseconds since 1970 by the worker's clock */
    uint64_t run_us;
    uint64_t value; /* with RECORD_HAS_VALUE */
    const char *out;
    const char *err;
    const char *reason; /* why it failed, one line */
    uint32_t out_len;
    uint32_t err_len;
    uint32_t reason_len;
};

/* Bytes of `record`, outputs cut to RECORD_OUTPUT_MAX. */
size_t record_size(const struct record *record);

/* Write it to `to`, which has record_size bytes; cut outputs get their flag. */
void record_write(const struct record *record, void *to);

/* Are these exactly `count` records, each whole and with a known status and flags? For bytes from
 * peers; everything below is for such bytes. */
bool records_valid(const void *bytes, size_t len, uint64_t count);

/* Walks valid records in order. */
struct record_cursor {
    const char *next;
    uint64_t left;
};

void record_cursor_init(struct record_cursor *cursor, const void *bytes, uint64_t count);

/* The next record, or false when there is none left. */
bool record_cursor_next(struct record_cursor *cursor, struct record *ret_record);

#endif
