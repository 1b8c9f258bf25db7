/* What workers say, and how they end; see server_internal.h. */
#include "coordinator/runner/job_plugin.h"
#include "coordinator/server/server_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void server_forget(struct server *server,
                   struct peer *peer,
                   enum sched_event_type how,
                   const char *why)
{
    struct worker_id worker = {peer->session};
    bool joined = peer_is_joined(peer);
    if (why[0] != '\0') {
        server_note(server, "lost worker %s@%s: %s", peer->name, peer->host, why);
        server->run.last_lost_us = stage_now_us();
        (void)err_set(&server->run.last_lost, 0, "worker %s@%s: %s", peer->name, peer->host, why);
    }
    if (peer->busy_job == server->run.job_id) {
        server->run.cpu_us_gone += peer->cpu_us;
    }
    for (size_t i = 0; peer->dirty && i < server->dirty_count; i++) {
        if (server->dirty[i] == peer) {
            server->dirty[i] = server->dirty[--server->dirty_count];
            break;
        }
    }
    peers_remove(&server->peers, peer);
    server_crew_changed(server);
    if (joined && server->run.runner != NULL) {
        runner_worker_event(server->run.runner, stage_now_us(), worker, how);
    }
    if (server->no_more_workers && server->run.runner != NULL && server_able(server) == 0) {
        runner_no_more_workers(server->run.runner, stage_now_us());
    }
}

/* --- workers that answer and go --- */

/* JOB went there and READY came back; between them the worker was making its engine, for as long as it
 * says. The shortest counts: everything else that may be in such a time is delay of ours. */
static void note_round_trip(struct peer *peer)
{
    uint64_t took_us = stage_now_us() - peer->asked_us;
    uint64_t round_trip_us = took_us > peer->startup_us ? took_us - peer->startup_us : 1;
    if (peer->round_trip_us == 0 || round_trip_us < peer->round_trip_us) {
        peer->round_trip_us = round_trip_us;
    }
}

static void on_ready(struct server *server, struct peer *peer, const struct wire_message *message)
{
    const struct wire_ready *ready = &message->as.ready;
    struct server_run *run = &server->run;
    if (peer->state != PEER_STARTING) {
        server->stats.stale_messages++;
        return;
    }
    if (ready->error.len > 0) {
        peer->state = PEER_UNABLE;
        server_crew_changed(server);
        (void)err_set(&run->unable,
                      ERR_INVALID,
                      "worker %s@%s: %.*s",
                      peer->name,
                      peer->host,
                      (int)ready->error.len,
                      ready->error.s);
        return;
    }
    peer->state = PEER_RUNNING;
    peer->slots = ready->slots;
    peer->cooperative = ready->cooperative;
    peer->startup_us = ready->startup_us;
    note_round_trip(peer);
    /* The chunks that this brings are sent at once, and a worker that is not there any more is
     * forgotten then: `peer` may be gone when this returns. */
    struct sched_holding *holding = peer->holding;
    size_t holding_count = peer->holding_count;
    peer->holding = NULL;
    runner_join(run->runner,
                stage_now_us(),
                (struct worker_id){peer->session},
                ready->slots,
                ready->credit,
                holding,
                holding_count);
    free(holding);
}

/* Before READY: what the worker goes on with. */
static void on_holding(struct server *server, struct peer *peer, const struct wire_message *message)
{
    if (peer->state != PEER_STARTING) {
        server->stats.stale_messages++;
        return;
    }
    switch (peer_add_holding(peer, &message->as.chunks)) {
    case 0:
        break;
    case ERR_NOMEM:
        peer_forget_holding(peer); /* then it is run again: only its work is lost */
        break;
    default:
        server_refuse_worker(
            server, peer, WIRE_REASON_MALFORMED, "it says to hold more than it can");
    }
}

bool server_is_of_run(const struct server *server, const struct wire_message *message)
{
    return server->run.runner != NULL && message->job == server->run.job_id;
}

/* To somebody without a session here; but not over and over. */
static void reject_stranger(struct server *server,
                            struct zsock_peer address,
                            uint64_t session,
                            enum wire_reason reason,
                            const char *text)
{
    if (patience_refuse(&server->patience, address.value, stage_now_us())) {
        server_reject(server, address, session, reason, text);
    }
}

void server_drop_bad(struct server *server, struct zsock_peer address, const char *why)
{
    server->stats.bad_frames++;
    struct peer *peer = peers_find_address(&server->peers, address);
    if (peer != NULL) {
        server_refuse_worker(server, peer, WIRE_REASON_MALFORMED, why);
        return;
    }
    if (!server->strange_said) {
        server->strange_said = true;
        server_note(server, "refused what somebody said who is not registered: %s", why);
    }
    reject_stranger(server, address, 0, WIRE_REASON_MALFORMED, why);
}

void server_refuse_worker(struct server *server,
                          struct peer *peer,
                          enum wire_reason reason,
                          const char *why)
{
    server_reject(server, peer->address, peer->session, reason, why);
    if (reason == WIRE_REASON_MALFORMED) {
        patience_shun(&server->patience, peer->nonce);
    }
    server->run.refused += peer_is_joined(peer);
    server_forget(server, peer, SCHED_WORKER_LEFT, why);
}

static void on_returned(struct server *server,
                        struct peer *peer,
                        const struct wire_message *message)
{
    if (!peer_is_joined(peer)) {
        peer->state = peer->state == PEER_IDLE ? PEER_IDLE : PEER_UNABLE;
        return;
    }
    struct worker_id worker = {peer->session};
    uint64_t now_us = stage_now_us();
    if (peer->state == PEER_RUNNING) {
        peer->state = PEER_LEAVING;
        server_crew_changed(server);
        runner_worker_event(server->run.runner, now_us, worker, SCHED_WORKER_DRAINING);
    }
    for (size_t i = 0; i < message->as.returned.count; i++) {
        runner_returned(
            server->run.runner, now_us, worker, (struct chunk_id){message->as.returned.id[i]});
    }
}

static void on_heartbeat(struct server *server,
                         struct peer *peer,
                         const struct wire_message *message)
{
    uint64_t coming = message->as.heartbeat.coming;
    if (coming > 0) {
        peer->coming_until_us = peer->heard_us + coming * US_PER_S / SLOWEST_BYTES_PER_S;
    }
    if (message->job == 0) {
        /* One said before the worker had read the JOB that is under way to it means nothing. */
        peer->busy_job = peer->state == PEER_STARTING ? peer->busy_job : 0;
        return;
    }
    /* One that leaves still finishes what it has begun, for as long as that takes. */
    if (server_is_of_run(server, message) && peer_is_joined(peer)) {
        peer->cpu_us = message->as.heartbeat.cpu_us;
        runner_worker_event(
            server->run.runner, stage_now_us(), (struct worker_id){peer->session}, SCHED_HEARD);
    }
}

/* A worker asks for each part once, in order: in a session of its own at most the whole plugin is sent to it,
 * however often it asks. */
static void on_fetch(struct server *server, struct peer *peer, const struct wire_message *message)
{
    const struct wire_fetch *fetch = &message->as.fetch;
    const struct job_plugin *plugin = server->run.job->plugin;
    struct err_text error;
    if (plugin == NULL || memcmp(fetch->hash.s, plugin->hash, HASH_SIZE) != 0) {
        server_drop_bad(
            server, peer->address, "FETCH: asks for a plugin that its job does not have");
    } else if (fetch->offset < peer->fetched || fetch->offset >= plugin->size) {
        (void)err_set(&error,
                      ERR_PROTOCOL,
                      "FETCH: offset is %" PRIu64 ", %" PRIu64 " of %" PRIu64
                      " bytes were sent already",
                      fetch->offset,
                      peer->fetched,
                      plugin->size);
        server_drop_bad(server, peer->address, error.s);
    } else {
        server_send_part(server, peer, fetch->offset);
    }
}

static void on_bye(struct server *server, struct peer *peer, const struct wire_message *message)
{
    server_note(server,
                "worker %s@%s left%s%.*s",
                peer->name,
                peer->host,
                message->as.reject.text.len > 0 ? ": " : "",
                (int)message->as.reject.text.len,
                message->as.reject.text.s);
    server_forget(server, peer, SCHED_WORKER_LEFT, "");
}

/* --- messages --- */

/* What each type of a registered worker's message does; `of_run`: only when it is about the job
 * of the run on stage. */
static const struct {
    void (*on)(struct server *server, struct peer *peer, const struct wire_message *message);
    bool of_run;
} handlers[] = {
    [WIRE_READY] = {on_ready, true},
    [WIRE_RESULTS] = {server_on_results, false},
    [WIRE_RETURNED] = {on_returned, true},
    [WIRE_HEARTBEAT] = {on_heartbeat, false},
    [WIRE_BYE] = {on_bye, false},
    [WIRE_FETCH] = {on_fetch, true},
    [WIRE_HOLDING] = {on_holding, true},
};

static void on_session_message(struct server *server,
                               struct zsock_peer address,
                               const struct wire_message *message)
{
    size_t type = message->type;
    if (type >= sizeof(handlers) / sizeof(handlers[0]) || handlers[type].on == NULL) {
        struct err_text error;
        (void)err_set(&error,
                      ERR_PROTOCOL,
                      "%s: only a coordinator says that, and who connects here is a worker",
                      wire_type_name(message->type));
        server_drop_bad(server, address, error.s);
        return;
    }
    struct peer *peer = peers_find(&server->peers, message->session);
    if (peer == NULL || peer->address.value != address.value) {
        server->stats.stale_messages++;
        if (message->type == WIRE_RESULTS && server_is_of_run(server, message)) {
            server->run.late += message->as.results.count;
        }
        if (message->type != WIRE_BYE) {
            reject_stranger(
                server, address, message->session, WIRE_REASON_SESSION, "this session is over");
        }
        return;
    }
    peer->heard_us = stage_now_us();
    tempo_heard(&peer->tempo);
    peer->coming_until_us = 0;
    if (handlers[type].of_run && !server_is_of_run(server, message)) {
        server->stats.stale_messages++;
        return;
    }
    handlers[type].on(server, peer, message);
}

static void on_message(void *arg,
                       struct zsock_peer address,
                       const void *header,
                       size_t len,
                       struct blob *payload)
{
    struct server *server = arg;
    struct wire_message message;
    struct err_text error;
    server->stats.messages_in++;
    if (wire_decode(server->decoder, header, len, &error, &message) != 0) {
        server_drop_bad(server, address, error.s);
    } else if (message.type == WIRE_HELLO) {
        server_on_hello(server, address, &message);
    } else if (message.type == WIRE_PROBE) {
        server->payload = payload;
        server_on_probe(server, address, &message);
        server->payload = NULL;
    } else {
        server->payload = payload;
        on_session_message(server, address, &message);
        server->payload = NULL;
    }
    blob_unref(payload);
}

static void on_bad(void *arg, struct zsock_peer address, const char *why)
{
    server_drop_bad(arg, address, why);
}

static void on_turn_end(void *arg)
{
    struct server *server = arg;
    server_flush(server);
    server_call_reserves(server);
}

const struct zsock_handlers server_socket_handlers = {
    .message = on_message,
    .bad = on_bad,
    .turn_end = on_turn_end,
    .dropping = server_on_dropping,
    .peer_dropped = server_on_peer_dropped,
    .refused = server_on_refused,
};
