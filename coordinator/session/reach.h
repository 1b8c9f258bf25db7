/* How workers learn where this coordinator is, and get a key of it: what sessions and doctors share. */
#ifndef QUARTET_COORDINATOR_SESSION_REACH_H
#define QUARTET_COORDINATOR_SESSION_REACH_H

#include "common/io/access.h"
#include "coordinator/launch/launch_shell.h"
#include "coordinator/options/options.h"
#include "coordinator/server/server.h"

/* The port of an endpoint that is bound; 0: it has none. */
uint16_t reach_port(const char *endpoint);

/* What every launched host is told of an endpoint that is bound, when they are all told the same: what --advertise says, or
 * the one address that is listened on. "" otherwise: each is told the address that its own ssh connection came from
 * (SSH_CONNECTION), a way that is known to exist, by the user's own ssh configuration, with its aliases and whichever of
 * IPv4 and IPv6 it took. (The address that a socket of ours would get towards a host needs that host's name resolved as
 * ssh does, and is none of a way through a jump host either.) */
void reach_told(const struct options *options,
                const char *bound,
                char ret_endpoint[LAUNCH_ENDPOINT_SIZE]);

/* The access file of a server with keys, for the worker that the options name. Returns 0, or as addresses_add_here and
 * keyring_read_worker. */
int reach_fill_access(const struct options *options,
                      const struct server *server,
                      struct err_text *ret_error,
                      struct access *ret_access);

/* A key of this run for a worker that is started by us, to go to `endpoint` with. Returns 0 or ERR_NOMEM. */
int reach_admit(struct server *server,
                const char *name,
                const char *endpoint,
                struct err_text *ret_error,
                struct access *ret_access);

/* The same in one line, for launch_options.grant. */
char *reach_grant_line(struct server *server,
                       const char *name,
                       const char *endpoint,
                       struct err_text *ret_error);

#endif
