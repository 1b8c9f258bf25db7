#include "worker/workloads/plugin.h"

int plugin_load(const char *path,
                struct err_text *ret_error,
                const struct workload_ops **ret_workload)
{
    (void)ret_workload;
    return err_set(ret_error, ERR_INVALID, "%s: plugins are not built in", path);
}
