/* On which machines the workers are, and how far away; see server.h. */
#include "coordinator/server/server_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_hosts(const void *left, const void *right)
{
    const struct peer *const *a = left;
    const struct peer *const *b = right;
    int order = strcmp((*a)->host, (*b)->host);
    return order != 0 ? order : ((*a)->index > (*b)->index) - ((*a)->index < (*b)->index);
}

static bool counts(const struct peer *peer, bool running)
{
    return peer != NULL && (!running || peer->state == PEER_RUNNING);
}

/* Those registered, or only those that run the job, host by host. The caller frees the list; NULL: none,
 * or no memory. */
static const struct peer **sort_by_host(const struct server *server,
                                        bool running,
                                        size_t *ret_count)
{
    const struct peer **list = calloc(server->peers.count + 1, sizeof(*list));
    size_t count = 0;
    for (uint32_t i = 0; list != NULL && i < server->peers.high; i++) {
        if (counts(server->peers.by_index[i], running)) {
            list[count++] = server->peers.by_index[i];
        }
    }
    if (list != NULL) {
        qsort(list, count, sizeof(*list), compare_hosts);
    }
    *ret_count = count;
    return list;
}

static bool begins_host(const struct peer *const *list, size_t i)
{
    return i == 0 || strcmp(list[i]->host, list[i - 1]->host) != 0;
}

uint32_t server_running_hosts(const struct server *server)
{
    size_t count = 0;
    uint32_t hosts = 0;
    const struct peer **list = sort_by_host(server, true, &count);
    for (size_t i = 0; i < count; i++) {
        hosts += begins_host(list, i);
    }
    free(list);
    return hosts;
}

static void add_worker(struct report_host *host, const struct peer *peer)
{
    double round_trip_s = (double)peer->round_trip_us / 1e6;
    host->workers++;
    host->items += peer->items_all;
    if (peer->round_trip_us != 0 &&
        (host->round_trip_s <= 0 || round_trip_s < host->round_trip_s)) {
        host->round_trip_s = round_trip_s;
    }
}

int server_list_hosts(const struct server *server,
                      struct report_host **ret_hosts,
                      size_t *ret_count)
{
    size_t count = 0;
    size_t hosts = 0;
    const struct peer **list = sort_by_host(server, false, &count);
    struct report_host *to = calloc(count + 1, sizeof(*to));
    if (list == NULL || to == NULL) {
        free(list);
        free(to);
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        if (begins_host(list, i)) {
            (void)snprintf(to[hosts].name, sizeof(to[hosts].name), "%s", list[i]->host);
            to[hosts++].cores = list[i]->cores;
        }
        add_worker(&to[hosts - 1], list[i]);
    }
    free(list);
    *ret_hosts = to;
    *ret_count = hosts;
    return 0;
}
