/* The batch form of a workload within a chunk that is run: many items in one call, each told as
 * it ends. For chunk_run.c. */
#ifndef QUARTET_WORKER_ENGINE_CHUNK_BATCH_H
#define QUARTET_WORKER_ENGINE_CHUNK_BATCH_H

#include "worker/engine/chunk_run.h"

enum { CHUNK_BATCH_MAX = 16384 }; /* items of one run_batch, whatever the workload can take */

/* Run the next `max` items, or as many as there are, through run_batch. Afterwards each of them
 * is counted, or the run is done (its records are enough), or `host` says cancelled. */
void chunk_batch_step(struct chunk_run *run, const struct workload_host *host, size_t max);

#endif
