#include "coordinator/sink/sink_cuts.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

const struct sink_place *sink_cuts_find(const struct sink_options *options, const char *path)
{
    for (size_t i = 0; options->resume && i < options->cut_count; i++) {
        if (strcmp(options->cuts[i].path, path) == 0) {
            return &options->cuts[i];
        }
    }
    return NULL;
}

int sink_cuts_check(const struct sink_place *cut, const char *name, struct err_text *ret_error)
{
    struct stat status;
    if (stat(cut->path, &status) != 0) {
        if (errno == ENOENT) {
            return err_set(ret_error,
                           ERR_INVALID,
                           "cannot go on: %s is gone, of which %" PRIu64 " bytes were written",
                           name,
                           cut->length);
        }
        return err_set(ret_error, ERR_IO, "cannot go on with %s: %s", name, strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return err_set(
            ret_error, ERR_INVALID, "cannot go on: %s is no regular file any more", name);
    }
    if ((uint64_t)status.st_size < cut->length) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "cannot go on: %s has %" PRIu64 " bytes, of which %" PRIu64
                       " were written: it was changed",
                       name,
                       (uint64_t)status.st_size,
                       cut->length);
    }
    return 0;
}
