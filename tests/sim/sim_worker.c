/* A worker: the real agent, a model of its engine, and the little that the shell between them does. */
#include "tests/sim/sim_worker.h"

#include "common/base/check.h"
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

enum { CONNECT_AGAIN_US = 100000 };

/* The agent's timer, by its machine's clock. */
static void set_timer(struct sim *sim, const struct sim_worker *worker)
{
    uint64_t due_us = UINT64_MAX;
    if (worker->agent != NULL) {
        due_us = sim_clock_when(&worker->clock, agent_deadline_us(worker->agent));
        due_us = due_us > worker->frozen_until_us ? due_us : worker->frozen_until_us;
    }
    sim_timers_set(&sim->timers, worker->index, due_us);
}

/* --- what the agent says --- */

static void send(struct sim *sim, struct sim_worker *worker, struct sim_message *message)
{
    if (sim_is_liar(sim, worker)) {
        sim_lie(sim, worker, message);
    }
    sim_send_to_server(sim, worker->connection, message);
}

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
        message->results[i].records = NULL;
    }
    send(sim, worker, message);
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
    send(sim, worker, message);
}

static void send_holding(struct sim *sim,
                         struct sim_worker *worker,
                         const struct agent_action *action)
{
    struct sim_message *message = sim_message_new(WIRE_HOLDING, action->session, action->job);
    size_t size = action->count * sizeof(*message->chunks);
    message->count = action->count;
    message->chunks = memcpy(
        sim_realloc(NULL, size + 1), agent_holding(worker->agent) + action->first, size);
    send(sim, worker, message);
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
    send(sim, worker, message);
}

static void reconnect(struct sim *sim,
                      struct sim_worker *worker,
                      enum sim_rest rest,
                      uint64_t after_us)
{
    if (worker->connection != 0) {
        sim_disconnect(sim, worker->connection, rest);
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
        sim_engine_start(sim, worker, action->job);
        break;
    case AGENT_STOP_ENGINE:
        sim_engine_stop(sim, worker);
        break;
    case AGENT_SUBMIT:
        sim_engine_submit(sim, worker, worker->in_hand);
        break;
    case AGENT_DISCARD:
        break;
    case AGENT_ASK_HOLDING:
        sim_engine_say_holding(sim, worker);
        break;
    case AGENT_SEND_HOLDING:
        send_holding(sim, worker, action);
        break;
    case AGENT_TAKE_BACK:
        sim_engine_take_back(sim, worker);
        break;
    case AGENT_RECONNECT:
        reconnect(sim, worker, SIM_REST_PARTLY_ARRIVES, sim_between(sim, 100, 50000));
        break;
    case AGENT_EXIT:
        sim_trace(sim, "worker %u: exits: %s", worker->index, agent_exit_text(worker->agent));
        worker->exited = true;
        break;
    }
}

/* What waits for its acknowledgement, beside what chunks in hand still yield. */
static void check_memory(const struct sim *sim, const struct sim_worker *worker)
{
    struct agent_stats stats;
    agent_get_stats(worker->agent, &stats);
    uint64_t on_top = worker->credit_max * worker->engine.records_max;
    if (stats.records_bytes > AGENT_RECORDS_KEPT + on_top) {
        sim_fail(sim,
                 "memory_bounded: worker %u keeps %llu bytes of records",
                 worker->index,
                 (unsigned long long)stats.records_bytes);
    }
}

/* Actions may lead to further events: each event has its own list. */
void sim_worker_step(struct sim *sim, struct sim_worker *worker, const struct agent_event *event)
{
    struct agent_action list[AGENT_ACTIONS_MIN];
    struct agent_actions actions = {.list = list, .capacity = AGENT_ACTIONS_MIN};
    char text[256];
    if (sim->verbose && event->type != AGENT_TICK && event->type != AGENT_HEARD) {
        sim_trace(
            sim, "worker %u < %s", worker->index, agent_describe_event(event, text, sizeof(text)));
    }
    uint64_t now_us = sim_clock_read(&worker->clock, sim->now_us);
    CHECK(agent_step(worker->agent, now_us, event, &actions) == 0);
    agent_check(worker->agent);
    check_memory(sim, worker);
    for (size_t i = 0; i < actions.count; i++) {
        if (sim->verbose) {
            sim_trace(sim,
                      "worker %u > %s",
                      worker->index,
                      agent_describe_action(&list[i], text, sizeof(text)));
        }
        perform(sim, worker, &list[i]);
    }
    set_timer(sim, worker);
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
        sim_worker_step(sim, worker, &ack);
    }
    struct agent_event event = {
        .type = types[message->type], .session = message->session, .job = message->job};
    switch (message->type) {
    case WIRE_WELCOME:
        event.as.welcome.heartbeat_us = message->heartbeat_us;
        event.as.welcome.minor = WIRE_PROTOCOL_MINOR;
        break;
    case WIRE_HEARTBEAT:
        event.as.heard.heartbeat_us = message->heartbeat_us;
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
    sim_worker_step(sim, worker, &event);
    worker->in_hand = NULL;
}

/* When there is a way, and somebody at its end. */
static void on_connected(struct sim *sim, struct sim_worker *worker)
{
    uint64_t cut_until_us = sim_link_cut_until_us(sim, worker->index);
    if (worker->connection == 0 && (cut_until_us > sim->now_us || sim->server.down)) {
        uint64_t from_us = cut_until_us > sim->now_us ? cut_until_us : sim->now_us;
        reconnect(sim,
                  worker,
                  SIM_REST_IS_LOST,
                  from_us - sim->now_us + sim_between(sim, 100, CONNECT_AGAIN_US));
    } else if (worker->connection == 0) {
        worker->connection = sim_connect(sim, worker->index);
        struct agent_event event = {.type = AGENT_CONNECTED};
        sim_worker_step(sim, worker, &event);
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
    worker->life++;
    worker->nonce = rng_next(&sim->rng);
    options.seed = worker->nonce;
    worker->slowness = worker->slowness > 0 ? worker->slowness : 1;
    worker->exited = false;
    worker->lied = false;
    worker->frozen_until_us = 0;
    worker->credit_max = options.credit_max;
    worker->clock = (struct sim_clock){
        .since_us = sim->now_us, .shown_us = sim_between(sim, 0, 1000000), .per_mille = 1000};
    sim_clock_set_speed(&worker->clock, sim->now_us, sim_drifting(sim));
    worker->connection = 0;
    worker->engine.job = 0;
    sim_engine_clear(&worker->engine);
    CHECK(agent_new(&options, worker->clock.shown_us, &worker->agent) == 0);
    set_timer(sim, worker);
    sim_trace(sim, "worker %u: starts", index);
    reconnect(sim, worker, SIM_REST_PARTLY_ARRIVES, sim_between(sim, 100, 5000));
}

static void end(struct sim *sim, struct sim_worker *worker, bool last_words_arrive)
{
    if (worker->connection != 0) {
        sim_disconnect(sim,
                       worker->connection,
                       last_words_arrive ? SIM_REST_ARRIVES : SIM_REST_PARTLY_ARRIVES);
    }
    agent_free(worker->agent);
    worker->agent = NULL;
    worker->connection = 0;
    worker->engine.job = 0;
    sim_engine_clear(&worker->engine);
    sim_message_free(worker->replay);
    worker->replay = NULL;
    set_timer(sim, worker);
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
    sim->judge.poisoned++;
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
        if (worker->connection == 0) { /* or else it has another one already */
            sim_worker_step(sim, worker, &event);
        }
        break;
    case SIM_POISONED:
        if (entry->connection == worker->engine.generation) {
            die_of_poison(sim, worker);
        }
        break;
    default:
        sim_engine_happens(sim, worker, entry);
        break;
    }
    bury(sim, worker);
}

void sim_worker_drain(struct sim *sim, uint32_t index)
{
    struct sim_worker *worker = &sim->workers[index];
    if (worker->agent != NULL) {
        struct agent_event event = {.type = AGENT_DRAIN};
        sim_worker_step(sim, worker, &event);
        bury(sim, worker);
    }
}

void sim_worker_freeze(struct sim *sim, uint32_t index, uint64_t for_us, bool suspend)
{
    struct sim_worker *worker = &sim->workers[index];
    worker->frozen_until_us = sim->now_us + for_us;
    if (suspend) {
        sim_clock_stop(&worker->clock, sim->now_us, for_us);
    }
    set_timer(sim, worker);
}

void sim_worker_break_connection(struct sim *sim,
                                 uint32_t index,
                                 enum sim_rest rest,
                                 uint64_t for_us)
{
    struct sim_worker *worker = &sim->workers[index];
    if (worker->agent == NULL || worker->connection == 0) {
        return;
    }
    if (sim_chance(sim, sim->plan.unnoticed_per_mille)) {
        /* Half-open: only silence will tell it, and it connects anew itself. */
        sim_disconnect(sim, worker->connection, rest);
        return;
    }
    reconnect(sim, worker, rest, for_us);
    sim_at(sim,
           sim->now_us,
           (struct sim_entry){
               .kind = SIM_DISCONNECTED, .worker = worker->index, .life = worker->life});
}

void sim_worker_tick(struct sim *sim, uint32_t index)
{
    struct sim_worker *worker = &sim->workers[index];
    struct agent_event event = {.type = AGENT_TICK};
    sim_worker_step(sim, worker, &event);
    bury(sim, worker);
}

void sim_worker_deinit(struct sim_worker *worker)
{
    sim_engine_deinit(&worker->engine);
    sim_message_free(worker->replay);
    agent_free(worker->agent);
}
