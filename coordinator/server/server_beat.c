/* Life signs, both ways, and what their absence means; see server_internal.h. */
#include "coordinator/server/server_internal.h"

#include <malloc.h>

enum {
    PROBE_FOR_US = 1000 * 1000,
    /* zsock tells twice of drops that go on, 98 ms apart: the first time libzmq may not know yet who is gone. */
    PROBE_EVERY_US = 50 * 1000,
    CROWD_MIN = 256,
    GIVE_BACK_AFTER_US = 1000 * 1000,
};

uint64_t server_tempo_us(const struct server *server)
{
    uint64_t least_us = (uint64_t)server->options.heartbeat_ms * US_PER_MS;
    return tempo_us(least_us, TEMPO_EACH_US, server->peers.count);
}

void server_probe_soon(struct peer *peer)
{
    peer->probe_until_us = stage_now_us() + PROBE_FOR_US;
}

void server_on_dropping(void *arg, uint64_t connection)
{
    struct server *server = arg;
    struct peer *peer = peers_find_connection(&server->peers, connection);
    if (peer != NULL) {
        server_probe_soon(peer);
    }
}

/* Of a peer whose connection is not known any drop may be. */
static bool may_be_gone(const struct peer *peer, uint64_t now_us)
{
    return (peer->connection == 0 || now_us < peer->probe_until_us) &&
           now_us - peer->sent_us >= PROBE_EVERY_US;
}

/* Those whose connections have dropped, and nobody else: with ten thousand workers, a word to each for every port scanner
 * that hangs up would be all that the server does. */
static void probe(struct server *server)
{
    uint64_t now_us = stage_now_us();
    server->probe_due = false;
    for (uint32_t i = 0; i < server->peers.high; i++) {
        struct peer *peer = server->peers.by_index[i];
        if (peer != NULL && may_be_gone(peer, now_us)) {
            (void)server_send_heartbeat(server, peer);
        }
    }
}

void server_on_peer_dropped(void *arg)
{
    struct server *server = arg;
    if (server->probe_due) {
        return; /* or a storm of drops would put the beat off for as long as it lasts */
    }
    server->probe_due = true;
    (void)uv_timer_start(&server->beat, server->beat.timer_cb, 5, server->options.heartbeat_ms / 2);
}

/* Workers that come by themselves may come back, but a run does not wait for ever; nor for those
 * that are there and cannot run it. */
static void give_up_alone(struct server *server, uint64_t now_us)
{
    bool alone = server->run.workers > 0 && server->run.runner != NULL && server_able(server) == 0;
    if (!alone) {
        server->alone_since_us = 0;
        return;
    }
    if (server->alone_since_us == 0) {
        server->alone_since_us = now_us;
    }
    uint64_t limit_us = server->options.alone_limit_us;
    if (limit_us > 0 && now_us - server->alone_since_us >= limit_us) {
        runner_no_more_workers(server->run.runner, now_us);
    }
}

/* The peer may be gone when this returns. */
static void beat(struct server *server, struct peer *peer, uint64_t now_us)
{
    bool sending = peer->coming_until_us > now_us;
    peer->heard_us = sending ? now_us : peer->heard_us; /* as good as a word of it */
    uint64_t silent_us = now_us - peer->heard_us;
    if (peer->state != PEER_RUNNING && silent_us > SILENT_BEATS * peer->tempo.slowest_us) {
        server_forget(server, peer, SCHED_WORKER_LOST, "nothing was heard of it for too long");
    } else if (now_us - peer->sent_us >= peer->tempo.told_us) {
        (void)server_send_heartbeat(server, peer);
    } else if (sending && server->run.runner != NULL && peer_is_joined(peer)) {
        runner_worker_event(
            server->run.runner, now_us, (struct worker_id){peer->session}, SCHED_HEARD);
    }
}

/* All leases are equally long: as the slowest worker needs it. A longer one is in force well before anybody is silent for
 * that long: three beats are longer than from one look to the next. */
static void settle_leases(struct server *server, uint64_t slowest_us)
{
    if (slowest_us != server->slowest_us) {
        server->slowest_us = slowest_us;
        if (server->run.runner != NULL) {
            runner_lease(server->run.runner, stage_now_us(), SILENT_BEATS * slowest_us);
        }
    }
}

/* What a crowd took goes back to the system some time after it has left. Otherwise it stays: libzmq's blocks lie scattered
 * over the heap, and a crowd that comes later fits into the gaps only in part (seen: twice as much after six of them). */
static void give_back_memory(struct server *server, uint64_t now_us)
{
    uint32_t count = server->peers.count;
    if (count >= server->crowd / 2) {
        server->crowd = count > server->crowd ? count : server->crowd;
        server->left_since_us = 0;
    } else if (server->crowd >= CROWD_MIN && server->left_since_us == 0) {
        server->left_since_us = now_us;
    } else if (server->crowd >= CROWD_MIN && now_us - server->left_since_us >= GIVE_BACK_AFTER_US) {
        (void)malloc_trim(0);
        server->crowd = count;
        server->left_since_us = 0;
    }
}

/* Life signs, both ways. The scheduler watches the leases of the workers that run; this watches
 * the others. */
void server_on_beat(uv_timer_t *timer)
{
    struct server *server = timer->data;
    if (server->probe_due) {
        probe(server);
    }
    uint64_t now_us = stage_now_us();
    uint64_t slowest_us = (uint64_t)server->options.heartbeat_ms * US_PER_MS;
    for (uint32_t i = 0; i < server->peers.high; i++) {
        struct peer *peer = server->peers.by_index[i];
        if (peer != NULL) {
            beat(server, peer, now_us);
        }
        peer = server->peers.by_index[i];
        if (peer != NULL && peer->tempo.slowest_us > slowest_us) {
            slowest_us = peer->tempo.slowest_us;
        }
    }
    settle_leases(server, slowest_us);
    server_keys_beat(server);
    server_call_reserves(server);
    give_up_alone(server, now_us);
    give_back_memory(server, now_us);
}
