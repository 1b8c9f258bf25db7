/* What a plugin is, as `quartet-worker --describe` prints it, read. The text is another program's,
 * and that program ran code of which nothing is known: all of it is checked. */
#ifndef QUARTET_COORDINATOR_RUN_PLUGIN_DESCRIPTION_H
#define QUARTET_COORDINATOR_RUN_PLUGIN_DESCRIPTION_H

#include "common/base/err.h"
#include "worker/workloads/workload.h"

#include <stddef.h>

struct json_t;

/* Initialise with {0}. */
struct plugin_description {
    /* Name, summary, traits, parameters and default range; every function is NULL. Its texts live
     * as long as the description. */
    struct workload_ops workload;
    unsigned forms; /* of enum plugin_form: which functions the plugin has */

    /* What the table points to. */
    struct param_spec *params;
    struct json_t *texts;
};

/* Read a description of `len` bytes. Returns 0, or ERR_INVALID with what is wrong, in words that go
 * behind the plugin's path; or ERR_NOMEM. */
int plugin_description_parse(const char *text,
                             size_t len,
                             struct err_text *ret_error,
                             struct plugin_description *ret_description);

void plugin_description_deinit(struct plugin_description *description);

#endif
