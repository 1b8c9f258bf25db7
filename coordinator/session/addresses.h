/* Where a coordinator can be reached: the endpoints that stand for the one that it is bound to. */
#ifndef QUARTET_COORDINATOR_SESSION_ADDRESSES_H
#define QUARTET_COORDINATOR_SESSION_ADDRESSES_H

#include "common/io/access.h"

#include <ifaddrs.h>

/* Add to `access` the endpoints that mean `bound`, an endpoint as zsock_endpoint gives it: itself, or,
 * when it is bound to every address ("tcp://0.0.0.0:P", "tcp://[::]:P"), one for each address of the
 * interfaces that are up, IPv4 first (`[::]` means both). Those that mean another thing elsewhere
 * (loopback) only when there is nothing else; those that mean nothing without an interface
 * (link-local IPv6) never. */
void addresses_add(struct access *access, const char *bound, const struct ifaddrs *interfaces);

/* The same with the interfaces of this machine. Returns 0, or ERR_IO when they cannot be listed. */
int addresses_add_here(struct access *access, const char *bound, struct err_text *ret_error);

/* Add HOST, or HOST:PORT, that somebody else forwards to `bound`; HOST has its port. Returns 0, or
 * ERR_INVALID: that makes no endpoint. */
int addresses_add_advertised(struct access *access,
                             const char *host,
                             const char *bound,
                             struct err_text *ret_error);

#endif
