#include "coordinator/server/server_status.h"

#include "coordinator/runner/runner_status.h"
#include "coordinator/server/server_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *state_name(enum peer_state state)
{
    static const char *const names[] = {
        [PEER_IDLE] = "idle",
        [PEER_STARTING] = "starting",
        [PEER_RUNNING] = "running",
        [PEER_UNABLE] = "unable",
        [PEER_LEAVING] = "leaving",
    };
    return names[state];
}

static bool is_held_by(const struct server *server,
                       const struct peer *peer,
                       struct sched_worker_status *ret_status)
{
    *ret_status = (struct sched_worker_status){.held = 0};
    return server->run.runner != NULL &&
           (peer->state == PEER_RUNNING || peer->state == PEER_LEAVING) &&
           runner_worker_status(server->run.runner, (struct worker_id){peer->session}, ret_status);
}

static void view_worker(const struct server *server,
                        const struct peer *peer,
                        uint64_t now_us,
                        struct stall_view *ret_view)
{
    struct stall_workers *workers = &ret_view->workers;
    const struct server_run *run = &server->run;
    struct sched_worker_status held;
    workers->registered++;
    workers->offering += run->job == NULL || (peer->strategies >> run->job->strategy & 1) != 0;
    workers->starting += peer->state == PEER_STARTING;
    workers->running += peer->state == PEER_RUNNING;
    workers->leaving += peer->state == PEER_LEAVING;
    workers->unable += peer->state == PEER_UNABLE;
    if (!is_held_by(server, peer, &held)) {
        return;
    }
    uint64_t heard_us = now_us - peer->heard_us;
    workers->credit += held.credit;
    workers->result_us = heard_us < workers->result_us ? heard_us : workers->result_us;
    if (held.held > 0) {
        workers->heard_us = heard_us < workers->heard_us ? heard_us : workers->heard_us;
    }
}

void server_view_workers(const struct server *server, uint64_t now_us, struct stall_view *ret_view)
{
    struct sched_stats stats = {.workers_lost = 0};
    const struct server_run *run = &server->run;
    struct stall_workers *workers = &ret_view->workers;
    *workers = (struct stall_workers){.heard_us = UINT64_MAX, .result_us = UINT64_MAX};
    for (uint32_t i = 0; i < server->peers.high; i++) {
        const struct peer *peer = server->peers.by_index[i];
        if (peer != NULL) {
            view_worker(server, peer, now_us, ret_view);
        }
    }
    if (run->runner != NULL) {
        runner_stats(run->runner, &stats);
    }
    workers->lost = stats.workers_lost;
    ret_view->last_error = workers->unable > 0 ? run->unable.s : run->last_lost.s;
    ret_view->silence_us = server->slowest_us * 2;
}

uint64_t server_lost_us(const struct server *server)
{
    return server->run.last_lost_us;
}

uint64_t server_late(const struct server *server)
{
    return server->run.late;
}

void server_list_workers(const struct server *server,
                         uint64_t now_us,
                         struct status_worker *ret_list)
{
    size_t count = 0;
    for (uint32_t i = 0; i < server->peers.high; i++) {
        const struct peer *peer = server->peers.by_index[i];
        struct sched_worker_status held;
        if (peer == NULL) {
            continue;
        }
        (void)is_held_by(server, peer, &held);
        ret_list[count++] = (struct status_worker){
            .name = peer->name,
            .host = peer->host,
            .state = state_name(peer->state),
            .slots = peer->slots,
            .chunks_held = held.held,
            .items_done = peer->items_done,
            .heard_s = (double)(now_us - peer->heard_us) / 1e6,
            .cores = peer->cores,
        };
    }
}

uint64_t server_registrations(const struct server *server)
{
    return server->stats.registrations;
}

static uint32_t count_in(const struct server *server, enum peer_state state)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < server->peers.high; i++) {
        const struct peer *peer = server->peers.by_index[i];
        count += peer != NULL && peer->state == state;
    }
    return count;
}

uint32_t server_unable(const struct server *server)
{
    return count_in(server, PEER_UNABLE);
}

uint32_t server_able(const struct server *server)
{
    return server->peers.count - server_unable(server);
}

/* --- drain --- */

static bool is_called(const struct peer *peer, const char *name)
{
    size_t len = strlen(peer->name);
    if (strncmp(name, peer->name, len) != 0) {
        return false;
    }
    return name[len] == '\0' || (name[len] == '@' && strcmp(name + len + 1, peer->host) == 0);
}

/* The one worker of this name; NULL: none, or, with `*ret_more`, several. */
static struct peer *find_called(const struct server *server, const char *name, bool *ret_more)
{
    struct peer *found = NULL;
    *ret_more = false;
    for (uint32_t i = 0; i < server->peers.high; i++) {
        struct peer *peer = server->peers.by_index[i];
        if (peer != NULL && is_called(peer, name)) {
            *ret_more = found != NULL;
            if (found != NULL) {
                return NULL;
            }
            found = peer;
        }
    }
    return found;
}

static int refuse_name(const struct server *server,
                       const char *name,
                       bool more,
                       struct err_text *ret_text)
{
    char names[256];
    (void)server_describe_workers(server, names, sizeof(names));
    if (more) {
        return err_set(ret_text,
                       ERR_INVALID,
                       "more than one worker is called '%.100s': give NAME@HOST; there are %s",
                       name,
                       names);
    }
    return err_set(ret_text,
                   ERR_NOT_FOUND,
                   "no worker is called '%.100s'; there %s %s",
                   name,
                   server->peers.count == 0 ? "are none" : "are",
                   names);
}

int server_drain(struct server *server, const char *name, struct err_text *ret_text)
{
    bool more = false;
    struct peer *peer = find_called(server, name, &more);
    if (peer == NULL) {
        return refuse_name(server, name, more, ret_text);
    }
    struct sched_worker_status held;
    (void)is_held_by(server, peer, &held);
    (void)err_set(ret_text,
                  0,
                  "worker %s@%s was asked to leave: it gives back what it has not begun of %" PRIu32
                  " chunks and finishes the rest",
                  peer->name,
                  peer->host,
                  held.held);
    server_note(server, "worker %s@%s is asked to leave", peer->name, peer->host);
    struct wire_message message = {.type = WIRE_DRAIN};
    struct worker_id worker = {peer->session};
    bool joined = peer->state == PEER_RUNNING;
    if (!server_send(server, peer, &message)) {
        return err_set(
            ret_text, ERR_GONE, "worker '%.100s' could not be reached: it is gone", name);
    }
    if (joined) {
        /* Not only when it answers: nothing more is to be sent to it. */
        peer->state = PEER_LEAVING;
        runner_worker_event(server->run.runner, stage_now_us(), worker, SCHED_WORKER_DRAINING);
    }
    return 0;
}
