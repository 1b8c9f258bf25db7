#include "coordinator/launch/launch_tunnel.h"

#include "common/base/err.h"
#include "common/base/units.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char TCP[] = "tcp://";
static const char ALLOCATED[] = "Allocated port ";
static const char FORWARD[] = " for remote forward to ";

static bool is_every_address(const char *host)
{
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0 || strcmp(host, "*") == 0;
}

static int set_host(struct launch_tunnel *tunnel, const char *host, size_t len)
{
    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof(tunnel->host)) {
        return ERR_INVALID;
    }
    memcpy(tunnel->host, host, len);
    tunnel->host[len] = '\0';
    if (is_every_address(tunnel->host)) {
        (void)snprintf(tunnel->host, sizeof(tunnel->host), "127.0.0.1");
    }
    return 0;
}

int launch_tunnel_to(const char *endpoint, struct launch_tunnel *ret_tunnel)
{
    struct launch_tunnel tunnel = {.port = 0};
    uint64_t port = 0;
    const char *colon = strrchr(endpoint, ':');
    if (strncmp(endpoint, TCP, sizeof(TCP) - 1) != 0) {
        return ERR_INVALID;
    }
    const char *host = endpoint + sizeof(TCP) - 1;
    if (colon < host || units_parse_u64(colon + 1, UINT16_MAX, &port) != 0 || port == 0 ||
        set_host(&tunnel, host, (size_t)(colon - host)) != 0) {
        return ERR_INVALID;
    }
    tunnel.port = (uint16_t)port;
    *ret_tunnel = tunnel;
    return 0;
}

char *launch_tunnel_forward(const struct launch_tunnel *tunnel, char *ret_forward)
{
    bool colons = strchr(tunnel->host, ':') != NULL;
    (void)snprintf(ret_forward,
                   LAUNCH_FORWARD_SIZE,
                   colons ? "localhost:0:[%s]:%u" : "localhost:0:%s:%u",
                   tunnel->host,
                   tunnel->port);
    return ret_forward;
}

/* ssh writes addresses without brackets here. */
int launch_tunnel_port(const struct launch_tunnel *tunnel, const char *line, uint16_t *ret_port)
{
    char digits[8] = "";
    char end[LAUNCH_FORWARD_SIZE];
    uint64_t port = 0;
    if (strncmp(line, ALLOCATED, sizeof(ALLOCATED) - 1) != 0) {
        return ERR_NOT_FOUND;
    }
    line += sizeof(ALLOCATED) - 1;
    size_t len = strspn(line, "0123456789");
    if (len == 0 || len >= sizeof(digits)) {
        return ERR_NOT_FOUND;
    }
    memcpy(digits, line, len);
    (void)snprintf(end, sizeof(end), "%s%s:%u", FORWARD, tunnel->host, tunnel->port);
    if (units_parse_u64(digits, UINT16_MAX, &port) != 0 || port == 0 ||
        strcmp(line + len, end) != 0) {
        return ERR_NOT_FOUND;
    }
    *ret_port = (uint16_t)port;
    return 0;
}
