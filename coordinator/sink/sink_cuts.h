/* Outputs that a sink goes on with: sink_options.cuts. */
#ifndef QUARTET_COORDINATOR_SINK_SINK_CUTS_H
#define QUARTET_COORDINATOR_SINK_SINK_CUTS_H

#include "coordinator/sink/sink.h"

/* The cut of the output at this absolute path; NULL: it begins anew. */
const struct sink_place *sink_cuts_find(const struct sink_options *options, const char *path);

/* Is what was written still there: a regular file that is long enough? `name` is for the message.
 * Returns 0, ERR_INVALID or ERR_IO. */
int sink_cuts_check(const struct sink_place *cut, const char *name, struct err_text *ret_error);

#endif
