#include "coordinator/session/local.h"

#include "common/base/check.h"
#include "common/io/cores.h"
#include "coordinator/runner/job_plugin.h"
#include "coordinator/status/notes.h"
#include "worker/engine/engine.h"
#include "worker/workloads/plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RESULTS_MAX = 256,
    BATCH_MAX = 256,
    START_LIMIT_US = 60 * 1000 * 1000,
    STOP_LIMIT_MS = 500,
    CREDIT_MIN =
        256, /* enough that tiny chunks share their hand-overs; costs nothing in one process */
    CREDIT_MIN_RECORDS = 16, /* with records each may hold a megabyte */
};

static const struct worker_id self = {1};

struct local {
    struct stage *stage;
    struct engine *engine;
    struct runner *runner;
    uv_async_t wake;
    struct notes notes;
    bool closed;
    struct err_text failure;       /* why the engine gave up in mid-run; empty: it did not */
    struct chunk batch[BATCH_MAX]; /* gathered for one engine_submit */
    size_t batch_count;
    struct chunk_result results[RESULTS_MAX];
};

static void link_flush(void *arg)
{
    struct local *local = arg;
    if (local->batch_count > 0) {
        CHECK(engine_submit(local->engine, local->batch, local->batch_count) == 0);
        local->batch_count = 0;
    }
}

static void link_queue(void *arg, struct worker_id worker, const struct chunk *chunk)
{
    (void)worker;
    struct local *local = arg;
    local->batch[local->batch_count++] = *chunk;
    if (local->batch_count == BATCH_MAX) {
        link_flush(local);
    }
}

static void link_drop(void *arg, struct worker_id worker)
{
    (void)arg;
    (void)worker; /* never: the engine in this process has no lease */
}

static void link_ended(void *arg)
{
    (void)arg; /* the stage sees the outcome */
}

static const struct runner_link local_link = {
    .queue = link_queue,
    .flush = link_flush,
    .drop = link_drop,
    .ended = link_ended,
};

/* What the engine holds will never come back. `local->failure` says why. */
static void give_up(struct local *local)
{
    uint64_t now_us = stage_now_us();
    runner_worker_event(local->runner, now_us, self, SCHED_WORKER_LOST);
    runner_no_more_workers(local->runner, now_us);
}

/* An engine can fail in mid-run, as when somebody kills the zygote. */
static void look_for_failure(struct local *local)
{
    if (local->runner == NULL || local->failure.s[0] != '\0' ||
        engine_state(local->engine, &local->failure) != ENGINE_FAILED) {
        return;
    }
    give_up(local);
}

static void count_results(struct local *local, size_t count)
{
    int rc = runner_results(
        local->runner, stage_now_us(), self, "local", local->results, count, (uint32_t)count);
    if (rc != 0 && local->failure.s[0] == '\0') {
        /* From the memory that is shared with a process that went wild. */
        (void)err_set(&local->failure, rc, "results do not add up to their chunks' items");
        give_up(local);
    }
}

static void say_notes(struct local *local)
{
    char text[NOTE_SIZE];
    while (notes_take(&local->notes, text)) {
        stage_say(local->stage, text);
    }
}

static void on_wake(uv_async_t *wake)
{
    struct local *local = wake->data;
    say_notes(local);
    size_t count = 0;
    do {
        count = engine_take(local->engine, local->results, RESULTS_MAX);
        if (count > 0 && local->runner != NULL) {
            count_results(local, count);
        }
        for (size_t i = 0; i < count; i++) {
            chunk_result_deinit(&local->results[i]);
        }
        link_flush(local);
    } while (count == RESULTS_MAX);
    look_for_failure(local);
}

/* From the engine's threads. */
static void note(void *arg, const char *text)
{
    struct local *local = arg;
    notes_add(&local->notes, text);
    (void)uv_async_send(&local->wake);
}

/* From the engine's threads. */
static void wake_loop(void *arg)
{
    struct local *local = arg;
    (void)uv_async_send(&local->wake);
}

static bool is_settled(void *arg)
{
    struct local *local = arg;
    return engine_state(local->engine, NULL) != ENGINE_STARTING;
}

static void on_closed(uv_handle_t *handle)
{
    struct local *local = handle->data;
    local->closed = true;
}

static bool is_closed(void *arg)
{
    const struct local *local = arg;
    return local->closed;
}

/* A plugin is described by another process, but to run here it has to be loaded here. */
static int find_workload(const struct job *job,
                         struct err_text *ret_error,
                         const struct workload_ops **ret_workload)
{
    if (job->plugin == NULL) {
        *ret_workload = job->workload;
        return 0;
    }
    return plugin_load(job->plugin->path, ret_error, ret_workload);
}

static int start_engine(struct stage *stage,
                        struct local *local,
                        const struct job *job,
                        struct engine_options *options,
                        struct err_text *ret_error)
{
    int rc = find_workload(job, ret_error, &options->workload);
    rc = rc != 0 ? rc : engine_new(options, ret_error, &local->engine);
    if (rc != 0) {
        return rc;
    }
    rc = stage_wait(stage, is_settled, local, START_LIMIT_US);
    if (rc != 0) {
        return err_set(ret_error,
                       rc,
                       "the engine for strategy %s did not start: %s",
                       strategy_name(options->strategy),
                       err_name(rc));
    }
    return engine_state(local->engine, ret_error) == ENGINE_READY ? 0 : ERR_IO;
}

static void play(struct stage *stage,
                 struct local *local,
                 const struct job *job,
                 uint32_t slots,
                 struct job_result *ret_result)
{
    struct runner_options options = {
        .items = job->items,
        .items_count = job->items_count,
        .chunk_items = job->chunk_items,
        .retries_max = job->retries,
        .halt = job->halt,
        .sink = job->sink,
        .journal = job->journal,
        .state = job->state,
        .workers_max = 1,
        .link = &local_link,
        .link_arg = local,
    };
    struct err_text error = {{0}};
    if (runner_new(&options, &error, &local->runner) != 0) {
        job_result_fail(ret_result, error.s);
        return;
    }
    uint32_t least = job->records ? CREDIT_MIN_RECORDS : CREDIT_MIN;
    uint32_t credit = slots * 2 > least ? slots * 2 : least;
    credit = job->credit > 0 ? job->credit : credit;
    uint64_t cpu_us = engine_cpu_us(local->engine);
    uint64_t now_us = stage_now_us();
    runner_join(local->runner, now_us, self, slots, credit, NULL, 0);
    runner_begin(local->runner, now_us);
    look_for_failure(local);
    stage_play(stage, local->runner, job->label, job->keep_bar);
    job_result_fill(local->runner, ret_result);
    if (ret_result->outcome == RUNNER_STALLED) {
        (void)snprintf(ret_result->error, sizeof(ret_result->error), "%s", local->failure.s);
    }
    ret_result->sample.cpu_s = (double)(engine_cpu_us(local->engine) - cpu_us) / 1e6;
    ret_result->concurrency = slots;
    ret_result->cooperative = engine_is_cooperative(local->engine);
    runner_free(local->runner);
    local->runner = NULL;
}

void local_run(struct stage *stage,
               struct zygote *zygote,
               const struct job *job,
               struct job_result *ret_result)
{
    memset(ret_result, 0, sizeof(*ret_result));
    struct local *local = calloc(1, sizeof(*local));
    if (local == NULL) {
        job_result_fail(ret_result, "no memory for a local run");
        return;
    }
    uint32_t slots = job->slots > 0 ? job->slots
                                    : strategy_default_slots(job->strategy, cores_usable());
    struct engine_options options = {
        .workload = NULL, /* see start_engine */
        .params = job->params,
        .strategy = job->strategy,
        .slots = slots,
        .range_first = job->items.is_range ? job->items.range_first : 0,
        .records = job->records,
        .zygote = job->strategy == STRATEGY_PROCESSES ? zygote : NULL,
        .wake = wake_loop,
        .wake_arg = local,
        .note = note,
        .note_arg = local,
    };
    struct err_text error = {{0}};
    CHECK(uv_async_init(&stage->loop, &local->wake, on_wake) == 0);
    local->wake.data = local;
    local->stage = stage;
    notes_init(&local->notes);
    uint64_t begun_us = stage_now_us();
    if (start_engine(stage, local, job, &options, &error) != 0) {
        job_result_fail(ret_result, error.s);
        if (stage_interrupted(stage)) {
            ret_result->outcome = RUNNER_CANCELLED;
        }
    } else {
        double startup_s = (double)(stage_now_us() - begun_us) / 1e6;
        play(stage, local, job, slots, ret_result);
        ret_result->sample.startup_s = startup_s;
    }
    bool stopped = true;
    if (local->engine != NULL) {
        engine_stop(local->engine);
        stopped = engine_join(local->engine, STOP_LIMIT_MS) == 0;
    }
    if (!stopped) {
        /* An item that does not look at `cancelled` still runs: its engine is left behind, it
         * ends with the process. */
        return;
    }
    engine_free(local->engine);
    uv_close((uv_handle_t *)&local->wake, on_closed);
    while (!is_closed(local)) {
        (void)uv_run(&stage->loop, UV_RUN_ONCE);
    }
    say_notes(local);
    notes_deinit(&local->notes);
    free(local);
}
