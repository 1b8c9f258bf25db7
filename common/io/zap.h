/* Who may connect to the encrypted sockets of a context: an allow-list of public keys, asked by
 * libzmq in each handshake (ZeroMQ's ZAP, RFC 27). A key that is not on the list, and with an empty
 * list every key, is refused before a message of it is read. libzmq without a handler lets every
 * key in: a socket with keys is only made in a context that has one (zsock_new).
 *
 * The handler is a thread of its own, so that handshakes wait for no loop. All functions here may
 * be called by any thread. */
#ifndef QUARTET_COMMON_IO_ZAP_H
#define QUARTET_COMMON_IO_ZAP_H

#include "common/base/err.h"
#include "common/io/keys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zap;
struct zsock_context;

enum { ZAP_ADDRESS_SIZE = 64, ZAP_KNOCKS_MAX = 32 };

/* Somebody was refused. */
struct zap_knock {
    char public_key[KEY_TEXT_SIZE]; /* "": it showed none */
    char address[ZAP_ADDRESS_SIZE]; /* of the other end, as numbers; "": not known */
};

/* Start the handler of this context, with an empty list; it ends with the context. Once a context,
 * before its sockets are made. Returns 0, ERR_NOMEM or ERR_IO. */
int zap_start(struct zsock_context *context, struct err_text *ret_error, struct zap **ret_zap);

/* Who may connect from now on, and nobody else: copied. Connections that stand are not touched.
 * ERR_NOMEM leaves the list as it was. */
int zap_allow(struct zap *zap, const struct key_named *keys, size_t count);

/* Is this key on the list? */
bool zap_allows(struct zap *zap, const char *public_key);

/* The oldest refusal that was not taken yet; false: none is left. Of many at once the latest are
 * left out, and only counted. */
bool zap_take_knock(struct zap *zap, struct zap_knock *ret_knock);

/* Refusals so far; and begin to count anew, with none left to take. */
uint64_t zap_refusals(struct zap *zap);
void zap_forget_refusals(struct zap *zap);

#endif
