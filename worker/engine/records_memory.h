/* Memory in which an executor leaves records for its feeder: RECORDS_MAX bytes, of which only those
 * that were written take any. The feeder can only read it, and must not believe what it reads. */
#ifndef QUARTET_WORKER_ENGINE_RECORDS_MEMORY_H
#define QUARTET_WORKER_ENGINE_RECORDS_MEMORY_H

#include "common/base/err.h"

struct records_memory {
    int fd; /* for the executor; -1: none */
    const char *bytes;
};

/* Returns 0, or ERR_IO (no descriptors) or ERR_NOMEM with nothing made. */
int records_memory_open(struct records_memory *memory, struct err_text *ret_error);

/* Accepts {.fd = -1}, and leaves that. */
void records_memory_close(struct records_memory *memory);

#endif
