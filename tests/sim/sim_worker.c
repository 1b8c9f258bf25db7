/* A worker: the real agent, a model of its engine, and the little that the shell between them does. */
#include "common/base/check.h"
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

static void step(struct sim *sim, struct sim_worker *worker, const struct agent_event *event);

/* --- the engine --- */

static void engine_clear(struct sim_engine *engine)
{
    for (size_t i = 0; i < engine->done_count; i++) {
        free(engine->done[i].error);
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
        uint64_t done = chunk.count;
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

static void engine_submit(struct sim *sim,
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
        .first = chunk->first,
        .run_us = value & ((UINT64_C(1) << 48) - 1),
        /* for want of records, which would tell which items failed */
        .error_index = chunk->first,
        .tally = sim_tally(job, chunk->first, slot->done, chunk->attempt)};
    for (uint64_t i = 0; tries != NULL && i < slot->done; i++) {
        tries[chunk->first + i]++;
    }
    if (result.tally.failed > 0) {
        result.error = memcpy(sim_realloc(NULL, 4), "fail", 4);
        result.error_len = 4;
    }
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
    step(sim, worker, &event);
}

static void engine_take_back(struct sim *sim, struct sim_worker *worker)
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
    step(sim, worker, &event);
    free(ids);
}

/* What waits, runs, and is done and was not taken. */
static void engine_tell_holding(struct sim *sim, struct sim_worker *worker)
{
    struct sim_engine *engine = &worker->engine;
    size_t count = 0;
    size_t most = engine->queued + engine->slots + engine->done_count;
    struct chunk *list = sim_realloc(NULL, (most + 1) * sizeof(*list));
    for (size_t i = 0; i < engine->queued; i++) {
        list[count++] = engine->queue[i];
    }
    for (uint32_t slot = 0; slot < engine->slots; slot++) {
        if (engine->running[slot].busy) {
            list[count++] = engine->running[slot].chunk;
        }
    }
    for (size_t i = 0; i < engine->done_count; i++) {
        const struct chunk_result *result = &engine->done[i];
        list[count++] = (struct chunk){.id = result->id,
                                       .first = result->first,
                                       .count = result->tally.ok + result->tally.failed,
                                       .attempt = result->attempt};
    }
    struct agent_event event = {.type = AGENT_HOLDING, .job = engine->job};
    event.as.holding.list = list;
    event.as.holding.count = count;
    step(sim, worker, &event);
    free(list);
}

static void engine_start(struct sim *sim, struct sim_worker *worker, uint64_t job)
{
    struct sim_engine *engine = &worker->engine;
    CHECK(engine->job == 0); /* the agent stops one before it starts another */
    engine_clear(engine);
    engine->job = job;
    engine->slots = worker->job_slots;
    sim_at(sim, sim->now_us + sim_between(sim, 100, 20000), of_engine(worker, SIM_ENGINE_READY, 0));
}

static void engine_stop(struct sim *sim, struct sim_worker *worker)
{
    engine_clear(&worker->engine);
    sim_at(sim, sim->now_us + sim_between(sim, 10, 5000), of_engine(worker, SIM_ENGINE_STOPPED, 0));
}

static void engine_happens(struct sim *sim,
                           struct sim_worker *worker,
                           const struct sim_entry *entry)
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
        step(sim, worker, &event);
        break;
    case SIM_ENGINE_STOPPED:
        event.type = AGENT_ENGINE_STOPPED;
        engine->job = 0;
        step(sim, worker, &event);
        break;
    case SIM_CHUNK_ENDED:
        engine_chunk_ended(sim, worker, entry->value);
        break;
    default: /* SIM_ENGINE_WAKES */
        engine_wakes(sim, worker);
        break;
    }
}

/* --- what the agent says --- */

static void send_results(struct sim *sim,
                         struct sim_worker *worker,
                         const struct agent_action *action)
{
    struct sim_message *message = sim_message_new(WIRE_RESULTS, action->session, action->job);
    message->seq = action->seq;
    message->credit = action->credit;
    message->count = action->count;
    message->results = sim_realloc(NULL, (action->count + 1) * sizeof(*message->results));
    for (uint32_t i = 0; i < action->count; i++) {
        message->results[i] = *agent_result(worker->agent, action->first + i);
        message->results[i].error = NULL;
    }
    sim_send_to_server(sim, worker->connection, message);
}

static void send_holding(struct sim *sim,
                         struct sim_worker *worker,
                         const struct agent_action *action)
{
    struct sim_message *message = sim_message_new(WIRE_HOLDING, action->session, action->job);
    message->count = action->count;
    message->chunks = sim_realloc(NULL, action->count * sizeof(*message->chunks));
    memcpy(message->chunks,
           agent_holding(worker->agent) + action->first,
           action->count * sizeof(*message->chunks));
    sim_send_to_server(sim, worker->connection, message);
}

static void send_returned(struct sim *sim,
                          struct sim_worker *worker,
                          const struct agent_action *action)
{
    struct sim_message *message = sim_message_new(WIRE_RETURNED, action->session, action->job);
    message->count = action->count;
    message->ids = sim_realloc(NULL, (action->count + 1) * sizeof(*message->ids));
    const struct chunk_id *ids = agent_returned_ids(worker->agent);
    for (uint32_t i = 0; i < action->count; i++) {
        message->ids[i] = ids[action->first + i];
    }
    sim_send_to_server(sim, worker->connection, message);
}

static void send_plain(struct sim *sim,
                       struct sim_worker *worker,
                       enum wire_type type,
                       const struct agent_action *action)
{
    struct sim_message *message = sim_message_new(type, action->session, action->job);
    message->nonce = worker->nonce;
    message->slots = worker->engine.slots;
    message->credit = action->credit;
    sim_send_to_server(sim, worker->connection, message);
}

static void reconnect(struct sim *sim, struct sim_worker *worker, uint64_t after_us)
{
    if (worker->connection != 0) {
        sim_disconnect(sim, worker->connection, false);
        worker->connection = 0;
    }
    sim_at(
        sim,
        sim->now_us + after_us,
        (struct sim_entry){.kind = SIM_CONNECTED, .worker = worker->index, .life = worker->life});
}

static void perform(struct sim *sim, struct sim_worker *worker, const struct agent_action *action)
{
    switch (action->type) {
    case AGENT_SEND_HELLO:
        send_plain(sim, worker, WIRE_HELLO, action);
        break;
    case AGENT_SEND_READY:
        send_plain(sim, worker, WIRE_READY, action);
        break;
    case AGENT_SEND_HEARTBEAT:
        send_plain(sim, worker, WIRE_HEARTBEAT, action);
        break;
    case AGENT_SEND_BYE:
        send_plain(sim, worker, WIRE_BYE, action);
        break;
    case AGENT_SEND_RESULTS:
        send_results(sim, worker, action);
        break;
    case AGENT_SEND_RETURNED:
        send_returned(sim, worker, action);
        break;
    case AGENT_START_ENGINE:
        engine_start(sim, worker, action->job);
        break;
    case AGENT_STOP_ENGINE:
        engine_stop(sim, worker);
        break;
    case AGENT_SUBMIT:
        engine_submit(sim, worker, worker->in_hand);
        break;
    case AGENT_DISCARD:
        break;
    case AGENT_ASK_HOLDING:
        engine_tell_holding(sim, worker);
        break;
    case AGENT_SEND_HOLDING:
        send_holding(sim, worker, action);
        break;
    case AGENT_TAKE_BACK:
        engine_take_back(sim, worker);
        break;
    case AGENT_RECONNECT:
        reconnect(sim, worker, sim_between(sim, 100, 50000));
        break;
    case AGENT_EXIT:
        sim_trace(sim, "worker %u: exits: %s", worker->index, agent_exit_text(worker->agent));
        worker->exited = true;
        break;
    }
}

/* Actions may lead to further events: each event has its own list. */
static void step(struct sim *sim, struct sim_worker *worker, const struct agent_event *event)
{
    struct agent_action list[AGENT_ACTIONS_MIN];
    struct agent_actions actions = {.list = list, .capacity = AGENT_ACTIONS_MIN};
    char text[256];
    if (event->type != AGENT_TICK && event->type != AGENT_HEARD) {
        sim_trace(
            sim, "worker %u < %s", worker->index, agent_describe_event(event, text, sizeof(text)));
    }
    CHECK(agent_step(worker->agent, sim->now_us, event, &actions) == 0);
    agent_check(worker->agent);
    for (size_t i = 0; i < actions.count; i++) {
        sim_trace(sim,
                  "worker %u > %s",
                  worker->index,
                  agent_describe_action(&list[i], text, sizeof(text)));
        perform(sim, worker, &list[i]);
    }
}

/* --- messages --- */

static void on_message(struct sim *sim, struct sim_worker *worker, struct sim_message *message)
{
    static const enum agent_event_type types[] = {
        [WIRE_WELCOME] = AGENT_WELCOME,
        [WIRE_REJECT] = AGENT_REJECT,
        [WIRE_JOB] = AGENT_JOB,
        [WIRE_CHUNKS] = AGENT_CHUNKS,
        [WIRE_CANCEL] = AGENT_CANCEL,
        [WIRE_DRAIN] = AGENT_DRAIN,
        [WIRE_BYE] = AGENT_BYE,
        [WIRE_ACK] = AGENT_HEARD,
        [WIRE_HEARTBEAT] = AGENT_HEARD,
    };

    if (message->ack > 0) {
        struct agent_event ack = {.type = AGENT_ACK, .session = message->session};
        ack.as.ack = message->ack;
        step(sim, worker, &ack);
    }
    struct agent_event event = {
        .type = types[message->type], .session = message->session, .job = message->job};
    switch (message->type) {
    case WIRE_WELCOME:
        event.as.welcome.heartbeat_us = message->heartbeat_us;
        event.as.welcome.minor = WIRE_PROTOCOL_MINOR;
        break;
    case WIRE_REJECT:
        event.as.reject.reason = message->reason;
        event.as.reject.text = "simulated";
        break;
    case WIRE_JOB:
        worker->job_slots = message->slots;
        event.as.job.credit_fixed = message->credit;
        break;
    case WIRE_CHUNKS:
        event.as.chunks.count = message->count;
        break;
    default:
        break;
    }
    worker->in_hand = message;
    step(sim, worker, &event);
    worker->in_hand = NULL;
}

static void on_connected(struct sim *sim, struct sim_worker *worker)
{
    if (worker->connection == 0) {
        worker->connection = sim_connect(sim, worker->index);
        struct agent_event event = {.type = AGENT_CONNECTED};
        step(sim, worker, &event);
    }
}

/* --- life --- */

void sim_worker_start(struct sim *sim, uint32_t index)
{
    struct sim_worker *worker = &sim->workers[index];
    if (worker->agent != NULL) {
        return;
    }
    struct agent_options options = {
        .credit_max = (uint32_t)sim_between(sim, 4, 128),
        .results_per_message = (uint32_t)sim_between(
            sim, 1, sim_chance(sim, 500) ? 4 : WIRE_CHUNKS_MAX),
        .errors_per_message = (uint32_t)sim_between(sim, 1, WIRE_ERRORS_MAX),
        .drain_limit_us = sim_chance(sim, 500) ? 0 : 1000000,
        .give_up_us = sim_chance(sim, 800) ? 0 : 60000000,
    };
    worker->index = index;
    worker->life++;
    worker->nonce = rng_next(&sim->rng);
    worker->slowness = worker->slowness > 0 ? worker->slowness : 1;
    worker->exited = false;
    worker->frozen_until_us = 0;
    worker->connection = 0;
    worker->engine.job = 0;
    engine_clear(&worker->engine);
    options.seed = worker->nonce;
    CHECK(agent_new(&options, sim->now_us, &worker->agent) == 0);
    sim_trace(sim, "worker %u: starts", index);
    reconnect(sim, worker, sim_between(sim, 100, 5000));
}

static void end(struct sim *sim, struct sim_worker *worker, bool last_words_arrive)
{
    if (worker->connection != 0) {
        sim_disconnect(sim, worker->connection, last_words_arrive);
    }
    agent_free(worker->agent);
    worker->agent = NULL;
    worker->connection = 0;
    worker->engine.job = 0;
    engine_clear(&worker->engine);
}

void sim_worker_kill(struct sim *sim, uint32_t index)
{
    if (sim->workers[index].agent != NULL) {
        sim_trace(sim, "worker %u: is killed", index);
        end(sim, &sim->workers[index], false);
    }
}

/* One of its items was too much for it; another worker takes its place. */
static void die_of_poison(struct sim *sim, struct sim_worker *worker)
{
    sim->poisoned++;
    sim_worker_kill(sim, worker->index);
    sim_at(sim,
           sim->now_us + sim_between(sim, 1000, 300000),
           (struct sim_entry){.kind = SIM_START, .worker = worker->index});
}

/* A worker that left is replaced after a while. */
static void bury(struct sim *sim, struct sim_worker *worker)
{
    if (worker->agent == NULL || !worker->exited) {
        return;
    }
    end(sim, worker, true);
    sim_at(sim,
           sim->now_us + sim_between(sim, 1000, 500000),
           (struct sim_entry){.kind = SIM_START, .worker = worker->index, .life = worker->life});
}

void sim_worker_happens(struct sim *sim, struct sim_entry *entry)
{
    struct sim_worker *worker = &sim->workers[entry->worker];
    bool stale = entry->kind != SIM_TO_WORKER && entry->life != worker->life;
    if (worker->agent == NULL || stale) {
        return;
    }
    struct agent_event event = {.type = AGENT_DISCONNECTED};
    switch (entry->kind) {
    case SIM_TO_WORKER:
        if (sim_arrives(sim, entry)) {
            on_message(sim, worker, entry->message);
        }
        break;
    case SIM_CONNECTED:
        on_connected(sim, worker);
        break;
    case SIM_DISCONNECTED:
        if (worker->connection == 0) {
            step(sim, worker, &event);
        }
        break;
    case SIM_POISONED:
        if (entry->connection == worker->engine.generation) {
            die_of_poison(sim, worker);
        }
        break;
    default:
        engine_happens(sim, worker, entry);
        break;
    }
    bury(sim, worker);
}

void sim_worker_drain(struct sim *sim, uint32_t index)
{
    struct sim_worker *worker = &sim->workers[index];
    if (worker->agent != NULL) {
        struct agent_event event = {.type = AGENT_DRAIN};
        step(sim, worker, &event);
        bury(sim, worker);
    }
}

void sim_worker_break_connection(struct sim *sim, uint32_t index, uint64_t for_us)
{
    struct sim_worker *worker = &sim->workers[index];
    if (worker->agent == NULL || worker->connection == 0) {
        return;
    }
    if (sim_chance(sim, sim->plan.unnoticed_per_mille)) {
        /* Half-open: only silence will tell it, and it connects anew itself. */
        sim_disconnect(sim, worker->connection, false);
        return;
    }
    reconnect(sim, worker, for_us);
    sim_at(sim,
           sim->now_us,
           (struct sim_entry){
               .kind = SIM_DISCONNECTED, .worker = worker->index, .life = worker->life});
}

void sim_worker_tick(struct sim *sim, uint32_t index)
{
    struct sim_worker *worker = &sim->workers[index];
    struct agent_event event = {.type = AGENT_TICK};
    step(sim, worker, &event);
    bury(sim, worker);
}

uint64_t sim_worker_deadline_us(const struct sim *sim, uint32_t index)
{
    const struct sim_worker *worker = &sim->workers[index];
    if (worker->agent == NULL) {
        return UINT64_MAX;
    }
    uint64_t due_us = agent_deadline_us(worker->agent);
    return due_us > worker->frozen_until_us ? due_us : worker->frozen_until_us;
}

void sim_worker_deinit(struct sim_worker *worker)
{
    engine_clear(&worker->engine);
    free(worker->engine.queue);
    free(worker->engine.done);
    agent_free(worker->agent);
}
