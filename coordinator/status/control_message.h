/* What is said at the control socket: one line of JSON each way.
 *
 *   {"request":"status"}                     {"ok":true,"result":{"schema":"quartet.status/1",...}}
 *   {"request":"drain","worker":"ada"}       {"ok":true,"result":{"schema":"quartet.drain/1","text":"..."}}
 *                                            {"ok":false,"error":"not_found","text":"..."}
 *
 * Members that are not known are passed over; keys are only ever added. */
#ifndef QUARTET_COORDINATOR_STATUS_CONTROL_MESSAGE_H
#define QUARTET_COORDINATOR_STATUS_CONTROL_MESSAGE_H

#include "common/base/err.h"

#include <jansson.h>
#include <stddef.h>

enum {
    CONTROL_REQUEST_MAX = 4096, /* bytes of a line with its end */
    CONTROL_REPLY_MAX = 16 * 1024 * 1024,
    CONTROL_WORKER_SIZE = 264, /* "name@host" */
};

enum control_kind { CONTROL_STATUS = 1, CONTROL_DRAIN };

struct control_request {
    enum control_kind kind;
    char worker[CONTROL_WORKER_SIZE]; /* of DRAIN; not empty */
};

/* Any bytes, without the end of the line. Returns 0, or ERR_INVALID with what is wrong. */
int control_request_parse(const char *line,
                          size_t len,
                          struct err_text *ret_error,
                          struct control_request *ret_request);

/* The line that asks this, with its end; the caller's to free. NULL without memory, or when the worker's name is no
 * text. */
char *control_request_line(const struct control_request *request);

/* Lines that answer, with their end; the caller's to free, NULL without memory. The first takes
 * `result`, which may be NULL (no memory). `code`: an error of err.h. */
char *control_reply_ok(json_t *result);
char *control_reply_error(int code, const char *text);

/* What came back. Returns 0 and the result, which is the caller's; the error that it says, with its
 * text; or ERR_PROTOCOL when it is no such line. */
int control_reply_parse(const char *line,
                        size_t len,
                        struct err_text *ret_error,
                        json_t **ret_result);

#endif
