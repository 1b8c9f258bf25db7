/* The engine: state, start and stop. Chunks and results are the exchange's business, running
 * them the strategy's. */
#include "worker/engine/engine.h"

#include "common/base/check.h"
#include "worker/engine/chunk_run.h"
#include "worker/engine/clock.h"
#include "worker/engine/strategy.h"
#include "worker/workloads/params.h"
#include "worker/workloads/registry.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct engine {
    struct engine_core core;
    const struct strategy_ops *strategy;
    void *strategy_state;
    void (*wake)(void *arg);
    void *wake_arg;
    pthread_t thread; /* runs strategy->run */
    bool stopping;    /* the owner's alone */

    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t changed;
    enum engine_state state;
    struct err_text error;
    bool stop_requested;
    bool ended; /* strategy->run has returned */
};

static struct engine *engine_of(struct engine_core *core)
{
    return (struct engine *)((char *)core - offsetof(struct engine, core));
}

static bool core_cancelled(const struct workload_host *host)
{
    const struct engine_core *core =
        (const struct engine_core *)((const char *)host - offsetof(struct engine_core, host));
    return atomic_load_explicit(&core->cancelled, memory_order_relaxed);
}

void engine_core_ready(struct engine_core *core)
{
    struct engine *engine = engine_of(core);
    pthread_mutex_lock(&engine->lock);
    if (engine->state == ENGINE_STARTING) {
        engine->state = ENGINE_READY;
    }
    pthread_mutex_unlock(&engine->lock);
    engine->wake(engine->wake_arg);
}

void engine_core_failed(struct engine_core *core, const struct err_text *why)
{
    struct engine *engine = engine_of(core);
    pthread_mutex_lock(&engine->lock);
    if (engine->state != ENGINE_FAILED) {
        engine->state = ENGINE_FAILED;
        engine->error = *why;
    }
    pthread_mutex_unlock(&engine->lock);
    engine->wake(engine->wake_arg);
}

static void core_note(const struct workload_host *host, const char *text)
{
    /* Workloads have the host as a constant table; the core behind it is not one. */
    char *at = (char *)(uintptr_t)host;
    engine_core_note((struct engine_core *)(void *)(at - offsetof(struct engine_core, host)), text);
}

void engine_core_note(struct engine_core *core, const char *text)
{
    struct err_text line;
    (void)err_set(&line, 0, "%s", text);
    if (core->note != NULL && note_set_add(&core->notes, line.s)) {
        core->note(core->note_arg, line.s);
    }
}

void engine_core_cancel(struct engine_core *core)
{
    atomic_store(&core->cancelled, true);
    exchange_close(&core->exchange);
}

struct chunk_input engine_core_input(const struct engine_core *core, const struct chunk *chunk)
{
    struct chunk_input input = {
        .first = chunk->first,
        .count = chunk->count,
        .range_first = core->range_first,
        .attempt = chunk->attempt,
    };
    if (chunk->payload != NULL) {
        size_t len = blob_len(chunk->payload);
        bool within = chunk->payload_offset <= len &&
                      chunk->payload_len <= len - chunk->payload_offset;
        /* A slice that is not in the blob becomes an empty one, which is no payload of any
         * chunk. */
        input.payload = (const char *)blob_bytes(chunk->payload) +
                        (within ? chunk->payload_offset : 0);
        input.payload_len = within ? chunk->payload_len : 0;
    }
    return input;
}

static void *engine_main(void *arg)
{
    struct engine *engine = arg;
    engine->strategy->run(engine->strategy_state);

    pthread_mutex_lock(&engine->lock);
    engine->ended = true;
    if (engine->stop_requested) {
        engine->state = ENGINE_STOPPED;
    }
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
    engine->wake(engine->wake_arg);
    return NULL;
}

/* What the workload itself does not allow. `strategy` is known, and `name` is its name. */
static int check_workload(const struct workload_ops *workload,
                          const struct strategy_ops *strategy,
                          const char *name,
                          struct err_text *ret_error)
{
    if ((workload->traits & (WORKLOAD_NUMBERS | WORKLOAD_BYTES)) == 0) {
        return err_set(
            ret_error, ERR_INVALID, "workload %s takes neither numbers nor bytes", workload->name);
    }
    if ((workload->traits & WORKLOAD_NO_FORK) != 0 && strategy->needs_zygote) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "workload %s cannot run in forked processes: use another strategy than %s",
                       workload->name,
                       name);
    }
    bool in_batches = workload->run_batch != NULL && workload->batch_max > 0;
    if (workload->run == NULL && !in_batches && strategy != &strategy_async_ops) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "workload %s has no blocking form, which strategy %s needs",
                       workload->name,
                       name);
    }
    return 0;
}

static int check_options(const struct engine_options *options,
                         const struct strategy_ops *strategy,
                         struct err_text *ret_error)
{
    if (strategy == NULL) {
        return err_set(ret_error, ERR_INVALID, "unknown strategy %d", (int)options->strategy);
    }
    const char *name = strategy_name(options->strategy);
    if (options->slots == 0 || options->slots > strategy->slots_max) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "strategy %s runs 1 to %u items at once, not %u",
                       name,
                       strategy->slots_max,
                       options->slots);
    }
    if (strategy->needs_zygote && options->zygote == NULL) {
        return err_set(ret_error, ERR_INVALID, "strategy %s needs a zygote", name);
    }
    return check_workload(options->workload, strategy, name, ret_error);
}

/* Threads of the engine take no signals: they are for the owner's thread. */
static int start_thread(struct engine *engine, struct err_text *ret_error)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    int rc = pthread_create(&engine->thread, NULL, engine_main, engine);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (rc != 0) {
        return err_set(ret_error, ERR_IO, "cannot start a thread: %s", strerrordesc_np(rc));
    }
    return 0;
}

static void init_lock(struct engine *engine)
{
    pthread_condattr_t monotonic;
    CHECK(pthread_condattr_init(&monotonic) == 0);
    CHECK(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&engine->changed, &monotonic) == 0);
    CHECK(pthread_condattr_destroy(&monotonic) == 0);
    CHECK(pthread_mutex_init(&engine->lock, NULL) == 0);
}

static void free_memory(struct engine *engine)
{
    exchange_deinit(&engine->core.exchange);
    if (engine->strategy_state != NULL) {
        engine->strategy->free(engine->strategy_state);
    }
    params_deinit(&engine->core.params);
    blob_unref(engine->core.spare_record);
    note_set_deinit(&engine->core.notes);
    CHECK(pthread_cond_destroy(&engine->changed) == 0);
    CHECK(pthread_mutex_destroy(&engine->lock) == 0);
    free(engine);
}

/* Those that need memory. */
static int copy_options(struct engine *engine,
                        const struct engine_options *options,
                        struct err_text *ret_error)
{
    if (options->records) {
        engine->core.spare_record = record_spare();
        if (engine->core.spare_record == NULL) {
            return err_set(ret_error, ERR_NOMEM, "no memory for records");
        }
    }
    if (options->params != NULL && params_copy(&engine->core.params, options->params) != 0) {
        return err_set(ret_error, ERR_NOMEM, "no memory for the parameters");
    }
    return 0;
}

int engine_new(const struct engine_options *options,
               struct err_text *ret_error,
               struct engine **ret_engine)
{
    const struct strategy_ops *strategy = strategy_find(options->strategy, options->workload);
    int rc = check_options(options, strategy, ret_error);
    if (rc != 0) {
        return rc;
    }
    struct engine *engine = calloc(1, sizeof(*engine));
    if (engine == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for an engine");
    }
    engine->strategy = strategy;
    engine->wake = options->wake;
    engine->wake_arg = options->wake_arg;
    engine->state = ENGINE_STARTING;
    engine->core.workload = options->workload;
    engine->core.slots = options->slots;
    engine->core.range_first = options->range_first;
    engine->core.zygote = options->zygote;
    workload_host_init(&engine->core.host);
    engine->core.host.cancelled = core_cancelled;
    engine->core.host.note = core_note;
    engine->core.note = options->note;
    engine->core.note_arg = options->note_arg;
    rc = exchange_init(&engine->core.exchange, options->slots, options->wake, options->wake_arg);
    if (rc != 0) {
        free(engine);
        return err_set(ret_error, rc, "no memory for %u slots", options->slots);
    }
    init_lock(engine);
    note_set_init(&engine->core.notes);
    rc = copy_options(engine, options, ret_error);
    if (rc != 0) {
        goto out;
    }
    rc = strategy->prepare(&engine->core, ret_error, &engine->strategy_state);
    if (rc != 0) {
        goto out;
    }
    rc = start_thread(engine, ret_error);
out:
    if (rc != 0) {
        free_memory(engine);
        return rc;
    }
    *ret_engine = engine;
    return 0;
}

enum engine_state engine_state(struct engine *engine, struct err_text *ret_error)
{
    pthread_mutex_lock(&engine->lock);
    enum engine_state state = engine->state;
    if (state == ENGINE_FAILED && ret_error != NULL) {
        *ret_error = engine->error;
    }
    pthread_mutex_unlock(&engine->lock);
    return state;
}

int engine_submit(struct engine *engine, const struct chunk *chunks, size_t count)
{
    return exchange_submit(&engine->core.exchange, chunks, count);
}

size_t engine_take(struct engine *engine, struct chunk_result *ret_results, size_t max)
{
    if (engine->stopping) {
        return 0;
    }
    return exchange_take(&engine->core.exchange, ret_results, max);
}

size_t engine_take_back(struct engine *engine, struct chunk *ret_chunks, size_t max)
{
    return exchange_take_back(&engine->core.exchange, ret_chunks, max);
}

size_t engine_holding(struct engine *engine, struct chunk *ret_chunks, size_t max)
{
    return exchange_holding(&engine->core.exchange, ret_chunks, max);
}

size_t engine_held(const struct engine *engine)
{
    return engine->core.exchange.held;
}

uint64_t engine_cpu_us(struct engine *engine)
{
    return engine->strategy->cpu_us(engine->strategy_state) +
           atomic_load_explicit(&engine->core.elsewhere_us, memory_order_relaxed);
}

bool engine_is_cooperative(const struct engine *engine)
{
    return engine->strategy == &strategy_cooperative_ops;
}

void engine_stop(struct engine *engine)
{
    if (engine->stopping) {
        return;
    }
    engine->stopping = true;
    pthread_mutex_lock(&engine->lock);
    engine->stop_requested = true;
    bool ended = engine->ended;
    if (ended) {
        engine->state = ENGINE_STOPPED;
    }
    pthread_mutex_unlock(&engine->lock);
    if (ended) {
        engine->wake(engine->wake_arg);
    } else {
        engine_core_cancel(&engine->core);
    }
}

int engine_join(struct engine *engine, uint32_t timeout_ms)
{
    struct timespec deadline = clock_timespec(clock_now_ns() + (uint64_t)timeout_ms * NS_PER_MS);
    int rc = 0;
    pthread_mutex_lock(&engine->lock);
    while (engine->state != ENGINE_STOPPED && rc == 0) {
        rc = pthread_cond_timedwait(&engine->changed, &engine->lock, &deadline);
    }
    bool stopped = engine->state == ENGINE_STOPPED;
    pthread_mutex_unlock(&engine->lock);
    return stopped ? 0 : ERR_TIMEOUT;
}

void engine_free(struct engine *engine)
{
    if (engine == NULL) {
        return;
    }
    engine_stop(engine);
    CHECK(pthread_join(engine->thread, NULL) == 0);
    free_memory(engine);
}
