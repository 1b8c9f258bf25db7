/* A workload's parameters: `--param NAME=VALUE` on the command line, the same names and values
 * in a JOB, typed getters in the workload. Values are kept as the text that the user wrote; a
 * spec says what text is right. Pure. */
#ifndef QUARTET_WORKER_WORKLOADS_PARAMS_H
#define QUARTET_WORKER_WORKLOADS_PARAMS_H

#include "common/base/err.h"
#include "worker/workloads/workload.h"

#include <stddef.h>
#include <stdint.h>

enum { PARAMS_MAX = 32, PARAM_NAME_MAX = 64, PARAM_VALUE_MAX = 32 * 1024 };

/* Names and values, owned. Initialise with {0}. */
struct params {
    struct param {
        char *name;
        char *value;
    } list[PARAMS_MAX];

    size_t count;
};

/* Set one, replacing an earlier value. Does not look at specs (that is params_resolve). Returns
 * 0, ERR_INVALID (too many, too long, empty name), ERR_NOMEM. */
int params_set(struct params *params, const char *name, const char *value);

/* "NAME=VALUE" as given on a command line. ERR_INVALID quotes `text`. */
int params_set_text(struct params *params, const char *text, struct err_text *ret_error);

/* The value, or NULL. Borrowed until the next change. */
const char *params_get(const struct params *params, const char *name);

/* Check every name against `specs` (an unknown one is refused with the nearest known name) and
 * every value against its kind, then add the defaults of those that are absent. Returns 0,
 * ERR_NOT_FOUND or ERR_INVALID with the name and value quoted. */
int params_resolve(struct params *params,
                   const struct param_spec *specs,
                   size_t spec_count,
                   struct err_text *ret_error);

/* Typed getters, for resolved params: the value is there and well-formed, anything else aborts. */
double params_seconds(const struct params *params, const char *name);
uint64_t params_count(const struct params *params, const char *name);
uint64_t params_bytes(const struct params *params, const char *name);

int params_copy(struct params *into, const struct params *from);
void params_deinit(struct params *params);

#endif
