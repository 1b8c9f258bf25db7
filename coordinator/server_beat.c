/* Life signs, both ways, and what their absence means; see server_internal.h. */
#include "coordinator/server_internal.h"

static void probe(struct server *server)
{
    server->probe_due = false;
    for (uint32_t i = 0; i < server->peers.high; i++) {
        if (server->peers.by_index[i] != NULL) {
            (void)server_send_heartbeat(server, server->peers.by_index[i]);
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

/* Life signs, both ways. The scheduler watches the leases of the workers that run; this watches
 * the others. */
void server_on_beat(uv_timer_t *timer)
{
    struct server *server = timer->data;
    if (server->probe_due) {
        probe(server);
    }
    uint64_t now_us = stage_now_us();
    uint64_t beat_us = (uint64_t)server->options.heartbeat_ms * US_PER_MS;
    for (uint32_t i = 0; i < server->peers.high; i++) {
        struct peer *peer = server->peers.by_index[i];
        if (peer == NULL) {
            continue;
        }
        bool sending = peer->coming_until_us > now_us;
        peer->heard_us = sending ? now_us : peer->heard_us; /* as good as a word of it */
        if (peer->state != PEER_RUNNING && now_us - peer->heard_us > SILENT_BEATS * beat_us) {
            server_forget(server, peer, SCHED_WORKER_LOST, "nothing was heard of it for too long");
        } else if (now_us - peer->sent_us >= beat_us) {
            (void)server_send_heartbeat(server, peer);
        } else if (sending && server->run.runner != NULL && peer_is_joined(peer)) {
            runner_worker_event(
                server->run.runner, now_us, (struct worker_id){peer->session}, SCHED_HEARD);
        }
    }
    server_keys_beat(server);
    server_call_reserves(server);
    give_up_alone(server, now_us);
}
