/* Which workers run a job that not all of them are to take part in (job.workers): a comparison that
 * asks what more workers would bring runs it with some of those that are there. Those of the crew are
 * chosen in the same order each time, spread over the machines; the others wait with no engine, and
 * take the place of one that goes. See server_internal.h. */
#include "coordinator/server/server_internal.h"

#include <stdlib.h>
#include <string.h>

struct candidate {
    const struct peer *peer; /* while the order is made */
    uint64_t session; /* by which it is found afterwards: sending to one may cost us others */
    uint32_t nth;     /* of those on its machine, from 0 */
};

/* By machine, and there by name. */
static int compare_places(const void *left, const void *right)
{
    const struct candidate *a = left;
    const struct candidate *b = right;
    int order = strcmp(a->peer->host, b->peer->host);
    order = order != 0 ? order : strcmp(a->peer->name, b->peer->name);
    return order != 0 ? order
                      : (a->peer->index > b->peer->index) - (a->peer->index < b->peer->index);
}

/* The first of each machine, then the second of each. */
static int compare_turns(const void *left, const void *right)
{
    const struct candidate *a = left;
    const struct candidate *b = right;
    return a->nth != b->nth ? (a->nth > b->nth) - (a->nth < b->nth) : compare_places(a, b);
}

static size_t list_in_turn(const struct server *server, struct candidate *ret_list)
{
    size_t count = 0;
    for (uint32_t i = 0; i < server->peers.high; i++) {
        const struct peer *peer = server->peers.by_index[i];
        if (peer != NULL) {
            ret_list[count++] = (struct candidate){.peer = peer, .session = peer->session};
        }
    }
    qsort(ret_list, count, sizeof(*ret_list), compare_places);
    for (size_t i = 1; i < count; i++) {
        bool same = strcmp(ret_list[i].peer->host, ret_list[i - 1].peer->host) == 0;
        ret_list[i].nth = same ? ret_list[i - 1].nth + 1 : 0;
    }
    qsort(ret_list, count, sizeof(*ret_list), compare_turns);
    return count;
}

/* Has it the job, or is it about to? One that leaves gives its place up. */
static bool takes_part(const struct peer *peer)
{
    return peer->state == PEER_STARTING || peer->state == PEER_RUNNING;
}

static uint32_t crew_size(const struct server *server)
{
    uint32_t size = 0;
    for (uint32_t i = 0; i < server->peers.high; i++) {
        const struct peer *peer = server->peers.by_index[i];
        size += peer != NULL && takes_part(peer);
    }
    return size;
}

/* Send the job to idle workers until the crew is complete, or nobody is left. */
static void call_in_turn(struct server *server, const struct candidate *list, size_t count)
{
    uint32_t limit = server->run.job->workers;
    uint32_t size = limit == 0 ? 0 : crew_size(server);
    for (size_t i = 0; i < count && (limit == 0 || size < limit); i++) {
        struct peer *peer = peers_find(&server->peers, list[i].session);
        if (peer != NULL && peer->state == PEER_IDLE) {
            server_send_job(server, peer);
            peer = peers_find(&server->peers, list[i].session);
            size += peer != NULL && takes_part(peer);
        }
    }
}

int server_call_crew(struct server *server)
{
    struct candidate *list = calloc(server->peers.count + 1, sizeof(*list));
    if (list == NULL) {
        return ERR_NOMEM;
    }
    call_in_turn(server, list, list_in_turn(server, list));
    free(list);
    return 0;
}

void server_crew_changed(struct server *server)
{
    server->run.vacant = server->run.job != NULL && server->run.job->workers > 0;
}

void server_call_reserves(struct server *server)
{
    if (server->run.vacant && server->run.job != NULL) {
        server->run.vacant = false; /* which losing one of them sets again */
        server->run.vacant |= server_call_crew(server) != 0;
    }
}
