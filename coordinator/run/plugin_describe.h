/* Asking another process what a plugin is: the coordinator does not run foreign code in its own. A
 * plugin that crashes, or never returns, costs that process. */
#ifndef QUARTET_COORDINATOR_RUN_PLUGIN_DESCRIBE_H
#define QUARTET_COORDINATOR_RUN_PLUGIN_DESCRIBE_H

#include "coordinator/run/plugin_description.h"

#include <stdint.h>

enum { PLUGIN_DESCRIBE_LIMIT_MS = 10 * 1000 };

struct plugin_describe_options {
    const char *path;    /* of the plugin, as the user gave it */
    const char *program; /* that describes; NULL: the quartet-worker beside this program */
    uint64_t limit_ms;   /* after which it is killed; 0: PLUGIN_DESCRIBE_LIMIT_MS */
};

/* Run `quartet-worker --describe PATH` and read what it says. Blocks, on a loop of its own, for as
 * long as that takes. `*ret_description` is the caller's: plugin_description_deinit. Returns 0;
 * ERR_INVALID (it is no plugin, in the words of plugin_load), ERR_CHILD (it crashed, or could not
 * be described), ERR_TIMEOUT, ERR_NOMEM; one line with the path in it. */
int plugin_describe(const struct plugin_describe_options *options,
                    struct err_text *ret_error,
                    struct plugin_description *ret_description);

#endif
