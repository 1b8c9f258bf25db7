/* How long to wait for a program that says nothing, and what its silence means.
 *
 * C's and Python's standard output collects what it is given when it is a pipe, and hands on only
 * full buffers: such a program has worked on everything and answers nothing. It answers when it
 * is told that no more input comes. To tell that to a program that is merely slow costs a new
 * start of it, never a result; so the art is to be seldom wrong, and never twice. A program that
 * has not read all its input, or uses the CPU, is slow. One that answers while its input is open,
 * before any buffer could have been full, does not hold its answers back. One whose answers all
 * come at once when its input ends does.
 *
 * Pure: time is an argument, monotonic, in microseconds. What is learned is shared by all slots
 * of a process (struct pipe_habit, lock-free); a patience is of one program. */
#ifndef QUARTET_WORKER_WORKLOADS_PIPE_PATIENCE_H
#define QUARTET_WORKER_WORKLOADS_PIPE_PATIENCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PIPE_SILENCE_US = 10 * 1000 * 1000, /* of a program that nothing is known of; then it ends */
    PIPE_BUFFER_MIN = 512, /* fewer bytes than any library's buffer for output: C has 4096 */
    PIPE_BLOCK_MIN = 4096, /* as many as some want of their input before they look at it: mawk */
};

/* What is known of the job's program. */
struct pipe_habit {
    uint64_t stall_us;           /* as the user set it */
    uint64_t timeout_us;         /* UINT64_MAX: none */
    uint64_t silence_us;         /* PIPE_SILENCE_US, but in tests */
    _Atomic uint64_t slowest_us; /* the longest silence that was work */
    atomic_bool flushes;         /* it was seen to answer what it could have held back */
    atomic_bool holds_back;
    atomic_bool doubted; /* and that was given up once */
    atomic_uint votes;   /* for holds_back, by single answers, which say little */
};

void pipe_habit_init(struct pipe_habit *habit, uint64_t stall_us, uint64_t timeout_us);

struct pipe_patience {
    struct pipe_habit *habit;
    uint64_t answer_us; /* the last answer, or when waiting for one began */
    uint64_t moved_us;  /* the last sign of anything */
    uint64_t look_us;   /* not to be looked at before */
    bool flushed;       /* this program answered what it could have held back */
    bool ended;         /* the end of input was passed on */
    bool deaf;
    uint64_t ended_us;
    uint64_t waited_us; /* for a sign, before that */
    uint64_t first_us;  /* of the answers after that: the first, the last, how many */
    uint64_t last_us;
    uint64_t late_answers;
    bool late_early;       /* the first came alone, before any buffer was full */
    uint64_t silence_us;   /* between the last sign and the first of those */
    uint64_t answer_bytes; /* since the program began */
};

enum pipe_deed {
    PIPE_WAIT,
    PIPE_LOOK,      /* see whether it is busy: pipe_patience_look */
    PIPE_END_INPUT, /* pass on the end of the input */
    PIPE_TIMED_OUT, /* the user's limit is over */
    PIPE_SILENT,    /* ours is, and it is not known to be slow */
};

/* A program begins. */
void pipe_patience_init(struct pipe_patience *patience, struct pipe_habit *habit, uint64_t now_us);

/* Items are in flight where none were. */
void pipe_patience_begin(struct pipe_patience *patience, uint64_t now_us);

/* The program took in bytes. */
void pipe_patience_moved(struct pipe_patience *patience, uint64_t now_us);

/* Answers that were read at once. */
struct pipe_piece {
    size_t count;
    size_t bytes;
    size_t left;    /* items that wait on */
    uint64_t given; /* bytes of input since the program began */
    bool cut;       /* it ended in the middle of an answer */
};

/* Answers came. */
void pipe_patience_answers(struct pipe_patience *patience,
                           uint64_t now_us,
                           const struct pipe_piece *piece);

/* The end of the input was passed on; or, `deaf`, the program closed it. */
void pipe_patience_ended(struct pipe_patience *patience, uint64_t now_us, bool deaf);

/* Items are in flight and the program was given all that it may have or takes: what now?
 * With PIPE_WAIT, `*ret_due_us` is when to ask again at the latest. */
enum pipe_deed pipe_patience_ask(const struct pipe_patience *patience,
                                 uint64_t now_us,
                                 uint64_t *ret_due_us);

/* What the system tells of a program. */
struct pipe_sight {
    size_t unread;  /* bytes of input in the pipe */
    size_t pending; /* that do not even fit there */
    bool busy;      /* it was seen to work */
};

/* After PIPE_LOOK. Returns PIPE_WAIT, PIPE_END_INPUT or PIPE_SILENT. */
enum pipe_deed pipe_patience_look(struct pipe_patience *patience,
                                  uint64_t now_us,
                                  const struct pipe_sight *sight);

/* The program has answered everything after the end of its input, and ended as it should: learn
 * from it. True: it is now known to hold its answers back, and was not before. */
bool pipe_patience_learn(const struct pipe_patience *patience);

#endif
