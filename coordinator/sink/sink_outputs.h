/* All outputs of a sink together: which there are, which of them keep the order, what failed.
 *
 * Opening is the owner's, everything after sink_outputs_open is the sink's thread's. */
#ifndef QUARTET_COORDINATOR_SINK_SINK_OUTPUTS_H
#define QUARTET_COORDINATOR_SINK_SINK_OUTPUTS_H

#include "coordinator/sink/sink_format.h"

#include <stdatomic.h>

struct sink_outputs;

/* When an output takes its items. */
enum sink_when {
    SINK_AT_ONCE = 1,  /* as they come */
    SINK_IN_ORDER = 2, /* in the order of the input */
};

/* Open everything, without losing what is in the files: sink_outputs_begin does that. `give_up`
 * (borrowed) ends waiting for readers. Returns 0, or as sink_open: nothing is left behind then. */
int sink_outputs_open(const struct sink_options *options,
                      const atomic_bool *give_up,
                      struct err_text *ret_error,
                      struct sink_outputs **ret_outputs);

/* Close and free without having written; made files are removed. */
void sink_outputs_undo(struct sink_outputs *outputs);

/* Empty the files, or cut those back that are gone on with, and write what comes before the first item.
 * Returns 0 or ERR_IO, as all below:
 * the first output that failed, with the name and the reason. */
int sink_outputs_begin(struct sink_outputs *outputs, struct err_text *ret_error);

/* Is there an output of this kind? */
bool sink_outputs_have(const struct sink_outputs *outputs, enum sink_when when);

/* Write the item to the outputs of the kinds `when` (one, or both added). After an error nothing
 * must be put any more. */
int sink_outputs_put(struct sink_outputs *outputs,
                     unsigned when,
                     const struct sink_item *item,
                     struct err_text *ret_error);

/* Flush, and make sure that what regular files have outlives a power failure. `ret_places`, of all of
 * these, is borrowed until the next call. */
int sink_outputs_sync(struct sink_outputs *outputs,
                      struct err_text *ret_error,
                      const struct sink_place **ret_places,
                      size_t *ret_count);

int sink_outputs_flush(struct sink_outputs *outputs, struct err_text *ret_error);

/* Flush what can be flushed and close all. */
int sink_outputs_close(struct sink_outputs *outputs, struct err_text *ret_error);

/* Did standard output fail because its reader is gone? */
bool sink_outputs_broken_pipe(const struct sink_outputs *outputs);

/* After sink_outputs_close. NULL is allowed. */
void sink_outputs_free(struct sink_outputs *outputs);

#endif
