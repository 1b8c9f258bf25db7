/* The parts of a zsock and what they tell each other. Private to common/io/zsock*.c. */
#ifndef QUARTET_COMMON_IO_ZSOCK_INTERNAL_H
#define QUARTET_COMMON_IO_ZSOCK_INTERNAL_H

#include "common/io/zsock.h"

#include <stdatomic.h>
#include <uv.h>
#include <zmq.h>

enum { ZSOCK_ENDPOINT_SIZE = 512 };

struct zap;

struct zsock_context {
    void *zmq;
    struct zap *zap;           /* NULL: nobody checks keys */
    atomic_uint_fast64_t next; /* number of the next monitor */
};

enum { ZSOCK_MONITOR_SIZE = 64 };

/* Where a socket's monitor is: an address that no other one of this context ever had. libzmq lets go of an address
 * some time after its socket was closed, so that a socket's own address in memory would not do: the next one may
 * have the same. */
void zsock_monitor_address(struct zsock_context *context, char ret_address[ZSOCK_MONITOR_SIZE]);

/* zap.c: wait for the end of a handler whose context was shut down, and free it. */
void zap_end(struct zap *zap);

enum zsock_frame { FRAME_ID, FRAME_HEADER, FRAME_PAYLOAD, FRAME_EXCESS, FRAME_KINDS };

/* The message that is coming in, frame by frame. */
struct zsock_inbound {
    enum zsock_frame next;         /* what the next frame will be */
    zmq_msg_t frames[FRAME_KINDS]; /* always initialised; received into again and again */
    struct zsock_peer peer;
    bool has_payload;
    const char *bad; /* why the message will be dropped at its end; NULL: it is good so far */
};

enum { ZSOCK_ACCEPTED_KEPT = 64, ZSOCK_ADDRESS_SIZE = 64 };

/* Of a ROUTER: where the latest connections came from, so that it can be said of one that fails in its handshake. libzmq tells of
 * the failure without saying whose it is, and then that a descriptor was closed. */
struct zsock_knocks {
    struct zsock_accepted {
        int fd;
        char address[ZSOCK_ADDRESS_SIZE];
    } accepted[ZSOCK_ACCEPTED_KEPT];

    unsigned next;   /* of them, to be overwritten */
    const char *why; /* the connection that closes next failed; NULL: it did not. A literal */
};

/* The handles on the loop, and what they know. */
struct zsock_watch {
    uv_poll_t poll;         /* libzmq has something for the socket */
    uv_poll_t monitor_poll; /* likewise for its monitor */
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uv_timer_t dropped_timer; /* ROUTER: tell of dropped peers. DEALER: connect anew */
    uv_handle_t *handles[6];  /* those initialised, in order */
    unsigned handle_count;
    unsigned drops_to_tell;
    bool woken;         /* poll fired since the last check */
    bool monitor_woken; /* likewise, or events were left over */
    /* libzmq was called since it last said that there is nothing to read: the wake-up may be
     * lost. */
    bool touched;
    bool held_awake; /* idle runs: there is something to read */
};

struct zsock {
    void *context; /* of libzmq */
    void *zmq;
    void *monitor;
    enum zsock_type type;
    size_t header_max;
    size_t payload_max;
    const struct zsock_handlers *handlers;
    void *arg;
    struct zsock_watch watch;
    struct zsock_inbound in;
    zmq_msg_t outgoing; /* the header being made */
    bool outgoing_made;
    bool connected; /* DEALER: the handshake succeeded and the connection stands */
    bool closing;
    bool curve;                 /* encrypted: it has keys */
    struct zsock_knocks knocks; /* ROUTER: who comes and is not let in */
    char endpoint[ZSOCK_ENDPOINT_SIZE];
};

/* zsock_loop.c: put the socket and its monitor on the loop. On an error what was begun is undone
 * by zsock_watch_stop. */
int zsock_watch_start(struct zsock *socket, uv_loop_t *loop);
/* Close the handles; the last one's callback frees the socket. */
void zsock_watch_stop(struct zsock *socket);
/* Is there something to read? Makes libzmq do its pending work, so it also knows who is gone. */
bool zsock_has_input(struct zsock *socket);

/* ROUTER: a connection dropped; the owner is told when libzmq knows whose it was. */
void zsock_peer_has_dropped(struct zsock *socket);

/* DEALER: a connection or a handshake failed. Unless libzmq is heard to try again (zsock_is_connecting), connect anew after a
 * moment: after a breach of its protocol (a frame beyond all limits, a port that somebody else had for a while) it does not try
 * again. */
void zsock_may_have_given_up(struct zsock *socket);
void zsock_is_connecting(struct zsock *socket);

/* zsock_receive.c: hand over what has come, within the budget of a turn. */
void zsock_receive(struct zsock *socket);
/* The peer whose routing id these bytes are; 0 when libzmq did not give it. */
struct zsock_peer zsock_peer_of(const void *id, size_t len);

enum { ZSOCK_ID_SIZE = 5 };

/* The connection with this descriptor; 0: below 0. */
static inline uint64_t zsock_connection_of(int fd)
{
    return fd < 0 ? 0 : (uint64_t)fd + 1;
}

/* zsock_monitor.c: open the monitor of a socket; NULL with errno set when it cannot be had. */
void *zsock_monitor_open(struct zsock_context *context, struct zsock *socket);
void zsock_monitor_close(struct zsock *socket);
/* Tell the owner what happened to connections. Returns whether there may be more to tell. */
bool zsock_monitor_receive(struct zsock *socket);

/* zsock_keys.c: encrypt everything. Before a bind or a connect. */
void zsock_set_keys(struct zsock *socket, const struct zsock_keys *keys);

/* One event of a monitor; false when there is none. */
struct zsock_event {
    uint16_t type;  /* ZMQ_EVENT_... */
    uint32_t value; /* a descriptor, or an error, by type */
};

bool zsock_monitor_next(void *monitor, struct zsock_event *ret_event);

/* zsock_knocks.c: an event of a ROUTER's monitor, as far as it is about connections that come and
 * fail. */
void zsock_knocks_event(struct zsock *socket, const struct zsock_event *event);

/* zsock_endpoint.c: what libzmq does not check. Does somebody listen on this ipc:// endpoint
 * (false for any other)? libzmq would take the path away from them. */
bool zsock_ipc_is_taken(const char *endpoint);
/* Is the port, if any, at most 65535? libzmq would take another one. */
bool zsock_port_is_sound(const char *endpoint);
/* False for a numeric IPv4 address, which libzmq would otherwise show as [::ffff:...]. */
bool zsock_endpoint_wants_ipv6(const char *endpoint);

#endif
