/* The origin as a process of its own, so that serving does not share a process (nor its limits)
 * with what is measured. It is `quartet origin`, started on a free port of loopback; it ends
 * with the coordinator. */
#ifndef QUARTET_COORDINATOR_ORIGIN_ORIGIN_CHILD_H
#define QUARTET_COORDINATOR_ORIGIN_ORIGIN_CHILD_H

#include "common/base/err.h"
#include "coordinator/session/stage.h"

struct origin_child;

/* Start it and wait until it says where it listens. Returns 0, ERR_CHILD, ERR_TIMEOUT or
 * ERR_CANCELLED. */
int origin_child_start(struct stage *stage,
                       struct err_text *ret_error,
                       struct origin_child **ret_origin);

/* "http://127.0.0.1:PORT". Borrowed. */
const char *origin_child_url(const struct origin_child *origin);

/* End it, wait, free. NULL is allowed. */
void origin_child_stop(struct origin_child *origin);

#endif
