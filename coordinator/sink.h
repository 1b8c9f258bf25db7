/* Where the results of single items go: a results file or standard output, a file of failed items,
 * a job log, a directory with one file per worker, the terminal.
 *
 * Formatting and writing happen on a thread of the sink's own, so that a slow disk or a reader that
 * sleeps never stops the loop that talks. What is put and not written yet is the backlog; while
 * sink_is_full nobody should start fresh work, so that memory stays bounded. With keep_order the
 * backlog includes what waits for earlier items.
 *
 * Each item of the input is put once: as a record, or as lost with a reason. Owner: one thread. */
#ifndef QUARTET_COORDINATOR_SINK_H
#define QUARTET_COORDINATOR_SINK_H

#include "common/base/blob.h"
#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sink;

enum sink_format { SINK_NDJSON, SINK_TSV, SINK_CSV, SINK_RAW };

enum { SINK_FULL_BYTES = 32 * 1024 * 1024, SINK_WORKER_SIZE = 64 };

/* "ndjson", "tsv", "csv", "raw". Returns 0, or ERR_NOT_FOUND with the value and what there is. */
int sink_format_from_name(const char *name, enum sink_format *ret_format, struct err_text *error);

struct sink_options {
    const char *out; /* results in `format`: a path, "-" for standard output; NULL: none */
    enum sink_format format;
    bool keep_order;      /* `out` and `print` in the order of the input */
    const char *failures; /* failed items, ready to be given back to --items; NULL: none */
    const char *joblog;   /* GNU Parallel's columns; NULL: none */
    const char *results; /* directory for one NDJSON file per worker, made if missing; NULL: none */
    bool
        print; /* each item's `out` to standard output and `err` to standard error, whole items one after the other */
    bool tag;  /* with print: each line begins with the item and a tab */
    char separator; /* between items of the input: '\n' or '\0' */
    bool is_range;  /* items are numbers: index + range_first */
    uint64_t range_first;
    const char *command; /* for the job log's last column, before the item; NULL: the item alone */

    /* The backlog fell below half of SINK_FULL_BYTES after it was full, or writing failed. From
     * the sink's thread: uv_async_send is the use. */
    void (*wake)(void *arg);
    void *wake_arg;
};

/* Open every file (what was in them is lost) and start the thread. Returns 0; ERR_IO with the path
 * and the reason; ERR_INVALID when two outputs are the same file; ERR_NOMEM. Nothing was begun
 * then. */
int sink_open(const struct sink_options *options,
              struct err_text *ret_error,
              struct sink **ret_sink);

/* Some items, contiguous, and what they came to. Blobs are borrowed for the call: the sink takes
 * its own references. */
struct sink_batch {
    uint64_t first;
    uint64_t count;
    /* Their bytes, for items that are no numbers: the payload (common/base/items.h) of the items
     * [payload_first, payload_first + payload_count), which they are among. */
    struct blob *payload;
    uint64_t payload_first;
    uint64_t payload_count;
    /* Valid records of exactly these items; NULL: all were lost, as `lost` says. */
    struct blob *records;
    size_t records_offset;
    size_t records_len;
    const char *lost;
    bool withhold_failed; /* those that failed will be run again and come later: leave them out */
    uint32_t attempt;     /* from 1 */
    const char *worker;   /* its name; "local" for this process */
};

/* Never blocks. Returns 0 or ERR_NOMEM. After a failure to write it drops what it is given. */
int sink_put(struct sink *sink, const struct sink_batch *batch);

/* Is the backlog as large as it may be? */
bool sink_is_full(const struct sink *sink);

/* Nothing more will be put: write what is left, in order as far as that goes, and call `wake` when
 * that is done. Then sink_is_written. */
void sink_finish(struct sink *sink);
bool sink_is_written(const struct sink *sink);

/* 0; or ERR_IO with the path and the reason (no space, the reader is gone) once writing has failed.
 * What was written before ends with a whole item. `ret_broken_pipe` may be NULL: true when standard
 * output was closed by its reader. */
int sink_error(struct sink *sink, struct err_text *ret_error, bool *ret_broken_pipe);

/* Write what is left, in order as far as that goes, close the files and free. NULL is allowed. As
 * sink_error; ERR_IO also when a file system reports a failure only now. May block as long as
 * writing does, but not after *abandon (may be NULL) has become true. */
int sink_close(struct sink *sink, const volatile bool *abandon, struct err_text *ret_error);

#endif
