#include "coordinator/runner/job_plugin.h"

#include "common/base/check.h"
#include "common/wire/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_regular(const char *path, struct err_text *ret_error, int *ret_fd)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not keep us */
    if (fd < 0) {
        int rc = errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
        return err_set(ret_error, rc, "cannot open the plugin '%.300s': %s", path, strerror(errno));
    }
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        (void)close(fd);
        return err_set(ret_error, ERR_INVALID, "the plugin '%.300s' is no regular file", path);
    }
    *ret_fd = fd;
    return 0;
}

int job_plugin_open(const char *path, struct err_text *ret_error, struct job_plugin *ret_plugin)
{
    struct job_plugin plugin = {.path = path, .fd = -1};
    int rc = open_regular(path, ret_error, &plugin.fd);
    if (rc != 0) {
        return rc;
    }
    rc = hash_file(plugin.fd, path, WIRE_PLUGIN_MAX, ret_error, plugin.hash, &plugin.size);
    if (rc == 0 && plugin.size == 0) {
        rc = err_set(ret_error, ERR_INVALID, "the plugin '%.300s' is empty", path);
    }
    if (rc != 0) {
        job_plugin_close(&plugin);
        return rc;
    }
    *ret_plugin = plugin;
    return 0;
}

void job_plugin_close(struct job_plugin *plugin)
{
    (void)close(plugin->fd);
    plugin->fd = -1;
}

int job_plugin_read(const struct job_plugin *plugin,
                    uint64_t offset,
                    void *ret_bytes,
                    size_t len,
                    struct err_text *ret_error)
{
    char *to = ret_bytes;
    size_t done = 0;
    CHECK(offset <= plugin->size && len <= plugin->size - offset);
    while (done < len) {
        ssize_t got = pread(plugin->fd, to + done, len - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return err_set(ret_error,
                           ERR_IO,
                           "cannot read the plugin '%.300s': %s",
                           plugin->path,
                           got < 0 ? strerror(errno) : "it has become shorter");
        }
        done += (size_t)got;
    }
    return 0;
}
