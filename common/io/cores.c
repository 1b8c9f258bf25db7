#include "common/io/cores.h"

#include "common/base/units.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_SIZE = 4096, CPUS_MAX = 1 << 20 };

static const uint32_t no_quota = UINT32_MAX;

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* The first line of a small file, without its newline. False when there is no such file. */
static bool read_line(const char *path, char ret_line[LINE_SIZE])
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    bool got = fgets(ret_line, LINE_SIZE, file) != NULL;
    (void)fclose(file);
    if (got) {
        ret_line[strcspn(ret_line, "\n")] = '\0';
    }
    return got;
}

/* Cores that `quota` microseconds in each `period` amount to, a started one counted whole. "max"
 * and "-1" are no numbers: no quota. */
static uint32_t cores_of(const char *quota, const char *period)
{
    uint64_t quota_us;
    uint64_t period_us;
    if (units_parse_u64(quota, INT64_MAX, &quota_us) != 0 ||
        units_parse_u64(period, INT64_MAX, &period_us) != 0 || quota_us == 0 || period_us == 0) {
        return no_quota;
    }
    uint64_t cores = (quota_us + period_us - 1) / period_us;
    return cores < no_quota ? (uint32_t)cores : no_quota;
}

/* Version 2: one file, "QUOTA PERIOD". */
static uint32_t quota_v2(const char *folder)
{
    char path[PATH_MAX];
    char line[LINE_SIZE];
    int len = snprintf(path, sizeof(path), "%s/cpu.max", folder);
    if (len < 0 || (size_t)len >= sizeof(path) || !read_line(path, line)) {
        return no_quota;
    }
    char *space = strchr(line, ' ');
    if (space == NULL) {
        return no_quota;
    }
    *space = '\0';
    return cores_of(line, space + 1);
}

/* Version 1: two files. */
static uint32_t quota_v1(const char *folder)
{
    char path[PATH_MAX];
    char quota[LINE_SIZE];
    char period[LINE_SIZE];
    int len = snprintf(path, sizeof(path), "%s/cpu.cfs_quota_us", folder);
    if (len < 0 || (size_t)len >= sizeof(path) || !read_line(path, quota)) {
        return no_quota;
    }
    len = snprintf(path, sizeof(path), "%s/cpu.cfs_period_us", folder);
    if (len < 0 || (size_t)len >= sizeof(path) || !read_line(path, period)) {
        return no_quota;
    }
    return cores_of(quota, period);
}

/* The least quota at `group` below `mount` and at each of its parents. A container may see a
 * path of its host that it does not have; what is missing is passed over, and `mount` itself is
 * then the container's group. */
static uint32_t least_quota_upwards(const char *mount,
                                    const char *group,
                                    uint32_t (*quota)(const char *folder))
{
    char folder[PATH_MAX];
    bool outside = strstr(group, "/..") != NULL;
    int len = snprintf(folder, sizeof(folder), "%s%s", mount, outside ? "" : group);
    if (len < 0 || (size_t)len >= sizeof(folder)) {
        return no_quota;
    }
    size_t mount_len = strlen(mount);
    uint32_t cores = no_quota;
    for (;;) {
        cores = least(cores, quota(folder));
        char *slash = strrchr(folder, '/');
        if (slash == NULL || (size_t)(slash - folder) < mount_len) {
            return cores;
        }
        *slash = '\0';
    }
}

/* Is "cpu" one of the comma-separated `controllers`? */
static bool has_cpu(const char *controllers)
{
    for (const char *at = controllers; *at != '\0';) {
        size_t len = strcspn(at, ",");
        if (len == 3 && strncmp(at, "cpu", 3) == 0) {
            return true;
        }
        at += len + (at[len] == ',' ? 1 : 0);
    }
    return false;
}

/* One line of /proc/self/cgroup: "ID:CONTROLLERS:PATH"; version 2 has ID 0 and no controllers. */
static uint32_t quota_of_line(const char *root, char *line)
{
    line[strcspn(line, "\n")] = '\0';
    char *controllers = strchr(line, ':');
    char *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');
    if (group == NULL) {
        return no_quota;
    }
    *controllers++ = '\0';
    *group++ = '\0';
    char mount[PATH_MAX];
    if (strcmp(line, "0") == 0 && *controllers == '\0') {
        int len = snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup", root);
        return len < 0 || (size_t)len >= sizeof(mount)
                   ? no_quota
                   : least_quota_upwards(mount, group, quota_v2);
    }
    if (!has_cpu(controllers)) {
        return no_quota;
    }
    /* Mounted under the list of controllers or, by a link or by hand, under "cpu". */
    uint32_t cores = no_quota;
    const char *const names[] = {controllers, "cpu"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        int len = snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup/%s", root, names[i]);
        if (len > 0 && (size_t)len < sizeof(mount)) {
            cores = least(cores, least_quota_upwards(mount, group, quota_v1));
        }
    }
    return cores;
}

uint32_t cores_quota_at(const char *root)
{
    char path[PATH_MAX];
    char line[LINE_SIZE];
    int len = snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
    FILE *file = len < 0 || (size_t)len >= sizeof(path) ? NULL : fopen(path, "re");
    if (file == NULL) {
        return no_quota;
    }
    uint32_t cores = no_quota;
    while (fgets(line, sizeof(line), file) != NULL) {
        cores = least(cores, quota_of_line(root, line));
    }
    (void)fclose(file);
    return cores;
}

uint32_t cores_online(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : (uint32_t)count;
}

/* The kernel refuses a set that is smaller than its own, which may have more than the usual 1024
 * places. */
static uint32_t cores_in_affinity(void)
{
    for (int cpus = CPU_SETSIZE; cpus <= CPUS_MAX; cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)cpus);
        if (set == NULL) {
            break;
        }
        size_t size = CPU_ALLOC_SIZE((size_t)cpus);
        int count = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (count > 0) {
            return (uint32_t)count;
        }
    }
    return cores_online();
}

/* The shell of an allocation has such variables as well, and is on no node of it: only a task has a number. That a step has so
 * many CPUs on a node is a bound for each of its tasks there. */
uint32_t cores_granted(char *(*env)(const char *name))
{
    static const char *const names[] = {"SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE"};
    uint32_t cores = UINT32_MAX;
    if (env("SLURM_JOB_ID") == NULL || env("SLURM_PROCID") == NULL) {
        return cores;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *text = env(names[i]);
        uint64_t count = 0;
        if (text != NULL && units_parse_u64(text, CPUS_MAX, &count) == 0 && count > 0) {
            cores = least(cores, (uint32_t)count);
        }
    }
    return cores;
}

uint32_t cores_usable(void)
{
    return least(least(cores_in_affinity(), cores_quota_at("")), cores_granted(getenv));
}
