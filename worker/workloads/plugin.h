/* Workloads out of shared objects. */
#ifndef QUARTET_WORKER_WORKLOADS_PLUGIN_H
#define QUARTET_WORKER_WORKLOADS_PLUGIN_H

#include "common/base/err.h"
#include "worker/workloads/workload.h"

/* Load the plugin at `path` (absolute). The workload stays valid until the process ends. Returns 0; or
 * ERR_INVALID or ERR_IO, with the reason. */
int plugin_load(const char *path,
                struct err_text *ret_error,
                const struct workload_ops **ret_workload);

#endif
