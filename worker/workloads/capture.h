/* What a child writes to one of its streams, kept up to a limit: the rest is read, counted and
 * dropped, so that the child neither blocks nor is killed for writing. */
#ifndef QUARTET_WORKER_WORKLOADS_CAPTURE_H
#define QUARTET_WORKER_WORKLOADS_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CAPTURE_TAIL_MAX = 256, CAPTURE_KEEP_MAX = 64 * 1024 };

/* Initialise with {.limit = ...}. The buffer grows as it is needed and is used again, but for one
 * of more than CAPTURE_KEEP_MAX bytes, which is given back at the next capture_begin. */
struct capture {
    char *bytes;
    size_t len;
    size_t capacity;
    size_t limit;
    uint64_t total;              /* bytes that came, those dropped included */
    char tail[CAPTURE_TAIL_MAX]; /* the last of those dropped */
    size_t tail_len;
};

void capture_deinit(struct capture *capture);

/* Forget what is there. */
void capture_begin(struct capture *capture);

/* Read once from `fd`, which has something. False: it is at its end, or broken. */
bool capture_read(struct capture *capture, int fd);

/* Read what is in the pipe `fd` at this moment and no more, however much others go on writing.
 * Never blocks. */
void capture_drain(struct capture *capture, int fd);

/* Was anything dropped? */
bool capture_is_cut(const struct capture *capture);

/* Was anything dropped that the limit allows, because there was no memory for it? */
bool capture_is_short(const struct capture *capture);

/* Write the last line that has anything but blanks, without those around it, cut to what fits
 * into `size` bytes with a NUL; a NUL within becomes '?'. Returns `ret_line`. */
char *capture_last_line(const struct capture *capture, char *ret_line, size_t size);

#endif
