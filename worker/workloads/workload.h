/* What is done to an item: the contract between a workload and the engine that runs it.
 *
 * The same contract serves the workloads that come with quartet and plugins: this header is
 * installed as <quartet/workload.h> and includes nothing but the C library's. A plugin is a shared
 * object that exports quartet_workload(); see WORKLOAD_PLUGIN at the end.
 *
 * A workload has a blocking form (`run`), and may have batch forms (`run_numbers`, `run_batch`)
 * and an asynchronous form (`async_*`) that never blocks a libuv loop. The engine chooses; the
 * workload never knows which strategy runs it.
 *
 * Life: open -> slot_open (once per slot) -> run, run, ... -> slot_close -> close. `open` makes
 * the state that all slots of one process share; it must be immutable afterwards or lock itself,
 * because the slots of a thread pool run at once. A slot is used by one thread at a time. With
 * the processes strategy each process calls open and slot_open for itself, after the fork. */
#ifndef QUARTET_WORKLOAD_H
#define QUARTET_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct uv_loop_s;
struct params;   /* read with host->param */
struct err_text; /* written with host->set_error */

/* --- the version of this contract --- */

#define WORKLOAD_MAGIC UINT32_C(0x6c777571) /* "quwl", little-endian */

enum {
    WORKLOAD_ABI_MAJOR = 1, /* another one: other meanings, other layouts; refused */
    WORKLOAD_ABI_MINOR = 0, /* a higher one: members were added behind those of this one */
    WORKLOAD_ERROR_SIZE = 240,
};

/* The first members of a struct workload_ops. */
#define WORKLOAD_ABI                                                                               \
    .size = sizeof(struct workload_ops), .magic = WORKLOAD_MAGIC, .abi_major = WORKLOAD_ABI_MAJOR, \
    .abi_minor = WORKLOAD_ABI_MINOR

/* --- parameters --- */

enum param_kind {
    PARAM_SECONDS, /* "0.5", "500ms", "2m": 0 to `max` */
    PARAM_COUNT,   /* a whole number, 0 to `max` */
    PARAM_BYTES,   /* "4096", "64KiB": 0 to `max` */
    PARAM_URL,     /* http:// or https:// */
    PARAM_CHOICE,  /* one of the words in `choices` */
    PARAM_TEXT,    /* anything */
};

struct param_spec {
    const char *name;
    enum param_kind kind;
    const char *unit;          /* for people: "seconds", "bytes", "URL" */
    const char *default_value; /* NULL: none, the parameter is absent unless given */
    double max;                /* of the numeric kinds */
    const char *choices;       /* of PARAM_CHOICE: "1.1|2" */
    const char *help;          /* one line */
};

/* --- items and what they come to --- */

/* One item. `bytes` is NULL for an item that is a number; otherwise `bytes[bytes_len]` is a NUL
 * that the length does not count. Borrowed for the duration of the call (of the asynchronous
 * call, until its `done`). */
struct workload_item {
    uint64_t index; /* position in the input, from 0 */
    uint64_t number;
    const char *bytes;
    size_t bytes_len;
    uint32_t attempt; /* from 1: which try at this item */
    uint32_t reserved;
};

enum workload_flag {
    WORKLOAD_TIMED_OUT = 1,     /* failed because it took too long */
    WORKLOAD_OUT_TRUNCATED = 2, /* `out` is not all that there was */
    WORKLOAD_ERR_TRUNCATED = 4,
    WORKLOAD_HAS_VALUE = 8, /* `value` is a result */
    WORKLOAD_CRASHED = 16,  /* failed because what ran it died */
};

/* What an item came to; written by the workload into zeros (but for `error`, of which only the
 * first byte is one). `checksum` is added to the tally modulo 2^64: it must depend on the item and
 * its result only, never on time, order, host or slot. `out` and `err` are what is written to
 * result files; they stay valid until the slot's next call (of the asynchronous call, until
 * `done` returns). */
struct workload_outcome {
    bool ok;
    uint32_t flags; /* of enum workload_flag */
    uint64_t checksum;
    uint64_t bytes; /* bytes that the result amounts to, as the workload defines them */
    uint64_t value; /* with WORKLOAD_HAS_VALUE */
    const char *out;
    size_t out_len;
    const char *err;
    size_t err_len;
    uint64_t cpu_us;                 /* CPU time that other processes have spent on it */
    int32_t exit_status;             /* of a command: 0 to 255 */
    int32_t signal;                  /* that ended it; 0: none */
    char error[WORKLOAD_ERROR_SIZE]; /* one line with the value in it, read only when !ok */
};

/* What the engine offers to a workload. Thread-safe. */
struct workload_host {
    uint32_t size; /* of the host's table: members beyond it are not there */
    uint32_t abi_minor;

    /* Long blocking calls must look at this at least every 100 ms, so that Ctrl-C works; after it
     * has said true the item's outcome no longer matters. */
    bool (*cancelled)(const struct workload_host *host);

    /* The value of a parameter as text, checked against its spec, with defaults filled in; NULL:
     * absent. Borrowed for the call that `params` was given to. */
    const char *(*param)(const struct params *params, const char *name);

    /* Say why open, slot_open or async_open fails: one line. */
    void (*set_error)(struct err_text *error, const char *text);

    /* Say something to the person who runs this, once for each different `text`: one line. */
    void (*note)(const struct workload_host *host, const char *text);
};

/* One asynchronous item. The engine embeds it, fills `item` and `done`, and keeps it valid until
 * `done` was called, exactly once per async_start and never from inside async_start. `workload`
 * is the workload's own, free to use between the two. */
struct workload_call {
    struct workload_item item;
    void (*done)(struct workload_call *call, const struct workload_outcome *outcome);
    void *workload;
};

/* Many items at once, all of one chunk. */
struct workload_batch {
    const struct workload_item *items;
    size_t count;

    /* What the next item came to, in the order of `items`. False: begin no further item; those
     * that were begun are still to be reported, and those not reported are run another time. */
    bool (*done)(struct workload_batch *batch, const struct workload_outcome *outcome);

    /* Written by the workload: how much of its time this batch would have taken with any number of
     * items (a program had to be started for it). Chunks are then made so large that the rest is
     * worth it. 0 when it is called. */
    uint64_t overhead_us;
};

/* --- the contract --- */

enum workload_trait {
    WORKLOAD_IDEMPOTENT = 1, /* running an item twice does no harm */
    WORKLOAD_NUMBERS = 2,    /* takes items that are numbers */
    WORKLOAD_BYTES = 4,      /* takes items that are bytes */
    WORKLOAD_ONE_THREAD = 8, /* not thread-safe: only one slot of a process may run at a time */
    WORKLOAD_NO_FORK = 16,   /* not fork-safe: never with the processes strategy */
    WORKLOAD_COMMAND = 32,   /* takes a command (`-- COMMAND...`) and runs it: needs --allow-exec */
    WORKLOAD_PRINTS = 64,    /* `out` is meant to be seen: `run` prints it unless told otherwise */
    WORKLOAD_LINES =
        128, /* `out` is one line without its end, which is put back where it is shown */
};

struct workload_ops {
    uint32_t size; /* WORKLOAD_ABI fills in these four */
    uint32_t magic;
    uint16_t abi_major;
    uint16_t abi_minor;

    const char *name;
    const char *summary; /* one line for `quartet workloads` */
    unsigned traits;     /* of enum workload_trait */
    const struct param_spec *params;
    size_t param_count;
    uint64_t default_first; /* the range that is run when the user names no items: [first, last] */
    uint64_t default_last;  /* both 0: there is none, the user has to name items */

    /* Make the shared state from resolved `params`. May block briefly, may fail with a text:
     * then returns a negative number. `host` outlives the state. */
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

    /* Batch form over numbers, optional (NULL): run [first, first + count) and add the outcomes'
     * checksum and bytes to the two sums. Every item succeeds. Called with counts that take well
     * under a millisecond, and only when nobody wants to see each item's result. */
    void (*run_numbers)(void *slot,
                        uint64_t first,
                        uint64_t count,
                        uint64_t *checksum,
                        uint64_t *bytes);
    uint64_t numbers_per_batch; /* largest count for one run_numbers; about 10 to 100 us of work */

    /* The checksum of the numbers [first, last], when it can be known without running them;
     * optional. A comparison checks every cell against it. */
    uint64_t (*expected_checksum)(uint64_t first, uint64_t last);

    /* Batch form over any items, optional: run them, several at once if it likes, and report each
     * through batch->done. May block; returns when all that were begun are reported, or soon
     * after `cancelled`. Used instead of `run`. */
    void (*run_batch)(void *slot, struct workload_batch *batch);
    size_t batch_max; /* most items of one run_batch */

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

/* --- plugins --- */

/* In a plugin: WORKLOAD_PLUGIN(my_ops) at file scope. */
#define WORKLOAD_PLUGIN_SYMBOL "quartet_workload"
#ifdef __cplusplus
#    define WORKLOAD_EXPORT extern "C" __attribute__((visibility("default")))
#else
#    define WORKLOAD_EXPORT __attribute__((visibility("default")))
#endif
#define WORKLOAD_PLUGIN(ops)                                                                       \
    WORKLOAD_EXPORT const struct workload_ops *quartet_workload(void);                             \
    const struct workload_ops *quartet_workload(void)                                              \
    {                                                                                              \
        return &(ops);                                                                             \
    }

typedef const struct workload_ops *workload_plugin_fn(void);

#ifdef __cplusplus
}
#endif

#endif
