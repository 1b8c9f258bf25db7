/* A time limit as Slurm's commands take it; pure. Unlike everywhere else a number alone is minutes. */
#ifndef QUARTET_COORDINATOR_LAUNCHERS_SLURM_TIME_H
#define QUARTET_COORDINATOR_LAUNCHERS_SLURM_TIME_H

#include <stdint.h>

/* "MINUTES", "MINUTES:SECONDS", "HOURS:MINUTES:SECONDS", "DAYS-HOURS", "DAYS-HOURS:MINUTES",
 * "DAYS-HOURS:MINUTES:SECONDS"; "0", "INFINITE" and "UNLIMITED" are no limit: 0. In seconds, rounded up
 * to whole minutes, as Slurm does. Returns 0 or ERR_INVALID. */
int slurm_time_parse(const char *text, uint64_t *ret_seconds);

#endif
