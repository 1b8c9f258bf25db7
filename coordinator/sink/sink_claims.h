/* Opens the files of a sink so that nothing is lost until all of them are open, and knows them
 * apart by what they are (device and inode), whatever they are called. */
#ifndef QUARTET_COORDINATOR_SINK_SINK_CLAIMS_H
#define QUARTET_COORDINATOR_SINK_SINK_CLAIMS_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

enum { SINK_CLAIMS_MAX = 12 };

/* How messages call it; the names of paths are quoted, so that none is the same. */
#define SINK_STDOUT_NAME "standard output"

struct sink_claim {
    const char *use;  /* what it is for, as messages have it: "--out"; borrowed */
    const char *name; /* borrowed */
    dev_t device;
    ino_t inode;
    const char *created; /* the path when it was not there before; NULL: it was */
};

/* All zeros is none. */
struct sink_claims {
    struct sink_claim list[SINK_CLAIMS_MAX];
    size_t count;
};

/* Open `path` for writing, "-" as a duplicate of standard output; make it when it is not there;
 * leave what is in it. `name` is the path as messages have it. Opening a named pipe waits for its
 * reader. Returns the descriptor through `ret_fd`; or ERR_IO with the reason, or ERR_INVALID when it is
 * a file that is claimed already: nothing was done then. */
int sink_claims_open(struct sink_claims *claims,
                     const char *use,
                     const char *name,
                     const char *path,
                     struct err_text *ret_error,
                     int *ret_fd);

/* Claim what is open at `fd`. ERR_INVALID and ERR_IO as above. Standard output is given once,
 * whatever it is. */
int sink_claims_add(struct sink_claims *claims,
                    const char *use,
                    const char *name,
                    int fd,
                    struct err_text *ret_error);

/* Claim the regular file `path`, "-" as what standard input is, which stays as it is, so that nothing of
 * ours is written to it. NULL, and what is not there or no regular file, is nobody's. */
void sink_claims_reserve(struct sink_claims *claims, const char *use, const char *path);

/* The claim of the file that is open at `fd`; NULL: nobody's. Devices that swallow or refuse
 * everything (/dev/null) can be had by many, terminals cannot. */
const struct sink_claim *sink_claims_find(const struct sink_claims *claims, int fd);

/* The same by what stat(2) said of a file. */
const struct sink_claim *sink_claims_find_status(const struct sink_claims *claims,
                                                 const struct stat *status);

/* Remove again the files that were made. */
void sink_claims_undo(const struct sink_claims *claims);

#endif
