/* A copy of what can be read only once, so that it can be read again: standard input, a named pipe, a
 * shell's <(...). */
#ifndef QUARTET_COORDINATOR_RUN_ITEMS_COPY_H
#define QUARTET_COORDINATOR_RUN_ITEMS_COPY_H

#include "common/base/err.h"
#include "coordinator/runner/source.h"

/* Read the descriptor `from` to its end. The copy becomes items->fd. `keep`: it is to be a file of that
 * name, too, for a later process; there is none of it before, and none after a failure or a Ctrl-C. NULL: a
 * temporary file, which goes with this process. ERR_IO, or ERR_INVALID when `keep` is there already. */
int items_copy(int from, const char *keep, struct items_spec *items, struct err_text *ret_error);

#endif
