/* What a command leaves behind: children of its own that it has not waited for, as mpirun leaves the ssh to a host that has
 * vanished, which would hang for as long as TCP does. Adopted, they become children of this process, which ends them.
 * Only from the main thread, and not while other children of this process are started. */
#ifndef QUARTET_COORDINATOR_LAUNCHERS_ORPHANS_H
#define QUARTET_COORDINATOR_LAUNCHERS_ORPHANS_H

#include <stddef.h>
#include <sys/types.h>

enum { ORPHANS_OWN_MAX = 16 };

struct orphans {
    pid_t own[ORPHANS_OWN_MAX]; /* children that there were before */
    size_t own_count;
};

/* From now on whoever is left behind below this process becomes its child. */
void orphans_adopt(struct orphans *ret_orphans);

/* Wait up to `grace_ms` for those that there are, then kill them. Returns when none is left, and adopts no more. */
void orphans_end(const struct orphans *orphans, unsigned grace_ms);

#endif
