/* What a command was asked to run, settled before any of it runs: the workload, its resolved
 * parameters, its items, each checked against the others. */
#ifndef QUARTET_COORDINATOR_RUN_WORK_H
#define QUARTET_COORDINATOR_RUN_WORK_H

#include "common/base/err.h"
#include "coordinator/options/options.h"
#include "coordinator/run/plugin_description.h"
#include "coordinator/runner/job.h"
#include "coordinator/runner/job_plugin.h"

#include <stdbool.h>
#include <stdint.h>

struct work {
    const struct workload_ops *workload; /* of a plugin: its description, without functions */
    bool is_plugin;
    struct plugin_description description;
    struct job_plugin plugin;
    struct params params; /* resolved by work_resolve */
    struct items_spec items;
    uint64_t count; /* items; 0: not known yet (standard input that is read as it comes) */
    char print[ITEMS_PRINT_SIZE]; /* of the items' bytes, with `keep`; else "" */
    bool items_kept;              /* a file `keep` was made for them */
    bool needs_origin;            /* downloads without a URL of the user's */
};

/* `name` is a workload's, or a plugin's path: then the plugin is described (in another process) and
 * hashed. Which of the parameters given in `options` are for it goes into `work`; ERR_NOT_FOUND
 * for an unknown workload, or the refusal of a plugin. `strict`: a parameter that it does not have is refused with the
 * nearest name; otherwise it is left out (it may belong to another workload of the same command:
 * work_check_params). */
int work_choose(struct work *work,
                const char *name,
                const struct options *options,
                bool strict,
                struct err_text *ret_error);

/* Is every given parameter known to at least one of the works? */
int work_check_params(const struct work *works,
                      size_t count,
                      const struct options *options,
                      struct err_text *ret_error);

/* What becomes of items that can be read once only: standard input, a named pipe, a shell's <(...). */
enum work_stream {
    WORK_STREAM_ONCE, /* standard input is read as it comes; others are copied to a temporary file */
    WORK_STREAM_COPY, /* all are copied to a temporary file: they will be read several times */
    WORK_STREAM_KEEP, /* they are copied to the file `keep`, for a later process to read */
    WORK_STREAM_KEPT, /* they were: whatever their name is now, they are read from there */
};

/* Check the items: of a kind that the workload takes, readable, not empty (of standard input that is
 * read as it comes nobody knows yet). `keep` (borrowed for as long as `work` lives) is the path for
 * the last two kinds; with it the items' fingerprint is taken. */
int work_check_items(struct work *work,
                     const struct options *options,
                     enum work_stream stream,
                     const char *keep,
                     struct err_text *ret_error);

/* Fill in defaults, and `origin_url` where the user gave no URL (NULL unless needs_origin). */
int work_resolve(struct work *work, const char *origin_url, struct err_text *ret_error);

/* What every job of this work begins with; the caller fills in how it is run. Borrows from `work`. */
struct job work_job(const struct work *work);

void work_deinit(struct work *work);

#endif
