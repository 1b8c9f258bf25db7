/* Loading a plugin on a thread of its own: its start is somebody else's code, which may take its time or
 * never come back, and the loop must go on talking.
 *
 * A load cannot be cancelled. One that nobody waits for any more goes on by itself; while it does,
 * it may hold the dynamic linker's lock, without which the program cannot end in order. All
 * functions are for one thread. */
#ifndef QUARTET_WORKER_PLUGIN_LOADER_H
#define QUARTET_WORKER_PLUGIN_LOADER_H

#include "common/base/err.h"
#include "worker/workloads/workload.h"

#include <stdbool.h>
#include <stdint.h>

struct plugin_loader;

/* Begin to load the plugin at `path` (copied). `wake(arg)` is called when it is done, from the
 * loading thread. Returns 0, ERR_NOMEM or ERR_IO (no thread). */
int plugin_loader_start(const char *path,
                        void (*wake)(void *arg),
                        void *arg,
                        struct err_text *ret_error,
                        struct plugin_loader **ret_loader);

/* Is it done? Then what plugin_load returned is in *ret_rc, *ret_error and *ret_workload. */
bool plugin_loader_done(struct plugin_loader *loader,
                        int *ret_rc,
                        struct err_text *ret_error,
                        const struct workload_ops **ret_workload);

/* Stop waiting for it: `wake` is not called once this has returned. Done or not, it goes to
 * `*list` (NULL: an empty one). */
void plugin_loader_leave(struct plugin_loader *loader, struct plugin_loader **list);

/* Free those of the list that are done, or will be within `wait_ms`. True: none is left. */
bool plugin_loader_reap(struct plugin_loader **list, uint32_t wait_ms);

#endif
