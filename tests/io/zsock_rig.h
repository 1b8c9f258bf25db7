/* A loop with sockets on it, for tests: what came is recorded, and the loop runs until something
 * holds or a deadline passes. */
#ifndef QUARTET_TESTS_IO_ZSOCK_RIG_H
#define QUARTET_TESTS_IO_ZSOCK_RIG_H

#include "common/io/zsock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum { RIG_HEADER_MAX = 1024, RIG_PAYLOAD_MAX = 1024 * 1024 };

/* One side: its socket and what it was told. */
struct rig_side {
    struct zsock *socket;
    struct zsock_peer peer; /* of the last message */
    uint64_t connection;    /* likewise */
    unsigned messages;
    unsigned turns;
    unsigned bad;
    unsigned connected;
    unsigned disconnected;
    unsigned dropped;
    uint64_t dropping; /* the last connection of which that was said */
    unsigned retrying;
    unsigned refused;
    char refused_why[64];           /* of the last one */
    char sender_key[KEY_TEXT_SIZE]; /* of the last message */
    unsigned char header[64];       /* the beginning of the last one */
    size_t header_len;
    struct blob *payload; /* of the last message that had one */
    char why[64];         /* of the last bad one */
    bool echo;            /* send each header back */
};

struct rig {
    uv_loop_t loop;
    uv_timer_t deadline;
    uv_check_t check;
    uv_idle_t idle;
    bool late;
    unsigned turns; /* of the loop */
    struct zsock_context *context;
    struct rig_side router;
    struct rig_side dealer;
    const char *endpoint; /* of the router */
};

/* For cmocka: a fresh rig in *state with the router bound to a free port of 127.0.0.1, and the
 * dealer made but not connected. */
int rig_setup(void **state);
/* Closes all; fails unless the loop is left without a handle. */
int rig_teardown(void **state);

int rig_socket(struct rig *rig, enum zsock_type type, struct rig_side *ret_side);
int rig_socket_with(struct rig *rig,
                    enum zsock_type type,
                    const struct zsock_keys *keys,
                    struct rig_side *ret_side);
void rig_close(struct rig_side *side);

/* Connect the dealer, wait for its handshake, and let the router hear it once, so that its peer
 * is known. */
void rig_meet(struct rig *rig);

/* Run the loop until `holds(arg)`; fails the test after ten seconds. */
void rig_run_until(struct rig *rig, bool (*holds)(const void *arg), const void *arg);

/* The same for what happens on other threads, which does not wake the loop: without sleeping. */
void rig_spin_until(struct rig *rig, bool (*holds)(const void *arg), const void *arg);

/* Run the loop for so long. */
void rig_run_for(struct rig *rig, unsigned ms);

/* A header of `len` equal bytes. Returns what zsock_send returned. */
int rig_send(struct rig_side *side,
             struct zsock_peer peer,
             unsigned char byte,
             size_t len,
             struct blob *payload);

/* Wait until this counter has reached `target`. */
void rig_wait(struct rig *rig, const unsigned *counter, unsigned target);

#endif
