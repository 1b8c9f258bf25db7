/* What is said between the launcher and the shell on another machine, as text: pure.
 *
 * The shell there is asked to run `sh`, whatever it is itself (csh, fish); sh greets with the
 * addresses of the connection, which ssh gives it, reads one line, and becomes the worker. So the
 * launcher knows when the way is open and by which address that host knows this machine, before it
 * says where to connect; and what is said goes through standard input, which nobody else can read,
 * and not through an argument, which all can. */
#ifndef QUARTET_COORDINATOR_LAUNCH_LAUNCH_SHELL_H
#define QUARTET_COORDINATOR_LAUNCH_LAUNCH_SHELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LAUNCH_ENDPOINT_SIZE = 128, LAUNCH_COMMAND_SIZE = 16 * 1024 };

/* The command line for the shell there: sh with the script, `worker_path` and `arguments`
 * (NULL-terminated). With `access` the line is an access file, which the worker reads itself, otherwise
 * it is the endpoint. Writes it into `ret_command` and returns 0, or ERR_INVALID: too long. */
int launch_shell_command(const char *worker_path,
                         bool access,
                         const char *const *arguments,
                         char *ret_command,
                         size_t size);

/* The script in it: what sh does there, with the worker's path as $0 and its arguments as "$@". For
 * others that have something done before (launch_push.h). It may stand in single quotes in any shell. */
const char *launch_shell_script(bool access);

/* Is this line the greeting? What else a login shell prints is not. */
bool launch_shell_is_greeting(const char *line);

/* From the greeting: where a worker there finds port `port` of this machine. Writes it into
 * `ret_endpoint` (LAUNCH_ENDPOINT_SIZE bytes) and returns 0; ERR_NOT_FOUND: it does not say by which
 * address it was reached; ERR_INVALID: what it says is no address. */
int launch_shell_endpoint(const char *greeting, uint16_t port, char *ret_endpoint);

/* From the --advertise HOST[:PORT] that a person gave, with `port` unless it has its own. Returns 0 or
 * ERR_INVALID. */
int launch_shell_advertised(const char *advertise, uint16_t port, char *ret_endpoint);

#endif
