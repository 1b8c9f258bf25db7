/* A fixed pool of threads that run chunks; see pool.h. */
#include "worker/engine/pool.h"

#include "common/base/check.h"
#include "worker/engine/clock.h"
#include "worker/engine/cpu_meter.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pool_thread {
    struct pool *pool;
    pthread_t thread;
    struct cpu_meter meter;
    struct slot slot;
};

struct pool {
    struct engine_core *core;
    pool_body_fn *body;
    void *arg;
    void *state; /* the workload's, shared by all threads */

    pthread_mutex_t lock;
    pthread_cond_t opened_cond;
    uint32_t opened; /* threads that have tried to open their slot */
    int rc;          /* of the first one that failed */
    struct err_text error;

    uint32_t slots; /* of the threads, that slot_init was called for */
    uint32_t count;
    struct pool_thread threads[];
};

int pool_new(struct engine_core *core,
             uint32_t count,
             pool_body_fn *body,
             void *arg,
             struct pool **ret_pool)
{
    /* Aligned as the records in the slots are; calloc would not do. */
    size_t size = sizeof(struct pool) + count * sizeof(struct pool_thread);
    size = (size + _Alignof(struct pool) - 1) / _Alignof(struct pool) * _Alignof(struct pool);
    struct pool *pool = aligned_alloc(_Alignof(struct pool), size);
    if (pool == NULL) {
        return ERR_NOMEM;
    }
    memset(pool, 0, sizeof(*pool));
    pool->core = core;
    pool->body = body;
    pool->arg = arg;
    pool->count = count;
    CHECK(pthread_mutex_init(&pool->lock, NULL) == 0);
    CHECK(pthread_cond_init(&pool->opened_cond, NULL) == 0);
    for (uint32_t i = 0; i < count; i++) {
        cpu_meter_init(&pool->threads[i].meter);
    }
    *ret_pool = pool;
    return 0;
}

void pool_free(void *state)
{
    struct pool *pool = state;
    for (uint32_t i = 0; i < pool->count; i++) {
        cpu_meter_deinit(&pool->threads[i].meter);
    }
    for (uint32_t i = 0; i < pool->slots; i++) {
        slot_deinit(&pool->threads[i].slot);
    }
    CHECK(pthread_cond_destroy(&pool->opened_cond) == 0);
    CHECK(pthread_mutex_destroy(&pool->lock) == 0);
    free(pool);
}

uint64_t pool_cpu_us(void *state)
{
    struct pool *pool = state;
    uint64_t sum_us = 0;
    for (uint32_t i = 0; i < pool->count; i++) {
        sum_us += cpu_meter_us(&pool->threads[i].meter);
    }
    return sum_us;
}

void pool_body_blocking(struct slot *slot, void *arg)
{
    (void)arg;
    while (slot_turn(slot, EXCHANGE_WAIT)) {
        while (slot_step(slot, UINT64_MAX)) {
        }
    }
}

static void report_opened(struct pool *pool, int rc, const struct err_text *error)
{
    pthread_mutex_lock(&pool->lock);
    pool->opened++;
    if (rc != 0 && pool->rc == 0) {
        pool->rc = rc;
        pool->error = *error;
    }
    pthread_cond_signal(&pool->opened_cond);
    pthread_mutex_unlock(&pool->lock);
}

static void *thread_main(void *arg)
{
    struct pool_thread *self = arg;
    struct pool *pool = self->pool;
    const struct workload_ops *workload = pool->core->workload;
    struct err_text error = {.s = ""};
    void *workload_slot = NULL;

    cpu_meter_begin(&self->meter);
    int rc = workload->slot_open(pool->state, &error, &workload_slot);
    bool opened = rc == 0;
    if (opened && slot_attach(&self->slot, workload_slot) != 0) {
        rc = err_set(&error, ERR_NOMEM, "no memory for a slot of workload %s", workload->name);
    }
    report_opened(pool, rc, &error);
    if (rc == 0) {
        pool->body(&self->slot, pool->arg);
    }
    if (opened) {
        workload->slot_close(workload_slot);
    }
    cpu_meter_end(&self->meter);
    return NULL;
}

/* Starts as many threads as it can; returns how many, with the refusal in pool->rc and
 * pool->error. */
static uint32_t start_threads(struct pool *pool)
{
    for (uint32_t i = 0; i < pool->count; i++) {
        struct pool_thread *thread = &pool->threads[i];
        thread->pool = pool;
        slot_init(&thread->slot, pool->core);
        pool->slots = i + 1;
        int rc = pthread_create(&thread->thread, NULL, thread_main, thread);
        if (rc != 0) {
            struct err_text error;
            (void)err_set(&error,
                          ERR_IO,
                          "cannot start thread %u of %u: %s (ask for fewer, or raise ulimit -u)",
                          i + 1,
                          pool->count,
                          strerrordesc_np(rc));
            report_opened(pool, ERR_IO, &error);
            return i;
        }
    }
    return pool->count;
}

static int await_opened(struct pool *pool, uint32_t started)
{
    pthread_mutex_lock(&pool->lock);
    while (pool->opened < started) {
        pthread_cond_wait(&pool->opened_cond, &pool->lock);
    }
    int rc = pool->rc;
    pthread_mutex_unlock(&pool->lock);
    return rc;
}

void pool_run(void *state)
{
    struct pool *pool = state;
    struct engine_core *core = pool->core;
    struct err_text error = {.s = ""};
    if (core->workload->open(&core->params, &core->host, &error, &pool->state) != 0) {
        engine_core_failed(core, &error);
        return;
    }
    uint32_t started = start_threads(pool);
    if (await_opened(pool, started) == 0) {
        engine_core_ready(core);
        exchange_oversee(&core->exchange);
    } else {
        engine_core_failed(core, &pool->error);
        engine_core_cancel(core);
    }
    for (uint32_t i = 0; i < started; i++) {
        CHECK(pthread_join(pool->threads[i].thread, NULL) == 0);
    }
    exchange_drop_shares(&core->exchange);
    core->workload->close(pool->state);
}
