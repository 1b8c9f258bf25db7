/* Workloads from shared objects. Loading one runs its code in this process: the coordinator, which
 * only has to know what a plugin is called and takes, asks another process for that
 * (coordinator/plugin_describe.h).
 *
 * What was loaded stays loaded to the end of the process. A plugin may have started threads,
 * registered functions to be called at exit, or brought a library that did; unmapping it under
 * them would crash, and nothing is gained by it. Any thread may call these. */
#ifndef QUARTET_WORKER_WORKLOADS_PLUGIN_H
#define QUARTET_WORKER_WORKLOADS_PLUGIN_H

#include "common/base/err.h"
#include "worker/workloads/workload.h"

#include <stdbool.h>

/* Load the plugin in the file at `path`, relative to the working directory; never searched for
 * where libraries are. The table is ours, whole whatever the plugin's version, checked, and lives
 * to the end of the process. The same file gives the same table, or the same refusal, every time.
 * Blocks for as long as the plugin's own start takes.
 *
 * Returns 0; ERR_IO (the file cannot be read), ERR_INVALID (it is no plugin that this program can
 * use, or the file was replaced by another since it was loaded), ERR_NOMEM; with the path and
 * what is wrong. A damaged file can end the process all the same: what is inside the code is not
 * looked at. */
int plugin_load(const char *path,
                struct err_text *ret_error,
                const struct workload_ops **ret_workload);

/* The absolute path of the file that a workload was loaded from; NULL for one that is built in.
 * For another process of the same program, in which pointers to it mean nothing. Borrowed, valid
 * to the end. Takes no lock. */
const char *plugin_path_of(const struct workload_ops *workload);

/* Does a workload's name mean a file: has it a '/' in it, or ".so" at its end? */
bool plugin_is_path(const char *name);

/* A workload by what the user called it: a plugin's path (loaded) or the name of one that is built
 * in. Returns 0, or the refusal of plugin_load or workload_lookup. */
int workload_resolve(const char *name,
                     struct err_text *ret_error,
                     const struct workload_ops **ret_workload);

#endif
