/* A model of the coordinator's shell: sessions, acknowledgements and life signs as proto/quartet.proto has them, around the real
 * scheduler. It decides nothing about chunks. */
#include "common/base/check.h"
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

enum { SILENT_BEATS = 5 };

static void step(struct sim *sim, const struct sched_event *event);

/* --- peers --- */

static struct sim_peer *peer_of_session(struct sim_server *server, uint64_t session)
{
    for (size_t i = 0; session != 0 && i < SIM_PEERS_MAX; i++) {
        if (server->peers[i].session == session) {
            return &server->peers[i];
        }
    }
    return NULL;
}

static struct sim_peer *peer_of_nonce(struct sim_server *server, uint64_t nonce)
{
    for (size_t i = 0; i < SIM_PEERS_MAX; i++) {
        if (server->peers[i].session != 0 && server->peers[i].nonce == nonce) {
            return &server->peers[i];
        }
    }
    return NULL;
}

static struct sim_peer *free_peer(struct sim_server *server)
{
    for (size_t i = 0; i < SIM_PEERS_MAX; i++) {
        if (server->peers[i].session == 0) {
            return &server->peers[i];
        }
    }
    return NULL;
}

static bool has_joined(const struct sim_peer *peer)
{
    return peer->state == SIM_PEER_RUNNING || peer->state == SIM_PEER_LEAVING;
}

/* Forget a peer; the scheduler is told when it knows it. */
static void peer_gone(struct sim *sim, struct sim_peer *peer, enum sched_event_type how)
{
    struct sched_event event = {.type = how, .worker = {peer->session}};
    bool told = has_joined(peer) && sim->server.sched != NULL && !sim->server.job_over;
    sim_trace(sim, "server: session %llu is over", (unsigned long long)peer->session);
    peer->session = 0;
    peer->batch_count = 0;
    if (told) {
        step(sim, &event);
    }
}

/* --- sending --- */

/* Returns false when the peer could not be reached; it is forgotten then. */
static bool send_to(struct sim *sim, struct sim_peer *peer, struct sim_message *message)
{
    message->session = peer->session;
    message->ack = peer->seq;
    peer->acked = peer->seq;
    peer->sent_us = sim->now_us;
    if (sim_send_to_worker(sim, peer->connection, message)) {
        return true;
    }
    if (sim_chance(sim, sim->plan.unnoticed_per_mille)) {
        return true; /* swallowed by a buffer; only silence will tell */
    }
    peer_gone(sim, peer, SCHED_WORKER_LOST);
    return false;
}

static bool send_plain(struct sim *sim, struct sim_peer *peer, enum wire_type type)
{
    return send_to(sim, peer, sim_message_new(type, 0, sim->server.job));
}

static void reject(struct sim *sim, uint64_t connection, enum wire_reason reason)
{
    struct sim_message *message = sim_message_new(WIRE_REJECT, 0, 0);
    message->reason = reason;
    (void)sim_send_to_worker(sim, connection, message);
}

static void send_job(struct sim *sim, struct sim_peer *peer)
{
    const struct sim_job *job = &sim->plan.jobs[sim->server.job_index];
    struct sim_message *message = sim_message_new(WIRE_JOB, 0, sim->server.job);
    message->slots = job->slots;
    message->credit = job->credit_fixed;
    peer->state = SIM_PEER_STARTING;
    (void)send_to(sim, peer, message);
}

static void queue_chunk(struct sim *sim, const struct sched_action *action)
{
    struct sim_peer *peer = peer_of_session(&sim->server, action->worker.value);
    if (peer == NULL) {
        sim_fail(sim, "chunk sent to a session that is over");
    }
    if (peer->batch_count == peer->batch_capacity) {
        peer->batch_capacity = peer->batch_capacity > 0 ? peer->batch_capacity * 2 : 16;
        peer->batch = sim_realloc(peer->batch, peer->batch_capacity * sizeof(*peer->batch));
    }
    peer->batch[peer->batch_count++] = (struct chunk){.id = action->chunk,
                                                      .first = action->first,
                                                      .count = action->count,
                                                      .attempt = action->attempt};
    sim->server.dirty = true;
}

static void flush_peer(struct sim *sim, struct sim_peer *peer)
{
    if (peer->batch_count > 0) {
        struct sim_message *message = sim_message_new(WIRE_CHUNKS, 0, sim->server.job);
        size_t count = peer->batch_count < WIRE_CHUNKS_MAX ? peer->batch_count : WIRE_CHUNKS_MAX;
        message->count = count;
        message->chunks = sim_realloc(NULL, count * sizeof(*message->chunks));
        memcpy(message->chunks, peer->batch, count * sizeof(*message->chunks));
        peer->batch_count -= count;
        memmove(peer->batch, peer->batch + count, peer->batch_count * sizeof(*peer->batch));
        (void)send_to(sim, peer, message);
    } else if (peer->acked != peer->seq) {
        (void)send_plain(sim, peer, WIRE_ACK);
    }
}

/* Losing a peer on the way may give its chunks to others, so again until nothing is left. */
static void flush(struct sim *sim)
{
    while (sim->server.dirty) {
        sim->server.dirty = false;
        for (size_t i = 0; i < SIM_PEERS_MAX; i++) {
            struct sim_peer *peer = &sim->server.peers[i];
            while (peer->session != 0 && (peer->batch_count > 0 || peer->acked != peer->seq)) {
                flush_peer(sim, peer);
            }
        }
    }
}

/* --- the scheduler --- */

static void perform(struct sim *sim, const struct sched_action *action)
{
    struct sim_server *server = &sim->server;
    struct sim_peer *peer;
    switch (action->type) {
    case SCHED_SEND:
        queue_chunk(sim, action);
        break;
    case SCHED_DROP_WORKER:
        peer = peer_of_session(server, action->worker.value);
        if (peer == NULL) {
            sim_fail(sim, "dropped a session that is over already");
        }
        peer->state = SIM_PEER_IDLE; /* the scheduler has forgotten it */
        peer_gone(sim, peer, SCHED_WORKER_LOST);
        break;
    case SCHED_STALLED:
        server->stalled = true;
        break;
    case SCHED_DONE:
        server->job_over = true;
        break;
    case SCHED_FINISHED:
    case SCHED_SPLIT:
    case SCHED_ABANDONED:
        break;
    }
}

static void step_once(struct sim *sim, const struct sched_event *event)
{
    struct sched_action list[512];
    struct sched_actions actions = {.list = list, .capacity = sim->plan.sched_actions};
    char text[256];
    if (sim->verbose && event->type != SCHED_TICK && event->type != SCHED_HEARD) {
        sim_trace(sim, "sched < %s", sched_describe_event(event, text, sizeof(text)));
    }
    sim_judge_event(sim, event);
    int rc = sched_step(sim->server.sched, sim->now_us, event, &actions);
    if (rc != 0) {
        sim_fail(sim,
                 "the scheduler refused %s: %d",
                 sched_describe_event(event, text, sizeof(text)),
                 rc);
    }
    sched_check(sim->server.sched);
    for (size_t i = 0; i < actions.count; i++) {
        if (sim->verbose) {
            sim_trace(sim, "sched > %s", sched_describe_action(&list[i], text, sizeof(text)));
        }
        sim_judge_action(sim, event, &list[i]);
    }
    sim_judge_state(sim);
    for (size_t i = 0; i < actions.count; i++) {
        perform(sim, &list[i]);
    }
}

static void step(struct sim *sim, const struct sched_event *event)
{
    const struct sched_event tick = {.type = SCHED_TICK};
    if (sim->server.job_over) {
        return;
    }
    step_once(sim, event);
    while (!sim->server.job_over && sched_deadline_us(sim->server.sched) <= sim->now_us) {
        step_once(sim, &tick);
    }
    sim_judge_settled(sim);
}

static void feed(struct sim *sim)
{
    struct sim_server *server = &sim->server;
    const struct sim_job *job = &sim->plan.jobs[server->job_index];
    uint64_t left = job->items - server->fed;
    uint64_t more = job->items_at_once == 0 || job->items_at_once > left ? left
                                                                         : job->items_at_once;
    server->fed += more;
    struct sched_event event = {.type = SCHED_ITEMS};
    event.as.items.available = server->fed;
    event.as.items.final = server->fed == job->items;
    step(sim, &event);
    if (!event.as.items.final && !server->job_over) {
        sim_at(sim,
               sim->now_us + sim_between(sim, 10, 3000),
               (struct sim_entry){.kind = SIM_FEED, .value = server->job});
    }
}

/* No worker can come any more: each job's scheduler has to know. */
static void say_no_more_workers(struct sim *sim)
{
    const struct sched_event event = {.type = SCHED_NO_MORE_WORKERS};
    if (sim->server.no_more_workers && !sim->ending) {
        step(sim, &event);
    }
}

static void begin_job(struct sim *sim)
{
    struct sim_server *server = &sim->server;
    const struct sim_job *job = &sim->plan.jobs[server->job_index];
    struct sched_options options = {.workers_max = SIM_PEERS_MAX,
                                    .chunk_items = job->chunk_items,
                                    .chunk_target_us = 100000,
                                    .crash_limit = sim->plan.crash_limit,
                                    .lease_us = SILENT_BEATS * sim->plan.heartbeat_us,
                                    .retries_max = job->retries_max,
                                    .retry_delay_us = job->retry_delay_us};
    sched_free(server->sched);
    CHECK(sched_new(&options, &server->sched) == 0);
    server->job = server->job_index + 1;
    server->fed = 0;
    server->job_over = false;
    server->cancelled = false;
    server->stopped = false;
    sim_trace(sim, "server: job %llu begins", (unsigned long long)server->job);
    sim_judge_begin_job(sim);
    for (size_t i = 0; i < SIM_PEERS_MAX; i++) {
        struct sim_peer *peer = &server->peers[i];
        peer->batch_count = 0;
        if (peer->session != 0 && peer->state != SIM_PEER_LEAVING) {
            send_job(sim, peer);
        } else if (peer->session != 0) {
            peer->state = SIM_PEER_IDLE;
        }
    }
    feed(sim);
    say_no_more_workers(sim);
}

static void say_bye(struct sim *sim)
{
    sim->ending = true;
    sim->no_restart = true;
    for (size_t i = 0; i < SIM_PEERS_MAX; i++) {
        if (sim->server.peers[i].session != 0) {
            (void)send_plain(sim, &sim->server.peers[i], WIRE_BYE);
        }
    }
}

/* After each thing that happened: whatever is due to workers, and the next job when this one is over. */
static void settle(struct sim *sim)
{
    struct sim_server *server = &sim->server;
    flush(sim);
    while (server->job_over && !sim->ending) {
        sim_judge_end_job(sim);
        for (size_t i = 0; server->cancelled && i < SIM_PEERS_MAX; i++) {
            if (server->peers[i].session != 0) {
                (void)send_plain(sim, &server->peers[i], WIRE_CANCEL);
            }
        }
        server->job_index++;
        if (server->job_index < sim->plan.job_count) {
            begin_job(sim);
        } else {
            say_bye(sim);
        }
        flush(sim);
    }
}

/* --- messages --- */

static void on_hello(struct sim *sim, const struct sim_entry *entry)
{
    struct sim_server *server = &sim->server;
    struct sim_peer *peer = peer_of_nonce(server, entry->message->nonce);
    if (peer != NULL) {
        peer_gone(sim, peer, SCHED_WORKER_LEFT); /* the same process, on a new connection */
    }
    peer = free_peer(server);
    if (peer == NULL || server->no_more_workers) {
        reject(sim, entry->connection, WIRE_REASON_FULL);
        return;
    }
    peer->session = ++server->next_session;
    peer->connection = entry->connection;
    peer->nonce = entry->message->nonce;
    peer->state = SIM_PEER_IDLE;
    peer->seq = 0;
    peer->acked = 0;
    peer->heard_us = sim->now_us;
    peer->batch_count = 0;
    struct sim_message *welcome = sim_message_new(WIRE_WELCOME, 0, 0);
    welcome->heartbeat_us = sim->plan.heartbeat_us;
    if (send_to(sim, peer, welcome)) {
        send_job(sim, peer);
    }
}

static void on_ready(struct sim *sim, struct sim_peer *peer, const struct sim_message *message)
{
    if (peer->state == SIM_PEER_STARTING && message->job == sim->server.job) {
        peer->state = SIM_PEER_RUNNING;
        struct sched_event event = {.type = SCHED_WORKER_JOINED, .worker = {peer->session}};
        event.as.joined.slots = message->slots;
        event.as.joined.credit = message->credit;
        step(sim, &event);
    }
}

static void forward_results(struct sim *sim, uint64_t session, const struct sim_message *message)
{
    const struct sim_job *job = &sim->plan.jobs[sim->server.job_index];
    for (size_t i = 0; i < message->count && !sim->server.job_over; i++) {
        struct sched_event event = {.type = SCHED_RESULT, .worker = {session}};
        event.as.result.chunk = message->results[i].id;
        event.as.result.attempt = message->results[i].attempt;
        event.as.result.run_us = message->results[i].run_us;
        event.as.result.tally = message->results[i].tally;
        struct sched_span *failed = NULL;
        if (job->retries_max > 0) {
            event.as.result.failed_count = sim_failed(job,
                                                      message->results[i].error_index,
                                                      event.as.result.tally.ok +
                                                          event.as.result.tally.failed,
                                                      event.as.result.attempt,
                                                      &failed);
            event.as.result.failed = failed;
        }
        step(sim, &event);
        free(failed);
    }
}

static void on_results(struct sim *sim, struct sim_peer *peer, const struct sim_message *message)
{
    if (message->seq <= peer->seq) {
        (void)send_plain(sim, peer, WIRE_ACK); /* it came twice */
        return;
    }
    if (message->seq != peer->seq + 1) {
        reject(sim, peer->connection, WIRE_REASON_SESSION);
        peer_gone(sim, peer, SCHED_WORKER_LOST);
        return;
    }
    peer->seq = message->seq;
    sim->server.dirty = true;
    if (!has_joined(peer) || message->job != sim->server.job) {
        return;
    }
    uint64_t session = peer->session;
    forward_results(sim, session, message);
    struct sched_event event = {
        .type = SCHED_CREDIT, .worker = {session}, .as.credit = message->credit};
    step(sim, &event);
}

static void on_returned(struct sim *sim, struct sim_peer *peer, const struct sim_message *message)
{
    if (message->job != sim->server.job || !has_joined(peer)) {
        return;
    }
    struct sched_event event = {.type = SCHED_WORKER_DRAINING, .worker = {peer->session}};
    if (peer->state == SIM_PEER_RUNNING) {
        peer->state = SIM_PEER_LEAVING;
        step(sim, &event);
    }
    for (size_t i = 0; i < message->count; i++) {
        event.type = SCHED_CHUNK_RETURNED;
        event.as.returned = message->ids[i];
        step(sim, &event);
    }
}

static void on_session_message(struct sim *sim,
                               struct sim_peer *peer,
                               const struct sim_message *message)
{
    struct sched_event heard = {.type = SCHED_HEARD, .worker = {peer->session}};
    peer->heard_us = sim->now_us;
    switch (message->type) {
    case WIRE_READY:
        on_ready(sim, peer, message);
        break;
    case WIRE_RESULTS:
        on_results(sim, peer, message);
        break;
    case WIRE_RETURNED:
        on_returned(sim, peer, message);
        break;
    case WIRE_BYE:
        peer_gone(sim, peer, SCHED_WORKER_LEFT);
        break;
    default: /* HEARTBEAT */
        if (has_joined(peer)) {
            step(sim, &heard);
        }
        break;
    }
}

/* What an old session still says changes nothing. Some of it is shown to the scheduler, which must know that by itself. */
static void on_stale_message(struct sim *sim, const struct sim_entry *entry)
{
    const struct sim_message *message = entry->message;
    if (message->type == WIRE_RESULTS && message->job == sim->server.job && sim_chance(sim, 300)) {
        forward_results(sim, message->session, message);
    }
    if (message->type != WIRE_BYE) {
        reject(sim, entry->connection, WIRE_REASON_SESSION);
    }
}

static void on_message(struct sim *sim, const struct sim_entry *entry)
{
    struct sim_peer *peer = peer_of_session(&sim->server, entry->message->session);
    sim_trace(sim,
              "server < %s of worker %u, session %llu",
              wire_type_name(entry->message->type),
              entry->worker,
              (unsigned long long)entry->message->session);
    if (entry->message->type == WIRE_HELLO) {
        on_hello(sim, entry);
    } else if (peer != NULL && peer->connection == entry->connection) {
        on_session_message(sim, peer, entry->message);
    } else {
        on_stale_message(sim, entry);
    }
}

static void probe(struct sim *sim)
{
    for (size_t i = 0; i < SIM_PEERS_MAX; i++) {
        if (sim->server.peers[i].session != 0) {
            (void)send_plain(sim, &sim->server.peers[i], WIRE_HEARTBEAT);
        }
    }
}

void sim_server_happens(struct sim *sim, struct sim_entry *entry)
{
    if (sim->ending) {
        return;
    }
    if (entry->kind == SIM_TO_SERVER) {
        if (sim_arrives(sim, entry)) {
            on_message(sim, entry);
        }
    } else if (entry->kind == SIM_PROBE) {
        probe(sim);
    } else if (entry->value != sim->server.job || sim->server.job_over) {
        return; /* of an earlier job */
    } else if (entry->kind == SIM_FEED) {
        feed(sim);
    } else { /* SIM_GO_ON */
        const struct sched_event go_on = {.type = SCHED_HOLD, .as.hold = false};
        step(sim, &go_on);
    }
    settle(sim);
}

/* --- time --- */

static void beat(struct sim *sim)
{
    sim->server.beat_us = sim->now_us + sim->plan.heartbeat_us / 2;
    for (size_t i = 0; i < SIM_PEERS_MAX; i++) {
        struct sim_peer *peer = &sim->server.peers[i];
        uint64_t silent_us = sim->now_us - peer->heard_us;
        if (peer->session == 0) {
            continue;
        }
        if (!has_joined(peer) && silent_us > SILENT_BEATS * sim->plan.heartbeat_us) {
            peer_gone(sim, peer, SCHED_WORKER_LOST);
        } else if (sim->now_us - peer->sent_us >= sim->plan.heartbeat_us) {
            (void)send_plain(sim, peer, WIRE_HEARTBEAT);
        }
    }
}

void sim_server_tick(struct sim *sim)
{
    const struct sched_event tick = {.type = SCHED_TICK};
    if (sim->server.beat_us <= sim->now_us) {
        beat(sim);
    }
    if (sched_deadline_us(sim->server.sched) <= sim->now_us) {
        step(sim, &tick);
    }
    settle(sim);
}

uint64_t sim_server_deadline_us(const struct sim *sim)
{
    const struct sim_server *server = &sim->server;
    if (sim->ending) {
        return UINT64_MAX;
    }
    uint64_t due_us = server->beat_us;
    uint64_t sched_us = server->job_over ? UINT64_MAX : sched_deadline_us(server->sched);
    due_us = sched_us < due_us ? sched_us : due_us;
    return due_us > server->frozen_until_us ? due_us : server->frozen_until_us;
}

void sim_server_drain(struct sim *sim, uint32_t worker)
{
    for (size_t i = 0; i < SIM_PEERS_MAX && !sim->ending; i++) {
        struct sim_peer *peer = &sim->server.peers[i];
        if (peer->session != 0 && peer->nonce == sim->workers[worker].nonce) {
            (void)send_plain(sim, peer, WIRE_DRAIN);
        }
    }
    settle(sim);
}

void sim_server_cancel(struct sim *sim)
{
    const struct sched_event cancel = {.type = SCHED_CANCEL};
    if (!sim->ending) {
        sim->server.cancelled = true;
        step(sim, &cancel);
        settle(sim);
    }
}

void sim_server_hold(struct sim *sim, uint64_t for_us)
{
    const struct sched_event hold = {.type = SCHED_HOLD, .as.hold = true};
    if (!sim->ending) {
        step(sim, &hold);
        sim_at(sim,
               sim->now_us + for_us,
               (struct sim_entry){.kind = SIM_GO_ON, .value = sim->server.job});
        settle(sim);
    }
}

void sim_server_stop(struct sim *sim)
{
    const struct sched_event stop = {.type = SCHED_STOP};
    if (!sim->ending) {
        sim->server.stopped = true;
        step(sim, &stop);
        settle(sim);
    }
}

void sim_server_no_more_workers(struct sim *sim)
{
    sim->server.no_more_workers = true;
    say_no_more_workers(sim);
    settle(sim);
}

void sim_server_init(struct sim *sim)
{
    begin_job(sim);
    settle(sim);
}

void sim_server_deinit(struct sim *sim)
{
    sched_free(sim->server.sched);
    for (size_t i = 0; i < SIM_PEERS_MAX; i++) {
        free(sim->server.peers[i].batch);
    }
}
