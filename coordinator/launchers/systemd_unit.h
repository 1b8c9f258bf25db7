/* The template unit quartet-worker@.service: each instance of it is a worker, which systemd starts, restarts and ends. Pure.
 *
 * What a worker gets: the access file as a credential, which systemd reads anew at each start and nobody but the instance can
 * read; a user of its own, made while it runs; and a view of the system in which it can write nothing but its cache and a /tmp of
 * its own. What items are usually made of (programs, threads, sockets) is allowed, since items are commands of all kinds. */
#ifndef QUARTET_COORDINATOR_LAUNCHERS_SYSTEMD_UNIT_H
#define QUARTET_COORDINATOR_LAUNCHERS_SYSTEMD_UNIT_H

#include "coordinator/launchers/words.h"

#include <stdbool.h>

/* The access file, as the command of a worker names it: in the folder of its credentials. */
#define SYSTEMD_ACCESS "%d/access"

struct systemd_spec {
    bool user_manager;  /* of a user's own services: less can be shut off there */
    bool stay;          /* start again when the coordinator is done, for its next run */
    const char *run_as; /* NULL: a user made for it. Not with user_manager */
    const char *access; /* absolute path; NULL: without keys */
    double drain_limit_s;
    const char *cpu_quota;  /* CPUQuota= as it stands; NULL: none */
    const char *memory_max; /* MemoryMax= as it stands; NULL: none */
    const struct words
        *command; /* of the worker, with SYSTEMD_ACCESS when there are keys, and without its name */
};

/* Add the text of the unit to `script`. */
void systemd_unit_add(struct script *script, const struct systemd_spec *spec);

/* Can systemd be told `path`? Line ends, and blanks at an end, are lost in a unit. */
bool systemd_takes_path(const char *path);

#endif
