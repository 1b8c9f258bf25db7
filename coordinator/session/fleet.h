/* The worker processes that the coordinator starts on its own machine, and the origin. Children
 * end with the coordinator, whatever happens to it. */
#ifndef QUARTET_COORDINATOR_SESSION_FLEET_H
#define QUARTET_COORDINATOR_SESSION_FLEET_H

#include "common/base/err.h"
#include "coordinator/session/stage.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fleet;

/* How a worker process ended. */
struct fleet_end {
    int status;      /* exit status, when `signal` is 0 */
    int signal;      /* that killed it; 0: none */
    const char *how; /* in words, with its name */
};

/* How workers are let in where keys are asked for. */
struct fleet_access {
    /* A descriptor from which worker `name` reads its access file; the fleet closes it. Returns 0 or an
     * error. */
    int (*grant)(void *arg, const char *name, struct err_text *ret_error, int *ret_fd);
    /* It has ended: nobody is to use its key any more. */
    void (*revoke)(void *arg, const char *name);
};

struct fleet_options {
    const char *endpoint;              /* where workers connect */
    const struct fleet_access *access; /* NULL: they need no keys. Copied */
    bool quiet;
    /* A worker process has ended; fleet_alive does not count it any more. */
    void (*ended)(void *arg, const struct fleet_end *end);
    void *arg;
};

int fleet_new(struct stage *stage,
              const struct fleet_options *options,
              struct err_text *ret_error,
              struct fleet **ret_fleet);

/* Start workers until `count` are alive. Returns 0 or ERR_CHILD (names the program). */
int fleet_ensure(struct fleet *fleet, uint32_t count, struct err_text *ret_error);

uint32_t fleet_alive(const struct fleet *fleet);

/* How the last worker that ended did, in words; "" when none has. */
const char *fleet_last_end(const struct fleet *fleet);

/* Wait up to `grace_ms` for all to end by themselves (they were told BYE), then end them; free.
 * NULL is allowed. */
void fleet_free(struct fleet *fleet, uint32_t grace_ms);

#endif
