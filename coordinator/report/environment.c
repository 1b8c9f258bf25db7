/* The machine and the libraries that a report was made with. What cannot be read stays empty or
 * 0. */
#include "common/io/cores.h"
#include "common/io/versions.h"
#include "coordinator/report/report.h"
#include "coordinator/report/report_parts.h"

#include <gnu/libc-version.h>
#include <jansson.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum {
    PATH_SIZE = 4096,
    LIBRARIES_MAX = sizeof(((struct environment *)NULL)->libraries) /
                    sizeof(((struct environment *)NULL)->libraries[0]),
};

/* The rest of the first line of a file that begins with `prefix`, without newline. Returns false
 * when there is none. */
static bool find_line(const char *root,
                      const char *path,
                      const char *prefix,
                      char *ret_rest,
                      size_t size)
{
    char full[PATH_SIZE];
    (void)snprintf(full, sizeof(full), "%s%s", root, path);
    FILE *file = fopen(full, "re");
    if (file == NULL) {
        return false;
    }
    char line[1024];
    bool found = false;
    while (!found && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, prefix, strlen(prefix)) == 0) {
            line[strcspn(line, "\n")] = '\0';
            (void)snprintf(ret_rest, size, "%s", line + strlen(prefix));
            found = true;
        }
    }
    (void)fclose(file);
    return found;
}

/* /etc/os-release: PRETTY_NAME="Debian GNU/Linux 12 (bookworm)". */
static void read_os(char *ret_os, size_t size)
{
    char name[256];
    if (!find_line("", "/etc/os-release", "PRETTY_NAME=", name, sizeof(name))) {
        return;
    }
    size_t skip = name[0] == '"' ? 1 : 0;
    name[skip + strcspn(name + skip, "\"")] = '\0';
    (void)snprintf(ret_os, size, "%s", name + skip);
}

/* "model name  : ..." on x86; most ARM kernels have no such line, the machine's name must do. */
static void read_cpu(const char *machine, char *ret_cpu, size_t size)
{
    char rest[256];
    if (find_line("", "/proc/cpuinfo", "model name", rest, sizeof(rest))) {
        (void)snprintf(ret_cpu, size, "%s", rest + strspn(rest, " \t:"));
    } else {
        (void)snprintf(ret_cpu, size, "%s", machine);
    }
}

/* A cgroup's limit: a number of bytes, or "max" (version 2), or a number beyond all memory
 * (version 1). */
static uint64_t read_limit(const char *root,
                           const char *hierarchy,
                           const char *group,
                           const char *file)
{
    char path[PATH_SIZE];
    char text[64];
    (void)snprintf(path, sizeof(path), "/sys/fs/cgroup%s%s/%s", hierarchy, group, file);
    if (!find_line(root, path, "", text, sizeof(text)) || strcmp(text, "max") == 0) {
        return UINT64_MAX;
    }
    uint64_t limit = strtoull(text, NULL, 10);
    return limit > 0 ? limit : UINT64_MAX;
}

/* The smallest limit of a cgroup and its parents. Changes `group`. */
static uint64_t smallest_limit(const char *root,
                               const char *hierarchy,
                               char *group,
                               const char *file)
{
    uint64_t smallest = UINT64_MAX;
    for (;;) {
        if (strcmp(group, "/") == 0) {
            group[0] = '\0';
        }
        uint64_t limit = read_limit(root, hierarchy, group, file);
        smallest = limit < smallest ? limit : smallest;
        char *slash = strrchr(group, '/');
        if (slash == NULL) {
            return smallest;
        }
        *slash = '\0';
    }
}

/* Version 1: a line "N:memory:/path"; the controllers may come in any company,
 * "N:cpu,memory:/path". */
static bool find_memory_group_v1(const char *root, char *ret_group, size_t size)
{
    for (int hierarchy = 1; hierarchy < 32; hierarchy++) {
        char prefix[16];
        char rest[1024];
        (void)snprintf(prefix, sizeof(prefix), "%d:", hierarchy);
        if (!find_line(root, "/proc/self/cgroup", prefix, rest, sizeof(rest))) {
            continue;
        }
        char *path = strchr(rest, ':');
        if (path == NULL) {
            continue;
        }
        *path++ = '\0';
        if (strstr(rest, "memory") != NULL) {
            (void)snprintf(ret_group, size, "%s", path);
            return true;
        }
    }
    return false;
}

uint64_t environment_memory_at(const char *root)
{
    char rest[128];
    char group[1024];
    uint64_t memory = 0;
    if (find_line(root, "/proc/meminfo", "MemTotal:", rest, sizeof(rest))) {
        memory = strtoull(rest, NULL, 10) * 1024;
    }
    uint64_t limit = UINT64_MAX;
    if (find_memory_group_v1(root, group, sizeof(group))) {
        limit = smallest_limit(root, "/memory", group, "memory.limit_in_bytes");
    } else if (find_line(root, "/proc/self/cgroup", "0::", group, sizeof(group))) {
        limit = smallest_limit(root, "", group, "memory.max");
    }
    return limit < memory || memory == 0 ? (limit == UINT64_MAX ? 0 : limit) : memory;
}

static void add_library(struct environment *environment, const char *name, const char *version)
{
    size_t i = environment->library_count++;
    (void)snprintf(environment->libraries[i][0], sizeof(environment->libraries[i][0]), "%s", name);
    (void)snprintf(
        environment->libraries[i][1], sizeof(environment->libraries[i][1]), "%s", version);
}

/* Versions as loaded, of what both programs use and of what only this one does. */
static void read_libraries(struct environment *environment)
{
    enum { SHARED_MAX = LIBRARIES_MAX - 3 };
    struct version shared[SHARED_MAX];
    size_t count = versions_libraries(shared, SHARED_MAX);
    for (size_t i = 0; i < count; i++) {
        add_library(environment, shared[i].name, shared[i].text);
    }
    add_library(environment, "libmicrohttpd", MHD_get_version());
    add_library(environment, "jansson", jansson_version_str());
    add_library(environment, "glibc", gnu_get_libc_version());
}

double environment_load(void)
{
    double load = 0;
    return getloadavg(&load, 1) == 1 ? load : 0;
}

void environment_read(struct environment *ret_environment)
{
    struct utsname names = {0};
    memset(ret_environment, 0, sizeof(*ret_environment));
    if (uname(&names) == 0) {
        (void)snprintf(ret_environment->host, sizeof(ret_environment->host), "%s", names.nodename);
        (void)snprintf(ret_environment->kernel,
                       sizeof(ret_environment->kernel),
                       "%s %s %s",
                       names.sysname,
                       names.release,
                       names.machine);
    }
    read_os(ret_environment->os, sizeof(ret_environment->os));
    read_cpu(names.machine, ret_environment->cpu, sizeof(ret_environment->cpu));
    ret_environment->cores_online = cores_online();
    ret_environment->cores_usable = cores_usable();
    ret_environment->memory_bytes = environment_memory_at("");
    ret_environment->load_before = environment_load();
    read_libraries(ret_environment);
}
