#include "coordinator/sink/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The directory part of `path`, "." when there is none; to be freed. */
static char *directory_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return strdup(".");
    }
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

char *directory_absolute(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *part = directory_part(path);
    char *real = part != NULL ? realpath(part, NULL) : NULL;
    char *all = NULL;
    int code = errno;
    if (real != NULL && asprintf(&all,
                                 "%s/%s",
                                 strcmp(real, "/") == 0 ? "" : real,
                                 slash != NULL ? slash + 1 : path) < 0) {
        all = NULL;
        code = ENOMEM;
    }
    free(real);
    free(part);
    errno = code;
    return all;
}

int directory_sync_of(const char *path)
{
    char *part = directory_part(path);
    int fd = part != NULL ? open(part, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int code = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL) ? 0 : -1;
    int reason = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    free(part);
    errno = reason;
    return code;
}
