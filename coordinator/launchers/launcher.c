#include "coordinator/launchers/launcher.h"

#include "common/base/nearest.h"

#include <string.h>

const struct launcher_ops *const launchers[] = {
    &launcher_mpi,
    &launcher_slurm,
    &launcher_k8s,
    &launcher_systemd,
    NULL,
};

enum { LAUNCHER_COUNT = sizeof(launchers) / sizeof(launchers[0]) - 1 };

const struct launcher_ops *launcher_find(const char *name)
{
    for (size_t i = 0; i < LAUNCHER_COUNT; i++) {
        if (strcmp(launchers[i]->name, name) == 0) {
            return launchers[i];
        }
    }
    return NULL;
}

const char *launcher_nearest(const char *name)
{
    const char *names[LAUNCHER_COUNT];
    for (size_t i = 0; i < LAUNCHER_COUNT; i++) {
        names[i] = launchers[i]->name;
    }
    return nearest_name(name, names, LAUNCHER_COUNT);
}
