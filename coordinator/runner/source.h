/* Where items come from: a range of integers, or a file or standard input with one item per line
 * (or per NUL).
 *
 * A source is read in order and only as far as it is needed: a range is two integers however
 * long it is, a file is read ahead by at most SOURCE_AHEAD_BYTES. It hands out payloads for
 * chunks of the items it has read; once handed out, it forgets them. No loop, no threads: the
 * caller decides when to read. */
#ifndef QUARTET_COORDINATOR_RUNNER_SOURCE_H
#define QUARTET_COORDINATOR_RUNNER_SOURCE_H

#include "common/base/blob.h"
#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SOURCE_AHEAD_BYTES = 4 * 1024 * 1024, SOURCE_CHUNK_BYTES = 256 * 1024 };

/* Which items; plain values, so that every cell of a comparison opens its own source from the
 * same spec. */
struct items_spec {
    bool is_range;
    uint64_t range_first; /* inclusive */
    uint64_t range_last;  /* inclusive, at least range_first; the count fits uint64_t */
    const char *path;     /* of a file; for messages also when `fd` is used */
    int fd; /* at least 0: read this descriptor from its offset 0 instead of opening `path` (a spooled standard input); else -1 */
    char separator; /* '\n' or '\0' */
    uint64_t
        count; /* items that were counted before: more are not read, fewer are an error; 0: it was not done */
};

/* "FIRST:LAST" into `spec`. ERR_INVALID quotes it: not numbers, beyond 2^64-1, backwards, or
 * 2^64 items. */
int items_parse_range(const char *text, struct items_spec *spec, struct err_text *ret_error);

struct source;

/* Returns 0; ERR_IO when the file cannot be opened (quotes it); ERR_NOMEM. */
int source_open(const struct items_spec *spec,
                struct err_text *ret_error,
                struct source **ret_source);
void source_close(struct source *source);

/* Items that have been read so far, and whether there are no more. */
uint64_t source_available(const struct source *source);
bool source_is_final(const struct source *source);

/* Most items that a chunk may have so that its payload stays about SOURCE_CHUNK_BYTES; 0: no
 * limit (numbers). */
uint64_t source_chunk_items_max(const struct source *source);

/* Is enough read ahead for now? */
bool source_is_full(const struct source *source);

/* Read once (at most 64 KiB) without waiting for more than one read. Returns 0 (perhaps nothing
 * new: more of a long item), ERR_IO (also when there are fewer items than were counted), ERR_INVALID (an item longer than ITEM_LEN_MAX: quotes its
 * number), ERR_NOMEM. On a pipe it may block until there is something: see source_poll_fd. */
int source_read(struct source *source, struct err_text *ret_error);

/* The descriptor to wait on before source_read, for pipes, sockets and terminals; -1: reading
 * never waits. */
int source_poll_fd(const struct source *source);

/* The payload of the items [first, first + count): these must be the next ones that have not
 * been taken. NULL into `ret_payload` for numbers. The reference is the caller's. Returns 0 or
 * ERR_NOMEM (nothing was taken). */
int source_take(struct source *source, uint64_t first, uint64_t count, struct blob **ret_payload);

enum { ITEMS_PRINT_SIZE = 33 };

/* Read a whole spec once and count its items. Returns 0, or the error of reading. For a range no
 * reading is needed. `ret_print`, unless NULL, gets a fingerprint of all bytes (XXH3, 128 bits, as
 * text): inputs that differ have another one, unless somebody means to deceive; "" for a range. */
int items_count(const struct items_spec *spec,
                struct err_text *ret_error,
                uint64_t *ret_count,
                char ret_print[ITEMS_PRINT_SIZE]);

#endif
