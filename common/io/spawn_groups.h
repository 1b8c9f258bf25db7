/* The process groups that programs started by spawn lead, for as long as they run: in memory that is
 * shared with processes forked later, so that one of them can end what is left when this one is
 * killed and can end nothing any more. */
#ifndef QUARTET_COMMON_IO_SPAWN_GROUPS_H
#define QUARTET_COMMON_IO_SPAWN_GROUPS_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

/* Beyond so many at once, of all processes together, groups are not noted. */
enum { SPAWN_GROUPS_MAX = 8192 };

/* One note: who started it << 32 | the group, which the child writes itself; 0: free. */
typedef _Atomic uint64_t spawn_note;

/* From now on spawn notes what this process, and those forked from it, start. Before any thread; a
 * second call changes nothing. Returns 0 or ERR_NOMEM. */
int spawn_groups_init(void);

/* For spawn: a note of `owner`'s whose group is not known yet; NULL: there is no place. */
spawn_note *spawn_groups_claim(pid_t owner);

/* Before the group's leader is waited for: from then on its number may become another's. NULL is
 * allowed. */
void spawn_groups_release(spawn_note *note);

/* Kill every group that `owner` started and that is still noted. `owner` has ended, or is about
 * to; no process has a number below 1. */
void spawn_groups_kill(pid_t owner);

#endif
