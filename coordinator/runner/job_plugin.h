/* The plugin of a job, as the coordinator has it: bytes with a name, never code that it runs. */
#ifndef QUARTET_COORDINATOR_RUNNER_JOB_PLUGIN_H
#define QUARTET_COORDINATOR_RUNNER_JOB_PLUGIN_H

#include "common/base/err.h"
#include "common/io/hash.h"

#include <stddef.h>
#include <stdint.h>

struct job_plugin {
    unsigned char hash[HASH_SIZE];
    uint64_t size;    /* 1 to WIRE_PLUGIN_MAX */
    int fd;           /* of the very file that was hashed, whatever lies at its path meanwhile */
    const char *path; /* for people; borrowed */
};

/* Open and hash the regular file at `path`, which outlives the plugin. Returns 0; ERR_NOT_FOUND, ERR_INVALID (no
 * regular file, empty, more than WIRE_PLUGIN_MAX bytes), ERR_IO or ERR_NOMEM; texts quote the path. */
int job_plugin_open(const char *path, struct err_text *ret_error, struct job_plugin *ret_plugin);
void job_plugin_close(struct job_plugin *plugin);

/* Read `len` bytes from `offset` on, which must lie inside. Returns 0, or ERR_IO also when the file
 * has become shorter. */
int job_plugin_read(const struct job_plugin *plugin,
                    uint64_t offset,
                    void *ret_bytes,
                    size_t len,
                    struct err_text *ret_error);

#endif
