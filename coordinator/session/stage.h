/* The stage: the libuv loop on which a coordinator command runs, with what every placement needs
 * around a run: signals, one timer for the scheduler's deadlines, waiting for items on a pipe,
 * and the progress bar. Local runs and the server play on it, one run at a time. */
#ifndef QUARTET_COORDINATOR_SESSION_STAGE_H
#define QUARTET_COORDINATOR_SESSION_STAGE_H

#include "common/base/err.h"
#include "coordinator/report/progress.h"
#include "coordinator/runner/runner.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct stage {
    uv_loop_t loop;
    uv_timer_t timer;
    uv_prepare_t prepare;
    uv_signal_t interrupt;
    uv_signal_t terminate;
    uv_poll_t items;
    uv_async_t kick;       /* other threads: something changed for the runner */
    int items_fd;          /* that `items` watches; -1: none */
    int signal;            /* the one that asked to stop; 0: none */
    struct runner *runner; /* of the run on stage; NULL between runs */
    struct progress *progress;
    bool progress_on;
    bool quiet;
    uint64_t wait_until_us; /* of stage_wait */
};

/* `progress` is borrowed; NULL: none. Returns 0 or ERR_IO. */
int stage_init(struct stage *stage, struct progress *progress, struct err_text *ret_error);
/* Every other handle on the loop must be closed or closing. */
void stage_deinit(struct stage *stage);

uint64_t stage_now_us(void);

/* Run the loop until `done(arg)`, a signal, or `timeout_us` have passed. Returns 0,
 * ERR_CANCELLED or ERR_TIMEOUT. */
int stage_wait(struct stage *stage, bool (*done)(void *arg), void *arg, uint64_t timeout_us);

/* Likewise, also after a signal: for what the signal asked for. Returns 0 or ERR_TIMEOUT. */
int stage_wait_anyway(struct stage *stage, bool (*done)(void *arg), void *arg, uint64_t timeout_us);

/* Put `runner` on stage and run the loop until it has ended; on a signal the runner is
 * cancelled, which ends it. The runner must have been begun, or be begun by a handler on the
 * loop. `label` NULL: no bar. */
void stage_play(struct stage *stage, struct runner *runner, const char *label, bool keep_bar);

/* From any thread, `arg` a stage: the sink has room again, or could not write. */
void stage_kick(void *arg);

/* A line for people on standard error, beside the progress bar; unless the stage is quiet. */
void stage_say(struct stage *stage, const char *text);

/* Has a signal asked to stop? */
bool stage_interrupted(const struct stage *stage);

#endif
