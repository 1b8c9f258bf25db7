/* Messages, and the connections that carry them. */
#ifndef QUARTET_TESTS_SIM_SIM_NETWORK_H
#define QUARTET_TESTS_SIM_SIM_NETWORK_H

#include "common/base/chunk.h"
#include "common/wire/wire.h"
#include "tests/sim/sim_time.h"

struct sim_message {
    enum wire_type type;
    uint64_t session;
    uint64_t job;
    uint64_t ack;
    uint64_t nonce;        /* HELLO */
    uint64_t heartbeat_us; /* WELCOME; HEARTBEAT of the coordinator */
    uint32_t reason;       /* REJECT */
    uint32_t slots;        /* JOB, READY */
    uint32_t credit;       /* JOB: fixed; READY, RESULTS: granted */
    uint64_t seq;          /* RESULTS */
    size_t count;
    struct chunk *chunks;         /* CHUNKS, HOLDING; owned */
    struct chunk_result *results; /* RESULTS; owned, without texts and records */
    struct chunk_id *ids;         /* RETURNED; owned */
    bool lie;                     /* for the judge: it has something that no honest worker says */
    size_t lies;                  /* of RESULTS, how many of the first entries are such */
};

struct sim_connection {
    uint32_t worker;
    bool up;
    bool dead;           /* nothing arrives any more, and neither end has noticed */
    uint64_t cut_us;     /* what would reach the server later is lost */
    uint64_t last_us[2]; /* last arrival in each direction: to the server, to the worker */
};

/* The way between a worker's machine and the server's, which its connections share. */
struct sim_link {
    uint64_t cut_until_us;
    uint64_t bytes_per_ms; /* 0: as many as there are */
    uint64_t slow_until_us;
    uint64_t busy_until_us[2];
};

struct sim_network {
    struct sim_link *links;             /* by worker */
    struct sim_connection *connections; /* by id - 1 */
    size_t count;
    size_t capacity;
};

void sim_network_init(struct sim_network *network, uint32_t workers);
void sim_network_deinit(struct sim_network *network);

struct sim_message *sim_message_new(enum wire_type type, uint64_t session, uint64_t job);
struct sim_message *sim_message_copy(const struct sim_message *message);
void sim_message_free(struct sim_message *message);

/* A new connection of a worker, up at once. Returns its id. */
uint64_t sim_connect(struct sim *sim, uint32_t worker);

/* What still reaches the server of what is under way to it when a connection breaks. To the worker nothing does. */
enum sim_rest { SIM_REST_IS_LOST, SIM_REST_PARTLY_ARRIVES, SIM_REST_ARRIVES };

/* `id` is the connection's, here and below. */
void sim_disconnect(struct sim *sim, uint64_t id, enum sim_rest rest);

/* Each takes over the message. The first returns false when the connection is down and the sender notices. */
bool sim_send_to_worker(struct sim *sim, uint64_t id, struct sim_message *message);
void sim_send_to_server(struct sim *sim, uint64_t id, struct sim_message *message);

/* Does a message that arrives now on this connection get through? */
bool sim_arrives(const struct sim *sim, const struct sim_entry *entry);

/* Silence both ways. With `loss` what is sent meanwhile is lost, and the connections of then are dead. */
void sim_link_cut(struct sim *sim, uint32_t worker, uint64_t for_us, bool loss);

/* Until when nothing gets through; 0, or earlier than now: it does. */
uint64_t sim_link_cut_until_us(const struct sim *sim, uint32_t worker);

void sim_link_slow(struct sim *sim, uint32_t worker, uint64_t for_us);

#endif
