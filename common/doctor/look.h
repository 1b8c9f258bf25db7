/* Looking at one endpoint: every step of the way to a coordinator, as a worker goes it, and on the step that fails a
 * closer look. It says nothing; diagnose.h does. */
#ifndef QUARTET_COMMON_DOCTOR_LOOK_H
#define QUARTET_COMMON_DOCTOR_LOOK_H

#include "common/doctor/seen.h"
#include "common/io/zsock.h"

struct look_options {
    struct zsock_context *context;
    const struct zsock_keys *keys; /* NULL: plaintext */
    const char *key_name;          /* of the worker's key */
    uint64_t load_max_bytes;       /* each way, at a time; 0: bandwidth is not measured */
    uint64_t end_us;               /* by clock_now_us: nothing goes on beyond it */
};

/* Returns 0, ERR_IO or ERR_NOMEM: this process cannot look (the text says why). */
int look(const struct look_options *options,
         const char *endpoint,
         struct err_text *ret_error,
         struct seen *ret_seen);

/* The form of an endpoint, and host, port, or path in it. Fills in form, host and port. */
void look_at_form(const char *endpoint, struct seen *ret_seen);

#endif
