/* One child of the exec workload, from its command to its outcome: what it is given, what it
 * writes, when it has to end. It never waits; whoever drives it (a loop of poll, or libuv) watches
 * the descriptors and tells it what happened. Buffers are kept from one child to the next.
 *
 *     begin -> { read, write, leader_ended, on_time, cancel }... until done -> end
 *
 * The child leads a process group. When its leader has ended, the child has: what it left running
 * in the background is not waited for, and its output is lost. When it has to end (it took too
 * long, or the run was cancelled) the group is sent TERM, and KILL when it is not over by then: it
 * is over when the leader has ended and nobody has its output open. In any case the group gets
 * KILL in the end, while the leader still keeps its number from being used again: nothing of the
 * group survives.
 *
 * SIGPIPE must be ignored or blocked: a child need not read its input. */
#ifndef QUARTET_WORKER_WORKLOADS_EXEC_CHILD_H
#define QUARTET_WORKER_WORKLOADS_EXEC_CHILD_H

#include "common/io/spawn.h"
#include "worker/workloads/capture.h"
#include "worker/workloads/exec.h"
#include "worker/workloads/exec_environment.h"

/* Our ends of a child's pipes. */
enum exec_stream { EXEC_OUT, EXEC_ERR, EXEC_IN, EXEC_STREAMS };

enum exec_phase {
    EXEC_RUNNING,
    EXEC_ASKED,  /* TERM was sent to the group */
    EXEC_KILLED, /* KILL was */
};

struct exec_child {
    struct exec_state *state;
    const struct workload_item *item; /* until exec_child_end */
    struct command_argv argv;
    struct exec_environment environment;
    struct spawn_child process;
    int streams[EXEC_STREAMS]; /* -1: closed */

    /* The child's ends of its two outputs, kept open while it runs: otherwise each of them would
     * wake us when the child ends, just before `process` does. */
    int held[2];
    struct capture captures[2];
    char number[COMMAND_NUMBER_SIZE];
    const char *input; /* what is left of it */
    size_t input_len;

    uint64_t started_ns;
    enum exec_phase phase;
    bool leader_ended;
    bool timed_out;
    uint64_t limit_ns; /* that it exceeded */
    uint64_t kill_at_ns;
};

/* Returns 0 or ERR_NOMEM; deinit accepts what a failed init left. */
int exec_child_init(struct exec_child *self, struct exec_state *state);
void exec_child_deinit(struct exec_child *self);

/* Start the command of an item. False: it could not be started, and the outcome says why. */
bool exec_child_begin(struct exec_child *self,
                      const struct workload_item *item,
                      struct workload_outcome *ret_outcome);

/* Something can be read from EXEC_OUT or EXEC_ERR, or written to EXEC_IN. One system call. False:
 * nothing more will come of this stream; stop watching it, and close it. */
bool exec_child_serve(struct exec_child *self, enum exec_stream stream);
void exec_child_close(struct exec_child *self, enum exec_stream stream);

/* process.pidfd is readable. */
void exec_child_leader_ended(struct exec_child *self);

/* When exec_child_on_time is to be called next; UINT64_MAX: never. May change whenever anything
 * happens to the child. */
uint64_t exec_child_look_ns(const struct exec_child *self, uint64_t now_ns);

/* End it if it is time to, and it is not done. */
void exec_child_on_time(struct exec_child *self, uint64_t now_ns);

/* End it soon, whatever it does, unless it is done. May be said more than once. */
void exec_child_cancel(struct exec_child *self, uint64_t now_ns);

bool exec_child_done(const struct exec_child *self);

/* What the child, which is done, came to; nothing of it is left but what the outcome borrows until
 * the next begin. No descriptor may be watched any more. */
void exec_child_end(struct exec_child *self, struct workload_outcome *ret_outcome);

/* It cannot be watched: end it at once and fail. */
void exec_child_abort(struct exec_child *self,
                      const char *reason,
                      struct workload_outcome *ret_outcome);

/* An outcome that is a failure for this reason. */
void exec_outcome_fail(const char *reason, struct workload_outcome *ret_outcome);

/* What a child came to, from how it ended and what was captured. */
void exec_outcome_set(const struct exec_child *self,
                      const struct spawn_end *end,
                      struct workload_outcome *ret_outcome);

#endif
