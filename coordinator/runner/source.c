#include "coordinator/runner/source.h"

#include "common/base/check.h"
#include "common/base/items.h"
#include "common/base/units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { READ_SIZE = 64 * 1024 };

/* Bytes of the file: text[taken, len). Items of which the end was seen lie in text[taken,
 * parsed). */
struct source {
    struct items_spec spec;
    int fd;
    bool owns_fd;
    bool pollable;
    bool at_end;
    off_t offset; /* of the next pread, when the descriptor is shared with other sources */

    char *text;
    size_t len;
    size_t capacity;
    size_t taken;
    size_t parsed;
    uint64_t items_read;
    uint64_t items_taken;
    size_t longest; /* item so far, in bytes */
};

int items_parse_range(const char *text, struct items_spec *spec, struct err_text *ret_error)
{
    const char *colon = strchr(text, ':');
    char first_text[UNITS_TEXT_SIZE];
    size_t first_len = colon == NULL ? 0 : (size_t)(colon - text);
    if (colon == NULL || first_len >= sizeof(first_text)) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "range '%.64s' is not FIRST:LAST (inclusive integers, as in 1:1000)",
                       text);
    }
    memcpy(first_text, text, first_len);
    first_text[first_len] = '\0';
    uint64_t first = 0;
    uint64_t last = 0;
    if (units_parse_u64(first_text, UINT64_MAX, &first) != 0 ||
        units_parse_u64(colon + 1, UINT64_MAX, &last) != 0) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "range '%.64s' is not FIRST:LAST with integers from 0 to "
                       "18446744073709551615",
                       text);
    }
    if (last < first) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "range '%.64s' runs backwards: write the smaller number first",
                       text);
    }
    if (first == 0 && last == UINT64_MAX) {
        return err_set(
            ret_error, ERR_INVALID, "range '%.64s' has 2^64 items, one too many to count", text);
    }
    spec->is_range = true;
    spec->range_first = first;
    spec->range_last = last;
    return 0;
}

static int open_file(struct source *source, struct err_text *ret_error)
{
    const struct items_spec *spec = &source->spec;
    if (spec->fd >= 0) {
        source->fd = spec->fd;
    } else if (strcmp(spec->path, "-") == 0) {
        source->fd = STDIN_FILENO;
    } else {
        source->fd = open(spec->path, O_RDONLY | O_CLOEXEC);
        source->owns_fd = true;
    }
    struct stat status;
    if (source->fd < 0 || fstat(source->fd, &status) != 0) {
        return err_set(
            ret_error, ERR_IO, "cannot read the items '%s': %s", spec->path, strerror(errno));
    }
    if (S_ISDIR(status.st_mode)) {
        return err_set(
            ret_error, ERR_IO, "cannot read the items '%s': it is a directory", spec->path);
    }
    /* What can make a reader wait. Other devices, such as /dev/null, never do, and cannot be
     * polled. */
    source->pollable = S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) ||
                       isatty(source->fd) == 1;
    return 0;
}

int source_open(const struct items_spec *spec,
                struct err_text *ret_error,
                struct source **ret_source)
{
    struct source *source = calloc(1, sizeof(*source));
    if (source == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory to read the items");
    }
    source->spec = *spec;
    source->fd = -1;
    if (spec->is_range) {
        source->at_end = true;
        source->items_read = spec->range_last - spec->range_first + 1;
    } else {
        int rc = open_file(source, ret_error);
        if (rc != 0) {
            source_close(source);
            return rc;
        }
    }
    *ret_source = source;
    return 0;
}

void source_close(struct source *source)
{
    if (source == NULL) {
        return;
    }
    if (source->owns_fd && source->fd >= 0) {
        (void)close(source->fd);
    }
    free(source->text);
    free(source);
}

uint64_t source_available(const struct source *source)
{
    return source->items_read;
}

bool source_is_final(const struct source *source)
{
    return source->at_end;
}

uint64_t source_chunk_items_max(const struct source *source)
{
    if (source->spec.is_range) {
        return 0;
    }
    /* By the longest item seen, so that no chunk of short ones can be surprised by long ones. */
    uint64_t most = SOURCE_CHUNK_BYTES / (source->longest + sizeof(uint32_t) + 1);
    return most == 0 ? 1 : most;
}

bool source_is_full(const struct source *source)
{
    return source->at_end || source->parsed - source->taken >= SOURCE_AHEAD_BYTES;
}

int source_poll_fd(const struct source *source)
{
    return source->pollable ? source->fd : -1;
}

/* Move what is not taken to the front and make room for one more read. */
static int make_room(struct source *source)
{
    if (source->taken > 0 && source->taken >= source->len / 2) {
        memmove(source->text, source->text + source->taken, source->len - source->taken);
        source->len -= source->taken;
        source->parsed -= source->taken;
        source->taken = 0;
    }
    if (source->capacity - source->len >= READ_SIZE) {
        return 0;
    }
    size_t capacity = source->capacity == 0 ? (size_t)READ_SIZE * 2 : source->capacity * 2;
    char *text = realloc(source->text, capacity);
    if (text == NULL) {
        return ERR_NOMEM;
    }
    source->text = text;
    source->capacity = capacity;
    return 0;
}

static void note_item(struct source *source, size_t len)
{
    source->items_read++;
    if (len > source->longest) {
        source->longest = len;
    }
}

/* Count the items whose end has come in. At the end of the file an unterminated last item counts
 * too; an empty one does not exist. */
static int parse(struct source *source, struct err_text *ret_error)
{
    for (;;) {
        if (source->spec.count > 0 && source->items_read == source->spec.count) {
            source->at_end = true;
            source->len = source->parsed;
            return 0;
        }
        char *start = source->text + source->parsed;
        size_t left = source->len - source->parsed;
        char *end = left == 0 ? NULL : memchr(start, source->spec.separator, left);
        size_t len = end == NULL ? left : (size_t)(end - start);
        if (len > ITEM_LEN_MAX) {
            return err_set(ret_error,
                           ERR_INVALID,
                           "item %llu of '%s' is longer than %d bytes: is the separator right?",
                           (unsigned long long)(source->items_read + 1),
                           source->spec.path,
                           ITEM_LEN_MAX);
        }
        if (end != NULL) {
            note_item(source, len);
            source->parsed += len + 1;
            continue;
        }
        if (source->at_end && left > 0) {
            note_item(source, len);
            source->text[source->len++] = source->spec.separator;
            source->parsed = source->len;
        }
        return 0;
    }
}

int source_read(struct source *source, struct err_text *ret_error)
{
    if (source->at_end) {
        return 0;
    }
    /* One byte more than is read, for the separator that a last line may lack. */
    if (make_room(source) != 0) {
        return err_set(ret_error, ERR_NOMEM, "no memory to read the items '%s'", source->spec.path);
    }
    ssize_t got = 0;
    do {
        got = source->spec.fd >= 0
                  ? pread(source->fd, source->text + source->len, READ_SIZE - 1, source->offset)
                  : read(source->fd, source->text + source->len, READ_SIZE - 1);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        return 0;
    }
    if (got < 0) {
        return err_set(ret_error,
                       ERR_IO,
                       "reading the items '%s' failed: %s",
                       source->spec.path,
                       strerror(errno));
    }
    source->at_end = got == 0;
    source->len += (size_t)got;
    source->offset += got;
    int rc = parse(source, ret_error);
    if (rc == 0 && source->at_end && source->items_read < source->spec.count) {
        return err_set(ret_error,
                       ERR_IO,
                       "the items '%s' changed meanwhile: %llu when they were counted, %llu now",
                       source->spec.path,
                       (unsigned long long)source->spec.count,
                       (unsigned long long)source->items_read);
    }
    return rc;
}

/* Bytes of the next `count` items without their separators. */
static size_t measure(const struct source *source, uint64_t count)
{
    const char *at = source->text + source->taken;
    for (uint64_t i = 0; i < count; i++) {
        const char *end = memchr(
            at, source->spec.separator, source->parsed - (size_t)(at - source->text));
        CHECK(end != NULL);
        at = end + 1;
    }
    return (size_t)(at - source->text) - source->taken - count;
}

static void write_u32(unsigned char *to, size_t value)
{
    for (int i = 0; i < 4; i++) {
        to[i] = (unsigned char)(value >> (8 * i));
    }
}

int source_take(struct source *source, uint64_t first, uint64_t count, struct blob **ret_payload)
{
    CHECK(count > 0 && first == source->items_taken && first + count <= source->items_read);
    if (source->spec.is_range) {
        source->items_taken += count;
        *ret_payload = NULL;
        return 0;
    }
    size_t bytes = measure(source, count);
    size_t size = items_payload_size(count, bytes);
    unsigned char *payload = malloc(size);
    struct blob *blob = payload == NULL ? NULL : blob_new(payload, size, NULL, NULL);
    if (blob == NULL) {
        free(payload);
        return ERR_NOMEM;
    }
    unsigned char *lengths = payload;
    unsigned char *to = payload + count * sizeof(uint32_t);
    for (uint64_t i = 0; i < count; i++) {
        const char *at = source->text + source->taken;
        const char *end = memchr(at, source->spec.separator, source->parsed - source->taken);
        size_t len = (size_t)(end - at);
        write_u32(lengths + i * sizeof(uint32_t), len);
        memcpy(to, at, len);
        to[len] = '\0';
        to += len + 1;
        source->taken += len + 1;
    }
    source->items_taken += count;
    *ret_payload = blob;
    return 0;
}

/* Let go of all that was read; its bytes go into the fingerprint. */
static void pass_over(struct source *source, XXH3_state_t *print)
{
    if (print != NULL) {
        (void)XXH3_128bits_update(
            print, source->text + source->taken, source->parsed - source->taken);
    }
    source->taken = source->parsed;
    source->items_taken = source->items_read;
}

static void write_print(XXH3_state_t *print, char ret_print[ITEMS_PRINT_SIZE])
{
    XXH128_hash_t hash = XXH3_128bits_digest(print);
    (void)snprintf(ret_print,
                   ITEMS_PRINT_SIZE,
                   "%016llx%016llx",
                   (unsigned long long)hash.high64,
                   (unsigned long long)hash.low64);
}

int items_count(const struct items_spec *spec,
                struct err_text *ret_error,
                uint64_t *ret_count,
                char ret_print[ITEMS_PRINT_SIZE])
{
    struct source *source = NULL;
    XXH3_state_t *print = ret_print == NULL || spec->is_range ? NULL : XXH3_createState();
    if (ret_print != NULL) {
        ret_print[0] = '\0';
        if (print == NULL && !spec->is_range) {
            return err_set(ret_error, ERR_NOMEM, "no memory to read the items");
        }
    }
    if (print != NULL) {
        (void)XXH3_128bits_reset(print);
    }
    int rc = source_open(spec, ret_error, &source);
    while (rc == 0 && !source_is_final(source)) {
        rc = source_read(source, ret_error);
        pass_over(source, print);
    }
    if (rc == 0) {
        *ret_count = source_available(source);
        if (print != NULL) {
            write_print(print, ret_print);
        }
    }
    (void)XXH3_freeState(print);
    source_close(source);
    return rc;
}
