/* A program that answers: the child, the pipes to it, and what lies in between.
 *
 * Nothing here waits for longer than it is told. The program is the leader of a process group of
 * its own; when it ends, or is ended, the whole group is. Its standard error is always drained,
 * or it would block; the last of it is kept for messages. Decides nothing: what silence or an
 * end means is the caller's business. Used by one thread at a time. */
#ifndef QUARTET_WORKER_WORKLOADS_PIPE_PROGRAM_H
#define QUARTET_WORKER_WORKLOADS_PIPE_PROGRAM_H

#include "common/base/err.h"
#include "common/io/spawn.h"
#include "worker/workloads/pipe_frames.h"
#include "worker/workloads/pipe_words.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PIPE_PENDING_ENOUGH = 64 * 1024, /* what one write takes at best: the size of a pipe */
};

/* What to start. Borrowed for the life of the program. */
struct pipe_command {
    const char *path;
    char *const *words; /* NULL behind the last */
    char *const *environment;
    const char *cwd; /* absolute; NULL: where we are */
};

struct pipe_program {
    bool runs;   /* it was started, and not forgotten: it may have exited */
    bool exited; /* and was reaped: `end` is how */
    bool killed; /* because we did it */
    struct spawn_child child;
    struct spawn_end end;
    uint64_t cpu_ended_us; /* of all programs that were here and have ended */
    uint64_t cpu_told_us;  /* of what pipe_program_cpu_us has told */
    int input;             /* descriptors, -1 once closed */
    int output;
    int errors;
    bool end_input; /* close it when all is written */
    uint64_t written;
    bool read_nothing; /* it closed its input, or ended, before it had read any of that */

    struct pipe_splitter answers;

    struct pipe_outbox {
        char *bytes;
        size_t capacity;
        size_t start;
        size_t end;
    } outbox;

    struct pipe_words words; /* of its standard error */
};

enum pipe_event {
    PIPE_TOOK = 1,   /* it took in bytes */
    PIPE_CLOSED = 2, /* its input is closed, because we were told to, or it did so: PIPE_DEAF */
    PIPE_DEAF = 4,   /* it reads no more; what was not written is lost */
    PIPE_SAID = 8,   /* there may be answers */
    PIPE_OVER = 16,  /* it has ended, and everything it wrote was read */
    PIPE_NOMEM = 32, /* no memory for what it says */
};

/* No program yet. Buffers are kept from one program to the next. */
void pipe_program_init(struct pipe_program *program, enum pipe_framing framing, size_t answer_max);

/* End whatever runs, free the buffers. */
void pipe_program_deinit(struct pipe_program *program);

/* Start it; there is none. It ends with the calling thread. ERR_IO with the reason: there is still
 * none. */
int pipe_program_start(struct pipe_program *program,
                       const struct pipe_command *command,
                       struct err_text *ret_error);

/* Room for a frame of `size` bytes, to be written behind those before it; taken as filled in.
 * NULL: no memory. */
char *pipe_program_frame(struct pipe_program *program, size_t size);

/* Bytes framed and not written. */
size_t pipe_program_pending(const struct pipe_program *program);

/* Bytes written that it has not read. */
size_t pipe_program_unread(const struct pipe_program *program);

/* Can it still be given items? */
bool pipe_program_listens(const struct pipe_program *program);

/* No more frames come: its input ends when all are written. */
void pipe_program_end_input(struct pipe_program *program);

/* Write what can be written, wait at most `timeout_ms` for something to happen, read what came.
 * `more`: there are more frames to come, do not wait when all are written. Returns enum
 * pipe_event. Take all answers from `answers` before the next turn. */
unsigned pipe_program_turn(struct pipe_program *program, int timeout_ms, bool more);

/* Kill it, with its group, unless it ended by itself, and forget it. `words` and how it ended
 * can still be asked for until the next start. */
void pipe_program_kill(struct pipe_program *program);

/* Close its input and give it `grace_ms` to leave, reading and counting what it still says; then
 * kill it. Returns the bytes. `hurry(arg)` is asked every 100 ms; true: no more grace. */
uint64_t pipe_program_finish(struct pipe_program *program,
                             int grace_ms,
                             bool (*hurry)(void *arg),
                             void *arg);

/* CPU time that its programs have spent since this was asked last. */
uint64_t pipe_program_cpu_us(struct pipe_program *program);

/* "exited with status 3", "was killed by signal 11 (Segmentation fault)". */
void pipe_program_describe_end(const struct pipe_program *program, char *ret_text, size_t size);

/* Did it end by itself, with status 0? */
bool pipe_program_ended_well(const struct pipe_program *program);

#endif
