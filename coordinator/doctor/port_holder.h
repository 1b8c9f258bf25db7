/* Which program listens at a port of this machine, as far as /proc tells this user. */
#ifndef QUARTET_COORDINATOR_DOCTOR_PORT_HOLDER_H
#define QUARTET_COORDINATOR_DOCTOR_PORT_HOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "python3 (pid 4711)" into `ret_text`. False: nobody listens there, or it is another user's. */
bool port_holder(uint16_t port, char *ret_text, size_t size);

/* Is this line of /proc/net/tcp or tcp6 a socket that listens at `port`? Then its inode. Pure. */
bool port_holder_line(const char *line, uint16_t port, uint64_t *ret_inode);

#endif
