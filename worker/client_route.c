/* Which of the coordinator's addresses is tried. A machine has several, and not every one of them can
 * be reached from every other machine; which ones, nobody knows before. So each is tried for a while, in turn, the first
 * time for a short while, then for longer: an address that leads nowhere must not cost much, and a slow
 * network must have the time that a handshake takes there. */
#include "worker/client_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    TRY_FIRST_MS = 500, /* for each address in the first round; twice as long in each later one */
    TRY_DOUBLINGS = 4,
    TRY_REFUSED_PART =
        5, /* one of so many of that, when there is an answer at once: nobody listens there */
    REFUSALS_MAX = 3, /* of our key, by whoever has the coordinator's, before it is believed */
};

static size_t count_endpoints(const struct client *client)
{
    return client->options.access == NULL ? 1 : client->options.access->endpoint_count;
}

static const char *endpoint_at(const struct client *client, size_t at)
{
    return client->options.access == NULL ? client->options.endpoint
                                          : client->options.access->endpoints[at];
}

static uint64_t try_ms(const struct client *client)
{
    uint64_t round = client->route.turns / count_endpoints(client);
    return (uint64_t)TRY_FIRST_MS << (round < TRY_DOUBLINGS ? round : TRY_DOUBLINGS);
}

static void go_on(uv_timer_t *timer);

static void begin_try(struct client *client)
{
    struct client_route *route = &client->route;
    route->begun_us = client_now_us();
    if (count_endpoints(client) > 1) {
        (void)uv_timer_start(&route->timer, go_on, try_ms(client), 0);
    }
}

/* To the next address. */
static void go_on(uv_timer_t *timer)
{
    struct client *client = timer->data;
    struct client_route *route = &client->route;
    struct err_text error;
    if (client->socket == NULL || client->finished) {
        return;
    }
    route->turns++;
    route->at = (route->at + 1) % count_endpoints(client);
    route->endpoint = endpoint_at(client, route->at);
    if (zsock_connect_elsewhere(client->socket, route->endpoint, &error) != 0) {
        client_note(client, "%s", error.s);
    }
    begin_try(client);
}

void client_open_route(struct client *client)
{
    struct client_route *route = &client->route;
    (void)uv_timer_init(&client->loop, &route->timer);
    route->timer.data = client;
    route->endpoint = endpoint_at(client, 0);
}

void client_close_route(struct client *client)
{
    uv_close((uv_handle_t *)&client->route.timer, NULL);
}

static int connect_now(struct client *client, struct err_text *ret_error)
{
    client->route.called = true;
    begin_try(client);
    return zsock_connect(client->socket, client->route.endpoint, ret_error);
}

static void on_first_call(uv_timer_t *timer)
{
    struct client *client = timer->data;
    struct err_text error;
    if (client->finished || client->socket == NULL || connect_now(client, &error) == 0) {
        return;
    }
    (void)fprintf(stderr, "quartet-worker %s: %s\n", client->options.name, error.s);
    client->finished = true;
    client->exit_status = AGENT_EXIT_LOST;
}

/* Of many that were started in one instant each calls at a moment of its own. */
static uint64_t first_wait_ms(const struct client *client)
{
    double share = ldexp((double)(client->nonce >> 11), -53); /* a number below 1 */
    return (uint64_t)(share * client->options.spread_s * US_PER_MS);
}

int client_connect(struct client *client, struct err_text *ret_error)
{
    uint64_t wait_ms = client->route.called ? 0 : first_wait_ms(client);
    if (wait_ms == 0) {
        return connect_now(client, ret_error);
    }
    (void)uv_timer_start(&client->route.timer, on_first_call, wait_ms, 0);
    return 0;
}

void client_route_connected(struct client *client)
{
    (void)uv_timer_stop(&client->route.timer);
    client->route.turns = 0;
    client->route.refused = 0;
    client->route.trouble.s[0] = '\0';
}

void client_route_trouble(struct client *client, const char *why)
{
    struct client_route *route = &client->route;
    if (strcmp(route->trouble.s, why) == 0) {
        return;
    }
    client_note(client, "no connection to %s: %s; trying again", route->endpoint, why);
    (void)err_set(&route->trouble, 0, "%s", why);
}

void client_route_disconnected(struct client *client)
{
    if (uv_is_active((uv_handle_t *)&client->route.timer) == 0) {
        begin_try(client);
    }
}

void client_route_retrying(struct client *client)
{
    struct client_route *route = &client->route;
    if (uv_is_active((uv_handle_t *)&route->timer) == 0) {
        return; /* there is no other one */
    }
    uint64_t enough_ms = try_ms(client) / TRY_REFUSED_PART;
    uint64_t tried_ms = (client_now_us() - route->begun_us) / US_PER_MS;
    (void)uv_timer_start(&route->timer, go_on, tried_ms < enough_ms ? enough_ms - tried_ms : 0, 0);
}

/* Only who has the coordinator's secret key gets so far as to read ours; but its refusal itself is not
 * signed, and anybody on the way could say it. So it is asked more than once. */
void client_route_refused(struct client *client)
{
    const struct access *access = client->options.access;
    if (++client->route.refused < REFUSALS_MAX || client->finished) {
        return;
    }
    (void)fprintf(stderr,
                  "quartet-worker %s: %s: the coordinator does not accept the key of this worker "
                  "(%s): it was taken back, or is not in the coordinator's authorized/\n",
                  client->options.name,
                  client->route.endpoint,
                  access == NULL ? "none" : access->name);
    client->finished = true;
    client->exit_status = AGENT_EXIT_REFUSED;
}
