#include "coordinator/status/control_path.h"

#include "common/base/units.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { PLACES = 2, BACKLOG = 64 };

static const char SUFFIX[] = ".sock";

/* --- directories --- */

/* The default directory number `index`; false: there is none of that number, or it is too long. */
static bool default_directory(size_t index, char *ret_path, size_t size)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    int len = -1;
    if (index == 0 && runtime != NULL && runtime[0] == '/') {
        len = snprintf(ret_path, size, "%s/quartet", runtime);
    } else if (index == 1) {
        len = snprintf(ret_path, size, "/tmp/quartet-%ld", (long)geteuid());
    }
    return len > 0 && (size_t)len < size;
}

/* In a place that everybody may write to, whatever is found there may be a trap. */
static bool is_private(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
           (status.st_mode & 077) == 0;
}

static bool make_private(const char *path)
{
    return (mkdir(path, 0700) == 0 || errno == EEXIST) && is_private(path);
}

/* --- sockets --- */

static bool set_address(const char *path, struct sockaddr_un *ret_address)
{
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len >= sizeof(ret_address->sun_path)) {
        return false;
    }
    memcpy(ret_address->sun_path, path, len + 1);
    return true;
}

/* Does nobody listen at this socket any more? */
static bool is_deserted(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool refused = fd >= 0 &&
                   connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
                   errno == ECONNREFUSED;
    if (fd >= 0) {
        (void)close(fd);
    }
    return refused;
}

/* Make room for a socket: what a dead process left may go, nothing else. */
static int clear_path(const char *path,
                      const struct sockaddr_un *address,
                      struct err_text *ret_error)
{
    struct stat status;
    if (lstat(path, &status) != 0) {
        return 0; /* binding tells what is wrong, if it is not that nothing is there */
    }
    if (!S_ISSOCK(status.st_mode)) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "cannot make the control socket '%s': something else is there",
                       path);
    }
    if (!is_deserted(address)) {
        return err_set(ret_error,
                       ERR_BUSY,
                       "cannot make the control socket '%s': another coordinator listens there",
                       path);
    }
    (void)unlink(path);
    return 0;
}

int control_listen(const char *path, struct err_text *ret_error, int *ret_fd)
{
    struct sockaddr_un address;
    if (!set_address(path, &address)) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "the control socket '%.200s' has a path of more than %d bytes",
                       path,
                       CONTROL_PATH_SIZE - 1);
    }
    int rc = clear_path(path, &address, ret_error);
    if (rc != 0) {
        return rc;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* On Linux the file gets the socket's own mode, so that it is never there with another. */
    if (fd < 0 || fchmod(fd, 0600) != 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        rc = err_set(ret_error,
                     errno == EADDRINUSE ? ERR_BUSY : ERR_IO,
                     "cannot make the control socket '%s': %s",
                     path,
                     strerror(errno));
    } else if (listen(fd, BACKLOG) != 0) {
        rc = err_set(ret_error,
                     ERR_IO,
                     "cannot listen at the control socket '%s': %s",
                     path,
                     strerror(errno));
        (void)unlink(path);
    }
    if (rc != 0) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return rc;
    }
    *ret_fd = fd;
    return 0;
}

int control_listen_default(char ret_path[CONTROL_PATH_SIZE], int *ret_fd)
{
    for (size_t i = 0; i < PLACES; i++) {
        char directory[CONTROL_PATH_SIZE];
        struct err_text ignored;
        if (!default_directory(i, directory, sizeof(directory)) || !make_private(directory)) {
            continue;
        }
        int len = snprintf(
            ret_path, CONTROL_PATH_SIZE, "%s/%ld%s", directory, (long)getpid(), SUFFIX);
        if (len < CONTROL_PATH_SIZE && control_listen(ret_path, &ignored, ret_fd) == 0) {
            return 0;
        }
    }
    return ERR_NOT_FOUND;
}

/* --- looking --- */

/* The process that a name stands for; 0: it is not one of ours. */
static long pid_of(const char *name)
{
    char number[24];
    uint64_t pid = 0;
    const char *suffix = strstr(name, SUFFIX);
    size_t len = suffix == NULL ? sizeof(number) : (size_t)(suffix - name);
    if (len >= sizeof(number) || strcmp(suffix, SUFFIX) != 0) {
        return 0;
    }
    memcpy(number, name, len);
    number[len] = '\0';
    return units_parse_u64(number, INT32_MAX, &pid) == 0 ? (long)pid : 0;
}

/* Is this the socket of a running process? What a dead one left is removed. */
static bool is_running(const struct control_place *place)
{
    struct sockaddr_un address;
    if (!set_address(place->path, &address)) {
        return false;
    }
    if (!is_deserted(&address)) {
        return true; /* also when it has another number here: of a container that shares the directory */
    }
    /* Another process may have its number by now, and one that just begins listens in a moment. */
    if (kill((pid_t)place->pid, 0) != 0 && errno == ESRCH) {
        (void)unlink(place->path);
    }
    return false;
}

static size_t look_into(const char *directory, struct control_place *list, size_t count)
{
    DIR *dir = is_private(directory) ? opendir(directory) : NULL;
    struct dirent *entry;
    while (dir != NULL && count < CONTROL_FOUND_MAX && (entry = readdir(dir)) != NULL) {
        struct control_place *place = &list[count];
        place->pid = pid_of(entry->d_name);
        int len = snprintf(place->path, sizeof(place->path), "%s/%s", directory, entry->d_name);
        if (place->pid > 0 && len > 0 && (size_t)len < sizeof(place->path) && is_running(place)) {
            count++;
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return count;
}

static int by_number(const void *left, const void *right)
{
    const struct control_place *a = left;
    const struct control_place *b = right;
    return (a->pid > b->pid) - (a->pid < b->pid);
}

size_t control_find(struct control_place *ret_list)
{
    size_t count = 0;
    for (size_t i = 0; i < PLACES; i++) {
        char directory[CONTROL_PATH_SIZE];
        if (default_directory(i, directory, sizeof(directory))) {
            count = look_into(directory, ret_list, count);
        }
    }
    qsort(ret_list, count, sizeof(*ret_list), by_number);
    return count;
}
