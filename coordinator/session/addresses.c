#include "coordinator/session/addresses.h"

#include "common/io/zsock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { HOST_SIZE = 64 };

static const char *port_of(const char *endpoint)
{
    return strrchr(endpoint, ':') + 1;
}

/* The address of an interface that is up, as the host of an endpoint. False: it is of another family,
 * or of no use to others. */
static bool host_of(const struct ifaddrs *entry,
                    int family,
                    bool loopback,
                    char ret_host[HOST_SIZE])
{
    char text[INET6_ADDRSTRLEN];
    if (entry->ifa_addr == NULL || entry->ifa_addr->sa_family != family ||
        (entry->ifa_flags & IFF_UP) == 0 || ((entry->ifa_flags & IFF_LOOPBACK) != 0) != loopback) {
        return false;
    }
    if (family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)entry->ifa_addr;
        (void)inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
        (void)snprintf(ret_host, HOST_SIZE, "%s", text);
        return true;
    }
    const struct sockaddr_in6 *v6 = (const void *)entry->ifa_addr;
    (void)inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
    (void)snprintf(ret_host, HOST_SIZE, "[%s]", text);
    return !IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr);
}

static void add_family(struct access *access,
                       const struct ifaddrs *interfaces,
                       int family,
                       bool loopback,
                       const char *port)
{
    char endpoint[ACCESS_ENDPOINT_SIZE];
    char host[HOST_SIZE];
    for (const struct ifaddrs *entry = interfaces; entry != NULL; entry = entry->ifa_next) {
        if (host_of(entry, family, loopback, host)) {
            (void)snprintf(endpoint, sizeof(endpoint), "tcp://%s:%.8s", host, port);
            access_add_endpoint(access, endpoint);
        }
    }
}

void addresses_add(struct access *access, const char *bound, const struct ifaddrs *interfaces)
{
    char host[HOST_SIZE];
    bool tcp = zsock_endpoint_host(bound, host, sizeof(host));
    bool any6 = tcp && strcmp(host, "[::]") == 0;
    if (!any6 && !(tcp && strcmp(host, "0.0.0.0") == 0)) {
        access_add_endpoint(access, bound);
        return;
    }
    size_t before = access->endpoint_count;
    for (int loopback = 0; loopback <= 1 && access->endpoint_count == before; loopback++) {
        add_family(access, interfaces, AF_INET, loopback != 0, port_of(bound));
        if (any6) {
            add_family(access, interfaces, AF_INET6, loopback != 0, port_of(bound));
        }
    }
}

int addresses_add_here(struct access *access, const char *bound, struct err_text *ret_error)
{
    struct ifaddrs *interfaces = NULL;
    if (getifaddrs(&interfaces) != 0) {
        return err_set(
            ret_error, ERR_IO, "cannot list the addresses of this machine: %s", strerror(errno));
    }
    addresses_add(access, bound, interfaces);
    freeifaddrs(interfaces);
    return access->endpoint_count > 0
               ? 0
               : err_set(ret_error, ERR_IO, "this machine has no address for %s", bound);
}

/* Is the port in it? An IPv6 address in brackets has colons of its own. */
static bool has_port(const char *host)
{
    const char *bracket = strrchr(host, ']');
    return strchr(bracket == NULL ? host : bracket, ':') != NULL;
}

static bool is_reachable(const char *endpoint)
{
    char host[ACCESS_ENDPOINT_SIZE];
    return zsock_endpoint_has_form(endpoint) && zsock_endpoint_host(endpoint, host, sizeof(host)) &&
           strpbrk(host, "/ ") == NULL && (host[0] == '[' || strchr(host, ':') == NULL) &&
           port_of(endpoint)[strspn(port_of(endpoint), "0123456789")] == '\0';
}

int addresses_add_advertised(struct access *access,
                             const char *host,
                             const char *bound,
                             struct err_text *ret_error)
{
    char endpoint[ACCESS_ENDPOINT_SIZE];
    int len = has_port(host)
                  ? snprintf(endpoint, sizeof(endpoint), "tcp://%s", host)
                  : snprintf(endpoint, sizeof(endpoint), "tcp://%s:%s", host, port_of(bound));
    if (len < 0 || (size_t)len >= sizeof(endpoint) || !is_reachable(endpoint)) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--advertise '%.200s' is neither HOST nor HOST:PORT ([...] around IPv6)",
                       host);
    }
    access_add_endpoint(access, endpoint);
    return 0;
}
