/* How items and answers lie in the two pipes of a program: one behind the other, each with a
 * terminator behind it or its length before it.
 *
 * Items are framed into a buffer of the caller's. Answers are cut out of whatever the program
 * wrote, in pieces of any size: what comes back is as hostile as bytes from a network. Pure. */
#ifndef QUARTET_WORKER_WORKLOADS_PIPE_FRAMES_H
#define QUARTET_WORKER_WORKLOADS_PIPE_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pipe_framing {
    PIPE_LINES,  /* a newline behind each */
    PIPE_NULL,   /* a NUL behind each */
    PIPE_LENGTH, /* before each its length, four bytes, little-endian */
};

enum {
    PIPE_FRAME_EXTRA = 4, /* bytes that a frame has more than its content, at most */

    /* A longer answer under PIPE_LENGTH is taken for text that was never meant as a length: four
     * printable characters are 512 MiB at least, three and a newline 160 MiB. */
    PIPE_ANSWER_LEN_MAX = 128 * 1024 * 1024,
};

/* Can these bytes be framed? Not when they hold the terminator themselves. */
bool pipe_frame_holds(enum pipe_framing framing, const char *bytes, size_t len);

/* Bytes of the frame around `len` bytes. */
size_t pipe_frame_size(enum pipe_framing framing, size_t len);

/* Write the frame to `to`, which has room for pipe_frame_size bytes. */
void pipe_frame_write(enum pipe_framing framing, const char *bytes, size_t len, char *to);

/* One answer; `bytes` are borrowed from the splitter until pipe_splitter_room is next called. */
struct pipe_answer {
    const char *bytes;
    size_t len;
    uint64_t whole_len; /* more than `len` when the end was dropped */
};

enum pipe_found {
    PIPE_FOUND_NONE, /* what is left is no whole answer yet */
    PIPE_FOUND_ANSWER,
    PIPE_FOUND_NONSENSE, /* a length beyond PIPE_ANSWER_LEN_MAX; there is no way on */
};

/* Cuts a stream into answers. Keeps at most `answer_max` bytes of one and drops the rest as it
 * comes, so that memory is bounded by answer_max however long an answer gets. */
struct pipe_splitter {
    enum pipe_framing framing;
    size_t answer_max;
    char *bytes;
    size_t capacity;
    size_t start;     /* where what was not given out yet begins */
    size_t searched;  /* bytes from there on that hold no terminator */
    size_t end;       /* where the next byte goes */
    uint64_t dropped; /* bytes of the unfinished answer that were not kept */
};

/* Never fails; the buffer comes with the first pipe_splitter_room. */
void pipe_splitter_init(struct pipe_splitter *splitter,
                        enum pipe_framing framing,
                        size_t answer_max);
void pipe_splitter_deinit(struct pipe_splitter *splitter);

/* Forget what was read and not given out: another program speaks now. */
void pipe_splitter_reset(struct pipe_splitter *splitter);

/* Where the next bytes go, at least 64 KiB of room. Only when pipe_splitter_next found none.
 * NULL: no memory; the splitter is unchanged. */
char *pipe_splitter_room(struct pipe_splitter *splitter, size_t *ret_size);

/* `len` bytes were put there. */
void pipe_splitter_add(struct pipe_splitter *splitter, size_t len);

enum pipe_found pipe_splitter_next(struct pipe_splitter *splitter, struct pipe_answer *ret_answer);

/* Nothing comes any more: the last answer, if it only lacks its terminator. False: there is
 * none. */
bool pipe_splitter_last(struct pipe_splitter *splitter, struct pipe_answer *ret_answer);

/* Is nothing there that was not given out? */
bool pipe_splitter_is_empty(const struct pipe_splitter *splitter);

#endif
