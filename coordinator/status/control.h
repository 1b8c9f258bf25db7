/* The socket at which a running command is asked how it is doing: a Unix domain socket on the
 * command's own loop.
 *
 * One line in (control_message.h), one line out, and the connection is closed. Only this user and
 * root are answered. Whoever asks costs the run next to nothing: a few connections at a time, each
 * for seconds at most, requests of a bounded length, and after each answer a pause of many times
 * what it took before the next one is accepted. */
#ifndef QUARTET_COORDINATOR_STATUS_CONTROL_H
#define QUARTET_COORDINATOR_STATUS_CONTROL_H

#include "common/base/err.h"

#include <stddef.h>
#include <uv.h>

struct control;

struct control_options {
    uv_loop_t *loop;
    const char *path; /* NULL: the default place */
    /* Answer one request, a line of `len` bytes without its end: any bytes at all. The answer ends
     * with a newline and is freed by the caller; NULL: none can be given, and the connection is closed. */
    char *(*answer)(void *arg, const char *line, size_t len);
    void *arg;
};

enum {
    CONTROL_CONNECTIONS_MAX = 16,
    CONTROL_REQUEST_TIMEOUT_MS = 2000,
    CONTROL_REPLY_TIMEOUT_MS = 5000
};

/* Listen. Returns 0; without a path also when no default place can be had, and then `*ret_control` is NULL. Otherwise
 * ERR_INVALID (the path is too long, or something that is no socket is there), ERR_BUSY (somebody listens
 * there), ERR_IO, ERR_NOMEM. The handles on the loop do not keep it alive. The program
 * ignores SIGPIPE: whoever asked may be gone. */
int control_open(const struct control_options *options,
                 struct err_text *ret_error,
                 struct control **ret_control);

/* Remove the socket and close everything; what it holds is freed by the turns of the loop that follow. NULL is
 * allowed. */
void control_close(struct control *control);

#endif
