/* Small files that hold secrets, or say whom to trust: read only when nobody else can have written
 * or read them, written whole or not at all. */
#ifndef QUARTET_COMMON_IO_SECRET_FILE_H
#define QUARTET_COMMON_IO_SECRET_FILE_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { SECRET_FILE_MAX = 64 * 1024 };

/* Who may have access to a file, besides its owner: this user, or root. */
enum secret_kind {
    SECRET_PRIVATE, /* nobody may read or write it: it holds a secret; the group may read what root has
                     * handed to a user who is not root */
    SECRET_TRUSTED, /* nobody may write it: it says whom to trust */
};

/* Read the regular file `path`, which is no symbolic link, and is in a directory that the caller
 * trusts. `*ret_bytes` is malloc'd, NUL-terminated, and for secret_free; `*ret_len` may be NULL.
 * Returns 0; ERR_NOT_FOUND: there is none; ERR_INVALID: its owner or its mode is wrong, it is no
 * regular file, or too long; ERR_IO; ERR_NOMEM; texts name the path and the command that mends
 * it. */
int secret_read(const char *path,
                enum secret_kind kind,
                struct err_text *ret_error,
                char **ret_bytes,
                size_t *ret_len);

/* The same from a descriptor that is read to its end, as standard input is, or with `one_line` to the
 * end of a line and not further. Only the length is checked. `name` is for texts. */
int secret_read_from(int fd,
                     const char *name,
                     bool one_line,
                     struct err_text *ret_error,
                     char **ret_bytes,
                     size_t *ret_len);

/* Write `path` whole, readable by this user only (SECRET_PRIVATE: 0600) or by all (SECRET_TRUSTED:
 * 0644): after a crash there is either nothing of it, or all. What was there stays, and ERR_BUSY
 * is returned, unless `replace`. Returns 0, ERR_BUSY, ERR_INVALID (the path is too long), ERR_IO. */
int secret_write(const char *path,
                 const char *text,
                 enum secret_kind kind,
                 bool replace,
                 struct err_text *ret_error);

/* Make the directory `path` for this user only (0700), or see that one that is there belongs to
 * this user or root and nobody else can write in it. Returns 0, ERR_INVALID or ERR_IO. */
int secret_directory(const char *path, struct err_text *ret_error);

/* Is it there, and in the hands of this user or root? As secret_directory, but nothing is made:
 * ERR_NOT_FOUND. */
int secret_directory_check(const char *path, struct err_text *ret_error);

/* Overwrite what a secret was in. */
void secret_wipe(void *bytes, size_t len);

/* Overwrite and free a text. NULL is allowed. */
void secret_free(char *text);

#endif
