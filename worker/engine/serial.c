/* Strategy serial: one item at a time. A pool of one thread, so that the owner's thread stays
 * free to talk. */
#include "worker/engine/pool.h"

static int prepare(struct engine_core *core, struct err_text *ret_error, void **ret_state)
{
    struct pool *pool;
    int rc = pool_new(core, 1, pool_body_blocking, NULL, &pool);
    if (rc != 0) {
        return err_set(ret_error, rc, "no memory for a thread");
    }
    *ret_state = pool;
    return 0;
}

const struct strategy_ops strategy_serial_ops = {
    .strategy = STRATEGY_SERIAL,
    .slots_max = 1,
    .prepare = prepare,
    .run = pool_run,
    .cpu_us = pool_cpu_us,
    .free = pool_free,
};
