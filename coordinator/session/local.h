/* Placement `local`: a job run by an engine inside the coordinator, without sockets. The same
 * scheduler and the same engine as across workers, so that what differs in the table is the
 * placement only. */
#ifndef QUARTET_COORDINATOR_SESSION_LOCAL_H
#define QUARTET_COORDINATOR_SESSION_LOCAL_H

#include "coordinator/runner/job.h"
#include "coordinator/session/stage.h"

struct zygote;

/* Run `job` to its end. Never fails as a call: what went wrong is in the result. */
void local_run(struct stage *stage,
               struct zygote *zygote,
               const struct job *job,
               struct job_result *ret_result);

#endif
