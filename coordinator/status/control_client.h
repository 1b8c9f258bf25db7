/* Asking a running command at its control socket, and finding it: for `quartet status` and `quartet
 * drain`. Blocks, for seconds at most. */
#ifndef QUARTET_COORDINATOR_STATUS_CONTROL_CLIENT_H
#define QUARTET_COORDINATOR_STATUS_CONTROL_CLIENT_H

#include "coordinator/status/control_message.h"
#include "coordinator/status/control_path.h"

/* Returns 0 and the result, which is the caller's; ERR_GONE (nobody listens at `path`), ERR_TIMEOUT, ERR_IO, ERR_PROTOCOL, ERR_NOMEM; or the error that came
 * back. */
int control_ask(const char *path,
                const struct control_request *request,
                struct err_text *ret_error,
                json_t **ret_result);

/* Which one is meant: that at `path`, that with the number `pid` (a text), or, with neither, the only
 * one of this user. Returns 0; ERR_GONE: there is none; ERR_INVALID: not a number, or several run, which are
 * then listed on standard error. `program` is for messages. */
int control_choose(const char *program,
                   const char *path,
                   const char *pid,
                   struct err_text *ret_error,
                   char ret_path[CONTROL_PATH_SIZE]);

#endif
