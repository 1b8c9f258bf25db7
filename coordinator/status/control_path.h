/* Where the control sockets are: $XDG_RUNTIME_DIR/quartet, or else /tmp/quartet-UID, as PID.sock. A
 * directory is used only when it is a real one, of this user, and nobody else's. */
#ifndef QUARTET_COORDINATOR_STATUS_CONTROL_PATH_H
#define QUARTET_COORDINATOR_STATUS_CONTROL_PATH_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* With its NUL: what fits a socket's address. */
enum { CONTROL_PATH_SIZE = 108, CONTROL_FOUND_MAX = 256 };

struct control_place {
    long pid;
    char path[CONTROL_PATH_SIZE];
};

/* A new listening socket (non-blocking, closed on exec) that only this user may connect to. What a dead process left at this
 * path is removed. Returns 0, ERR_INVALID, ERR_BUSY or ERR_IO, see control_open. */
int control_listen(const char *path, struct err_text *ret_error, int *ret_fd);

/* Likewise in the first default place that can be had; the directory is made. ERR_NOT_FOUND: in none. */
int control_listen_default(char ret_path[CONTROL_PATH_SIZE], int *ret_fd);

/* The running processes of this user that have a socket in a default place, by number; sockets of dead ones are
 * removed. Returns how many; at most CONTROL_FOUND_MAX are listed. */
size_t control_find(struct control_place *ret_list);

#endif
