/* A way back for workers through their own ssh (`--tunnel`), as far as it is text: pure.
 *
 * ssh asks the sshd there to listen on a free port of its loopback, and leads what connects there to where
 * the coordinator listens (`ssh -R localhost:0:HOST:PORT`). Which port that is ssh says in a line. The tunnel goes with
 * its ssh. Other users of that host can reach the port: keys are what keeps them out. */
#ifndef QUARTET_COORDINATOR_LAUNCH_LAUNCH_TUNNEL_H
#define QUARTET_COORDINATOR_LAUNCH_LAUNCH_TUNNEL_H

#include <stddef.h>
#include <stdint.h>

enum { LAUNCH_TUNNEL_HOST_SIZE = 64, LAUNCH_FORWARD_SIZE = LAUNCH_TUNNEL_HOST_SIZE + 32 };

/* This machine's end. */
struct launch_tunnel {
    char host[LAUNCH_TUNNEL_HOST_SIZE]; /* an address, without brackets */
    uint16_t port;
};

/* The end that leads to a bound endpoint; by the loopback if that is every address. Returns 0, or ERR_INVALID: not of the
 * form tcp://ADDRESS:PORT. */
int launch_tunnel_to(const char *endpoint, struct launch_tunnel *ret_tunnel);

/* What comes behind ssh's -R. Returns `ret_forward` (LAUNCH_FORWARD_SIZE bytes). */
char *launch_tunnel_forward(const struct launch_tunnel *tunnel, char *ret_forward);

/* From a line of ssh's: the port at the other end of this tunnel, not of another one that the user has
 * configured. Returns 0, or ERR_NOT_FOUND: the line is about something else. */
int launch_tunnel_port(const struct launch_tunnel *tunnel, const char *line, uint16_t *ret_port);

#endif
