/* Strategy threads: a fixed pool of POSIX threads, one slot each. A workload that is not
 * thread-safe gets one thread, however many were asked for: its items take turns. */
#include "worker/engine/pool.h"

static int prepare(struct engine_core *core, struct err_text *ret_error, void **ret_state)
{
    struct pool *pool;
    bool one = (core->workload->traits & WORKLOAD_ONE_THREAD) != 0;
    uint32_t count = one ? 1 : core->slots;
    int rc = pool_new(core, count, pool_body_blocking, NULL, &pool);
    if (rc != 0) {
        return err_set(ret_error, rc, "no memory for %u threads", count);
    }
    *ret_state = pool;
    return 0;
}

const struct strategy_ops strategy_threads_ops = {
    .strategy = STRATEGY_THREADS,
    .slots_max = ENGINE_SLOTS_MAX,
    .prepare = prepare,
    .run = pool_run,
    .cpu_us = pool_cpu_us,
    .free = pool_free,
};
