/* A fixed pool of threads that run chunks, and an overseer of their shares: what serial, threads
 * and the cooperative form of async have in common. */
#ifndef QUARTET_WORKER_ENGINE_POOL_H
#define QUARTET_WORKER_ENGINE_POOL_H

#include "worker/engine/slot.h"

#include <stdint.h>

struct pool;

/* What a thread of the pool does once its slot is open; returns when the core is cancelled. */
typedef void pool_body_fn(struct slot *slot, void *arg);

/* Runs shares of chunks, sleeping in the exchange between them. `arg` is not used. */
pool_body_fn pool_body_blocking;

/* A pool of core->slots threads (`count` of them). Returns 0 or ERR_NOMEM. */
int pool_new(struct engine_core *core,
             uint32_t count,
             pool_body_fn *body,
             void *arg,
             struct pool **ret_pool);

/* strategy_ops.run, .cpu_us and .free, whose state is the struct pool. */
void pool_run(void *state);
uint64_t pool_cpu_us(void *state);
void pool_free(void *state);

#endif
