/* The table of workers that the server knows: who they are, how far their session is, and what
 * is gathered for their next message. Plain data with a table around it; server.c decides, this
 * keeps. */
#ifndef QUARTET_COORDINATOR_PEERS_H
#define QUARTET_COORDINATOR_PEERS_H

#include "common/base/chunk.h"
#include "common/io/zsock.h"
#include "common/wire/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PEER_INDEX_BITS = 16, PEERS_MAX = 1 << PEER_INDEX_BITS, PEER_NAME_SIZE = 128 };

enum peer_state {
    PEER_IDLE = 1, /* registered, no job */
    PEER_STARTING, /* was sent the job, has not answered READY */
    PEER_RUNNING,  /* ready: known to the scheduler */
    PEER_UNABLE,   /* answered READY with an error */
    PEER_LEAVING,  /* draining */
};

/* Chunks gathered for one CHUNKS message, as the wire wants them. Grows to WIRE_CHUNKS_MAX. */
struct peer_batch {
    uint64_t *id;
    uint64_t *first;
    uint64_t *items;
    uint32_t *attempt;
    uint32_t *payload_len;
    struct zsock_part *parts;
    struct blob **blobs;
    size_t count;
    size_t capacity;
    size_t payload_bytes;
};

struct peer {
    struct zsock_peer address;
    uint64_t session;
    uint64_t nonce;
    uint32_t index;
    enum peer_state state;
    char name[PEER_NAME_SIZE];
    char host[PEER_NAME_SIZE];
    uint32_t cores;
    uint32_t strategies;
    uint32_t credit_max;
    uint32_t protocol_minor; /* what it can be sent */

    uint64_t heard_us;
    uint64_t sent_us;
    uint64_t seq;      /* last RESULTS accounted for */
    uint64_t acked;    /* last one told to it */
    uint64_t busy_job; /* its engine stands for this job; 0: none */

    uint32_t slots; /* of the job */
    bool cooperative;
    uint64_t cpu_us;     /* of the job so far */
    uint64_t items_done; /* of the job, as far as results have come */
    uint64_t startup_us; /* of the job */
    uint64_t fetched;    /* bytes of the job's plugin that were sent to it, or that it had before */

    struct peer_batch batch;
    bool dirty;       /* in the list of peers to flush */
    const char *lost; /* not NULL: why it is to be forgotten, at the next flush. A literal */
};

struct peers {
    struct peer **by_index; /* PEERS_MAX at most; NULL: free */
    uint32_t high;          /* indices below this have been used */
    uint32_t count;
    uint32_t max;
    uint64_t next_serial; /* upper bits of the next session */
};

/* `serial`: where session numbers begin; random, so that sessions of another coordinator are
 * never taken for ours. */
int peers_init(struct peers *peers, uint32_t max, uint64_t serial);
void peers_deinit(struct peers *peers);

/* A new registered peer with a fresh session. NULL: the table is full or no memory. */
struct peer *peers_add(struct peers *peers, struct zsock_peer address);
void peers_remove(struct peers *peers, struct peer *peer);

/* By session number; NULL when there is no such session (any more). */
struct peer *peers_find(const struct peers *peers, uint64_t session);
struct peer *peers_find_nonce(const struct peers *peers, uint64_t nonce);
struct peer *peers_find_address(const struct peers *peers, struct zsock_peer address);

/* Append one chunk; takes over its payload reference. Returns 0 or ERR_NOMEM (the reference
 * stays the caller's). */
int peer_batch_add(struct peer_batch *batch, const struct chunk *chunk);
/* Forget what is gathered, with its references. */
void peer_batch_clear(struct peer_batch *batch);

#endif
