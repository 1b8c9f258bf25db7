/* Every built-in workload by name. Whatever lists, looks up or tests workloads goes through this
 * table. */
#include "worker/workloads/registry.h"

#include "common/base/chunk.h"
#include "common/base/nearest.h"
#include "worker/workloads/params.h"

#include <string.h>

const struct workload_ops *const workload_registry[] = {

    &workload_download_ops,
    &workload_squares_ops,
    &workload_noop_ops,
    &workload_sleep_ops,
    &workload_spin_ops,
    &workload_exec_ops,
    &workload_pipe_ops,
};

enum { REGISTRY_COUNT = sizeof(workload_registry) / sizeof(workload_registry[0]) };

const size_t workload_registry_count = REGISTRY_COUNT;

const struct workload_ops *workload_find(const char *name)
{
    for (size_t i = 0; i < REGISTRY_COUNT; i++) {
        if (strcmp(workload_registry[i]->name, name) == 0) {
            return workload_registry[i];
        }
    }
    return NULL;
}

int workload_lookup(const char *name,
                    struct err_text *ret_error,
                    const struct workload_ops **ret_workload)
{
    const struct workload_ops *workload = workload_find(name);
    if (workload != NULL) {
        *ret_workload = workload;
        return 0;
    }
    const char *names[REGISTRY_COUNT];
    for (size_t i = 0; i < REGISTRY_COUNT; i++) {
        names[i] = workload_registry[i]->name;
    }
    const char *nearest = nearest_name(name, names, REGISTRY_COUNT);
    if (nearest != NULL) {
        return err_set(ret_error,
                       ERR_NOT_FOUND,
                       "workload '%.100s' is not known; did you mean '%s'?",
                       name,
                       nearest);
    }
    return err_set(ret_error,
                   ERR_NOT_FOUND,
                   "workload '%.100s' is not known; `quartet workloads` lists what there is",
                   name);
}

_Static_assert((int)WORKLOAD_ERROR_SIZE == (int)CHUNK_ERROR_SIZE, "one size for an item's error");

static void set_error(struct err_text *error, const char *text)
{
    (void)err_set(error, ERR_INVALID, "%s", text);
}

void workload_host_init(struct workload_host *host)
{
    *host = (struct workload_host){
        .size = sizeof(*host),
        .abi_minor = WORKLOAD_ABI_MINOR,
        .param = params_get,
        .set_error = set_error,
    };
}
