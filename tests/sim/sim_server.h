/* A model of the coordinator's shell: sessions, acknowledgements and life signs as proto/quartet.proto has them, around the real
 * scheduler, with a journal. It decides nothing about chunks. */
#ifndef QUARTET_TESTS_SIM_SIM_SERVER_H
#define QUARTET_TESTS_SIM_SIM_SERVER_H

#include "coordinator/sched/sched.h"
#include "coordinator/status/tempo.h"
#include "tests/sim/sim_network.h"

enum sim_peer_state { SIM_PEER_IDLE, SIM_PEER_STARTING, SIM_PEER_RUNNING, SIM_PEER_LEAVING };

struct sim_peer {
    uint64_t session; /* 0: free */
    uint64_t connection;
    uint64_t nonce;
    uint32_t worker; /* whose connection it is; only to find it by its nonce */
    enum sim_peer_state state;
    uint64_t seq;     /* last RESULTS accounted for */
    uint64_t durable; /* last one of which nothing can get lost any more */
    uint64_t acked;   /* last one told to it */
    uint64_t heard_us;
    uint64_t sent_us;
    struct tempo tempo;
    struct chunk *batch;
    size_t batch_count;
    size_t batch_capacity;
    struct sched_holding *holding;
    size_t holding_count;
    bool dirty;
};

/* Who is registered. Of a worker that registers twice only the later one is found by its nonce. */
struct sim_peers {
    struct sim_peer *list;
    uint32_t *free; /* indices, the last one is next */
    uint32_t free_count;
    uint32_t max;
    uint32_t *of_session; /* index by session, which count up; UINT32_MAX: over */
    size_t sessions;
    size_t session_capacity;
    uint32_t *of_worker; /* the last one that it had */
    uint32_t *dirty;     /* indices of those to flush */
    uint32_t dirty_count;
};

/* RESULTS that are durable when a group is. */
struct sim_receipt {
    uint64_t session;
    uint64_t seq;
    uint64_t group;
};

/* In the order in which they came; so are their groups. */
struct sim_receipts {
    struct sim_receipt *list;
    size_t first;
    size_t count; /* from the list's beginning */
    size_t capacity;
};

struct sim_server {
    struct sched *sched;
    struct sim_peers peers;
    struct sim_receipts receipts;
    struct sim_clock clock;
    uint64_t life; /* counts restarts */
    bool down;
    uint64_t
        crash_writing_us; /* when it next writes a group it crashes, for so long; 0: it does not */
    uint32_t job_index;
    uint64_t job; /* id; 0: no job */
    uint64_t fed;
    uint64_t
        known; /* items that had been read when the last group became durable that it came back from */
    bool job_over;
    bool cancelled;
    bool stopped;
    bool stalled;
    bool no_more_workers;
    uint64_t frozen_until_us;
    uint64_t slowest_us; /* that any worker may still keep to between two life signs */
    uint64_t beat_us;    /* next one, by its clock */
    const struct sim_message *in_hand; /* for the judge, not for decisions */
    bool lie;                          /* so is the entry of it in hand */
};

void sim_server_init(struct sim *sim);
void sim_server_deinit(struct sim *sim);
void sim_server_happens(struct sim *sim, struct sim_entry *entry);
void sim_server_tick(struct sim *sim);
uint64_t sim_server_deadline_us(const struct sim *sim);
void sim_server_drain(struct sim *sim, uint32_t worker);
void sim_server_cancel(struct sim *sim);
void sim_server_hold(struct sim *sim, uint64_t for_us);
void sim_server_stop(struct sim *sim);
void sim_server_no_more_workers(struct sim *sim);

/* It does nothing for a while; `suspend`: its clock stands still meanwhile. */
void sim_server_freeze(struct sim *sim, uint64_t for_us, bool suspend);

/* Something that concerns it, unless it crashes before. */
struct sim_entry sim_server_entry(const struct sim *sim, enum sim_kind kind, uint64_t value);

/* --- sim_server_job.c: the scheduler, one job after the other, and what a crash leaves of them --- */

/* An event for the scheduler. Returns its answer: refusals are allowed for what a liar said. */
int sim_server_step(struct sim *sim, const struct sched_event *event);
void sim_server_feed(struct sim *sim);
void sim_server_begin_job(struct sim *sim);

/* After each thing that happened: whatever is due to workers, and the next job when this one is over. */
void sim_server_settle(struct sim *sim);

/* What is durable may be acknowledged. */
void sim_server_committed(struct sim *sim);

/* RESULTS of a session are accounted for in memory. */
void sim_server_note_receipt(struct sim *sim, const struct sim_peer *peer);

/* All it knew is lost but the journal; it is there again after a while. */
void sim_server_crash(struct sim *sim, uint64_t for_us);
void sim_server_restart(struct sim *sim);

/* --- what sim_server.c has for it --- */

/* Forget a peer; the scheduler is told when it knows it. */
void sim_peer_gone(struct sim *sim, struct sim_peer *peer, enum sched_event_type how);
bool sim_peer_has_joined(const struct sim_peer *peer);

/* What its machine's clock shows. */
uint64_t sim_server_clock_us(const struct sim *sim);

/* --- sim_server_send.c --- */

/* Returns false when the peer could not be reached; it is forgotten then. */
bool sim_peer_send(struct sim *sim, struct sim_peer *peer, struct sim_message *message);
bool sim_peer_send_plain(struct sim *sim, struct sim_peer *peer, enum wire_type type);
/* Which says how often life signs are given now; so does WELCOME. */
bool sim_peer_send_heartbeat(struct sim *sim, struct sim_peer *peer);
bool sim_peer_send_welcome(struct sim *sim, struct sim_peer *peer);
void sim_peer_send_job(struct sim *sim, struct sim_peer *peer);
void sim_peer_queue_chunk(struct sim *sim, const struct sched_action *action);
void sim_server_flush(struct sim *sim);

/* Refuse whoever is on this connection; or a peer that has said what cannot be, which is lost then. */
void sim_server_reject(struct sim *sim,
                       uint64_t connection,
                       uint64_t session,
                       enum wire_reason reason);
void sim_server_refuse(struct sim *sim, struct sim_peer *peer, enum wire_reason reason);

/* --- sim_peers.c --- */

void sim_peers_init(struct sim_peers *peers, uint32_t max, uint32_t workers);
void sim_peers_deinit(struct sim_peers *peers);

/* A new session, of which nothing is set but the number. NULL: there are as many as may be. */
struct sim_peer *sim_peers_add(struct sim_peers *peers, uint32_t worker, uint64_t nonce);
void sim_peers_remove(struct sim_peers *peers, struct sim_peer *peer);
void sim_peers_clear(struct sim_peers *peers);
uint32_t sim_peers_count(const struct sim_peers *peers);
struct sim_peer *sim_peers_find(const struct sim_peers *peers, uint64_t session);
struct sim_peer *sim_peers_find_nonce(const struct sim_peers *peers,
                                      uint32_t worker,
                                      uint64_t nonce);

/* Something is to be sent to it. */
void sim_peers_mark(struct sim_peers *peers, struct sim_peer *peer);

/* One of those, which is none of them any more; NULL: there is none. */
struct sim_peer *sim_peers_take_marked(struct sim_peers *peers);

#endif
