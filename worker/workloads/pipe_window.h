/* Which items of a batch are in the program: begun and not answered yet. At most so many, and at
 * most so many bytes of them, or of the answers that they are likely to have.
 *
 * The window opens like a TCP sender's: it doubles when as many answers have come as it was wide,
 * and also while the program takes everything and answers nothing (answers may wait in its buffer
 * for more to come). After a crash it is closed to one item, the one that is to blame if anyone
 * is, and opens with answers only: the item that crashes a program is then found within a few
 * programs, whichever it was working on. Items that cannot be written at all stand in the window
 * too, so that all are reported in order. Pure. */
#ifndef QUARTET_WORKER_WORKLOADS_PIPE_WINDOW_H
#define QUARTET_WORKER_WORKLOADS_PIPE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PIPE_BATCH_MAX = 65536,
    PIPE_WINDOW_FIRST = 64,
    PIPE_NAP_NS_MAX = 5 * 1000 * 1000,
    PIPE_NAP_ANSWERS_MIN = 4,       /* fewer would come meanwhile than it is worth */
    PIPE_NAP_BYTES_MAX = 32 * 1024, /* half of what a pipe holds */
};

struct pipe_window {
    size_t items_max; /* how far it may open */
    size_t bytes_max;
    size_t limit;      /* how far it is open now, in items */
    size_t answered;   /* since it was last opened */
    size_t answer_len; /* of a usual answer, lately */

    size_t count;    /* items of the batch */
    size_t begun;    /* the next one to be begun */
    size_t reported; /* the next one to be reported; the oldest of those begun */
    size_t bytes;    /* written of those in the window */

    bool careful; /* after a crash, until it is fully open again */
    uint32_t crashes;
    size_t crashed_at; /* `crashes` were with this one as the oldest */

    uint64_t refused[PIPE_BATCH_MAX / 64]; /* a bit for each one begun: was it not written? */
};

/* `items_max` and `bytes_max` at least 1. */
void pipe_window_init(struct pipe_window *window, size_t items_max, size_t bytes_max);

/* A batch of `count` (at most PIPE_BATCH_MAX) begins. How far the window is open stays. */
void pipe_window_batch(struct pipe_window *window, size_t count);

/* Another bound on items; one above the old one opens the window to it at once, unless it is
 * careful. */
void pipe_window_bound(struct pipe_window *window, size_t items_max);

/* May the next item, whose frame has `bytes`, be begun? There is one. An item of any size may
 * when the window is empty. */
bool pipe_window_admits(const struct pipe_window *window, size_t bytes);

/* The next item was written, or cannot be. */
void pipe_window_begin(struct pipe_window *window, size_t bytes);
void pipe_window_refuse(struct pipe_window *window);

/* Is the oldest one that could not be written? */
bool pipe_window_oldest_refused(const struct pipe_window *window);

/* The oldest was answered. Its frame had `bytes`. */
void pipe_window_answer(struct pipe_window *window, size_t bytes);

/* `count` answers of `bytes` together have come. */
void pipe_window_learn(struct pipe_window *window, size_t count, size_t bytes);

/* The oldest was refused, or, after a crash, has failed: it is reported without an answer. */
void pipe_window_fail(struct pipe_window *window);

/* The program has everything in the window and says nothing: open it further. False: it is as
 * open as it may be. */
bool pipe_window_widen(struct pipe_window *window);

/* The program crashed: everything begun is to be begun again, the oldest first and alone.
 * Returns how often that has happened with this one as the oldest, at least 1. */
uint32_t pipe_window_crash(struct pipe_window *window);

size_t pipe_window_in_flight(const struct pipe_window *window);

/* A program that has items for long, and answers often, need not be looked at after each answer:
 * nobody waits for single ones. Returns for how many nanoseconds it may be left alone when an
 * answer comes every `pace_ns`: it must neither run out of items nor fill its pipe meanwhile; 0
 * when that would not be worth the while. */
uint64_t pipe_window_nap_ns(const struct pipe_window *window, uint64_t pace_ns);

/* Is every item reported? */
bool pipe_window_done(const struct pipe_window *window);

#endif
