/* One ZeroMQ connection to a ROUTER, without a loop: for a program that has nothing else to do but to ask, to wait, and
 * to say why there was no answer. A zsock goes on trying; this tells how the first try ended.
 *
 * For one thread. Life: zdial_open -> zdial_await -> zdial_send, zdial_receive ... -> zdial_close. */
#ifndef QUARTET_COMMON_IO_ZDIAL_H
#define QUARTET_COMMON_IO_ZDIAL_H

#include "common/base/err.h"
#include "common/io/zsock.h"

#include <stddef.h>
#include <stdint.h>

struct zdial;

/* How a try to connect ended. */
enum zdial_end {
    ZDIAL_OPEN,        /* the handshake is done: it can be talked to */
    ZDIAL_UNREACHED,   /* no connection: refused, or not in time */
    ZDIAL_KEY_REFUSED, /* the other side has read our key and does not accept it */
    ZDIAL_MISMATCH,    /* one of the two wants keys, and the other has none */
    ZDIAL_HUNG_UP, /* the other side ended the handshake without a word: so it does when our server key is not its */
    ZDIAL_NO_HANDSHAKE, /* what it says is no handshake */
    ZDIAL_STUCK,        /* connected, and the handshake was not done in time */
};

/* Begin to connect. `keys` NULL: plaintext. Returns 0, ERR_INVALID (libzmq does not take the endpoint; the text quotes
 * it), ERR_IO or ERR_NOMEM. */
int zdial_open(struct zsock_context *context,
               const char *endpoint,
               const struct zsock_keys *keys,
               struct err_text *ret_error,
               struct zdial **ret_dial);

/* Wait for the connection for `connect_ms` at most, and from then on for the handshake for `handshake_ms`.
 * `*ret_connect_us`: how long the connection took, or was waited for. */
enum zdial_end zdial_await(struct zdial *dial,
                           uint32_t connect_ms,
                           uint32_t handshake_ms,
                           uint64_t *ret_connect_us);

/* Send a header frame, and unless `payload_len` is 0 a payload frame of so many zeros. Never waits. Returns 0, ERR_GONE
 * (not connected any more, or it does not read what is sent to it) or ERR_NOMEM. */
int zdial_send(struct zdial *dial, const void *header, size_t len, size_t payload_len);

/* The next message that is not empty: its header frame, cut at `size`, and how long its payload frame is (0: it has
 * none). Returns 0; ERR_TIMEOUT: none came within `limit_ms`; ERR_GONE: the connection dropped; ERR_PROTOCOL: it was of
 * more frames, or too long, and is dropped. */
int zdial_receive(struct zdial *dial,
                  uint32_t limit_ms,
                  void *ret_header,
                  size_t size,
                  size_t *ret_len,
                  size_t *ret_payload_len);

/* What was not sent yet is dropped. NULL is allowed. */
void zdial_close(struct zdial *dial);

#endif
