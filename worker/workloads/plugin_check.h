/* Can the engine, and the people who read reports, rely on a workload's table? A plugin's is
 * checked whole when it is loaded; a description that another process gave, without functions,
 * is checked likewise. Pure.
 *
 * Refusals are in words that go behind the plugin's name, with the value: "its name '' ...". */
#ifndef QUARTET_WORKER_WORKLOADS_PLUGIN_CHECK_H
#define QUARTET_WORKER_WORKLOADS_PLUGIN_CHECK_H

#include "common/base/err.h"
#include "worker/workloads/workload.h"

enum {
    PLUGIN_NAME_MAX = 48,  /* bytes of the name: it heads columns */
    PLUGIN_LINE_MAX = 240, /* bytes of a summary, unit, help, list of choices */
    PLUGIN_SIZE_MIN =      /* bytes of the table of ABI 1.0 */
    offsetof(struct workload_ops, async_close) + sizeof(void (*)(void *)),
};

/* Make a table of ours from one that a plugin returned: of this major version, and of any minor
 * one. Members that the plugin does not know of are zero; members that we do not know of are left
 * out. Returns 0, or ERR_INVALID for what is no such table. Nothing but its first members is
 * looked at. */
int plugin_adopt(const struct workload_ops *theirs,
                 struct err_text *ret_error,
                 struct workload_ops *ret_ours);

/* Check what describes a workload: name (not that of a built-in one), summary, traits,
 * parameters (defaults are of their own kind), default range. Returns 0 or ERR_INVALID. */
int plugin_check_description(const struct workload_ops *ops, struct err_text *ret_error);

/* Check its functions: those that must be there are, optional ones are whole. Returns 0 or
 * ERR_INVALID. */
int plugin_check_forms(const struct workload_ops *ops, struct err_text *ret_error);

#endif
