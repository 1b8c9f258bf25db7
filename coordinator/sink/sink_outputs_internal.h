/* What the two files of the sink's outputs share: sink_outputs_open.c opens them, sink_outputs.c
 * writes to them. */
#ifndef QUARTET_COORDINATOR_SINK_SINK_OUTPUTS_INTERNAL_H
#define QUARTET_COORDINATOR_SINK_SINK_OUTPUTS_INTERNAL_H

#include "coordinator/sink/sink_claims.h"
#include "coordinator/sink/sink_file.h"
#include "coordinator/sink/sink_outputs.h"
#include "coordinator/sink/sink_print.h"
#include "coordinator/sink/sink_results.h"

enum { TARGETS_MAX = 3 };

/* A file with one format: results, failed items, job log. */
struct target {
    const struct sink_format_ops *ops;
    enum sink_when when;
    char *name; /* "'PATH'" or "standard output" */
    bool is_stdout;
    char *path;   /* absolute; NULL: it has no place (no regular file, or nobody asks) */
    bool resumes; /* it is gone on with, at `length` */
    uint64_t length;
    struct sink_file file;
    struct sink_file_buffer buffer;
};

struct sink_outputs {
    struct sink_style style;
    char *command; /* what style.command points to */
    struct target *targets[TARGETS_MAX];
    size_t count;
    struct sink_print *print; /* NULL: nothing is printed */
    enum sink_when print_when;
    struct sink_results *results; /* NULL: no directory */
    struct sink_claims claims;
    const atomic_bool *give_up;
    bool entries_synced;       /* the targets' names are on disk */
    struct sink_place *places; /* of sink_outputs_sync; the paths are the outputs' */
    size_t places_size;
};

#endif
