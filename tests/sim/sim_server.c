/* The modelled coordinator: messages, sessions and life signs. */
#include "tests/sim/sim_server.h"

#include "common/base/check.h"
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

enum { SILENT_BEATS = SIM_SILENT_BEATS };

uint64_t sim_server_clock_us(const struct sim *sim)
{
    return sim_clock_read(&sim->server.clock, sim->now_us);
}

struct sim_entry sim_server_entry(const struct sim *sim, enum sim_kind kind, uint64_t value)
{
    return (struct sim_entry){.kind = kind, .life = sim->server.life, .value = value};
}

bool sim_peer_has_joined(const struct sim_peer *peer)
{
    return peer->state == SIM_PEER_RUNNING || peer->state == SIM_PEER_LEAVING;
}

void sim_peer_gone(struct sim *sim, struct sim_peer *peer, enum sched_event_type how)
{
    struct sched_event event = {.type = how, .worker = {peer->session}};
    bool told = sim_peer_has_joined(peer);
    sim_trace(sim, "server: session %llu is over", (unsigned long long)peer->session);
    sim_peers_remove(&sim->server.peers, peer);
    if (told) {
        (void)sim_server_step(sim, &event);
    }
}

/* --- messages --- */

static void on_hello(struct sim *sim, const struct sim_entry *entry)
{
    struct sim_server *server = &sim->server;
    uint64_t nonce = entry->message->nonce;
    struct sim_peer *peer = sim_peers_find_nonce(&server->peers, entry->worker, nonce);
    if (++sim->counts.hellos > sim->plan.hellos_max && sim->plan.hellos_max > 0) {
        sim_fail(sim, "no_storm: HELLO number %llu", (unsigned long long)sim->counts.hellos);
    }
    if (peer != NULL) {
        /* The same process, on a new connection. */
        sim_peer_gone(sim, peer, SCHED_WORKER_LEFT);
    }
    peer = server->no_more_workers ? NULL : sim_peers_add(&server->peers, entry->worker, nonce);
    if (peer == NULL) {
        sim_server_reject(sim, entry->connection, 0, WIRE_REASON_FULL);
        return;
    }
    peer->connection = entry->connection;
    peer->state = SIM_PEER_IDLE;
    peer->heard_us = sim_server_clock_us(sim);
    if (sim_peer_send_welcome(sim, peer)) {
        sim_peer_send_job(sim, peer);
    }
}

static void on_holding(struct sim *sim, struct sim_peer *peer, const struct sim_message *message)
{
    if (peer->state != SIM_PEER_STARTING || message->job != sim->server.job) {
        return;
    }
    size_t count = peer->holding_count + message->count;
    peer->holding = sim_realloc(peer->holding, (count + 1) * sizeof(*peer->holding));
    for (size_t i = 0; i < message->count; i++) {
        const struct chunk *chunk = &message->chunks[i];
        peer->holding[peer->holding_count++] = (struct sched_holding){.chunk = chunk->id,
                                                                      .first = chunk->first,
                                                                      .count = chunk->count,
                                                                      .attempt = chunk->attempt};
    }
}

static void on_ready(struct sim *sim, struct sim_peer *peer, const struct sim_message *message)
{
    if (peer->state != SIM_PEER_STARTING || message->job != sim->server.job) {
        return;
    }
    peer->state = SIM_PEER_RUNNING;
    struct sched_event event = {.type = SCHED_WORKER_JOINED, .worker = {peer->session}};
    event.as.joined.slots = message->slots;
    event.as.joined.credit = message->credit;
    event.as.joined.holding = peer->holding;
    event.as.joined.holding_count = peer->holding_count;
    if (sim_server_step(sim, &event) != 0) {
        peer->state = SIM_PEER_IDLE; /* the scheduler does not know it */
        sim_server_refuse(sim, peer, WIRE_REASON_MALFORMED);
    }
}

/* One result. Returns what the scheduler says to it. */
static int forward_result(struct sim *sim, uint64_t session, const struct chunk_result *result)
{
    const struct sim_job *job = &sim->plan.jobs[sim->server.job_index];
    struct sched_event event = {.type = SCHED_RESULT, .worker = {session}};
    event.as.result.chunk = result->id;
    event.as.result.attempt = result->attempt;
    event.as.result.run_us = result->run_us;
    event.as.result.tally = result->tally;
    struct sched_span *failed = NULL;
    uint64_t items = result->tally.ok + result->tally.failed;
    if (job->retries_max > 0 && !sim->server.lie) { /* for the made-up ones: no records, no names */
        event.as.result.failed_count = sim_failed(
            job, result->first, items, event.as.result.attempt, &failed);
        event.as.result.failed = failed;
    }
    int rc = sim_server_step(sim, &event);
    free(failed);
    return rc;
}

static int forward_results(struct sim *sim, uint64_t session, const struct sim_message *message)
{
    int refused = 0;
    for (size_t i = 0; i < message->count && !sim->server.job_over; i++) {
        sim->server.lie = i < message->lies;
        int rc = forward_result(sim, session, &message->results[i]);
        refused = refused != 0 ? refused : rc;
    }
    sim->server.lie = false;
    return refused;
}

static void on_results(struct sim *sim, struct sim_peer *peer, const struct sim_message *message)
{
    if (message->seq <= peer->seq) {
        (void)sim_peer_send_plain(sim, peer, WIRE_ACK); /* it came twice */
        return;
    }
    if (message->seq != peer->seq + 1) {
        sim_server_refuse(sim, peer, WIRE_REASON_SESSION);
        return;
    }
    peer->seq = message->seq;
    uint64_t session = peer->session;
    int refused = 0;
    if (sim_peer_has_joined(peer) && message->job == sim->server.job) {
        struct sched_event event = {
            .type = SCHED_CREDIT, .worker = {session}, .as.credit = message->credit};
        refused = forward_results(sim, session, message);
        refused = refused != 0 ? refused : sim_server_step(sim, &event);
    }
    peer = sim_peers_find(&sim->server.peers, session);
    if (peer != NULL && refused != 0) {
        sim_server_refuse(sim, peer, WIRE_REASON_MALFORMED);
    } else if (peer != NULL) {
        sim_server_note_receipt(sim, peer);
    }
}

static void on_returned(struct sim *sim, struct sim_peer *peer, const struct sim_message *message)
{
    if (message->job != sim->server.job || !sim_peer_has_joined(peer)) {
        return;
    }
    struct sched_event event = {.type = SCHED_WORKER_DRAINING, .worker = {peer->session}};
    if (peer->state == SIM_PEER_RUNNING) {
        peer->state = SIM_PEER_LEAVING;
        (void)sim_server_step(sim, &event);
    }
    for (size_t i = 0; i < message->count; i++) {
        event.type = SCHED_CHUNK_RETURNED;
        event.as.returned = message->ids[i];
        (void)sim_server_step(sim, &event);
    }
}

static void on_session_message(struct sim *sim,
                               struct sim_peer *peer,
                               const struct sim_message *message)
{
    struct sched_event heard = {.type = SCHED_HEARD, .worker = {peer->session}};
    peer->heard_us = sim_server_clock_us(sim);
    tempo_heard(&peer->tempo);
    switch (message->type) {
    case WIRE_HOLDING:
        on_holding(sim, peer, message);
        break;
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
        sim_peer_gone(sim, peer, SCHED_WORKER_LEFT);
        break;
    default: /* HEARTBEAT */
        if (sim_peer_has_joined(peer)) {
            (void)sim_server_step(sim, &heard);
        }
        break;
    }
}

/* What an old session still says changes nothing. Some of it is shown to the scheduler, which must know that by itself. */
static void on_stale_message(struct sim *sim, const struct sim_entry *entry)
{
    const struct sim_message *message = entry->message;
    bool of_another = sim_peers_find(&sim->server.peers, message->session) != NULL;
    if (message->type == WIRE_RESULTS && message->job == sim->server.job && !of_another &&
        sim_chance(sim, 300)) {
        (void)forward_results(sim, message->session, message);
    }
    if (message->type != WIRE_BYE) {
        sim_server_reject(sim, entry->connection, message->session, WIRE_REASON_SESSION);
    }
}

static void on_message(struct sim *sim, const struct sim_entry *entry)
{
    struct sim_peer *peer = sim_peers_find(&sim->server.peers, entry->message->session);
    sim_trace(sim,
              "server < %s of worker %u, session %llu",
              wire_type_name(entry->message->type),
              entry->worker,
              (unsigned long long)entry->message->session);
    sim->server.in_hand = entry->message;
    if (entry->message->type == WIRE_HELLO) {
        on_hello(sim, entry);
    } else if (peer != NULL && peer->connection == entry->connection) {
        on_session_message(sim, peer, entry->message);
    } else {
        on_stale_message(sim, entry);
    }
    sim->server.in_hand = NULL;
    if (sim->plan.message_us > 0) {
        sim_server_freeze(sim, sim->plan.message_us, false); /* busy */
    }
}

/* Whoever had this connection is asked whether it is still there. */
static void probe(struct sim *sim, uint64_t connection)
{
    for (size_t i = 0; i < sim->server.peers.max; i++) {
        struct sim_peer *peer = &sim->server.peers.list[i];
        if (peer->session != 0 && peer->connection == connection) {
            (void)sim_peer_send_heartbeat(sim, peer);
        }
    }
}

/* --- what happens to it --- */

static void happens(struct sim *sim, const struct sim_entry *entry)
{
    switch (entry->kind) {
    case SIM_TO_SERVER:
        if (sim_arrives(sim, entry)) {
            on_message(sim, entry);
        }
        break;
    case SIM_PROBE:
        probe(sim, entry->value);
        break;
    case SIM_COMMITTED:
        if (entry->value == sim->server.job) {
            sim_server_committed(sim);
        }
        break;
    case SIM_CRASHES:
        sim_server_crash(sim, entry->value);
        break;
    case SIM_FEED:
        if (entry->value == sim->server.job) {
            sim_server_feed(sim);
        }
        break;
    default: /* SIM_GO_ON */
        if (entry->value == sim->server.job) {
            const struct sched_event go_on = {.type = SCHED_HOLD, .as.hold = false};
            (void)sim_server_step(sim, &go_on);
        }
        break;
    }
}

void sim_server_happens(struct sim *sim, struct sim_entry *entry)
{
    struct sim_server *server = &sim->server;
    if (entry->kind == SIM_RESTART) {
        sim_server_restart(sim);
    } else if (sim->ending || server->down ||
               (entry->kind != SIM_TO_SERVER && entry->life != server->life)) {
        return;
    } else {
        happens(sim, entry);
    }
    sim_server_settle(sim);
}

/* --- time --- */

/* All leases are as long as the slowest worker needs. */
static void settle_leases(struct sim *sim, uint64_t slowest_us)
{
    struct sim_server *server = &sim->server;
    const struct sched_event lease = {.type = SCHED_LEASE,
                                      .as.lease_us = SILENT_BEATS * slowest_us};
    if (slowest_us != server->slowest_us && !server->job_over) {
        server->slowest_us = slowest_us;
        (void)sim_server_step(sim, &lease);
    }
}

static void beat(struct sim *sim)
{
    struct sim_server *server = &sim->server;
    uint64_t now_us = sim_server_clock_us(sim);
    uint64_t slowest_us = sim->plan.heartbeat_us;
    server->beat_us = now_us + sim->plan.heartbeat_us / 2;
    for (size_t i = 0; i < server->peers.max; i++) {
        struct sim_peer *peer = &server->peers.list[i];
        uint64_t silent_us = now_us - peer->heard_us;
        if (peer->session == 0) {
            continue;
        }
        if (!sim_peer_has_joined(peer) && silent_us > SILENT_BEATS * peer->tempo.slowest_us) {
            sim_peer_gone(sim, peer, SCHED_WORKER_LOST);
            continue;
        }
        if (now_us - peer->sent_us >= peer->tempo.told_us && !sim_peer_send_heartbeat(sim, peer)) {
            continue;
        }
        slowest_us = peer->tempo.slowest_us > slowest_us ? peer->tempo.slowest_us : slowest_us;
    }
    settle_leases(sim, slowest_us);
}

void sim_server_tick(struct sim *sim)
{
    const struct sched_event tick = {.type = SCHED_TICK};
    uint64_t now_us = sim_server_clock_us(sim);
    if (sim->server.beat_us <= now_us) {
        beat(sim);
    }
    if (sched_deadline_us(sim->server.sched) <= now_us) {
        (void)sim_server_step(sim, &tick);
    }
    sim_server_settle(sim);
}

uint64_t sim_server_deadline_us(const struct sim *sim)
{
    const struct sim_server *server = &sim->server;
    if (sim->ending || server->down) {
        return UINT64_MAX;
    }
    uint64_t due_us = server->beat_us;
    uint64_t sched_us = server->job_over ? UINT64_MAX : sched_deadline_us(server->sched);
    due_us = sim_clock_when(&server->clock, sched_us < due_us ? sched_us : due_us);
    return due_us > server->frozen_until_us ? due_us : server->frozen_until_us;
}

void sim_server_freeze(struct sim *sim, uint64_t for_us, bool suspend)
{
    struct sim_server *server = &sim->server;
    uint64_t until_us = sim->now_us + for_us;
    server->frozen_until_us = until_us > server->frozen_until_us ? until_us
                                                                 : server->frozen_until_us;
    if (suspend) {
        sim_clock_stop(&server->clock, sim->now_us, for_us);
    }
}

/* --- what its user asks for --- */

static bool hears(const struct sim *sim)
{
    return !sim->ending && !sim->server.down;
}

void sim_server_drain(struct sim *sim, uint32_t worker)
{
    if (hears(sim)) {
        struct sim_peer *peer = sim_peers_find_nonce(
            &sim->server.peers, worker, sim->workers[worker].nonce);
        if (peer != NULL) {
            (void)sim_peer_send_plain(sim, peer, WIRE_DRAIN);
        }
        sim_server_settle(sim);
    }
}

void sim_server_cancel(struct sim *sim)
{
    const struct sched_event cancel = {.type = SCHED_CANCEL};
    if (hears(sim) && !sim->server.job_over) {
        sim->server.cancelled = true;
        (void)sim_server_step(sim, &cancel);
        sim_server_settle(sim);
    }
}

void sim_server_hold(struct sim *sim, uint64_t for_us)
{
    const struct sched_event hold = {.type = SCHED_HOLD, .as.hold = true};
    if (hears(sim)) {
        (void)sim_server_step(sim, &hold);
        sim_at(sim, sim->now_us + for_us, sim_server_entry(sim, SIM_GO_ON, sim->server.job));
        sim_server_settle(sim);
    }
}

void sim_server_stop(struct sim *sim)
{
    const struct sched_event stop = {.type = SCHED_STOP};
    if (hears(sim) && !sim->server.job_over) {
        sim->server.stopped = true;
        (void)sim_server_step(sim, &stop);
        sim_server_settle(sim);
    }
}

void sim_server_no_more_workers(struct sim *sim)
{
    const struct sched_event event = {.type = SCHED_NO_MORE_WORKERS};
    sim->server.no_more_workers = true;
    if (hears(sim)) {
        (void)sim_server_step(sim, &event);
        sim_server_settle(sim);
    }
}

void sim_server_init(struct sim *sim)
{
    struct sim_server *server = &sim->server;
    sim_peers_init(&server->peers, sim->plan.peers_max, sim->plan.workers);
    server->slowest_us = sim->plan.heartbeat_us;
    server->clock = (struct sim_clock){.per_mille = sim_drifting(sim)};
    sim_server_begin_job(sim);
    sim_server_settle(sim);
}

void sim_server_deinit(struct sim *sim)
{
    sched_free(sim->server.sched);
    sim_peers_deinit(&sim->server.peers);
    free(sim->server.receipts.list);
}
