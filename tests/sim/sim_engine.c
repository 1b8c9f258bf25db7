/* The model of an engine. */
#include "tests/sim/sim_engine.h"

#include "common/base/check.h"
#include "common/base/record.h"
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

void sim_engine_clear(struct sim_engine *engine)
{
    for (size_t i = 0; i < engine->done_count; i++) {
        chunk_result_deinit(&engine->done[i]);
    }
    engine->done_count = 0;
    engine->queued = 0;
    engine->ready = false;
    engine->waking = false;
    engine->generation++;
    memset(engine->running, 0, sizeof(engine->running));
}

static struct sim_entry of_engine(const struct sim_worker *worker,
                                  enum sim_kind kind,
                                  uint64_t value)
{
    return (struct sim_entry){.kind = kind,
                              .worker = worker->index,
                              .life = worker->life,
                              .connection = worker->engine.generation,
                              .value = value};
}

static const struct sim_job *job_of(const struct sim *sim, uint64_t job)
{
    CHECK(job > 0 && job <= sim->plan.job_count);
    return &sim->plan.jobs[job - 1];
}

static uint64_t run_time_us(const struct sim_job *job,
                            const struct sim_worker *worker,
                            uint64_t items)
{
    return items * job->item_ns / 1000 * worker->slowness;
}

/* As many of a chunk's items as there is room for their records in one result. */
static uint64_t items_to_run(const struct sim_job *job, const struct chunk *chunk)
{
    uint64_t most = job->record_bytes > 0 ? RECORDS_MAX / job->record_bytes : UINT64_MAX;
    return chunk->count < most ? chunk->count : most;
}

/* Free slots begin the chunks that wait. */
static void engine_begin(struct sim *sim, struct sim_worker *worker)
{
    struct sim_engine *engine = &worker->engine;
    const struct sim_job *job = job_of(sim, engine->job);
    for (uint32_t slot = 0; engine->ready && slot < engine->slots && engine->queued > 0; slot++) {
        if (engine->running[slot].busy) {
            continue;
        }
        struct chunk chunk = engine->queue[0];
        engine->queued--;
        memmove(engine->queue, engine->queue + 1, engine->queued * sizeof(chunk));
        uint64_t done = items_to_run(job, &chunk);
        if (done > 1 && sim_chance(sim, job->partial_per_mille)) {
            done = sim_between(sim, 1, done - 1);
        }
        engine->running[slot] = (struct sim_run_slot){.busy = true, .chunk = chunk, .done = done};
        uint64_t before_poison = sim_poison(job, chunk.first, done) - chunk.first;
        if (before_poison < done) {
            sim_at(sim,
                   sim->now_us + run_time_us(job, worker, before_poison),
                   of_engine(worker, SIM_POISONED, slot));
            continue;
        }
        uint64_t run_us = run_time_us(job, worker, done);
        sim_at(sim,
               sim->now_us + run_us + sim_between(sim, 0, 20),
               of_engine(worker, SIM_CHUNK_ENDED, (uint64_t)slot << 48 | run_us));
    }
}

void sim_engine_submit(struct sim *sim,
                       struct sim_worker *worker,
                       const struct sim_message *message)
{
    struct sim_engine *engine = &worker->engine;
    size_t needed = engine->queued + message->count;
    if (needed > engine->queue_capacity) {
        engine->queue_capacity = needed * 2;
        engine->queue = sim_realloc(engine->queue, engine->queue_capacity * sizeof(*engine->queue));
    }
    memcpy(
        engine->queue + engine->queued, message->chunks, message->count * sizeof(*engine->queue));
    engine->queued = needed;
    engine_begin(sim, worker);
}

/* One wake-up for all that is done by then. */
static void engine_add_done(struct sim *sim,
                            struct sim_worker *worker,
                            const struct chunk_result *result)
{
    struct sim_engine *engine = &worker->engine;
    if (engine->done_count == engine->done_capacity) {
        engine->done_capacity = engine->done_capacity > 0 ? engine->done_capacity * 2 : 16;
        engine->done = sim_realloc(engine->done, engine->done_capacity * sizeof(*engine->done));
    }
    engine->done[engine->done_count++] = *result;
    if (!engine->waking) {
        engine->waking = true;
        sim_at(sim, sim->now_us + sim_between(sim, 0, 60), of_engine(worker, SIM_ENGINE_WAKES, 0));
    }
}

/* Nobody looks into them: all share the same few bytes, and only say that they are so many. */
static void add_records(struct sim *sim,
                        struct sim_engine *engine,
                        struct chunk_result *result,
                        uint64_t bytes)
{
    if (bytes > 0) {
        result->records = blob_ref(sim->records);
        result->records_len = (uint32_t)bytes;
    }
    engine->records_max = bytes > engine->records_max ? bytes : engine->records_max;
}

static void engine_chunk_ended(struct sim *sim, struct sim_worker *worker, uint64_t value)
{
    struct sim_engine *engine = &worker->engine;
    struct sim_run_slot *slot = &engine->running[value >> 48];
    const struct chunk *chunk = &slot->chunk;
    const struct sim_job *job = job_of(sim, engine->job);
    uint16_t *tries = sim->tries[engine->job - 1];
    struct chunk_result result = {
        .id = chunk->id,
        .attempt = chunk->attempt,
        .run_us = value & ((UINT64_C(1) << 48) - 1),
        .first = chunk->first,
        .tally = sim_tally(job, chunk->first, slot->done, chunk->attempt)};
    for (uint64_t i = 0; tries != NULL && i < slot->done; i++) {
        tries[chunk->first + i]++;
    }
    if (result.tally.failed > 0) {
        result.error = memcpy(sim_realloc(NULL, 4), "fail", 4);
        result.error_len = 4;
    }
    add_records(sim, engine, &result, slot->done * job->record_bytes);
    slot->busy = false;
    engine_add_done(sim, worker, &result);
    engine_begin(sim, worker);
}

static void engine_wakes(struct sim *sim, struct sim_worker *worker)
{
    struct sim_engine *engine = &worker->engine;
    struct agent_event event = {.type = AGENT_RESULTS, .job = engine->job};
    event.as.results.list = engine->done;
    event.as.results.count = engine->done_count;
    engine->done_count = 0;
    engine->waking = false;
    sim_worker_step(sim, worker, &event);
}

void sim_engine_take_back(struct sim *sim, struct sim_worker *worker)
{
    struct sim_engine *engine = &worker->engine;
    size_t count = engine->queued;
    struct chunk_id *ids = sim_realloc(NULL, (count + 1) * sizeof(*ids));
    for (size_t i = 0; i < count; i++) {
        ids[i] = engine->queue[count - 1 - i].id;
    }
    engine->queued = 0;
    struct agent_event event = {.type = AGENT_TAKEN_BACK, .job = engine->job};
    event.as.taken_back.list = ids;
    event.as.taken_back.count = count;
    sim_worker_step(sim, worker, &event);
    free(ids);
}

void sim_engine_start(struct sim *sim, struct sim_worker *worker, uint64_t job)
{
    struct sim_engine *engine = &worker->engine;
    CHECK(engine->job == 0); /* the agent stops one before it starts another */
    sim_engine_clear(engine);
    engine->job = job;
    engine->slots = worker->job_slots;
    sim_at(sim, sim->now_us + sim_between(sim, 100, 20000), of_engine(worker, SIM_ENGINE_READY, 0));
}

void sim_engine_stop(struct sim *sim, struct sim_worker *worker)
{
    sim_engine_clear(&worker->engine);
    sim_at(sim, sim->now_us + sim_between(sim, 10, 5000), of_engine(worker, SIM_ENGINE_STOPPED, 0));
}

void sim_engine_happens(struct sim *sim, struct sim_worker *worker, const struct sim_entry *entry)
{
    struct sim_engine *engine = &worker->engine;
    if (entry->connection != engine->generation) {
        return;
    }
    struct agent_event event = {.type = AGENT_ENGINE_READY, .job = engine->job};
    switch (entry->kind) {
    case SIM_ENGINE_READY:
        engine->ready = true;
        event.as.ready.slots = engine->slots;
        sim_worker_step(sim, worker, &event);
        break;
    case SIM_ENGINE_STOPPED:
        event.type = AGENT_ENGINE_STOPPED;
        engine->job = 0;
        sim_worker_step(sim, worker, &event);
        break;
    case SIM_CHUNK_ENDED:
        engine_chunk_ended(sim, worker, entry->value);
        break;
    default: /* SIM_ENGINE_WAKES */
        engine_wakes(sim, worker);
        break;
    }
}

/* Running, waiting, or finished and not taken yet. */
void sim_engine_say_holding(struct sim *sim, struct sim_worker *worker)
{
    struct sim_engine *engine = &worker->engine;
    size_t most = SIM_SLOTS_MAX + engine->queued + engine->done_count;
    struct chunk *list = sim_realloc(NULL, most * sizeof(*list));
    size_t count = 0;
    for (uint32_t i = 0; i < engine->slots; i++) {
        if (engine->running[i].busy) {
            list[count++] = engine->running[i].chunk;
        }
    }
    for (size_t i = 0; i < engine->queued; i++) {
        list[count++] = engine->queue[i];
    }
    for (size_t i = 0; i < engine->done_count; i++) {
        const struct chunk_result *done = &engine->done[i];
        list[count++] = (struct chunk){.id = done->id,
                                       .first = done->first,
                                       .count = done->tally.ok + done->tally.failed,
                                       .attempt = done->attempt};
    }
    struct agent_event event = {.type = AGENT_HOLDING, .job = engine->job};
    event.as.holding.list = list;
    event.as.holding.count = count;
    sim_worker_step(sim, worker, &event);
    free(list);
}

void sim_engine_deinit(struct sim_engine *engine)
{
    sim_engine_clear(engine);
    free(engine->queue);
    free(engine->done);
}
