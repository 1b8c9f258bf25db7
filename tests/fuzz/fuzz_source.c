/* Any bytes at all as a file of items, read in pieces of any size: the items are those of the same bytes read at once, and
 * those that a plain loop over the bytes finds. The first byte chooses the separator and how many items a chunk takes, the next
 * ones the sizes of the pieces in turn. */
#include "common/base/check.h"
#include "common/base/items.h"
#include "coordinator/runner/source.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { HEAD = 4, INPUT_MAX = 65536, CHUNK_MAX = 16 };

static ssize_t (*give)(void *to, size_t size);

/* The file that is read: the linker leads the source's reads here. */
ssize_t __wrap_read(int fd, void *to, size_t size);
ssize_t __real_read(int fd, void *to, size_t size);

ssize_t __wrap_read(int fd, void *to, size_t size)
{
    return give != NULL && fd == STDIN_FILENO ? give(to, size) : __real_read(fd, to, size);
}

static struct {
    const uint8_t *bytes;
    size_t len;
    size_t at;
    const uint8_t *sizes; /* of pieces, HEAD of them in turn */
    size_t turn;
} file;

static ssize_t give_piece(void *to, size_t size)
{
    size_t piece = file.sizes == NULL ? size : (size_t)file.sizes[file.turn++ % HEAD] + 1;
    size_t left = file.len - file.at;
    piece = piece < left ? piece : left;
    piece = piece < size ? piece : size;
    if (piece > 0) {
        memcpy(to, file.bytes + file.at, piece);
    }
    file.at += piece;
    return (ssize_t)piece;
}

/* Is `item` the next one of `*at`? */
static void check_next(const uint8_t **at,
                       const uint8_t *end,
                       char separator,
                       const char *item,
                       size_t len)
{
    const uint8_t *stop = memchr(*at, separator, (size_t)(end - *at));
    size_t expected = (size_t)((stop == NULL ? end : stop) - *at);
    CHECK(*at < end && len == expected);
    CHECK(len == 0 || memcmp(item, *at, len) == 0);
    *at += expected + (stop != NULL);
}

static void check_chunk(const struct blob *payload,
                        uint64_t count,
                        const uint8_t **at,
                        const uint8_t *end,
                        char separator)
{
    struct items_cursor cursor;
    const char *item = NULL;
    size_t len = 0;
    CHECK(items_payload_valid(blob_bytes(payload), blob_len(payload), count));
    items_cursor_init(&cursor, blob_bytes(payload), count);
    while (items_cursor_next(&cursor, &item, &len)) {
        check_next(at, end, separator, item, len);
    }
}

static void check_all(const uint8_t *bytes, size_t len, const uint8_t *sizes, uint8_t choice)
{
    const struct items_spec spec = {
        .path = "-", .fd = -1, .separator = (choice & 1) != 0 ? '\0' : '\n'};
    const uint64_t chunk = 1 + (choice >> 1) % CHUNK_MAX;
    const uint8_t *at = bytes;
    struct err_text error;
    struct source *source = NULL;
    file.bytes = bytes;
    file.len = len;
    file.at = 0;
    file.sizes = sizes;
    file.turn = 0;
    CHECK(source_open(&spec, &error, &source) == 0);
    uint64_t taken = 0;
    while (!source_is_final(source) || taken < source_available(source)) {
        if (!source_is_final(source)) {
            CHECK(source_read(source, &error) == 0); /* no item is as long as INPUT_MAX */
        }
        uint64_t count = source_available(source) - taken;
        count = count < chunk ? count : chunk;
        struct blob *payload = NULL;
        if (count > 0) {
            CHECK(source_take(source, taken, count, &payload) == 0);
            check_chunk(payload, count, &at, bytes + len, spec.separator);
            blob_unref(payload);
            taken += count;
        }
    }
    CHECK(at == bytes + len);
    source_close(source);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < HEAD || len > INPUT_MAX) {
        return 0;
    }
    give = give_piece;
    check_all(bytes + HEAD, len - HEAD, NULL, bytes[0]);
    check_all(bytes + HEAD, len - HEAD, bytes, bytes[0]);
    give = NULL;
    return 0;
}
