/* A directory with one NDJSON file per worker.
 *
 * The files are made when a worker's first item comes. However many workers there are, only
 * SINK_RESULTS_OPEN_MAX files are open at a time, and they share one buffer. Files of workers that
 * are not of this run stay as they are; with marks, see sink_options.resume. Functions but
 * sink_results_open return the first error of writing or opening a file, once and then always. One
 * thread. */
#ifndef QUARTET_COORDINATOR_SINK_SINK_RESULTS_H
#define QUARTET_COORDINATOR_SINK_SINK_RESULTS_H

#include "coordinator/sink/sink_claims.h"
#include "coordinator/sink/sink_file.h"
#include "coordinator/sink/sink_format.h"

enum {
    SINK_RESULTS_OPEN_MAX = 64,
    SINK_RESULTS_NAME_SIZE = 3 * SINK_WORKER_SIZE + 8, /* of a file: %XX for each byte, ".ndjson" */
};

struct sink_results;

/* The file of a worker: its name with every byte but letters, digits, '-', '_' and inner dots as
 * %XX, so that two names never share a file and none leads out of the directory; "%" for no name;
 * then ".ndjson". */
void sink_results_file_name(const char *worker, char ret_name[SINK_RESULTS_NAME_SIZE]);

/* Use the directory options->results, making it when it is not there. `claims` (borrowed) are the
 * files that must not be written. Returns 0; ERR_IO with the path and the reason; ERR_INVALID as
 * sink_open has it; ERR_NOMEM. */
int sink_results_open(const struct sink_options *options,
                      const struct sink_claims *claims,
                      const atomic_bool *give_up,
                      struct err_text *ret_error,
                      struct sink_results **ret_results);

/* Remove the directory if it was made; for when another output cannot be opened. */
void sink_results_undo(const struct sink_results *results);

/* Is it the absolute path of a worker's file that is known? */
bool sink_results_have(const struct sink_results *results, const char *path);

/* When it is gone on with: cut the files back, and remove those that were begun later. */
int sink_results_begin(struct sink_results *results, struct err_text *ret_error);

/* Make sure that what was flushed outlives a power failure. */
int sink_results_sync(struct sink_results *results, struct err_text *ret_error);

/* How many files there are, and the places of those that are regular; returns how many these are. */
size_t sink_results_count(const struct sink_results *results);
size_t sink_results_places(const struct sink_results *results, struct sink_place *ret_places);

/* Append the item to its worker's file. */
int sink_results_put(struct sink_results *results,
                     const struct sink_style *style,
                     const struct sink_item *item,
                     struct err_text *ret_error);

/* Write what is in the buffer. */
int sink_results_flush(struct sink_results *results, struct err_text *ret_error);

/* Flush, and close all files; the first error that any of them had. */
int sink_results_close(struct sink_results *results, struct err_text *ret_error);

/* NULL is allowed. */
void sink_results_free(struct sink_results *results);

#endif
