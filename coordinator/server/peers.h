/* The table of workers that the server knows: who they are, how far their session is, and what
 * is gathered for their next message. Plain data with a table around it; server.c decides, this
 * keeps. */
#ifndef QUARTET_COORDINATOR_SERVER_PEERS_H
#define QUARTET_COORDINATOR_SERVER_PEERS_H

#include "common/base/chunk.h"
#include "common/io/zsock.h"
#include "common/wire/wire.h"
#include "coordinator/sched/sched.h"
#include "coordinator/server/peers_index.h"
#include "coordinator/status/tempo.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PEER_INDEX_BITS = 16,
    PEERS_MAX = 1 << PEER_INDEX_BITS,
    PEER_NAME_SIZE = 128,
};

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

/* RESULTS up to `seq` are durable when that of the run which `noted` counts is: runner_noted. Of the
 * numbers that are not durable yet there are two at most: what is being written, and what is next. */
enum { PEER_RECEIPTS_MAX = 2 };

struct peer_receipt {
    uint64_t noted;
    uint64_t seq;
};

/* Who comes: where its messages go, what tells its process from others, and which connection it came by (0: not known).
 * No two workers have one of these in common. */
struct peer_identity {
    struct zsock_peer address;
    uint64_t nonce;
    uint64_t connection;
};

struct peer {
    struct zsock_peer address;
    uint64_t session;
    uint64_t nonce;
    uint64_t
        connection; /* 0: not known, or another one's by now: see whether it is there whenever any drops */
    uint32_t index;
    enum peer_state state;
    char name[PEER_NAME_SIZE];
    char host[PEER_NAME_SIZE];
    /* The authorized key that its connection was let in with; "": without one, or with one that was made for it here. */
    char key[KEY_TEXT_SIZE];
    uint32_t cores;
    uint32_t strategies;
    uint32_t credit_max;
    uint32_t protocol_minor; /* what it can be sent */

    uint64_t heard_us;
    uint64_t
        coming_until_us; /* until then a long message may be on its way, and nothing else is heard */
    uint64_t sent_us;
    struct tempo tempo; /* of its life signs */
    /* Until then it is to be seen, when connections drop, whether it can be reached: its own has dropped, or may have before it was
     * known. */
    uint64_t probe_until_us;
    uint64_t seq;     /* last RESULTS accounted for */
    uint64_t durable; /* last one that may be acknowledged: what it brought is durable */
    uint64_t acked;   /* last one told to it */
    struct peer_receipt receipts[PEER_RECEIPTS_MAX]; /* what came behind `durable`, oldest first */
    uint32_t receipt_count;
    uint64_t busy_job; /* its engine stands for this job; 0: none */

    uint32_t slots; /* of the job */
    bool cooperative;
    uint64_t cpu_us;        /* of the job so far */
    uint64_t items_done;    /* of the job, as far as results have come */
    uint64_t items_all;     /* of all jobs of its session */
    uint64_t asked_us;      /* when it was sent the job */
    uint64_t startup_us;    /* of the job */
    uint64_t round_trip_us; /* the shortest so far; 0: none was measured */
    uint64_t fetched; /* bytes of the job's plugin that were sent to it, or that it had before */

    struct sched_holding *holding; /* what it has in hand from an earlier session; until READY */
    size_t holding_count;

    struct peer_batch batch;
    bool dirty;       /* in the list of peers to flush */
    const char *lost; /* not NULL: why it is to be forgotten, at the next flush. A literal */
};

/* Does the scheduler know it? */
static inline bool peer_is_joined(const struct peer *peer)
{
    return peer->state == PEER_RUNNING || peer->state == PEER_LEAVING;
}

struct peers {
    struct peer **by_index; /* PEERS_MAX at most; NULL: free */
    uint32_t high;          /* indices below this have been used */
    uint32_t count;
    uint32_t max;
    uint64_t next_serial; /* upper bits of the next session */
    uint32_t *free;       /* indices below `high` that nobody has, high - count of them */
    struct peers_index nonces;
    struct peers_index addresses;
    struct peers_index connections;
};

/* `serial`: where session numbers begin; random, so that sessions of another coordinator are
 * never taken for ours. */
int peers_init(struct peers *peers, uint32_t max, uint64_t serial);
void peers_deinit(struct peers *peers);

/* A new registered peer with a fresh session. Its nonce and address are nobody else's: whoever had them was removed.
 * Whoever had its connection has lost it. NULL: the table is full or no memory. */
struct peer *peers_add(struct peers *peers, const struct peer_identity *identity);
void peers_remove(struct peers *peers, struct peer *peer);

/* By session number; NULL when there is no such session (any more). */
struct peer *peers_find(const struct peers *peers, uint64_t session);
struct peer *peers_find_nonce(const struct peers *peers, uint64_t nonce);
struct peer *peers_find_address(const struct peers *peers, struct zsock_peer address);
struct peer *peers_find_connection(const struct peers *peers, uint64_t connection);

/* RESULTS up to peer->seq have been accounted for and are noted as `noted`; `durable` is how far what
 * was noted is durable. */
void peer_note_received(struct peer *peer, uint64_t noted, uint64_t durable);

/* What was noted is durable as far as that. Returns whether more can be acknowledged now. */
bool peer_note_durable(struct peer *peer, uint64_t durable);

/* It has these chunks in hand, `count` more than it said before. Returns 0; ERR_INVALID when that is
 * more than it can have; ERR_NOMEM. */
int peer_add_holding(struct peer *peer, const struct wire_chunks *chunks);
void peer_forget_holding(struct peer *peer);

/* Append one chunk; takes over its payload reference. Returns 0 or ERR_NOMEM (the reference
 * stays the caller's). */
int peer_batch_add(struct peer_batch *batch, const struct chunk *chunk);
/* Forget what is gathered, with its references. */
void peer_batch_clear(struct peer_batch *batch);

#endif
