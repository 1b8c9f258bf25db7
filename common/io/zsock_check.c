/* The proof that a socket with keys refuses strangers. A mistake in the order in which libzmq is
 * told things leaves it open without a word, so strangers knock before anybody else can. */
#include "common/base/check.h"
#include "common/io/descriptors.h"
#include "common/io/zsock_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    LIMIT_MS = 2000,
    MS_PER_S = 1000,
    NS_PER_MS = 1000 * 1000,
    /* Of a stranger's two sockets, what they are made of, and both ends of its connection. */
    DESCRIPTORS_OF_A_STRANGER = 8,
};

struct stranger {
    const char *what; /* for people */
    uint16_t refusal; /* the event that it has to see */
    struct key_pair pair;
    void *zmq;
    void *monitor;
};

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / NS_PER_MS;
}

static void set(void *zmq, int name, const void *value, size_t size)
{
    int rc = zmq_setsockopt(zmq, name, value, size);
    CHECK(rc == 0);
}

static void close_stranger(struct stranger *stranger)
{
    if (stranger->zmq != NULL) {
        (void)zmq_socket_monitor(stranger->zmq, NULL, 0);
        (void)zmq_close(stranger->zmq);
    }
    if (stranger->monitor != NULL) {
        (void)zmq_close(stranger->monitor);
    }
}

/* `server_key`: NULL for one that talks in plaintext. */
static int open_stranger(struct zsock *socket, const char *server_key, struct stranger *stranger)
{
    const int none = 0;
    const int ipv6 = zsock_endpoint_wants_ipv6(socket->endpoint);
    char address[64];
    /* A name that was not there before: libzmq lets go of the last one some time after it was closed. */
    (void)snprintf(address, sizeof(address), "inproc://stranger-%s", stranger->pair.public_key);
    stranger->zmq = zmq_socket(socket->context, ZMQ_DEALER);
    stranger->monitor = zmq_socket(socket->context, ZMQ_PAIR);
    if (stranger->zmq == NULL || stranger->monitor == NULL) {
        return -1;
    }
    set(stranger->zmq, ZMQ_LINGER, &none, sizeof(none));
    set(stranger->zmq, ZMQ_IPV6, &ipv6, sizeof(ipv6));
    if (server_key != NULL) {
        set(stranger->zmq, ZMQ_CURVE_SERVERKEY, server_key, KEY_TEXT_LEN);
        set(stranger->zmq, ZMQ_CURVE_PUBLICKEY, stranger->pair.public_key, KEY_TEXT_LEN);
        set(stranger->zmq, ZMQ_CURVE_SECRETKEY, stranger->pair.secret_key, KEY_TEXT_LEN);
    }
    if (zmq_socket_monitor(stranger->zmq, address, ZMQ_EVENT_ALL) != 0 ||
        zmq_connect(stranger->monitor, address) != 0) {
        return -1;
    }
    return zmq_connect(stranger->zmq, socket->endpoint);
}

/* 1: it was refused as it has to be; -1: it got in; 0: neither yet. */
static int look(const struct stranger *stranger)
{
    struct zsock_event event;
    while (zsock_monitor_next(stranger->monitor, &event)) {
        if (event.type == stranger->refusal) {
            return 1;
        }
        if (event.type == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
            return -1;
        }
    }
    return 0;
}

/* The server's own monitor is read beside it: what strangers of our own making cause there is not
 * to be told of later. */
static bool has_seen_it_off(struct zsock *socket)
{
    struct zsock_event event;
    while (zsock_monitor_next(socket->monitor, &event)) {
        if (event.type == ZMQ_EVENT_DISCONNECTED) {
            return true;
        }
    }
    return false;
}

static int await_refusal(struct zsock *socket,
                         const struct stranger *stranger,
                         struct err_text *ret_error)
{
    int64_t end_ms = now_ms() + LIMIT_MS;
    int verdict = 0;
    bool seen_off = false;
    while (verdict >= 0 && !(verdict == 1 && seen_off)) {
        int64_t left_ms = end_ms - now_ms();
        if (left_ms <= 0) {
            return err_set(ret_error,
                           ERR_INVALID,
                           "it was tried whether %s refuses %s: within %d ms it did not say so",
                           socket->endpoint,
                           stranger->what,
                           LIMIT_MS);
        }
        zmq_pollitem_t items[] = {
            {.socket = stranger->monitor, .events = verdict == 0 ? ZMQ_POLLIN : 0},
            {.socket = socket->monitor, .events = seen_off ? 0 : ZMQ_POLLIN},
        };
        (void)zmq_poll(items, 2, (long)left_ms);
        verdict = verdict == 0 ? look(stranger) : verdict;
        seen_off = seen_off || has_seen_it_off(socket);
    }
    return verdict == 1 ? 0
                        : err_set(ret_error,
                                  ERR_INVALID,
                                  "%s lets %s in: not listening there",
                                  socket->endpoint,
                                  stranger->what);
}

static int try_stranger(struct zsock *socket,
                        const char *server_key,
                        struct stranger *stranger,
                        struct err_text *ret_error)
{
    int rc = descriptors_expect(
        DESCRIPTORS_OF_A_STRANGER, "to try whether strangers are refused", ret_error);
    if (rc != 0) {
        return rc;
    }
    key_pair_make(&stranger->pair);
    if (open_stranger(socket, server_key, stranger) == 0) {
        rc = await_refusal(socket, stranger, ret_error);
    } else {
        rc = err_set(ret_error,
                     ERR_IO,
                     "cannot try whether %s refuses strangers: %s",
                     socket->endpoint,
                     zmq_strerror(errno));
    }
    close_stranger(stranger);
    return rc;
}

int zsock_check_refusals(struct zsock *socket, struct err_text *ret_error)
{
    CHECK(socket->type == ZSOCK_ROUTER);
    struct stranger plain = {.what = "a client without a key",
                             .refusal = ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL};
    struct stranger unknown = {.what = "a key that nobody knows",
                               .refusal = ZMQ_EVENT_HANDSHAKE_FAILED_AUTH};
    char server_key[KEY_TEXT_SIZE] = "";
    size_t size = sizeof(server_key);
    int rc = try_stranger(socket, NULL, &plain, ret_error);
    if (rc == 0 && zmq_getsockopt(socket->zmq, ZMQ_CURVE_PUBLICKEY, server_key, &size) != 0) {
        rc = err_set(ret_error, ERR_IO, "cannot read the key of %s", socket->endpoint);
    }
    rc = rc != 0 ? rc : try_stranger(socket, server_key, &unknown, ret_error);
    socket->watch.monitor_woken = true; /* of what came meanwhile the loop was not told */
    return rc;
}
