/* The command line of a quartet-worker, as launchers put it behind their own. Pure. */
#ifndef QUARTET_COORDINATOR_LAUNCHERS_WORKER_COMMAND_H
#define QUARTET_COORDINATOR_LAUNCHERS_WORKER_COMMAND_H

#include "coordinator/launchers/launcher.h"

struct worker_command {
    const char *access;  /* where it finds its access: a path there, or "-"; NULL with --connect */
    bool end_with_stdin; /* its standard input is open for as long as it is wanted */
    double time_limit_s; /* be gone after so long; 0: no limit */
    uint64_t workers;    /* that start at the same moment, among which the first calls are spread */
};

/* Add the words: the program, and all that `request` and `how` say. */
void worker_command_add(struct words *words,
                        const struct launcher_request *request,
                        const struct worker_command *how);

/* Workers that all start in one instant wait at random, up to so long, before they first call: about 200 of
 * them a second, 10 s at most. 0 for a few. */
double worker_command_spread_s(uint64_t workers);

/* Standard input for workers that end with it: the access file, open until they are to end; or
 * just open, when there are no keys. For the last step of `plan`. */
void worker_command_feed(struct plan *plan, const struct launcher_request *request);

#endif
