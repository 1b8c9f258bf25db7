/* The directory of keys that `quartet keygen` makes and `--keys` names:
 *
 *   coordinator.key       the coordinator's secret key (0600)
 *   coordinator.pub       its public one
 *   authorized/NAME.pub   a worker's public key: whoever holds its secret may be a worker here.
 *                         Removing the file takes that back, at once
 *   workers/NAME.key      the worker's secret key (0600), for access files; not needed here for the
 *                         worker to be let in, so that it may be kept elsewhere
 *
 * Only this user (or root) may be able to write in it. */
#ifndef QUARTET_COORDINATOR_SERVER_KEYRING_H
#define QUARTET_COORDINATOR_SERVER_KEYRING_H

#include "common/base/err.h"
#include "common/io/keys.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum { KEYRING_AUTHORIZED_MAX = 65536 };

/* --- making (keygen) --- */

/* Make what is missing of the directory and of the coordinator's pair. `*ret_made`: the pair was made
 * now. Returns 0, or as secret_directory and key_write_secret. */
int keyring_make(const char *directory, bool *ret_made, struct err_text *ret_error);

/* Make and authorize a worker's key. `*ret_made`: false when it had one that is authorized. Returns
 * 0; ERR_INVALID: not a name, or a key that was made before and is not authorized (any more). */
int keyring_add_worker(const char *directory,
                       const char *name,
                       bool *ret_made,
                       struct err_text *ret_error);

/* Has any worker got a secret key there? */
bool keyring_has_workers(const char *directory);

/* --- using (--keys) --- */

/* The coordinator's pair. Returns 0, or as key_read_secret; but ERR_INVALID when there is none: the
 * text says how keys are made. */
int keyring_read(const char *directory, struct err_text *ret_error, struct key_pair *ret_pair);

/* The pair of worker `name`, which is authorized. NULL: of the first one by name that is. `ret_name`
 * has KEY_NAME_SIZE. */
int keyring_read_worker(const char *directory,
                        const char *name,
                        struct err_text *ret_error,
                        struct key_pair *ret_pair,
                        char *ret_name);

/* Who is authorized, sorted by name. A file that is not a public key, or that others can write, is
 * left out, and `*ret_trouble` says why of the last one ("": none was). A directory that is not there
 * is an empty list. `*ret_keys` is the caller's to free. Returns 0, ERR_INVALID, ERR_IO, ERR_NOMEM. */
int keyring_list(const char *directory,
                 struct err_text *ret_error,
                 struct err_text *ret_trouble,
                 struct key_named **ret_keys,
                 size_t *ret_count);

/* What changes when the list may have: to be compared only. */
struct keyring_stamp {
    long long changed_s;
    long long changed_ns;
    unsigned long long inode;
};

struct keyring_stamp keyring_stamp(const char *directory);
bool keyring_stamp_same(struct keyring_stamp a, struct keyring_stamp b);

#endif
