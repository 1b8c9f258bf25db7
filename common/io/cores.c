#include "common/io/cores.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_SIZE = 4096, FILE_PATH_SIZE = 2 * LINE_SIZE };

/* Whole cores for `quota` microseconds of CPU in each `period`, rounded up; UINT32_MAX: no limit. */
static uint32_t quota_cores(long long quota, long long period)
{
    if (quota <= 0 || period <= 0) {
        return UINT32_MAX;
    }
    long long cores = (quota + period - 1) / period;
    return cores > UINT32_MAX ? UINT32_MAX : (uint32_t)cores;
}

static int read_line(const char *path, char *ret_line, int size)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return -1;
    }
    char *line = fgets(ret_line, size, file);
    (void)fclose(file);
    return line == NULL ? -1 : 0;
}

static long long read_number(const char *directory, const char *name)
{
    char path[FILE_PATH_SIZE + 64];
    char line[64];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    return read_line(path, line, sizeof(line)) == 0 ? strtoll(line, NULL, 10) : -1;
}

/* The quota of one cgroup folder, version 2 or 1. */
static uint32_t quota_of_folder(const char *directory)
{
    char path[FILE_PATH_SIZE + 64];
    char line[64];
    (void)snprintf(path, sizeof(path), "%s/cpu.max", directory);
    if (read_line(path, line, sizeof(line)) == 0) {
        char *rest = NULL;
        long long quota = strtoll(line, &rest, 10);
        return rest == line ? UINT32_MAX : quota_cores(quota, strtoll(rest, NULL, 10));
    }
    return quota_cores(read_number(directory, "cpu.cfs_quota_us"),
                       read_number(directory, "cpu.cfs_period_us"));
}

/* The smallest quota of the folder `group` below `mount` and of all its parents. */
static uint32_t quota_of_path(const char *mount, const char *group)
{
    char directory[FILE_PATH_SIZE];
    size_t mount_len = strlen(mount);
    uint32_t least = UINT32_MAX;
    (void)snprintf(directory, sizeof(directory), "%s%s", mount, group);
    for (;;) {
        uint32_t cores = quota_of_folder(directory);
        least = cores < least ? cores : least;
        char *slash = strrchr(directory, '/');
        if (slash == NULL || (size_t)(slash - directory) < mount_len) {
            return least;
        }
        *slash = '\0';
    }
}

/* "N:CONTROLLERS:PATH": does this line of /proc/self/cgroup speak of CPU time (version 2: no controllers named)? */
static const char *cpu_group_of(char *line, const char **ret_folder)
{
    char *controllers = strchr(line, ':');
    char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');
    if (path == NULL) {
        return NULL;
    }
    *path++ = '\0';
    controllers++;
    path[strcspn(path, "\n")] = '\0';
    if (controllers[0] == '\0') {
        *ret_folder = "";
        return path;
    }
    char *rest = NULL;
    for (char *name = strtok_r(controllers, ",", &rest); name != NULL;
         name = strtok_r(NULL, ",", &rest)) {
        if (strcmp(name, "cpu") == 0) {
            *ret_folder = "/cpu";
            return path;
        }
    }
    return NULL;
}

uint32_t cores_quota_at(const char *root)
{
    char path[LINE_SIZE];
    char line[LINE_SIZE];
    uint32_t least = UINT32_MAX;
    (void)snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return UINT32_MAX;
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        const char *folder = NULL;
        const char *group = cpu_group_of(line, &folder);
        if (group != NULL) {
            char mount[LINE_SIZE];
            (void)snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup%s", root, folder);
            uint32_t cores = quota_of_path(mount, strcmp(group, "/") == 0 ? "" : group);
            least = cores < least ? cores : least;
        }
    }
    (void)fclose(file);
    return least;
}

static uint32_t affinity_cores(void)
{
    /* The mask may be wider than cpu_set_t on large machines: ask with more room until it fits. */
    for (size_t cpus = 1024; cpus <= 1024 * 1024; cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC(cpus);
        size_t size = CPU_ALLOC_SIZE(cpus);
        if (set == NULL) {
            break;
        }
        int rc = sched_getaffinity(0, size, set);
        int error = errno;
        int count = rc == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (rc == 0) {
            return count > 0 ? (uint32_t)count : 1;
        }
        if (error != EINVAL) {
            break;
        }
    }
    return cores_online();
}

uint32_t cores_usable(void)
{
    uint32_t affinity = affinity_cores();
    uint32_t quota = cores_quota_at("");
    return quota < affinity ? quota : affinity;
}

uint32_t cores_online(void)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (uint32_t)online : 1;
}
