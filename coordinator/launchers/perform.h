/* Does what a plan says: one step after the other, each to its end. Commands run in the foreground, and
 * what they say is passed on line by line. Nothing that was started outlives the caller, however that
 * ends; what a batch system has taken on does. */
#ifndef QUARTET_COORDINATOR_LAUNCHERS_PERFORM_H
#define QUARTET_COORDINATOR_LAUNCHERS_PERFORM_H

#include "common/base/err.h"
#include "coordinator/launchers/plan.h"

/* SIGINT, SIGTERM and SIGHUP are for the workers as long as this runs. With the first one a held input ends, and a command
 * that is still there PERFORM_LEAVING_MS later gets SIGTERM, and is killed after as long again. A command without one
 * gets SIGTERM at once. A second one kills. */
enum { PERFORM_LEAVING_MS = 5000 };

/* Only from the program's main thread, once at a time. Returns 0; ERR_CANCELLED: a signal came, and all is over,
 * `*ret_signal` says which one; ERR_CHILD: a command could not be run or failed, with its last words; ERR_IO, ERR_NOMEM. The
 * steps behind that are not begun. */
int perform(const struct plan *plan, struct err_text *ret_error, int *ret_signal);

#endif
