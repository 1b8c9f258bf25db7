/* One plugin: checked where it lies, or put together from parts. */
#include "common/base/check.h"
#include "common/wire/wire.h"
#include "worker/plugin_store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert((int)HASH_SIZE == (int)WIRE_HASH_SIZE, "a hash fits the wire");

enum {
    STEP_BYTES = 1024 * 1024, /* 3 to 5 ms of hashing */
    READ_BYTES = 64 * 1024,
    FILE_MODE = 0400,
    SHORT_HASH = 12, /* digits that are enough for people */
};

struct plugin_fetch {
    enum plugin_state state;
    unsigned char hash[HASH_SIZE];
    uint64_t size;
    uint64_t done; /* bytes hashed: of the file that is there, or of what has come */
    struct hash *sum;
    int fd; /* the file that is there, or the one being written; -1: none */
    char path[PATH_MAX];
    char temporary[PATH_MAX]; /* the one being written; "": none */
    struct err_text error;
};

static void close_file(struct plugin_fetch *fetch)
{
    if (fetch->fd >= 0) {
        (void)close(fetch->fd);
        fetch->fd = -1;
    }
}

/* Begin anew, with nothing hashed. */
static void restart(struct plugin_fetch *fetch)
{
    unsigned char ignored[HASH_SIZE];
    hash_finish(fetch->sum, ignored);
    fetch->done = 0;
    close_file(fetch);
}

static bool sum_is_right(struct plugin_fetch *fetch, unsigned char ret_sum[HASH_SIZE])
{
    hash_finish(fetch->sum, ret_sum);
    return memcmp(ret_sum, fetch->hash, HASH_SIZE) == 0;
}

static void remove_temporary(struct plugin_fetch *fetch)
{
    if (fetch->temporary[0] != '\0') {
        (void)unlink(fetch->temporary);
        fetch->temporary[0] = '\0';
    }
}

/* fetch->error is written. */
static void fail(struct plugin_fetch *fetch)
{
    close_file(fetch);
    remove_temporary(fetch);
    fetch->state = PLUGIN_FAILED;
}

/* The operating system refused; errno says why. */
static void fail_to(struct plugin_fetch *fetch, const char *what)
{
    (void)err_set(&fetch->error,
                  ERR_IO,
                  "cannot %s the plugin in %.300s (%" PRIu64 " of %" PRIu64 " bytes are there): %s",
                  what,
                  fetch->temporary[0] != '\0' ? fetch->temporary : fetch->path,
                  fetch->done,
                  fetch->size,
                  strerror(errno));
    fail(fetch);
}

/* Open what lies at `path`, when it is a file of the right size. */
static bool open_kept(struct plugin_fetch *fetch)
{
    struct stat status;
    fetch->fd = open(fetch->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fetch->fd < 0) {
        return false;
    }
    if (fstat(fetch->fd, &status) == 0 && S_ISREG(status.st_mode) &&
        (uint64_t)status.st_size == fetch->size) {
        return true;
    }
    close_file(fetch);
    return false;
}

int plugin_fetch_new(struct plugin_store *store,
                     const unsigned char hash[HASH_SIZE],
                     uint64_t size,
                     struct plugin_fetch **ret_fetch)
{
    CHECK(size >= 1 && size <= WIRE_PLUGIN_MAX);
    struct plugin_fetch *fetch = calloc(1, sizeof(*fetch));
    struct hash *sum = hash_new();
    if (fetch == NULL || sum == NULL) {
        free(fetch);
        hash_free(sum);
        return ERR_NOMEM;
    }
    char name[HASH_TEXT_SIZE];
    int len = snprintf(fetch->path,
                       sizeof(fetch->path),
                       "%s/%s.so",
                       plugin_store_directory(store),
                       hash_text(hash, name));
    CHECK(len > 0 && (size_t)len < sizeof(fetch->path));
    memcpy(fetch->hash, hash, HASH_SIZE);
    fetch->size = size;
    fetch->sum = sum;
    fetch->fd = -1;
    fetch->state = open_kept(fetch) ? PLUGIN_CHECKING : PLUGIN_WANTED;
    *ret_fetch = fetch;
    return 0;
}

void plugin_fetch_free(struct plugin_fetch *fetch)
{
    if (fetch == NULL) {
        return;
    }
    close_file(fetch);
    remove_temporary(fetch);
    hash_free(fetch->sum);
    free(fetch);
}

enum plugin_state plugin_fetch_state(const struct plugin_fetch *fetch)
{
    return fetch->state;
}

uint64_t plugin_fetch_offset(const struct plugin_fetch *fetch)
{
    return fetch->done;
}

const char *plugin_fetch_path(const struct plugin_fetch *fetch)
{
    return fetch->path;
}

const char *plugin_fetch_error(const struct plugin_fetch *fetch)
{
    return fetch->error.s;
}

/* --- what is there --- */

/* Hash up to STEP_BYTES more. False: they cannot be read, or there are fewer than there should be. */
static bool read_some(struct plugin_fetch *fetch)
{
    unsigned char buffer[READ_BYTES];
    uint64_t until = fetch->done + STEP_BYTES;
    until = until < fetch->size ? until : fetch->size;
    while (fetch->done < until) {
        uint64_t left = until - fetch->done;
        size_t want = left < sizeof(buffer) ? (size_t)left : sizeof(buffer);
        ssize_t len = pread(fetch->fd, buffer, want, (off_t)fetch->done);
        if (len < 0 && errno == EINTR) {
            continue;
        }
        if (len <= 0) {
            return false;
        }
        hash_add(fetch->sum, buffer, (size_t)len);
        fetch->done += (uint64_t)len;
    }
    return true;
}

/* The file that came takes the place of what is there. */
static void replace(struct plugin_fetch *fetch)
{
    if (rename(fetch->temporary, fetch->path) != 0) {
        fail_to(fetch, "keep");
        return;
    }
    fetch->temporary[0] = '\0';
    fetch->state = PLUGIN_THERE;
}

void plugin_fetch_step(struct plugin_fetch *fetch)
{
    unsigned char sum[HASH_SIZE];
    if (fetch->state != PLUGIN_CHECKING) {
        return;
    }
    bool whole = read_some(fetch);
    if (whole && fetch->done < fetch->size) {
        return;
    }
    bool right = whole && sum_is_right(fetch, sum);
    restart(fetch);
    if (right) {
        remove_temporary(fetch);
        fetch->state = PLUGIN_THERE;
    } else if (fetch->temporary[0] != '\0') {
        replace(fetch);
    } else {
        fetch->state = PLUGIN_WANTED; /* damaged: the file that is fetched takes its place */
    }
}

/* --- what comes --- */

static bool open_temporary(struct plugin_fetch *fetch)
{
    /* Beside the place it goes to: a rename does not cross file systems. */
    size_t directory_len = (size_t)(strrchr(fetch->path, '/') - fetch->path);
    int len = snprintf(fetch->temporary,
                       sizeof(fetch->temporary),
                       "%.*s/.coming-XXXXXX",
                       (int)directory_len,
                       fetch->path);
    CHECK(len > 0 && (size_t)len < sizeof(fetch->temporary));
    fetch->fd = mkostemp(fetch->temporary, O_CLOEXEC);
    return fetch->fd >= 0;
}

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t written = write(fd, bytes, len);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return false;
        }
        bytes += written;
        len -= (size_t)written;
    }
    return true;
}

/* Another worker may have been quicker. If its file is right it stays: who has loaded it would take
 * another one in its place for another plugin. */
static void settle(struct plugin_fetch *fetch)
{
    if (renameat2(AT_FDCWD, fetch->temporary, AT_FDCWD, fetch->path, RENAME_NOREPLACE) == 0) {
        fetch->temporary[0] = '\0';
        fetch->state = PLUGIN_THERE;
    } else if (errno == EEXIST && open_kept(fetch)) {
        fetch->done = 0;
        fetch->state = PLUGIN_CHECKING;
    } else {
        replace(fetch); /* or the file system knows no such rename */
    }
}

/* All bytes are there and on disk. */
static void complete(struct plugin_fetch *fetch)
{
    unsigned char sum[HASH_SIZE];
    char want[HASH_TEXT_SIZE];
    char got[HASH_TEXT_SIZE];
    if (!sum_is_right(fetch, sum)) {
        (void)err_set(
            &fetch->error,
            ERR_PROTOCOL,
            "the coordinator named the plugin with SHA-256 %.*s... and sent another, %.*s...",
            SHORT_HASH,
            hash_text(fetch->hash, want),
            SHORT_HASH,
            hash_text(sum, got));
        fail(fetch);
        return;
    }
    if (fchmod(fetch->fd, FILE_MODE) != 0) {
        fail_to(fetch, "keep");
        return;
    }
    close_file(fetch);
    settle(fetch);
}

static bool part_is_sound(struct plugin_fetch *fetch, size_t len)
{
    if (len == 0) {
        (void)err_set(&fetch->error,
                      ERR_IO,
                      "the coordinator cannot read the plugin any more (%" PRIu64 " of %" PRIu64
                      " bytes came)",
                      fetch->done,
                      fetch->size);
        return false;
    }
    if (len > WIRE_PART_MAX || len > fetch->size - fetch->done) {
        (void)err_set(&fetch->error,
                      ERR_PROTOCOL,
                      "the coordinator sent %zu bytes from %" PRIu64
                      " on of a plugin that has %" PRIu64,
                      len,
                      fetch->done,
                      fetch->size);
        return false;
    }
    return true;
}

void plugin_fetch_part(struct plugin_fetch *fetch, uint64_t offset, const void *bytes, size_t len)
{
    if (fetch->state != PLUGIN_WANTED || offset != fetch->done) {
        return;
    }
    if (!part_is_sound(fetch, len)) {
        fail(fetch);
        return;
    }
    if (fetch->fd < 0 && !open_temporary(fetch)) {
        fetch->temporary[0] = '\0';
        fail_to(fetch, "write");
        return;
    }
    /* Part by part: one fsync at the end could take seconds in which nothing else is done. */
    if (!write_all(fetch->fd, bytes, len) || fsync(fetch->fd) != 0) {
        fail_to(fetch, "write");
        return;
    }
    hash_add(fetch->sum, bytes, len);
    fetch->done += len;
    if (fetch->done == fetch->size) {
        complete(fetch);
    }
}
