/* A time limit as Slurm's commands take it; pure. Unlike everywhere else a number alone is minutes. */
#ifndef QUARTET_COORDINATOR_LAUNCHERS_SLURM_TIME_H
#define QUARTET_COORDINATOR_LAUNCHERS_SLURM_TIME_H

#include <stdint.h>

/* "MINUTES", "MINUTES:SECONDS", "HOURS:MINUTES:SECONDS", "DAYS-HOURS", "DAYS-HOURS:MINUTES",
 * "DAYS-HOURS:MINUTES:SECONDS"; "0", "INFINITE" and "UNLIMITED" are no limit: 0. In seconds, rounded up
 * to whole minutes, as Slurm does. Returns 0 or ERR_INVALID. */
int slurm_time_parse(const char *text, uint64_t *ret_seconds);

/* What squeue says of the time that a job has left (%L): as above, to the second. ERR_NOT_FOUND when it is no time: there is no
 * end, or it is not known ("UNLIMITED", "NOT_SET", "INVALID"). */
int slurm_time_left_parse(const char *text, uint64_t *ret_seconds);

#endif
