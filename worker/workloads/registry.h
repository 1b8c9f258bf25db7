/* Workloads by name. The declarations at the end are for registry.c and the files that define
 * them. */
#ifndef QUARTET_WORKER_WORKLOADS_REGISTRY_H
#define QUARTET_WORKER_WORKLOADS_REGISTRY_H

#include "worker/workloads/workload.h"

/* Every built-in workload. A new one is a file and a line in registry.c. */
extern const struct workload_ops *const workload_registry[];
extern const size_t workload_registry_count;

/* By name; NULL when there is none. */
const struct workload_ops *workload_find(const char *name);

/* As workload_find, with the refusal in words (quotes `name`, offers the nearest). Returns 0 or
 * ERR_NOT_FOUND. */
int workload_lookup(const char *name,
                    struct err_text *ret_error,
                    const struct workload_ops **ret_workload);

/* The host's table for a workload, but for `cancelled` and `note`, which are the caller's own. */
void workload_host_init(struct workload_host *host);

extern const struct workload_ops workload_download_ops;
extern const struct workload_ops workload_exec_ops;
extern const struct workload_ops workload_noop_ops;
extern const struct workload_ops workload_pipe_ops;
extern const struct workload_ops workload_sleep_ops;
extern const struct workload_ops workload_spin_ops;
extern const struct workload_ops workload_squares_ops;

#endif
