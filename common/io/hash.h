/* SHA-256, by libsodium: the name of a plugin's bytes, the same on every machine. */
#ifndef QUARTET_COMMON_IO_HASH_H
#define QUARTET_COMMON_IO_HASH_H

#include "common/base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { HASH_SIZE = 32, HASH_TEXT_SIZE = 2 * HASH_SIZE + 1 };

/* Bytes that are hashed as they come. */
struct hash;

/* NULL without memory. */
struct hash *hash_new(void);
void hash_free(struct hash *hash);
void hash_add(struct hash *hash, const void *bytes, size_t len);

/* The hash of all that was added; then nothing is, as after hash_new. */
void hash_finish(struct hash *hash, unsigned char ret_hash[HASH_SIZE]);

/* Hash what can be read from `fd`, from its beginning to its end, without moving its position; how
 * much that was is `ret_size`. Returns 0; ERR_INVALID when there are more than `size_max` bytes; ERR_IO or
 * ERR_NOMEM. Texts begin with `name`. */
int hash_file(int fd,
              const char *name,
              uint64_t size_max,
              struct err_text *ret_error,
              unsigned char ret_hash[HASH_SIZE],
              uint64_t *ret_size);

/* In hexadecimal, lower case. Returns `ret_text`. */
char *hash_text(const unsigned char hash[HASH_SIZE], char ret_text[HASH_TEXT_SIZE]);

#endif
