/* Where the results of single items go: a results file or standard output, a file of failed items,
 * a job log, a directory with one file per worker, the terminal.
 *
 * Formatting and writing happen on a thread of the sink's own, so that a slow disk or a reader that
 * sleeps never stops the loop that talks. What is put and not written yet is the backlog; while
 * sink_is_full nobody should start fresh work, so that memory stays bounded. With keep_order the
 * backlog includes what waits for earlier items.
 *
 * Each item of the input is put once: as a record, or as lost with a reason. Owner: one thread. */
#ifndef QUARTET_COORDINATOR_SINK_SINK_H
#define QUARTET_COORDINATOR_SINK_SINK_H

#include "common/base/blob.h"
#include "common/base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sink;

enum sink_format { SINK_NDJSON, SINK_TSV, SINK_CSV, SINK_RAW };

enum { SINK_FULL_BYTES = 32 * 1024 * 1024, SINK_WORKER_SIZE = 64 };

/* How long an output was at a mark. */
struct sink_place {
    const char *path; /* absolute, its directory without links */
    uint64_t length;  /* bytes from the file's beginning */
};

struct sink_batch;

/* What holds at a mark: everything that was put before it is on disk, up to `places`, but for
 * `waiting`: batches that wait for earlier items (keep_order), of which nothing is written yet, or
 * only items before `next`. Borrowed for the call; whoever keeps blobs takes references.
 *
 * Standard output, pipes and terminals have no place: they cannot be cut back. What was written to
 * them after the last mark that counts is written again by a sink that resumes: at least once there,
 * and not exactly once. */
struct sink_mark {
    uint64_t number;
    const struct sink_place *places; /* of all outputs that are regular files */
    size_t place_count;
    const struct sink_batch *waiting; /* only those that were put since the last mark, so that each
                                       * is handed over once */
    size_t waiting_count;
    uint64_t next; /* with keep_order: all items before this one are written */
};

/* "ndjson", "tsv", "csv", "raw". Returns 0, or ERR_NOT_FOUND with the value and what there is. */
int sink_format_from_name(const char *name, enum sink_format *ret_format, struct err_text *error);

struct sink_options {
    const char *out; /* results in `format`: a path, "-" for standard output; NULL: none */
    enum sink_format format;
    bool keep_order;      /* `out` and `print` in the order of the input */
    const char *failures; /* failed items, ready to be given back to --items; NULL: none */
    const char *joblog;   /* GNU Parallel's columns; NULL: none */
    const char *results; /* directory for one NDJSON file per worker, made if missing; NULL: none */
    bool print;          /* each item's `out` to standard output and `err` to standard error, whole
                     * items one after the other */
    bool tag;            /* with print: each line begins with the item and a tab */
    bool raw_lines;      /* an item's `out` is one line (record) without its separator, as a pipe's
                     * answers are: raw and print put it back */
    bool exits;          /* items are commands: that one ended with 0 is written too */
    char separator;      /* between items of the input: '\n' or '\0' */
    bool is_range;       /* items are numbers: index + range_first */
    uint64_t range_first;
    const char *command; /* for the job log's last column: the item stands for each {} in it, or
                          * behind it; NULL: the item alone */

    /* The backlog fell below half of SINK_FULL_BYTES after it was full, or writing failed. From
     * the sink's thread, never after sink_close: uv_async_send is the use; nothing of the sink may
     * be called from it. NULL: nobody is told. */
    void (*wake)(void *arg);
    void *wake_arg;

    /* A mark (sink_put_mark) was reached. From the sink's thread; must not call the sink, and be quick.
     * Not called any more once writing has failed, and never after sink_close. */
    void (*marked)(void *arg, const struct sink_mark *mark);
    void *marked_arg;

    /* Go on where an earlier sink with the same options was at a mark: each output that `cuts` names
     * is cut back to its length, and what is new goes behind; `next` is the mark's. Outputs that are
     * not named begin anew. In the directory `results` files that are named as a worker's and not in
     * `cuts` were begun after the mark, or by somebody else since: they are set aside, as NAME.ndjson.aside. (A sink
     * with marks that begins anew refuses a directory that has such files: ERR_INVALID.) What is in
     * `cuts` and missing, shorter than its length, no regular file any more, or no output, is
     * refused before anything is changed (ERR_INVALID, with its name). */
    bool resume;
    const struct sink_place *cuts;
    size_t cut_count;
    uint64_t next;

    /* Files of the run that no output may be: regular ones, by whatever names; NULL: none. `items`
     * may be "-", standard input. */
    const char *journal;
    const char *items;
    const char *json;
};

/* Open every file and start the thread. What was in the files is lost when it returns 0, and not
 * before. Files in the directory `results` are made when a worker's first item comes. ERR_IO with
 * the path and the reason; ERR_INVALID when two outputs, or one and a file that none may be, are the
 * same, by whatever names ("-" and print are standard output; devices as /dev/null may be had
 * twice); ERR_NOMEM. Nothing was begun then. May wait for the reader of a named pipe. */
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
    bool waited;        /* in a sink that resumes: it waited at the mark, and is put again. Outputs
                           * that take items as they come have it, and of the others its items before
                           * options.next are written. Not handed over at marks */
    uint32_t attempt;   /* from 1 */
    const char *worker; /* its name; "local" for this process */
};

/* Never blocks, and takes it however full the sink is. Returns 0 or ERR_NOMEM: nothing was taken.
 * After a failure to write it drops what it is given. */
int sink_put(struct sink *sink, const struct sink_batch *batch);

/* When everything that was put so far is written and on disk (fdatasync), call options.marked, which
 * there must be, with `number` (at least 1). Returns 0 or ERR_NOMEM. After a failure to write nothing
 * is called. */
int sink_put_mark(struct sink *sink, uint64_t number);

/* Is the backlog as large as it may be? */
bool sink_is_full(const struct sink *sink);

/* Nothing more will be put: write what is left, in order as far as that goes, close the files, and
 * call `wake` when that is done or has failed: then sink_is_written. For owners with a loop;
 * sink_close does it too. */
void sink_finish(struct sink *sink);
bool sink_is_written(struct sink *sink);

/* 0; or, once writing has failed, ERR_IO with the path and the reason (no space, the reader is
 * gone), or ERR_NOMEM. What was written before ends with a whole item, as far as a regular file can
 * be cut. `ret_broken_pipe` (may be NULL) is always set: true when standard output was closed by its
 * reader. */
int sink_error(struct sink *sink, struct err_text *ret_error, bool *ret_broken_pipe);

/* Write what is left, in order as far as that goes (gaps are stepped over), close the files and
 * free. NULL is allowed. As sink_error; ERR_IO also when a file system reports a failure only now.
 *
 * May block as long as writing does; but not much after *abandon (may be NULL) has become true, from
 * any thread or a signal handler: what is left is dropped then, ERR_CANCELLED unless nothing was. A
 * write that the system does not let go of is left behind with its thread. */
int sink_close(struct sink *sink,
               const atomic_bool *abandon,
               struct err_text *ret_error,
               bool *ret_broken_pipe);

#endif
