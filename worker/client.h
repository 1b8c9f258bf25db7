/* The worker's shell: performs what the agent says on a DEALER socket, an engine and a libuv
 * loop. The loop only talks; items run on the engine's slots. */
#ifndef QUARTET_WORKER_CLIENT_H
#define QUARTET_WORKER_CLIENT_H

#include "common/base/err.h"
#include "common/io/access.h"

#include <stdbool.h>
#include <stdint.h>

struct zygote;

/* The last words and the end of the engine take at most so long. */
enum { CLIENT_LEAVING_S = 2 };

struct client_options {
    const char *endpoint; /* of the coordinator; NULL with `access` */
    const struct access
        *access;      /* where it is, and the keys for it; NULL: plaintext. Outlives the run */
    const char *name; /* for people */
    uint32_t
        slots; /* items at once for every job; 0: as the job says, or the strategy's default here */
    uint32_t credit_max; /* chunks it will ever hold */
    double spread_s; /* wait at random up to so long before the first attempt to connect; 0: none */
    double give_up_s;    /* without a coordinator for this long: exit; 0: never */
    double idle_limit_s; /* without work for this long: leave; 0: never */
    double
        drain_limit_s; /* on SIGTERM: leave after this long even with items still running; 0: no limit */
    double time_limit_s;     /* be gone after this long: drains in time; 0: never */
    uint32_t drained_status; /* exit status after a drain that a signal asked for */
    double load_limit_s;     /* for a plugin to start in when it is loaded; above 0 */
    bool allow_exec;         /* jobs may run commands */
    bool allow_plugins;      /* jobs may bring plugins */
    bool end_with_stdin;     /* leave at once when standard input ends */
    bool quiet;
};

/* When a worker with these limits must begin to drain, in seconds from its start; not above 0: they
 * leave no time to work in. */
double client_drain_from_s(double time_limit_s, double drain_limit_s);

/* Work until the coordinator is done with us, we are told to leave, or nobody is there any more.
 * Returns the program's exit status: 0, or options->drained_status; 2 not an endpoint; 3 the coordinator went away or never came,
 * or this machine refused (open files, memory); 4 refused for
 * good (another protocol version, our key); 128 + n after signal n with items cut short. Says why on
 * standard error. */
int client_run(const struct client_options *options, struct zygote *zygote);

#endif
