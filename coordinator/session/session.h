/* What a command that runs jobs has open around them: the stage, the progress bar, the zygote,
 * the server with the workers that were started here, and the origin when downloads have nowhere
 * else to go. */
#ifndef QUARTET_COORDINATOR_SESSION_SESSION_H
#define QUARTET_COORDINATOR_SESSION_SESSION_H

#include "common/base/err.h"
#include "coordinator/options/options.h"
#include "coordinator/runner/job.h"

#include <stdbool.h>
#include <stddef.h>

struct zygote;
struct session;

/* Open the stage; with workers involved also listen, start the local ones, and wait for all that
 * are expected. Returns 0; ERR_TIMEOUT (names who is missing), ERR_CANCELLED, ERR_CHILD (a
 * worker could not start), or an error of listening. */
int session_open(const struct options *options,
                 struct zygote *zygote,
                 struct err_text *ret_error,
                 struct session **ret_session);

/* Say BYE to the workers, wait until those started here have ended, end the origin, free. NULL
 * is allowed. */
void session_close(struct session *session);

/* Run one job. Before a distributed one, workers that were started here and have died are
 * started again, so that every cell has the same number. */
void session_run(struct session *session,
                 const struct job *job,
                 enum placement placement,
                 struct job_result *ret_result);

/* From any thread, `arg` a session: as stage_kick. */
void session_kick(void *arg);

/* Has a signal asked to stop? Its number, or 0. */
int session_signal(const struct session *session);

/* The machines that workers are on now; none when that cannot be told. The list is the caller's to free. `session` may be NULL. */
void session_list_hosts(const struct session *session,
                        struct report_host **ret_hosts,
                        size_t *ret_count);

struct sink;

/* Wait until the sink has written everything, or given up; not long after a signal. False: it has
 * not, because whoever reads does not. */
bool session_await_sink(struct session *session, struct sink *sink);

/* The URL of an origin of our own ("http://127.0.0.1:PORT"), started at the first call.
 * Borrowed. */
int session_origin(struct session *session, struct err_text *ret_error, const char **ret_url);

#endif
