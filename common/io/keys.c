#include "common/io/keys.h"

#include "common/base/check.h"
#include "common/io/secret_file.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

_Static_assert((int)KEY_BYTES == (int)crypto_box_PUBLICKEYBYTES, "of Curve25519");
_Static_assert((int)KEY_BYTES == (int)crypto_box_SECRETKEYBYTES, "of Curve25519");

static const char z85_characters[] =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    ".-:+=^!/*?&<>()[]{}@%$#";
static const char name_characters[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                                      "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-";

/* libsodium itself and not zmq_curve_keypair, which closes the random source that the threads of
 * libzmq may be reading from. */
void key_pair_make(struct key_pair *ret_pair)
{
    unsigned char public_key[KEY_BYTES];
    unsigned char secret_key[KEY_BYTES];
    CHECK(sodium_init() >= 0);
    CHECK(crypto_box_keypair(public_key, secret_key) == 0);
    key_from_bytes(public_key, ret_pair->public_key);
    key_from_bytes(secret_key, ret_pair->secret_key);
    secret_wipe(secret_key, sizeof(secret_key));
}

void key_from_bytes(const unsigned char bytes[KEY_BYTES], char ret_key[KEY_TEXT_SIZE])
{
    CHECK(zmq_z85_encode(ret_key, bytes, KEY_BYTES) != NULL);
}

/* libzmq 4.3.4 reads tables beyond their ends for characters that are not of Z85: they are looked
 * at first. */
static bool key_to_bytes(const char *key, unsigned char ret_bytes[KEY_BYTES])
{
    return strlen(key) == KEY_TEXT_LEN && strspn(key, z85_characters) == KEY_TEXT_LEN &&
           zmq_z85_decode(ret_bytes, key) != NULL;
}

bool key_is_valid(const char *key)
{
    unsigned char bytes[KEY_BYTES];
    bool valid = key_to_bytes(key, bytes);
    secret_wipe(bytes, sizeof(bytes));
    return valid;
}

int key_pair_of_secret(const char *secret_key,
                       struct err_text *ret_error,
                       struct key_pair *ret_pair)
{
    unsigned char secret[KEY_BYTES];
    unsigned char public_key[KEY_BYTES];
    CHECK(sodium_init() >= 0);
    bool valid = key_to_bytes(secret_key, secret) &&
                 crypto_scalarmult_base(public_key, secret) == 0;
    secret_wipe(secret, sizeof(secret));
    if (!valid) {
        return err_set(ret_error, ERR_INVALID, "not a secret key: 40 characters of Z85");
    }
    key_from_bytes(public_key, ret_pair->public_key);
    memcpy(ret_pair->secret_key, secret_key, KEY_TEXT_SIZE);
    return 0;
}

bool key_name_is_valid(const char *name)
{
    size_t len = strlen(name);
    return len >= 1 && len <= KEY_NAME_MAX && name[0] != '.' &&
           strspn(name, name_characters) == len;
}

/* --- files --- */

/* The text of a file without the newline at its end. */
static int read_line(const char *path,
                     enum secret_kind kind,
                     struct err_text *ret_error,
                     char **ret_text)
{
    size_t len = 0;
    int rc = secret_read(path, kind, ret_error, ret_text, &len);
    if (rc == 0 && len > 0 && (*ret_text)[len - 1] == '\n') {
        (*ret_text)[len - 1] = '\0';
    }
    return rc;
}

int key_read_secret(const char *path, struct err_text *ret_error, struct key_pair *ret_pair)
{
    char *text = NULL;
    int rc = read_line(path, SECRET_PRIVATE, ret_error, &text);
    if (rc == 0 && key_pair_of_secret(text, NULL, ret_pair) != 0) {
        rc = err_set(ret_error,
                     ERR_INVALID,
                     "'%.300s' is not a secret key (40 characters of Z85); 'quartet keygen' makes "
                     "them",
                     path);
    }
    secret_free(text);
    return rc;
}

int key_read_public(const char *path, struct err_text *ret_error, char ret_key[KEY_TEXT_SIZE])
{
    char *text = NULL;
    int rc = read_line(path, SECRET_TRUSTED, ret_error, &text);
    if (rc == 0 && !key_is_valid(text)) {
        rc = err_set(
            ret_error, ERR_INVALID, "'%.300s' is not a public key (40 characters of Z85)", path);
    }
    if (rc == 0) {
        memcpy(ret_key, text, KEY_TEXT_SIZE);
    }
    secret_free(text);
    return rc;
}

static int write_key(const char *path,
                     const char *key,
                     enum secret_kind kind,
                     struct err_text *ret_error)
{
    char line[KEY_TEXT_SIZE + 1];
    (void)snprintf(line, sizeof(line), "%s\n", key);
    int rc = secret_write(path, line, kind, false, ret_error);
    secret_wipe(line, sizeof(line));
    return rc;
}

int key_write_secret(const char *path, const struct key_pair *pair, struct err_text *ret_error)
{
    return write_key(path, pair->secret_key, SECRET_PRIVATE, ret_error);
}

int key_write_public(const char *path, const char *public_key, struct err_text *ret_error)
{
    return write_key(path, public_key, SECRET_TRUSTED, ret_error);
}
