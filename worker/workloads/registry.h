/* The built-in workloads, one per file. For registry.c and the files that define them; everybody
 * else asks the registry. */
#ifndef QUARTET_WORKER_WORKLOADS_REGISTRY_H
#define QUARTET_WORKER_WORKLOADS_REGISTRY_H

#include "worker/workloads/workload.h"

extern const struct workload_ops workload_download_ops;
extern const struct workload_ops workload_noop_ops;
extern const struct workload_ops workload_sleep_ops;
extern const struct workload_ops workload_spin_ops;
extern const struct workload_ops workload_squares_ops;

#endif
