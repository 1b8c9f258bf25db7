#include "common/io/hash.h"

#include "common/base/check.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert((int)HASH_SIZE == (int)crypto_hash_sha256_BYTES, "it is a SHA-256");

enum { BUFFER_SIZE = 256 * 1024 };

struct hash {
    crypto_hash_sha256_state state;
};

struct hash *hash_new(void)
{
    CHECK(sodium_init() >= 0); /* may be said again and again, by any thread */
    struct hash *hash = malloc(sizeof(*hash));
    if (hash != NULL) {
        (void)crypto_hash_sha256_init(&hash->state);
    }
    return hash;
}

void hash_free(struct hash *hash)
{
    free(hash);
}

void hash_add(struct hash *hash, const void *bytes, size_t len)
{
    (void)crypto_hash_sha256_update(&hash->state, bytes, len);
}

void hash_finish(struct hash *hash, unsigned char ret_hash[HASH_SIZE])
{
    (void)crypto_hash_sha256_final(&hash->state, ret_hash);
    (void)crypto_hash_sha256_init(&hash->state);
}

/* Add all of the file to `hash`. `buffer` has BUFFER_SIZE bytes. */
static int add_file(struct hash *hash,
                    int fd,
                    const char *name,
                    uint64_t size_max,
                    unsigned char *buffer,
                    struct err_text *ret_error,
                    uint64_t *ret_size)
{
    uint64_t size = 0;
    for (;;) {
        ssize_t len = pread(fd, buffer, BUFFER_SIZE, (off_t)size);
        if (len < 0 && errno == EINTR) {
            continue;
        }
        if (len < 0) {
            return err_set(ret_error, ERR_IO, "%s: cannot read: %s", name, strerror(errno));
        }
        if (len == 0) {
            *ret_size = size;
            return 0;
        }
        size += (uint64_t)len;
        if (size > size_max) {
            return err_set(ret_error,
                           ERR_INVALID,
                           "%s: has more than the %" PRIu64 " bytes that are allowed",
                           name,
                           size_max);
        }
        hash_add(hash, buffer, (size_t)len);
    }
}

int hash_file(int fd,
              const char *name,
              uint64_t size_max,
              struct err_text *ret_error,
              unsigned char ret_hash[HASH_SIZE],
              uint64_t *ret_size)
{
    struct hash *hash = hash_new();
    unsigned char *buffer = malloc(BUFFER_SIZE);
    int rc = ERR_NOMEM;
    if (hash == NULL || buffer == NULL) {
        (void)err_set(ret_error, rc, "%s: no memory to read it", name);
        goto out;
    }
    rc = add_file(hash, fd, name, size_max, buffer, ret_error, ret_size);
    if (rc == 0) {
        hash_finish(hash, ret_hash);
    }
out:
    free(buffer);
    hash_free(hash);
    return rc;
}

char *hash_text(const unsigned char hash[HASH_SIZE], char ret_text[HASH_TEXT_SIZE])
{
    return sodium_bin2hex(ret_text, HASH_TEXT_SIZE, hash, HASH_SIZE);
}
