/* The table of sessions of the modelled coordinator. Their numbers count up for ever, also over restarts: the real ones begin at a random
 * place. */
#include "common/base/check.h"
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

void sim_peers_init(struct sim_peers *peers, uint32_t max, uint32_t workers)
{
    *peers = (struct sim_peers){.max = max, .free_count = max, .sessions = 1};
    peers->list = sim_realloc(NULL, max * sizeof(*peers->list));
    peers->free = sim_realloc(NULL, max * sizeof(*peers->free));
    peers->dirty = sim_realloc(NULL, max * sizeof(*peers->dirty));
    peers->of_worker = sim_realloc(NULL, workers * sizeof(*peers->of_worker));
    memset(peers->list, 0, max * sizeof(*peers->list));
    memset(peers->of_worker, 0xff, workers * sizeof(*peers->of_worker));
    for (uint32_t i = 0; i < max; i++) {
        peers->free[i] = max - 1 - i;
    }
}

void sim_peers_deinit(struct sim_peers *peers)
{
    for (uint32_t i = 0; i < peers->max; i++) {
        free(peers->list[i].batch);
        free(peers->list[i].holding);
    }
    free(peers->list);
    free(peers->free);
    free(peers->dirty);
    free(peers->of_worker);
    free(peers->of_session);
}

static uint64_t number_session(struct sim_peers *peers, uint32_t index)
{
    if (peers->sessions >= peers->session_capacity) {
        peers->session_capacity = peers->session_capacity > 0 ? peers->session_capacity * 2 : 64;
        peers->of_session = sim_realloc(peers->of_session,
                                        peers->session_capacity * sizeof(*peers->of_session));
    }
    peers->of_session[peers->sessions] = index;
    return peers->sessions++;
}

struct sim_peer *sim_peers_add(struct sim_peers *peers, uint32_t worker, uint64_t nonce)
{
    if (peers->free_count == 0) {
        return NULL;
    }
    uint32_t index = peers->free[--peers->free_count];
    struct sim_peer *peer = &peers->list[index];
    *peer = (struct sim_peer){.session = number_session(peers, index),
                              .worker = worker,
                              .nonce = nonce,
                              .batch = peer->batch,
                              .batch_capacity = peer->batch_capacity,
                              .holding = peer->holding,
                              .dirty = peer->dirty};
    peers->of_worker[worker] = index;
    return peer;
}

void sim_peers_remove(struct sim_peers *peers, struct sim_peer *peer)
{
    peers->of_session[peer->session] = NONE;
    peers->free[peers->free_count++] = (uint32_t)(peer - peers->list);
    peer->session = 0;
    peer->batch_count = 0;
}

void sim_peers_clear(struct sim_peers *peers)
{
    for (uint32_t i = 0; i < peers->max; i++) {
        if (peers->list[i].session != 0) {
            sim_peers_remove(peers, &peers->list[i]);
        }
    }
}

uint32_t sim_peers_count(const struct sim_peers *peers)
{
    return peers->max - peers->free_count;
}

struct sim_peer *sim_peers_find(const struct sim_peers *peers, uint64_t session)
{
    if (session == 0 || session >= peers->sessions || peers->of_session[session] == NONE) {
        return NULL;
    }
    return &peers->list[peers->of_session[session]];
}

struct sim_peer *sim_peers_find_nonce(const struct sim_peers *peers,
                                      uint32_t worker,
                                      uint64_t nonce)
{
    uint32_t index = peers->of_worker[worker];
    struct sim_peer *peer = index == NONE ? NULL : &peers->list[index];
    return peer != NULL && peer->session != 0 && peer->nonce == nonce ? peer : NULL;
}

void sim_peers_mark(struct sim_peers *peers, struct sim_peer *peer)
{
    if (!peer->dirty) {
        peer->dirty = true;
        peers->dirty[peers->dirty_count++] = (uint32_t)(peer - peers->list);
    }
}

struct sim_peer *sim_peers_take_marked(struct sim_peers *peers)
{
    if (peers->dirty_count == 0) {
        return NULL;
    }
    struct sim_peer *peer = &peers->list[peers->dirty[--peers->dirty_count]];
    peer->dirty = false;
    return peer;
}
