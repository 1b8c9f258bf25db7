/* What is done to an item: the contract between a workload and the engine that runs it.
 *
 * A workload has a blocking form (`run`), and may have a batch form over numbers (`run_numbers`)
 * and an asynchronous form (`async_*`) that never blocks a libuv loop. The engine chooses; the
 * workload never knows which strategy runs it.
 *
 * Life: open -> slot_open (once per slot) -> run, run, ... -> slot_close -> close. `open` makes
 * the state that all slots of one process share; it must be immutable afterwards or lock itself,
 * because the slots of a thread pool run at once. A slot is used by one thread at a time. With
 * the processes strategy each process calls open and slot_open for itself, after the fork. */
#ifndef QUARTET_WORKER_WORKLOADS_WORKLOAD_H
#define QUARTET_WORKER_WORKLOADS_WORKLOAD_H

#include "common/base/chunk.h"
#include "worker/workloads/params.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uv_loop_s;

/* One item. `bytes` is NULL for an item that is a number; otherwise `bytes[bytes_len]` is a NUL
 * that the length does not count. Borrowed for the duration of the call (of the asynchronous
 * call, until its `done`). */
struct workload_item {
    uint64_t index; /* position in the input, from 0 */
    uint64_t number;
    const char *bytes;
    size_t bytes_len;
};

enum { WORKLOAD_ERROR_SIZE = CHUNK_ERROR_SIZE };

/* What an item came to; written by the workload. `checksum` is added to the tally modulo 2^64:
 * it must depend on the item and its result only, never on time, order, host or slot. `error` is
 * one line with the value in it, read only when !ok. */
struct workload_outcome {
    bool ok;
    uint64_t checksum;
    uint64_t bytes;
    char error[WORKLOAD_ERROR_SIZE];
};

/* What the engine offers to a workload. Long blocking calls must look at `cancelled` at least
 * every 100 ms, so that Ctrl-C works; after it has said true the item's outcome no longer
 * matters. Thread-safe. */
struct workload_host {
    bool (*cancelled)(const struct workload_host *host);
};

/* One asynchronous item. The engine embeds it, fills `item` and `done`, and keeps it valid until
 * `done` was called, exactly once per async_start and never from inside async_start. `workload`
 * is the workload's own, free to use between the two. */
struct workload_call {
    struct workload_item item;
    void (*done)(struct workload_call *call, const struct workload_outcome *outcome);
    void *workload;
};

enum workload_trait {
    WORKLOAD_IDEMPOTENT = 1, /* running an item twice does no harm */
    WORKLOAD_NUMBERS = 2,    /* takes items that are numbers */
    WORKLOAD_BYTES = 4,      /* takes items that are bytes */
};

struct workload_ops {
    const char *name;
    const char *summary; /* one line for `quartet workloads` */
    unsigned traits;     /* of enum workload_trait */
    const struct param_spec *params;
    size_t param_count;
    uint64_t default_first; /* the range that is run when the user names no items: [first, last] */
    uint64_t default_last;

    /* Make the shared state from resolved `params`. May block briefly, may fail with a text.
     * `host` outlives the state. */
    int (*open)(const struct params *params,
                const struct workload_host *host,
                struct err_text *ret_error,
                void **ret_state);
    void (*close)(void *state);

    /* Make what one slot needs (a handle, a buffer). Called on the thread or in the process that
     * will run it. */
    int (*slot_open)(void *state, struct err_text *ret_error, void **ret_slot);
    void (*slot_close)(void *slot);

    /* Run one item to its end. May block. Never fails as a call: a failure is an outcome. */
    void (*run)(void *slot, const struct workload_item *item, struct workload_outcome *ret_outcome);

    /* Batch form, optional (NULL): run the numbers [first, first + count) and add their outcomes
     * to `tally`. Every item succeeds. Called with counts that take well under a millisecond. */
    void (*run_numbers)(void *slot, uint64_t first, uint64_t count, struct tally *tally);
    uint64_t numbers_per_batch; /* largest count for one run_numbers; about 10 to 100 us of work */

    /* The checksum of the numbers [first, last], when it can be known without running them;
     * optional. A comparison checks every cell against it. */
    uint64_t (*expected_checksum)(uint64_t first, uint64_t last);

    /* Asynchronous form, optional (all four NULL). None of them may block. async_open makes what
     * one loop needs; async_start begins an item; async_cancel makes every outstanding call come
     * back soon, as failed; async_close is called with no call outstanding and begins to close
     * the handles: the loop is run until none is left, then the memory is the workload's to have
     * freed from its last close callback. */
    int (*async_open)(void *state,
                      struct uv_loop_s *loop,
                      struct err_text *ret_error,
                      void **ret_async);
    void (*async_start)(void *async, struct workload_call *call);
    void (*async_cancel)(void *async);
    void (*async_close)(void *async);
};

/* Registry: every built-in workload. A new one is a file and a line in registry.c. */
extern const struct workload_ops *const workload_registry[];
extern const size_t workload_registry_count;

/* By name; NULL when there is none. */
const struct workload_ops *workload_find(const char *name);

/* As workload_find, with the refusal in words (quotes `name`, offers the nearest). Returns 0 or
 * ERR_NOT_FOUND. */
int workload_lookup(const char *name,
                    struct err_text *ret_error,
                    const struct workload_ops **ret_workload);

#endif
