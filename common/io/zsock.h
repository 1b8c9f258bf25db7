/* One ZeroMQ socket on a libuv loop, and, with zap.c, zdial.c and keys.c, the only code that calls libzmq.
 *
 * The shape that does not lose wake-ups (libzmq's file descriptor is edge-triggered and every
 * send or receive may eat the edge): uv_poll wakes the loop, uv_prepare re-reads ZMQ_EVENTS
 * before it sleeps and holds it awake with uv_idle when there is something, uv_check hands
 * messages to the owner, at most ZSOCK_BUDGET a turn so that timers and other sockets get
 * theirs. Sends never block. ROUTER ids are given by libzmq, 5 bytes, unique per connection: a
 * reconnect is a new peer.
 *
 * Owner: the loop's thread. Life: zsock_new -> zsock_bind or zsock_connect -> ... -> zsock_close
 * (memory goes after its close callbacks ran). */
#ifndef QUARTET_COMMON_IO_ZSOCK_H
#define QUARTET_COMMON_IO_ZSOCK_H

#include "common/base/blob.h"
#include "common/base/err.h"
#include "common/io/keys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uv_loop_s;
struct zsock;
struct zsock_context;

enum { ZSOCK_BUDGET = 256 }; /* messages, and frames beyond the second */

enum zsock_type { ZSOCK_ROUTER, ZSOCK_DEALER };

/* A peer of a ROUTER: the bytes of its routing id as a number; 0 for the one peer of a DEALER. */
struct zsock_peer {
    uint64_t value;
};

/* The `why` of somebody who hung up within the handshake: a port scan, or one who noticed first that the two do not fit. Another
 * try may tell more. */
extern const char zsock_unfinished[];

struct zsock_handlers {
    /* A message of one or two frames, the first not empty unless there is a second. `header` is
     * borrowed for the call; `payload` is a reference that the callee owns (NULL: one frame).
     * Messages of more frames, and headers or payloads above the limits, are dropped and
     * reported through `bad`, which may be NULL. */
    void (*message)(void *arg,
                    struct zsock_peer peer,
                    const void *header,
                    size_t header_len,
                    struct blob *payload);
    void (*bad)(void *arg, struct zsock_peer peer, const char *why);
    /* After the last message of a turn was handed over: send what has gathered. May be NULL. */
    void (*turn_end)(void *arg);
    /* DEALER: the handshake succeeded; the connection dropped, or another try at one failed in
     * the handshake. May be NULL. */
    void (*connected)(void *arg);
    void (*disconnected)(void *arg, const char *why);
    /* ROUTER: this connection dropped, as zsock_sender_connection called it; libzmq may not know yet that its peer is
     * gone. May be NULL. */
    void (*dropping)(void *arg, uint64_t connection);
    /* ROUTER: some connections dropped a moment ago; zsock_alive tells of a peer whether it was its. Comes once more a
     * while later, for libzmq says so before it has forgotten the peer. May be NULL. */
    void (*peer_dropped)(void *arg);
    /* ROUTER: somebody at `address` ("": not known) came and failed in the handshake; `why` is about
     * them. A key that is not allowed is told of by zap.h instead. DEALER: the other side has read
     * our key and does not accept it; disconnected follows. May be NULL. */
    void (*refused)(void *arg, const char *address, const char *why);
    /* DEALER: nobody listens there, or nobody answered in time; it is tried again. May be NULL. */
    void (*retrying)(void *arg);
};

/* With these everything is encrypted, and each side knows whose key the other one has: CURVE. */
struct zsock_keys {
    const struct key_pair *own;
    const char
        *server_key; /* DEALER: the public key of the one to connect to, and of nobody else */
};

struct zsock_options {
    enum zsock_type type;
    size_t header_max;                     /* bytes */
    size_t payload_max;                    /* bytes */
    const struct zsock_keys *keys;         /* NULL: plaintext. Borrowed for zsock_new */
    const struct zsock_handlers *handlers; /* outlives the socket */
    void *arg;
};

/* One context per process. Returns 0, ERR_NOMEM, or ERR_IO when too few files may be opened for a
 * socket with one connection, or its threads cannot be started: libzmq would abort the process. */
int zsock_context_new(struct err_text *ret_error, struct zsock_context **ret_context);
/* All sockets must be closed. */
void zsock_context_free(struct zsock_context *context);

/* A ROUTER with keys needs a context with zap_start: libzmq would let every key in otherwise. */
int zsock_new(struct zsock_context *context,
              struct uv_loop_s *loop,
              const struct zsock_options *options,
              struct err_text *ret_error,
              struct zsock **ret_socket);

/* Bind; "tcp://127.0.0.1:*" picks a free port. ERR_BUSY: the address is in use; ERR_INVALID: not
 * an endpoint of this machine; ERR_IO: the system refused; texts quote it. */
int zsock_bind(struct zsock *socket, const char *endpoint, struct err_text *ret_error);
/* Does this bound ROUTER with keys refuse a client without a key, and one with a key that nobody
 * knows? Both are tried, through its own endpoint, before anything is handed over. Blocks for some
 * milliseconds, two seconds at most. Returns 0; ERR_INVALID: it lets one in, or answers neither yes
 * nor no; ERR_IO. */
int zsock_check_refusals(struct zsock *socket, struct err_text *ret_error);

/* Within `message`: the public key that the sender of the message in hand was let in with; "" when
 * there is none. Borrowed until the callback returns. */
const char *zsock_sender_key(const struct zsock *socket);

/* Within `message`, of a ROUTER: a number of the sender's connection, used again only when that has dropped. 0: not known. */
uint64_t zsock_sender_connection(const struct zsock *socket);

/* The endpoint really bound, with its port. Borrowed for the socket's life. */
const char *zsock_endpoint(const struct zsock *socket);
/* Begin to connect; libzmq goes on trying with back-off (100 ms doubling to 1 s), and a second after it has given up (it
 * does when the other side breaks its protocol) this begins again. */
int zsock_connect(struct zsock *socket, const char *endpoint, struct err_text *ret_error);

/* Give up this endpoint, or the connection to it, and begin to connect to another one. */
int zsock_connect_elsewhere(struct zsock *socket, const char *endpoint, struct err_text *ret_error);

/* Room for a header frame of `len` bytes in the message being made; write into it, then
 * zsock_send. NULL without memory. Only one message is made at a time. */
void *zsock_header(struct zsock *socket, size_t len);

/* Send the message made by zsock_header to `peer`, with `payload` as second frame unless NULL
 * (takes its own reference). Never blocks. Returns 0; ERR_GONE: that peer is not connected;
 * ERR_BUSY: its queue is full; ERR_NOMEM. The message is dropped then. */
int zsock_send(struct zsock *socket, struct zsock_peer peer, struct blob *payload);

/* Several slices as one payload frame (chunks of different blobs): `parts` are copied into one
 * frame. As zsock_send otherwise. */
struct zsock_part {
    const void *bytes;
    size_t len;
};

int zsock_send_parts(struct zsock *socket,
                     struct zsock_peer peer,
                     const struct zsock_part *parts,
                     size_t count);

/* Is `peer` still connected? Asks by an empty message, which the socket on the other side passes
 * over. */
bool zsock_alive(struct zsock *socket, struct zsock_peer peer);

/* Has it the form of an endpoint: ipc://PATH, inproc://NAME or tcp://HOST:PORT? Whether HOST exists
 * is not asked. */
bool zsock_endpoint_has_form(const char *endpoint);

/* The host of tcp://HOST:PORT, with its brackets. False: it is not that, or longer than `size`. */
bool zsock_endpoint_host(const char *endpoint, char *ret_host, size_t size);

/* Is this endpoint one that needs no encryption: ipc://, inproc://, or tcp:// on a loopback
 * address (numeric 127.0.0.0/8, [::1], or "localhost")? */
bool zsock_endpoint_is_local(const char *endpoint);

/* Wait at most `linger_ms` for what was sent to leave, then close. NULL is allowed. */
void zsock_close(struct zsock *socket, int linger_ms);

#endif
