/* Any text at all as a list of hosts, as what a host or its ssh says, and as what to advertise or to lead a tunnel to. What is taken for a host holds nothing that ssh would
 * take for an option or a shell for more than a name, and its name, written again, reads the same; what becomes of an address is one
 * endpoint. */
#include "common/base/check.h"
#include "coordinator/launch/hosts.h"
#include "coordinator/launch/launch_push.h"
#include "coordinator/launch/launch_shell.h"
#include "coordinator/launch/launch_tunnel.h"

#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { LINE_MAX_BYTES = 512 };

static void check_host(const struct host *host)
{
    struct err_text error = {{0}};
    struct hosts again = {.list = NULL};
    char text[HOST_NAME_MAX_BYTES + 16];
    CHECK(host->target[0] != '\0' && host->target[0] != '-');
    CHECK(strpbrk(host->target, " \t\r\n'\"`$;&|<>(){}[],#/") == NULL);
    (void)snprintf(
        text, sizeof(text), host->slots > 0 ? "%2$u/%1$s" : "%1$s", host->name, host->slots);
    CHECK(hosts_parse(text, strlen(text), &error, &again) == 0 && again.count == 1);
    CHECK(memcmp(&again.list[0], host, sizeof(*host)) == 0);
    hosts_deinit(&again);
}

static void try_list(const char *text, size_t len)
{
    struct err_text error = {{0}};
    struct hosts hosts = {.list = NULL};
    int rc = hosts_parse(text, len, &error, &hosts);
    CHECK(rc == 0 ? hosts.count > 0 : error.s[0] != '\0' && hosts.list == NULL);
    for (size_t i = 0; i < hosts.count; i++) {
        check_host(&hosts.list[i]);
    }
    hosts_deinit(&hosts);
}

static void check_endpoint(const char *endpoint)
{
    CHECK(strncmp(endpoint, "tcp://", 6) == 0 && strlen(endpoint) < LAUNCH_ENDPOINT_SIZE);
    CHECK(strpbrk(endpoint, " \n\t") == NULL && strchr(endpoint + 6, '/') == NULL);
}

/* A line that says a port says that of the tunnel which was asked for. */
static void try_tunnel(const char *line)
{
    static const struct launch_tunnel asked = {.host = "127.0.0.1", .port = 5555};
    struct launch_tunnel tunnel;
    char forward[LAUNCH_FORWARD_SIZE];
    uint16_t port = 0;
    if (launch_tunnel_port(&asked, line, &port) == 0) {
        CHECK(port != 0 && strstr(line, " 127.0.0.1:5555") != NULL);
    }
    if (launch_tunnel_to(line, &tunnel) == 0) {
        CHECK(tunnel.port != 0 && tunnel.host[0] != '\0');
        CHECK(strncmp(launch_tunnel_forward(&tunnel, forward), "localhost:0:", 12) == 0);
    }
}

static void try_push(const char *line)
{
    const char *words = NULL;
    if (launch_push_hear(line, &words) == LAUNCH_PUSH_FAILED) {
        CHECK(words > line && words <= line + strlen(line));
    }
}

static void try_line(const char *bytes, size_t len)
{
    char line[LINE_MAX_BYTES];
    char endpoint[LAUNCH_ENDPOINT_SIZE];
    size_t cut = len < sizeof(line) - 1 ? len : sizeof(line) - 1;
    memcpy(line, bytes, cut);
    line[cut] = '\0';
    if (launch_shell_is_greeting(line) && launch_shell_endpoint(line, 4321, endpoint) == 0) {
        check_endpoint(endpoint);
    }
    try_tunnel(line);
    try_push(line);
    if (launch_shell_advertised(line, 4321, endpoint) == 0) {
        check_endpoint(endpoint);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    try_list((const char *)bytes, len);
    try_line((const char *)bytes, len);
    return 0;
}
