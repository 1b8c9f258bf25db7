#include "coordinator/run/items_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MODE = 0666, BUFFER_SIZE = 64 * 1024 };

struct copy {
    int fd;
    bool has_name; /* already, while it is written: the file system knows no other way */
};

/* A file without a name in the directory of `path`, or -1. */
static int open_nameless(const char *path)
{
    char *copy = strdup(path); /* dirname writes into it */
    int fd = copy != NULL ? open(dirname(copy), O_TMPFILE | O_RDWR | O_CLOEXEC, MODE) : -1;
    int error = errno;
    free(copy);
    errno = error;
    return fd;
}

static int open_named(const char *keep, struct copy *copy)
{
    struct stat status;
    if (lstat(keep, &status) == 0) {
        errno = EEXIST; /* said before all is read in vain */
        return -1;
    }
    copy->fd = open_nameless(keep);
    if (copy->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        copy->fd = open(keep, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, MODE);
        copy->has_name = copy->fd >= 0;
    }
    return copy->fd < 0 ? -1 : 0;
}

static int open_temporary(struct copy *copy)
{
    FILE *stream = tmpfile();
    copy->fd = stream == NULL ? -1 : fcntl(fileno(stream), F_DUPFD_CLOEXEC, 0);
    if (stream != NULL) {
        (void)fclose(stream);
    }
    return copy->fd < 0 ? -1 : 0;
}

static int write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, bytes, size);
        if (written < 0 && errno != EINTR) {
            return -1;
        }
        if (written > 0) {
            bytes += written;
            size -= (size_t)written;
        }
    }
    return 0;
}

static int copy_all(int from, int to)
{
    char buffer[BUFFER_SIZE];
    for (;;) {
        ssize_t got = read(from, buffer, sizeof(buffer));
        if (got == 0) {
            return 0;
        }
        if ((got < 0 && errno != EINTR) || (got > 0 && write_all(to, buffer, (size_t)got) != 0)) {
            return -1;
        }
    }
}

/* All of it is there: give it its name. */
static int settle_named(const char *keep, const struct copy *copy)
{
    char self[64];
    (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", copy->fd);
    if (fsync(copy->fd) != 0) {
        return -1;
    }
    return copy->has_name ? 0 : linkat(AT_FDCWD, self, AT_FDCWD, keep, AT_SYMLINK_FOLLOW);
}

static int fail(const char *keep,
                const struct copy *copy,
                const struct items_spec *items,
                struct err_text *ret_error)
{
    int error = errno;
    if (copy->fd >= 0) {
        (void)close(copy->fd);
    }
    if (copy->has_name) {
        (void)unlink(keep);
    }
    if (keep != NULL && error == EEXIST) {
        return err_set(
            ret_error,
            ERR_INVALID,
            "'%s', where a copy of the items '%s' would be kept, exists already: move it "
            "away, or give the journal another name",
            keep,
            items->path);
    }
    return err_set(ret_error,
                   ERR_IO,
                   "cannot keep a copy of the items '%s' in %s: %s",
                   items->path,
                   keep != NULL ? keep : "a temporary file",
                   strerror(error));
}

int items_copy(int from, const char *keep, struct items_spec *items, struct err_text *ret_error)
{
    struct copy copy = {.fd = -1};
    int rc = keep != NULL ? open_named(keep, &copy) : open_temporary(&copy);
    rc = rc != 0 ? rc : copy_all(from, copy.fd);
    rc = rc != 0 || keep == NULL ? rc : settle_named(keep, &copy);
    if (rc != 0) {
        return fail(keep, &copy, items, ret_error);
    }
    items->fd = copy.fd;
    return 0;
}
