/* What the engine's tests share: small workloads whose right answer is known, an owner that waits for results, and a page of memory
 * through which items, in whatever process, talk to the test. */
#ifndef QUARTET_TESTS_WORKER_TEST_ENGINE_RIG_H
#define QUARTET_TESTS_WORKER_TEST_ENGINE_RIG_H

#include "worker/engine/engine.h"
#include "worker/engine/zygote.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

enum { RIG_DEADLINE_S = 30 }; /* for what takes milliseconds; only a hang comes to it */

enum { RIG_NOTES_MAX = 100 };

/* Shared with the executors. */
struct rig_shared {
    sem_t begun;              /* one post for each item of `gate` that was begun */
    atomic_bool gate_open;    /* items of `gate` end */
    atomic_uint gate_items;   /* items of `gate` that were begun */
    atomic_uint opened;       /* calls of open */
    atomic_uint open_fails;   /* calls of open from now on fail when not 0 */
    atomic_uint runs[64];     /* of item n of the crashing workloads */
    atomic_int pids[64];      /* of the process that ran item n of `census` */
    atomic_uint descriptors;  /* open in the process that ran `census` */
    atomic_uint slots_closed; /* of `census` */
    atomic_bool masked;       /* it had a signal blocked */
    atomic_bool ignored;      /* it ignored SIGTERM or SIGINT */
};

struct rig {
    struct rig_shared *shared;
    struct zygote *zygote;
    struct engine *engine;
    sem_t woken;
    atomic_uint wakes;
    atomic_uint payloads_released;
    bool records; /* the next engine is to make them */
    atomic_uint notes;
    char note[RIG_NOTES_MAX][128]; /* in the order in which they came */
};

/* Numbers; checksum and bytes from each. `rig_batch` has a batch form too, `rig_timer` an asynchronous form on timers. */
extern const struct workload_ops rig_sum;
extern const struct workload_ops rig_batch;
extern const struct workload_ops rig_timer;
extern const struct workload_ops rig_hash;  /* bytes */
extern const struct workload_ops rig_third; /* numbers; every third one fails */
extern const struct workload_ops
    rig_gate; /* numbers; the number RIG_GATE_NUMBER and above wait for the gate or for cancelled */
extern const struct workload_ops rig_burn; /* numbers; each uses RIG_BURN_US of CPU time */
extern const struct workload_ops rig_no_open;
extern const struct workload_ops rig_no_slot;
extern const struct workload_ops rig_no_async;

/* For processes only. Number 7 crashes, 9 exits with status 3. The batch form crashes as well. */
extern const struct workload_ops rig_crash;
extern const struct workload_ops rig_crash_batch;
extern const struct workload_ops rig_crash_all;
extern const struct workload_ops rig_crash_bytes; /* as hash, but item 17 crashes */
extern const struct workload_ops rig_burn_crash;  /* as burn, and then crashes */
extern const struct workload_ops rig_census;      /* notes the process that ran it */

enum { RIG_GATE_NUMBER = 1000000, RIG_BURN_US = 30000 };

/* cmocka group fixtures: *state is a struct rig with a zygote. */
int rig_setup(void **state);
int rig_teardown(void **state);

/* cmocka test fixture: shared memory as new. */
int rig_reset(void **state);

/* A new engine; asserts that there is one. */
void rig_engine(struct rig *rig,
                const struct workload_ops *workload,
                enum strategy strategy,
                uint32_t slots);

/* Wait until the engine is in `state`. */
void rig_await_state(struct rig *rig, enum engine_state state);

/* Take exactly `count` results. */
void rig_take(struct rig *rig, struct chunk_result *ret_results, size_t count);

/* The engine names what it has in hand: as many as it holds, each once, as it is in `chunks`, whose
 * ids are 1, 2, ... `count`. */
void rig_assert_holding(struct rig *rig, const struct chunk *chunks, size_t count);

/* Free what results own. */
void rig_drop(struct chunk_result *results, size_t count);

/* Stop, join, free; asserts that it was quick. */
void rig_end(struct rig *rig);

/* Wait for a semaphore of the shared page, or the rig's own. */
void rig_await(sem_t *semaphore);

/* A chunk of the numbers [first, first + count). */
struct chunk rig_chunk(uint64_t id, uint64_t first, uint64_t count);

/* The same with a payload: item n is "item-n". */
struct chunk rig_bytes_chunk(struct rig *rig, uint64_t id, uint64_t first, uint64_t count);

/* What the items [first, first + count) come to, by running them one after the other here. */
struct tally rig_expected(const struct workload_ops *workload, uint64_t first, uint64_t count);

void rig_assert_tally(const struct tally *got, const struct tally *expected);

/* Does the result's error contain `text`? */
void rig_assert_error(const struct chunk_result *result, const char *text);

#endif
