/* Endpoints as text: which are of this machine, and which ipc path is taken. */
#include "common/io/zsock_internal.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { HOST_SIZE = 64 };

static bool has_prefix(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Compared as addresses, never as text: 127.evil.com begins well too. */
static bool host_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    size_t len = strlen(host);
    if (strcmp(host, "localhost") == 0) {
        return true;
    }
    if (inet_pton(AF_INET, host, &v4) == 1) {
        return (ntohl(v4.s_addr) >> 24) == 127;
    }
    char inner[INET6_ADDRSTRLEN];
    if (len < 3 || len - 2 >= sizeof(inner) || host[0] != '[' || host[len - 1] != ']') {
        return false;
    }
    memcpy(inner, host + 1, len - 2);
    inner[len - 2] = '\0';
    if (inet_pton(AF_INET6, inner, &v6) != 1) {
        return false;
    }
    return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

bool zsock_endpoint_host(const char *endpoint, char *ret_host, size_t size)
{
    if (!has_prefix(endpoint, "tcp://")) {
        return false;
    }
    const char *begin = endpoint + strlen("tcp://");
    const char *end = strrchr(begin, ':');
    if (end == NULL || (size_t)(end - begin) >= size) {
        return false;
    }
    memcpy(ret_host, begin, (size_t)(end - begin));
    ret_host[end - begin] = '\0';
    return true;
}

bool zsock_endpoint_has_form(const char *endpoint)
{
    static const char *const named[] = {"ipc://", "inproc://"};
    for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
        if (has_prefix(endpoint, named[i])) {
            return endpoint[strlen(named[i])] != '\0';
        }
    }
    if (!has_prefix(endpoint, "tcp://")) {
        return false;
    }
    const char *host = endpoint + strlen("tcp://");
    const char *colon = strrchr(host, ':');
    return colon != NULL && colon > host && colon[1] != '\0';
}

bool zsock_endpoint_is_local(const char *endpoint)
{
    char host[HOST_SIZE];
    if (has_prefix(endpoint, "ipc://") || has_prefix(endpoint, "inproc://")) {
        return true;
    }
    return zsock_endpoint_host(endpoint, host, sizeof(host)) && host_is_loopback(host);
}

bool zsock_endpoint_wants_ipv6(const char *endpoint)
{
    char host[HOST_SIZE];
    struct in_addr v4;
    return !zsock_endpoint_host(endpoint, host, sizeof(host)) || inet_pton(AF_INET, host, &v4) != 1;
}

bool zsock_port_is_sound(const char *endpoint)
{
    const char *colon = strrchr(endpoint, ':');
    unsigned long port = 0;
    if (!has_prefix(endpoint, "tcp://") || colon == NULL) {
        return true;
    }
    for (const char *digit = colon + 1; *digit >= '0' && *digit <= '9'; digit++) {
        port = port * 10 + (unsigned long)(*digit - '0');
        if (port > UINT16_MAX) {
            return false;
        }
    }
    return true;
}

bool zsock_ipc_is_taken(const char *endpoint)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!has_prefix(endpoint, "ipc://")) {
        return false;
    }
    const char *path = endpoint + strlen("ipc://");
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof(address.sun_path) || path[0] == '@') {
        return false; /* no path; the kernel itself refuses a second bind to an abstract name */
    }
    memcpy(address.sun_path, path, len + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return false;
    }
    bool taken = connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    (void)close(fd);
    return taken;
}
