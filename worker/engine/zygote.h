/* The zygote: a single-threaded process forked as the first act of main, from which the
 * processes strategy gets its pool.
 *
 * It holds no ZeroMQ context, no thread, no libuv loop and no curl, so that forking it is safe
 * at any time. It forks executors on request, reaps them, and tells how each ended. When its
 * parent ends, however that comes, it asks its executors to end, kills those that do not within 300
 * ms, and ends. What spawn has started for an executor or for the parent (commands, with all in
 * their process groups) it kills once whoever started it has ended. */
#ifndef QUARTET_WORKER_ENGINE_ZYGOTE_H
#define QUARTET_WORKER_ENGINE_ZYGOTE_H

#include "common/base/err.h"

struct zygote;

/* Fork the zygote. Call before anything else in main: aborts when the process has a second
 * thread already. Returns in the parent only: 0, ERR_NOMEM or ERR_IO. */
int zygote_start(struct err_text *ret_error, struct zygote **ret_zygote);

/* End the zygote and every executor that is left, wait for it, free. NULL is allowed. */
void zygote_stop(struct zygote *zygote);

#endif
