#include "common/io/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    OTHERS_WRITE = S_IWGRP | S_IWOTH,
    OTHERS_ANY = S_IRWXG | S_IRWXO,
    PRIVATE_MODE = 0600,
    TRUSTED_MODE = 0644,
    DIRECTORY_MODE = 0700,
};

void secret_wipe(void *bytes, size_t len)
{
    sodium_memzero(bytes, len);
}

void secret_free(char *text)
{
    if (text != NULL) {
        secret_wipe(text, strlen(text));
        free(text);
    }
}

/* --- whose it is --- */

static int check_owner(const char *path, const struct stat *info, struct err_text *ret_error)
{
    if (info->st_uid == geteuid() || info->st_uid == 0) {
        return 0;
    }
    return err_set(ret_error,
                   ERR_INVALID,
                   "'%.300s' belongs to user %ju, not to you (user %ju): who wrote it?",
                   path,
                   (uintmax_t)info->st_uid,
                   (uintmax_t)geteuid());
}

/* What others may not do. A file that root hands to us is ours to read through its group, or through an
 * access-control list, whose mask stands where the group's permissions do: so come the Secrets of
 * Kubernetes and the credentials of systemd. Who else is in that group is root's decision, as it is for
 * PostgreSQL (0640 or less when root owns a key). Our own files are for one, and so are root's for root. */
static mode_t forbidden(enum secret_kind kind, const struct stat *info)
{
    if (kind == SECRET_TRUSTED) {
        return OTHERS_WRITE;
    }
    bool handed_over = info->st_uid == 0 && geteuid() != 0;
    return handed_over ? OTHERS_ANY & ~(mode_t)S_IRGRP : OTHERS_ANY;
}

static int check_mode(const char *path,
                      enum secret_kind kind,
                      const struct stat *info,
                      struct err_text *ret_error)
{
    if ((info->st_mode & forbidden(kind, info)) == 0) {
        return 0;
    }
    return err_set(ret_error,
                   ERR_INVALID,
                   "'%.300s' can be %s by others (mode %03o): %s",
                   path,
                   kind == SECRET_PRIVATE ? "read or written" : "written",
                   (unsigned)(info->st_mode & 07777),
                   kind == SECRET_PRIVATE ? "chmod 600, and make a new key if they may have read it"
                                          : "chmod go-w");
}

/* --- reading --- */

/* One byte more than may be is asked for: a file that is too long is told from one that fits. A line
 * is read byte by byte, so that what follows it stays where it is. */
static int read_all(int fd,
                    const char *name,
                    bool one_line,
                    struct err_text *ret_error,
                    char *bytes,
                    size_t *len)
{
    *len = 0;
    while (*len <= SECRET_FILE_MAX) {
        ssize_t got = read(fd, bytes + *len, one_line ? 1 : SECRET_FILE_MAX + 1 - *len);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return err_set(ret_error, ERR_IO, "cannot read '%.300s': %s", name, strerror(errno));
        }
        if (got == 0) {
            return 0;
        }
        *len += (size_t)got;
        if (one_line && bytes[*len - 1] == '\n') {
            return 0;
        }
    }
    return err_set(ret_error,
                   ERR_INVALID,
                   "'%.300s' is longer than %d bytes: that is not what was asked for",
                   name,
                   SECRET_FILE_MAX);
}

int secret_read_from(int fd,
                     const char *name,
                     bool one_line,
                     struct err_text *ret_error,
                     char **ret_bytes,
                     size_t *ret_len)
{
    char *bytes = calloc(1, SECRET_FILE_MAX + 2);
    size_t len = 0;
    if (bytes == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory to read '%.300s'", name);
    }
    int rc = read_all(fd, name, one_line, ret_error, bytes, &len);
    if (rc == 0 && memchr(bytes, '\0', len) != NULL) {
        rc = err_set(ret_error, ERR_INVALID, "'%.300s' is not a text: it has a NUL byte", name);
    }
    if (rc != 0) {
        secret_wipe(bytes, len);
        free(bytes);
        return rc;
    }
    *ret_bytes = bytes;
    if (ret_len != NULL) {
        *ret_len = len;
    }
    return 0;
}

static int check_file(int fd, const char *path, enum secret_kind kind, struct err_text *ret_error)
{
    struct stat info;
    if (fstat(fd, &info) != 0) {
        return err_set(ret_error, ERR_IO, "cannot look at '%.300s': %s", path, strerror(errno));
    }
    if (!S_ISREG(info.st_mode)) {
        return err_set(ret_error, ERR_INVALID, "'%.300s' is not a regular file", path);
    }
    int rc = check_owner(path, &info, ret_error);
    return rc != 0 ? rc : check_mode(path, kind, &info, ret_error);
}

int secret_read(const char *path,
                enum secret_kind kind,
                struct err_text *ret_error,
                char **ret_bytes,
                size_t *ret_len)
{
    /* Without O_NONBLOCK a named pipe would keep us waiting for somebody to write. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        int rc = errno == ENOENT ? ERR_NOT_FOUND : errno == ELOOP ? ERR_INVALID : ERR_IO;
        return err_set(ret_error,
                       rc,
                       "cannot open '%.300s': %s",
                       path,
                       errno == ELOOP ? "it is a symbolic link" : strerror(errno));
    }
    int rc = check_file(fd, path, kind, ret_error);
    rc = rc != 0 ? rc : secret_read_from(fd, path, false, ret_error, ret_bytes, ret_len);
    (void)close(fd);
    return rc;
}

/* --- writing --- */

static int write_all(int fd, const char *text)
{
    size_t len = strlen(text);
    for (size_t done = 0; done < len;) {
        ssize_t put = write(fd, text + done, len - done);
        if (put < 0 && errno != EINTR) {
            return -1;
        }
        done += put > 0 ? (size_t)put : 0;
    }
    return fsync(fd);
}

/* A name that was written is only kept when its directory is. */
static void sync_directory_of(const char *path)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    (void)snprintf(directory,
                   sizeof(directory),
                   "%.*s",
                   slash == NULL ? 1 : (int)(slash - path + 1),
                   slash == NULL ? "." : path);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
}

/* Give what is at `temporary` its name. A hard link, unlike a rename, leaves alone what is there. */
static int put_in_place(const char *temporary, const char *path, bool replace)
{
    if (replace) {
        return rename(temporary, path);
    }
    int rc = link(temporary, path);
    int error = errno;
    (void)unlink(temporary);
    errno = error;
    return rc;
}

static int write_error(const char *path, int error, struct err_text *ret_error)
{
    return err_set(ret_error,
                   error == EEXIST ? ERR_BUSY : ERR_IO,
                   "cannot write '%.300s': %s",
                   path,
                   error == EEXIST ? "it is there already, and is left as it is" : strerror(error));
}

int secret_write(const char *path,
                 const char *text,
                 enum secret_kind kind,
                 bool replace,
                 struct err_text *ret_error)
{
    char temporary[PATH_MAX];
    int len = snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
    if (len < 0 || (size_t)len >= sizeof(temporary)) {
        return err_set(ret_error, ERR_INVALID, "'%.300s...' is too long for a path", path);
    }
    int fd = mkostemp(temporary, O_CLOEXEC); /* 0600 from its first moment */
    if (fd < 0) {
        return write_error(path, errno, ret_error);
    }
    int rc = fchmod(fd, kind == SECRET_PRIVATE ? PRIVATE_MODE : TRUSTED_MODE);
    rc = rc != 0 ? rc : write_all(fd, text);
    int error = errno;
    (void)close(fd);
    if (rc != 0) {
        (void)unlink(temporary);
        return write_error(path, error, ret_error);
    }
    if (put_in_place(temporary, path, replace) != 0) {
        error = errno;
        (void)unlink(temporary);
        return write_error(path, error, ret_error);
    }
    sync_directory_of(path);
    return 0;
}

/* --- directories --- */

int secret_directory_check(const char *path, struct err_text *ret_error)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        return err_set(ret_error,
                       errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
                       "cannot look at '%.300s': %s",
                       path,
                       strerror(errno));
    }
    if (!S_ISDIR(info.st_mode)) {
        return err_set(ret_error, ERR_INVALID, "'%.300s' is not a directory", path);
    }
    int rc = check_owner(path, &info, ret_error);
    return rc != 0 ? rc : check_mode(path, SECRET_TRUSTED, &info, ret_error);
}

int secret_directory(const char *path, struct err_text *ret_error)
{
    if (mkdir(path, DIRECTORY_MODE) != 0 && errno != EEXIST) {
        return err_set(
            ret_error, ERR_IO, "cannot make the directory '%.300s': %s", path, strerror(errno));
    }
    return secret_directory_check(path, ret_error);
}
