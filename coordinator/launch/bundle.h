/* The bundle that `--push` copies to hosts: an archive of quartet-worker and all that it loads, made by
 * deploy/bundle.sh; which one, what it is called on hosts (by its hash), and for which kind of machine
 * it is. What is in it is not looked into. */
#ifndef QUARTET_COORDINATOR_LAUNCH_BUNDLE_H
#define QUARTET_COORDINATOR_LAUNCH_BUNDLE_H

#include "common/base/err.h"
#include "common/io/hash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BUNDLE_MACHINE_SIZE = 32 };

struct bundle {
    int fd; /* at no position in particular: pread */
    uint64_t size_bytes;
    char hash[HASH_TEXT_SIZE];         /* of the archive */
    char machine[BUNDLE_MACHINE_SIZE]; /* as `uname -m` says there */
    char *path;                        /* for people */
    bool verified;                     /* that the hash is that of the bytes */
};

/* The bundle for machines like this one, when nobody names another: beside the programs, whose
 * directory `programs` is (with a slash at its end), as in a build tree; or where they were installed
 * from there. Writes its path to `ret_path` and returns 0, or ERR_NOT_FOUND says where it would have to
 * be. */
int bundle_find(const char *programs, struct err_text *ret_error, char *ret_path, size_t size);

/* Its hash is taken from PATH.sha256 where there is one (reading the archive takes as long as a login),
 * and computed otherwise. Returns 0; ERR_INVALID (no such file, no archive, a name that does not say
 * for which machine), ERR_IO or ERR_NOMEM. */
int bundle_open(const char *path, struct err_text *ret_error, struct bundle **ret_bundle);

/* NULL is allowed. */
void bundle_close(struct bundle *bundle);

/* Are its bytes those of its hash? To be asked before they are sent; read once. Returns 0, ERR_INVALID
 * or as bundle_open. */
int bundle_verify(struct bundle *bundle, struct err_text *ret_error);

#endif
