/* A connection of our own to one address, beside libzmq's: it says why there is none, and who answers. The only parts of
 * a doctor that use sockets of the system are this, hops.c and names.c. Nothing here waits longer than it is told. */
#ifndef QUARTET_COMMON_DOCTOR_KNOCK_H
#define QUARTET_COMMON_DOCTOR_KNOCK_H

#include "common/doctor/seen.h"

#include <sys/socket.h>

/* An address as the system has it. */
struct knock_address {
    struct sockaddr_storage storage;
    socklen_t len;
};

/* Is there a way to it, and with which address of ours? No packet is sent. Fills in text, route_error and source. */
void knock_route(const struct knock_address *address, struct seen_address *ret_seen);

/* Connect, say what makes a ZeroMQ socket greet, and listen; of one who then says nothing, whether a question of HTTP is
 * answered. Each connection and each listening takes so long at most. Fills in knock, error, took_us, greeting, hung_up
 * and reset. */
void knock(const struct knock_address *address,
           uint32_t connect_ms,
           uint32_t greeting_ms,
           struct seen_address *ret_seen);

/* The same of a socket in the file system. */
void knock_path(const char *path, uint32_t greeting_ms, struct seen_address *ret_seen);

#endif
