/* A directory with one NDJSON file per worker.
 *
 * The files are made when a worker's first item comes. However many workers there are, only
 * SINK_RESULTS_OPEN_MAX files are open at a time, and they share one buffer. Files of workers that
 * are not of this run stay as they are. One thread. */
#ifndef QUARTET_COORDINATOR_SINK_RESULTS_H
#define QUARTET_COORDINATOR_SINK_RESULTS_H

#include "coordinator/sink_claims.h"
#include "coordinator/sink_file.h"
#include "coordinator/sink_format.h"

enum {
    SINK_RESULTS_OPEN_MAX = 64,
    SINK_RESULTS_NAME_SIZE = 3 * SINK_WORKER_SIZE + 8, /* of a file: %XX for each byte, ".ndjson" */
};

struct sink_results;

/* The file of a worker: its name with every byte but letters, digits, '-', '_' and inner dots as
 * %XX, so that two names never share a file and none leads out of the directory; "%" for no name;
 * then ".ndjson". */
void sink_results_file_name(const char *worker, char ret_name[SINK_RESULTS_NAME_SIZE]);

/* Use the directory `path`, making it when it is not there. `claims` (borrowed) are the files that
 * must not be written. Returns 0; ERR_IO with the path and the reason; ERR_NOMEM. */
int sink_results_open(const char *path,
                      const struct sink_claims *claims,
                      const atomic_bool *give_up,
                      struct err_text *ret_error,
                      struct sink_results **ret_results);

/* Remove the directory if it was made; for when another output cannot be opened. */
void sink_results_undo(const struct sink_results *results);

/* Append the item to its worker's file. Returns 0; or the error of writing or opening a file, once
 * and then always; ERR_NOMEM. */
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
