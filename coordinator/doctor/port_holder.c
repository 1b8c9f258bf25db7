#include "coordinator/doctor/port_holder.h"

#include "common/base/err.h"
#include "common/base/units.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* proc(5), /proc/net/tcp. */
enum { STATE_LISTEN = 0x0a, LINE_SIZE = 512, NAME_SIZE = 64 };

bool port_holder_line(const char *line, uint16_t port, uint64_t *ret_inode)
{
    unsigned at_port = 0;
    unsigned state = 0;
    unsigned long inode = 0;
    /* sl, local address:port, remote one, state, queues, timer, retransmits, user, timeout, inode */
    int count = sscanf(
        line,
        " %*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %lu",
        &at_port,
        &state,
        &inode);
    if (count != 3 || state != STATE_LISTEN || at_port != port || inode == 0) {
        return false;
    }
    *ret_inode = inode;
    return true;
}

static bool find_inode(const char *table, uint16_t port, uint64_t *ret_inode)
{
    char line[LINE_SIZE];
    bool found = false;
    FILE *file = fopen(table, "re");
    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL) {
        found = port_holder_line(line, port, ret_inode);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return found;
}

/* Has the process whose descriptors are in `path` this socket among them? */
static bool has_socket(const char *path, const char *socket)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    bool found = false;
    while (directory != NULL && !found && (entry = readdir(directory)) != NULL) {
        char target[NAME_SIZE];
        ssize_t len = readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);
        if (len > 0) {
            target[len] = '\0';
            found = strcmp(target, socket) == 0;
        }
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    return found;
}

static void describe(uint64_t pid, char *ret_text, size_t size)
{
    char path[NAME_SIZE];
    char name[NAME_SIZE] = "?";
    (void)snprintf(path, sizeof(path), "/proc/%llu/comm", (unsigned long long)pid);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        if (fgets(name, sizeof(name), file) != NULL) {
            name[strcspn(name, "\n")] = '\0';
        }
        (void)fclose(file);
    }
    err_one_line(name);
    (void)snprintf(ret_text, size, "%s (pid %llu)", name, (unsigned long long)pid);
}

bool port_holder(uint16_t port, char *ret_text, size_t size)
{
    uint64_t inode = 0;
    if (!find_inode("/proc/net/tcp", port, &inode) && !find_inode("/proc/net/tcp6", port, &inode)) {
        return false;
    }
    char socket[NAME_SIZE];
    (void)snprintf(socket, sizeof(socket), "socket:[%llu]", (unsigned long long)inode);
    DIR *processes = opendir("/proc");
    const struct dirent *entry;
    bool found = false;
    while (processes != NULL && !found && (entry = readdir(processes)) != NULL) {
        char path[sizeof(entry->d_name) + NAME_SIZE];
        uint64_t pid = 0;
        (void)snprintf(path, sizeof(path), "/proc/%s/fd", entry->d_name);
        if (units_parse_u64(entry->d_name, UINT32_MAX, &pid) == 0 && has_socket(path, socket)) {
            describe(pid, ret_text, size);
            found = true;
        }
    }
    if (processes != NULL) {
        (void)closedir(processes);
    }
    return found;
}
