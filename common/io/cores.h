/* How many CPU cores this process may really use: the affinity mask, cut by the cgroup's CPU
 * quota (v2 cpu.max, v1 cfs_quota_us, looked up at the path in /proc/self/cgroup and at every
 * parent), and by what Slurm has granted to its task, which a cluster need not enforce by either.
 * Never a count of processors. */
#ifndef QUARTET_COMMON_IO_CORES_H
#define QUARTET_COMMON_IO_CORES_H

#include <stdint.h>

/* At least 1. A quota of 1.5 cores counts as 2. */
uint32_t cores_usable(void);

/* Processors online in the machine, for reports. */
uint32_t cores_online(void);

/* Whole cores that the CPU quota allows, rounded up; UINT32_MAX: no limit. `root` goes before
 * "/proc/self/cgroup" and "/sys/fs/cgroup" ("" for the real ones; tests have others). */
uint32_t cores_quota_at(const char *root);

/* CPUs that Slurm has granted to the task that this process is in, by its environment (`env` as getenv); UINT32_MAX:
 * it is in none, or nothing is said. What is no number is not counted. */
uint32_t cores_granted(char *(*env)(const char *name));

#endif
