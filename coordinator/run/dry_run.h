/* What a run would do, without doing it: a line for each item. */
#ifndef QUARTET_COORDINATOR_RUN_DRY_RUN_H
#define QUARTET_COORDINATOR_RUN_DRY_RUN_H

#include "common/base/interval.h"
#include "coordinator/run/work.h"

#include <stdio.h>

/* Write to `stream` what would be run for each item of `work` that is not in `done` (NULL: none is), whose parameters are resolved: of a
 * workload with a template the command, quoted as one would type it (with `shell`, the text for the
 * shell), of others the workload and the item. An item that the template has no command for is an
 * error that names it; what was before it is printed. Stops early when `stream` cannot be written
 * to. Returns 0, ERR_INVALID, ERR_IO or ERR_NOMEM. */
int dry_run(const struct work *work,
            const struct interval_set *done,
            FILE *stream,
            struct err_text *ret_error);

#endif
