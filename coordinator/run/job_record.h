/* What a journal says about its job: the command line that began it, and what makes it the same job
 * when it goes on.
 *
 * A text of JSON, schema "quartet.job/1". Words of the command line may be any bytes: in it they are
 * percent-encoded where they are not plain ASCII. */
#ifndef QUARTET_COORDINATOR_RUN_JOB_RECORD_H
#define QUARTET_COORDINATOR_RUN_JOB_RECORD_H

#include "common/base/err.h"
#include "coordinator/options/options.h"
#include "coordinator/run/work.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct job_record {
    char *directory; /* in which it was begun */
    char **words;    /* of the command line, from "run" on; NULL-terminated */
    size_t word_count;
    size_t rest_count; /* of them behind `--` */
    bool items_kept;   /* they could be read only once: a copy is beside the journal */
    json_t *identity;
};

/* What must not change: workload, plugin, parameters, items and the form of results, each under its name
 * with a text as its value. `url` is left out when it is that of our own origin. NULL without
 * memory. */
json_t *job_identity(const struct work *work, const struct options *options);

/* The text for a new journal; the caller frees it. NULL without memory. Borrows `identity`. */
char *job_record_write(const char *directory,
                       int argc,
                       const char *const *argv,
                       size_t rest_count,
                       bool items_kept,
                       json_t *identity);

/* Read such a text. ERR_INVALID says what is wrong with it; ERR_NOMEM. */
int job_record_read(const char *text, struct err_text *ret_error, struct job_record *ret_record);
void job_record_deinit(struct job_record *record);

/* Is `now` the same job? ERR_INVALID names the first thing that differs, with both values. */
int job_record_compare(const struct job_record *record,
                       const json_t *now,
                       struct err_text *ret_error);

#endif
