/* Which files the sink writes; see sink_claims.h. */
#include "coordinator/sink/sink_claims.h"

#include "common/base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPEN_FLAGS = O_WRONLY | O_CLOEXEC | O_NOCTTY, MODE = 0666 };

/* Without O_TRUNC: what is in it is lost only when every file could be opened. */
static int open_path(const char *path, bool *ret_created)
{
    *ret_created = false;
    int fd = open(path, OPEN_FLAGS);
    if (fd >= 0 || errno != ENOENT) {
        return fd;
    }
    fd = open(path, OPEN_FLAGS | O_CREAT | O_EXCL, MODE);
    *ret_created = fd >= 0;
    if (fd >= 0 || errno != EEXIST) {
        return fd;
    }
    return open(path, OPEN_FLAGS | O_CREAT, MODE); /* a link to what is not there */
}

const struct sink_claim *sink_claims_find_status(const struct sink_claims *claims,
                                                 const struct stat *status)
{
    for (size_t i = 0; i < claims->count; i++) {
        const struct sink_claim *claim = &claims->list[i];
        if (claim->device == status->st_dev && claim->inode == status->st_ino) {
            return claim;
        }
    }
    return NULL;
}

const struct sink_claim *sink_claims_find(const struct sink_claims *claims, int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || (S_ISCHR(status.st_mode) && isatty(fd) == 0)) {
        return NULL;
    }
    return sink_claims_find_status(claims, &status);
}

/* Standard output may be a device that many can have; two outputs in it would still be mixed up
 * as soon as it is something else. */
static const struct sink_claim *find_stdout(const struct sink_claims *claims)
{
    for (size_t i = 0; i < claims->count; i++) {
        if (strcmp(claims->list[i].name, SINK_STDOUT_NAME) == 0) {
            return &claims->list[i];
        }
    }
    return NULL;
}

int sink_claims_add(struct sink_claims *claims,
                    const char *use,
                    const char *name,
                    int fd,
                    struct err_text *ret_error)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return err_set(ret_error, ERR_IO, "cannot write %s: %s", name, strerror(errno));
    }
    const struct sink_claim *other = strcmp(name, SINK_STDOUT_NAME) == 0 ? find_stdout(claims)
                                                                         : NULL;
    if (other == NULL) {
        other = sink_claims_find(claims, fd);
    }
    if (other != NULL) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "%s %s is the same file as %s %s; each needs one of its own",
                       use,
                       name,
                       other->use,
                       other->name);
    }
    CHECK(claims->count < SINK_CLAIMS_MAX);
    claims->list[claims->count++] = (struct sink_claim){
        .use = use,
        .name = name,
        .device = status.st_dev,
        .inode = status.st_ino,
    };
    return 0;
}

void sink_claims_reserve(struct sink_claims *claims, const char *use, const char *path)
{
    struct stat status;
    if (path == NULL ||
        (strcmp(path, "-") == 0 ? fstat(STDIN_FILENO, &status) : stat(path, &status)) != 0) {
        return;
    }
    if (S_ISREG(status.st_mode)) {
        CHECK(claims->count < SINK_CLAIMS_MAX);
        claims->list[claims->count++] = (struct sink_claim){
            .use = use,
            .name = path,
            .device = status.st_dev,
            .inode = status.st_ino,
        };
    }
}

int sink_claims_open(struct sink_claims *claims,
                     const char *use,
                     const char *name,
                     const char *path,
                     struct err_text *ret_error,
                     int *ret_fd)
{
    bool created = false;
    int fd = strcmp(path, "-") == 0 ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
                                    : open_path(path, &created);
    if (fd < 0) {
        return err_set(ret_error, ERR_IO, "cannot write %s %s: %s", use, name, strerror(errno));
    }
    int code = sink_claims_add(claims, use, name, fd, ret_error);
    if (code != 0) {
        (void)close(fd);
        if (created) {
            (void)unlink(path);
        }
        return code;
    }
    claims->list[claims->count - 1].created = created ? path : NULL;
    *ret_fd = fd;
    return 0;
}

void sink_claims_undo(const struct sink_claims *claims)
{
    for (size_t i = 0; i < claims->count; i++) {
        if (claims->list[i].created != NULL) {
            (void)unlink(claims->list[i].created);
        }
    }
}
