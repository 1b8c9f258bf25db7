/* The contract between the engine and its strategies: what a strategy gets, what it must do, and
 * how it tells.
 *
 * A strategy is one `const struct strategy_ops` in its own file and a line in strategies.c. It
 * takes chunks from the exchange by itself, runs them with chunk_run on `slots` slots, and gives
 * results back to the exchange; it never calls the owner. */
#ifndef QUARTET_WORKER_ENGINE_STRATEGY_H
#define QUARTET_WORKER_ENGINE_STRATEGY_H

#include "worker/engine/engine.h"
#include "worker/engine/exchange.h"
#include "worker/engine/note_set.h"
#include "worker/workloads/params.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The part of an engine that its strategy sees. Constant while it runs, but for what locks
 * itself. */
struct engine_core {
    const struct workload_ops *workload;
    struct params params;
    uint32_t slots;
    uint64_t range_first;
    struct zygote *zygote;
    /* NULL: no records are wanted. Otherwise the record of one failed item, for want of memory. */
    struct blob *spare_record;
    struct exchange exchange;
    struct workload_host host; /* for workload_ops.open; says what `cancelled` says */
    atomic_bool cancelled;
    /* CPU time that items say other processes have spent on them; of the slots in this process. */
    _Atomic uint64_t elsewhere_us;
    struct note_set notes; /* passed on already */
    void (*note)(void *arg, const char *text);
    void *note_arg;
};

/* Every slot can run chunks. Once, from the engine's thread. */
void engine_core_ready(struct engine_core *core);

/* It cannot start, or cannot go on. From the engine's thread; the first text counts. `run` ends
 * soon after. */
void engine_core_failed(struct engine_core *core, const struct err_text *why);

/* Pass a workload's note on to the owner, unless he had it already. Any thread. */
void engine_core_note(struct engine_core *core, const char *text);

/* Make every slot end soon: sets `cancelled`, closes the exchange. Any thread, any number of
 * times. */
void engine_core_cancel(struct engine_core *core);

/* A chunk as the slots see it. The bytes are borrowed from the chunk's payload. */
struct chunk_input;
struct chunk_input engine_core_input(const struct engine_core *core, const struct chunk *chunk);

struct strategy_ops {
    enum strategy strategy;
    uint32_t slots_max;
    bool needs_zygote;

    /* On the owner's thread, in engine_new: allocate, and set the exchange's notify if slots
     * wait in a loop. Must not block. `core` outlives the state. */
    int (*prepare)(struct engine_core *core, struct err_text *ret_error, void **ret_state);

    /* The engine's own thread, from start to end: open the workload, start the slots, call
     * engine_core_ready (or _failed), and return when the core is cancelled and every slot has
     * ended. May block. Shares that it added are dropped at its end. */
    void (*run)(void *state);

    /* CPU microseconds of all slots, of those that have ended too; never decreases. On the
     * owner's thread, at any time between prepare and free. Must not block. */
    uint64_t (*cpu_us)(void *state);

    /* On the owner's thread, after `run` has returned (or was never called). */
    void (*free)(void *state);
};

/* Registry: the strategy, in the form that `workload` allows. NULL when there is none. */
const struct strategy_ops *strategy_find(enum strategy strategy,
                                         const struct workload_ops *workload);

extern const struct strategy_ops strategy_serial_ops;
extern const struct strategy_ops strategy_threads_ops;
extern const struct strategy_ops strategy_async_ops;
extern const struct strategy_ops strategy_cooperative_ops; /* async without an asynchronous form */
extern const struct strategy_ops strategy_processes_ops;

#endif
