/* CURVE key pairs as texts: 32 bytes in Z85, 40 characters, the form in which they are in files and
 * in libzmq's options. Who holds the secret half of a pair is who its public half names. */
#ifndef QUARTET_COMMON_IO_KEYS_H
#define QUARTET_COMMON_IO_KEYS_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    KEY_TEXT_LEN = 40,
    KEY_TEXT_SIZE = KEY_TEXT_LEN + 1,
    KEY_BYTES = 32,
    KEY_NAME_MAX = 64, /* characters of the name of a worker's key */
    KEY_NAME_SIZE = KEY_NAME_MAX + 1,
};

struct key_pair {
    char public_key[KEY_TEXT_SIZE];
    char secret_key[KEY_TEXT_SIZE];
};

/* A public key and what it is called. */
struct key_named {
    char public_key[KEY_TEXT_SIZE];
    char name[KEY_NAME_SIZE];
};

/* A new pair, from the kernel's random numbers. */
void key_pair_make(struct key_pair *ret_pair);

/* Is it 40 characters of Z85 that stand for 32 bytes? */
bool key_is_valid(const char *key);

/* From 32 bytes. */
void key_from_bytes(const unsigned char bytes[KEY_BYTES], char ret_key[KEY_TEXT_SIZE]);

/* The pair that a secret key belongs to. ERR_INVALID: it is none; the text does not quote it. */
int key_pair_of_secret(const char *secret_key,
                       struct err_text *ret_error,
                       struct key_pair *ret_pair);

/* May a worker's key be called so? Letters, digits, '-', '_' and '.', the first no '.': it is the
 * name of a file. */
bool key_name_is_valid(const char *name);

/* A key alone in a file, with a newline or without. Reads `path` as secret_read does; ERR_INVALID
 * too when it holds something else. */
int key_read_secret(const char *path, struct err_text *ret_error, struct key_pair *ret_pair);
int key_read_public(const char *path, struct err_text *ret_error, char ret_key[KEY_TEXT_SIZE]);

/* Write it so; never over what is there: ERR_BUSY. As secret_write. */
int key_write_secret(const char *path, const struct key_pair *pair, struct err_text *ret_error);
int key_write_public(const char *path, const char *public_key, struct err_text *ret_error);

#endif
