/* Strategy async for workloads that have no asynchronous form: one loop, on which items block,
 * in slices of about 2 ms. As a coroutine that never awaits would: one chunk runs at a time,
 * however many slots were asked for. */
#include "common/base/check.h"
#include "worker/engine/clock.h"
#include "worker/engine/loop.h"
#include "worker/engine/pool.h"

#include <stdlib.h>
#include <uv.h>

enum { SLICE_NS = 2 * NS_PER_MS };

struct cooperative {
    struct engine_core *core;
    struct pool *pool; /* of the one thread that runs the loop */
    struct slot *slot;
    uv_loop_t loop;
    uv_async_t kick; /* chunks came, or the end */
    uv_idle_t idle;  /* active while there is something to run: the loop then comes back at once */
};

static void close_handles(struct cooperative *self)
{
    if (!uv_is_closing((uv_handle_t *)&self->kick)) {
        uv_close((uv_handle_t *)&self->kick, NULL);
        uv_close((uv_handle_t *)&self->idle, NULL);
    }
}

/* The core is cancelled a moment before the exchange is closed and kicks us for the last time. */
static void end_when_closed(struct cooperative *self)
{
    if (exchange_is_closed(&self->core->exchange)) {
        close_handles(self);
    }
}

static void on_idle(uv_idle_t *idle)
{
    struct cooperative *self = idle->data;
    if (atomic_load(&self->core->cancelled)) {
        end_when_closed(self);
        return;
    }
    if (slot_step(self->slot, clock_now_ns() + SLICE_NS) ||
        slot_turn(self->slot, EXCHANGE_NO_WAIT)) {
        return;
    }
    if (exchange_arm(&self->core->exchange)) {
        (void)uv_idle_stop(idle);
    }
}

static void on_kick(uv_async_t *kick)
{
    struct cooperative *self = kick->data;
    if (atomic_load(&self->core->cancelled)) {
        end_when_closed(self);
    } else {
        CHECK(uv_idle_start(&self->idle, on_idle) == 0);
    }
}

static void notify(void *arg)
{
    struct cooperative *self = arg;
    (void)uv_async_send(&self->kick);
}

/* The pool's thread: its slot is open. */
static void run_loop(struct slot *slot, void *arg)
{
    struct cooperative *self = arg;
    self->slot = slot;
    CHECK(uv_idle_start(&self->idle, on_idle) == 0);
    (void)uv_run(&self->loop, UV_RUN_DEFAULT);
}

static int prepare(struct engine_core *core, struct err_text *ret_error, void **ret_state)
{
    struct cooperative *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for a loop");
    }
    self->core = core;
    int rc = pool_new(core, 1, run_loop, self, &self->pool);
    if (rc != 0) {
        free(self);
        return err_set(ret_error, rc, "no memory for a thread");
    }
    rc = loop_init(&self->loop, &self->kick, on_kick, ret_error);
    if (rc != 0) {
        pool_free(self->pool);
        free(self);
        return rc;
    }
    CHECK(uv_idle_init(&self->loop, &self->idle) == 0);
    self->kick.data = self;
    self->idle.data = self;
    exchange_set_notify(&core->exchange, notify, self);
    *ret_state = self;
    return 0;
}

static void run(void *state)
{
    struct cooperative *self = state;
    pool_run(self->pool);
}

static uint64_t cpu_us(void *state)
{
    struct cooperative *self = state;
    return pool_cpu_us(self->pool);
}

static void free_state(void *state)
{
    struct cooperative *self = state;
    /* The loop has run to its end, or never ran because the workload could not be opened. */
    close_handles(self);
    (void)uv_run(&self->loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&self->loop) == 0);
    pool_free(self->pool);
    free(self);
}

const struct strategy_ops strategy_cooperative_ops = {
    .strategy = STRATEGY_ASYNC,
    .slots_max = ENGINE_SLOTS_MAX,
    .prepare = prepare,
    .run = run,
    .cpu_us = cpu_us,
    .free = free_state,
};
