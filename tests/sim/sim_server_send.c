/* The modelled coordinator: what it says to workers. */
#include "tests/sim/sim.h"

#include <string.h>

bool sim_peer_send(struct sim *sim, struct sim_peer *peer, struct sim_message *message)
{
    message->session = peer->session;
    message->ack = peer->durable;
    if (peer->acked != peer->durable) {
        sim_judge_acknowledged(sim, peer->session, peer->durable);
    }
    peer->acked = peer->durable;
    peer->sent_us = sim_server_clock_us(sim);
    if (sim_send_to_worker(sim, peer->connection, message)) {
        return true;
    }
    if (sim_chance(sim, sim->plan.unnoticed_per_mille)) {
        return true; /* swallowed by a buffer; only silence will tell */
    }
    sim_peer_gone(sim, peer, SCHED_WORKER_LOST);
    return false;
}

bool sim_peer_send_plain(struct sim *sim, struct sim_peer *peer, enum wire_type type)
{
    return sim_peer_send(sim, peer, sim_message_new(type, 0, sim->server.job));
}

static bool send_tempo(struct sim *sim, struct sim_peer *peer, enum wire_type type, uint64_t job)
{
    struct sim_message *message = sim_message_new(type, 0, job);
    message->heartbeat_us = tempo_us(
        sim->plan.heartbeat_us, sim->plan.beat_each_us, sim_peers_count(&sim->server.peers));
    tempo_tell(&peer->tempo, message->heartbeat_us);
    return sim_peer_send(sim, peer, message);
}

bool sim_peer_send_heartbeat(struct sim *sim, struct sim_peer *peer)
{
    return send_tempo(sim, peer, WIRE_HEARTBEAT, sim->server.job);
}

bool sim_peer_send_welcome(struct sim *sim, struct sim_peer *peer)
{
    return send_tempo(sim, peer, WIRE_WELCOME, 0);
}

void sim_server_reject(struct sim *sim,
                       uint64_t connection,
                       uint64_t session,
                       enum wire_reason reason)
{
    struct sim_message *message = sim_message_new(WIRE_REJECT, session, 0);
    message->reason = reason;
    (void)sim_send_to_worker(sim, connection, message);
}

void sim_server_refuse(struct sim *sim, struct sim_peer *peer, enum wire_reason reason)
{
    sim_server_reject(sim, peer->connection, peer->session, reason);
    sim_peer_gone(sim, peer, SCHED_WORKER_LOST);
}

void sim_peer_send_job(struct sim *sim, struct sim_peer *peer)
{
    const struct sim_job *job = &sim->plan.jobs[sim->server.job_index];
    struct sim_message *message = sim_message_new(WIRE_JOB, 0, sim->server.job);
    message->slots = job->slots;
    message->credit = job->credit_fixed;
    peer->state = SIM_PEER_STARTING;
    peer->holding_count = 0;
    (void)sim_peer_send(sim, peer, message);
}

void sim_peer_queue_chunk(struct sim *sim, const struct sched_action *action)
{
    struct sim_peer *peer = sim_peers_find(&sim->server.peers, action->worker.value);
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
    sim_peers_mark(&sim->server.peers, peer);
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
        (void)sim_peer_send(sim, peer, message);
    } else {
        (void)sim_peer_send_plain(sim, peer, WIRE_ACK);
    }
}

/* Losing a peer on the way may give its chunks to others, so again until nothing is left. */
void sim_server_flush(struct sim *sim)
{
    struct sim_peer *peer;
    while ((peer = sim_peers_take_marked(&sim->server.peers)) != NULL) {
        while (peer->session != 0 && (peer->batch_count > 0 || peer->acked != peer->durable)) {
            flush_peer(sim, peer);
        }
    }
}
