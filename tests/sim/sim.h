/* The simulator: the real scheduler and real agents, with everything between and around them modelled: time, connections, engines, the
 * shell of the coordinator, and what goes wrong. One thread, no clock: a seed gives the same run everywhere.
 *
 *   sim_run       the run as a whole, its queue of what happens when, its trace
 *   sim_items     what items come to: which fail, and which kill
 *   sim_network   connections: order kept within one, delays, loss with the connection, doubles
 *   sim_worker    an agent and a model of its engine
 *   sim_server    a model of the coordinator's shell around the scheduler
 *   sim_judge     what must hold, worked out independently from events and actions (sim_judge_state: from what they add up to)
 *   sim_plan      what a seed means: workers, jobs, faults */
#ifndef QUARTET_TESTS_SIM_SIM_H
#define QUARTET_TESTS_SIM_SIM_H

#include "common/base/interval.h"
#include "common/base/rng.h"
#include "common/wire/wire.h"
#include "coordinator/sched.h"
#include "worker/agent.h"

enum {
    SIM_WORKERS_MAX = 8,
    SIM_PEERS_MAX = 12,
    SIM_JOBS_MAX = 3,
    SIM_FAULTS_MAX = 16, /* that come from outside of the job */
    SIM_ALL_FAULTS_MAX = SIM_FAULTS_MAX + 4,
    SIM_SLOTS_MAX = 12,
};

/* --- what a seed means --- */

struct sim_job {
    uint64_t items;
    uint64_t chunk_items; /* 0: automatic */
    uint64_t item_ns;
    uint64_t items_at_once; /* that become available together; 0: all from the start */
    uint64_t failing;       /* every n-th item fails; 0: none */
    uint32_t heals;         /* every second of those fails in so many attempts only; 0: no */
    uint32_t retries_max;   /* with any, the scheduler is told which items failed */
    uint64_t retry_delay_us;
    uint32_t partial_per_mille; /* chunks that end before their last item */
    uint64_t poison;            /* one in so many items kills the worker that runs it; 0: none */
    uint32_t slots;
    uint32_t credit_fixed;
};

enum sim_fault_type {
    SIM_DISCONNECT = 0,
    SIM_CRASH,
    SIM_FREEZE,
    SIM_FREEZE_SERVER,
    SIM_DRAIN_SIGNAL,
    SIM_DRAIN_MESSAGE,
    SIM_SLOW,
    SIM_CANCEL_JOB,
    SIM_HOLD, /* nobody takes results for a while */
    SIM_STOP_JOB,
    SIM_FAULT_TYPES,
};

struct sim_fault {
    enum sim_fault_type type;
    uint64_t at_us;
    uint64_t for_us;
    uint32_t worker;
};

struct sim_plan {
    uint64_t seed;
    uint32_t workers;
    uint32_t job_count;
    struct sim_job jobs[SIM_JOBS_MAX];
    struct sim_fault faults[SIM_ALL_FAULTS_MAX];
    uint32_t fault_count;
    uint64_t calm_us;      /* when faults end */
    uint64_t start_us_max; /* when the last worker may come first */
    bool doomed;           /* when they end all workers are dead for ever */
    uint64_t heartbeat_us;
    uint64_t delay_us_max;
    uint32_t double_per_mille;    /* messages that arrive twice, until calm */
    uint32_t unnoticed_per_mille; /* lost connections that only silence tells */
    uint32_t crash_limit;
    size_t sched_actions;
    bool only_poison; /* no session is ever lost but through a poisonous item */
};

void sim_plan_from_seed(struct sim_plan *plan, uint64_t seed);

/* A named run: one that once failed, or a fault worth having by itself. NULL: unknown; for listing, number `index`. */
struct sim_scenario {
    const char *name;
    const char *why;
    uint64_t seed;
    void (*arrange)(struct sim_plan *plan); /* NULL: as the seed has it */
};

const struct sim_scenario *sim_scenario_find(const char *name);
const struct sim_scenario *sim_scenario_at(size_t index);

/* What is done to the plans of many seeds, to see much of one thing; their `seed` means nothing. NULL: unknown. */
const struct sim_scenario *sim_family_find(const char *name);
const struct sim_scenario *sim_family_at(size_t index);

/* --- messages and what happens when --- */

struct sim_message {
    enum wire_type type;
    uint64_t session;
    uint64_t job;
    uint64_t ack;
    uint64_t nonce;        /* HELLO */
    uint64_t heartbeat_us; /* WELCOME */
    uint32_t reason;       /* REJECT */
    uint32_t slots;        /* JOB, READY */
    uint32_t credit;       /* JOB: fixed; READY, RESULTS: granted */
    uint64_t seq;          /* RESULTS */
    size_t count;
    struct chunk *chunks;         /* CHUNKS, HOLDING; owned */
    struct chunk_result *results; /* RESULTS; owned, without texts */
    struct chunk_id *ids;         /* RETURNED; owned */
};

enum sim_kind {
    SIM_TO_SERVER,
    SIM_TO_WORKER,
    SIM_CONNECTED,
    SIM_DISCONNECTED,
    SIM_ENGINE_READY,
    SIM_ENGINE_STOPPED,
    SIM_CHUNK_ENDED,
    SIM_POISONED,
    SIM_ENGINE_WAKES,
    SIM_START,
    SIM_FAULT,
    SIM_FEED,
    SIM_PROBE,
    SIM_GO_ON, /* after SIM_HOLD */
    SIM_CALM,
};

/* Something that will happen. */
struct sim_entry {
    uint64_t time_us;
    uint64_t order; /* entries of one time happen in the order they were made */
    enum sim_kind kind;
    uint32_t worker;
    uint64_t life; /* of the worker; an entry of an earlier life means nothing */
    uint64_t connection;
    uint64_t value;
    struct sim_message *message; /* owned */
};

struct sim_queue {
    struct sim_entry *list; /* binary heap */
    size_t count;
    size_t capacity;
    uint64_t next_order;
};

/* --- the parts --- */

struct sim_connection {
    uint32_t worker;
    bool up;
    uint64_t cut_us;     /* what would reach the server later is lost */
    uint64_t last_us[2]; /* last arrival in each direction: to the server, to the worker */
};

struct sim_network {
    struct sim_connection *connections; /* by id - 1 */
    size_t count;
    size_t capacity;
};

struct sim_run_slot {
    bool busy;
    struct chunk chunk;
    uint64_t done; /* items that it will have run when it ends */
};

struct sim_engine {
    bool ready;
    uint64_t job;
    uint64_t generation; /* entries of an earlier engine mean nothing */
    uint32_t slots;
    struct sim_run_slot running[SIM_SLOTS_MAX];
    struct chunk *queue;
    size_t queued;
    size_t queue_capacity;
    struct chunk_result *done;
    size_t done_count;
    size_t done_capacity;
    bool waking;
};

struct sim_worker {
    uint32_t index;
    struct agent *agent; /* NULL: dead */
    uint64_t life;
    uint64_t nonce;
    uint64_t connection; /* 0: none */
    uint64_t frozen_until_us;
    uint64_t slowness; /* 1: as planned */
    bool exited;
    uint32_t job_slots; /* of the job last received */
    struct sim_engine engine;
    struct sim_message *in_hand; /* the message whose event is being handled */
};

enum sim_peer_state { SIM_PEER_IDLE, SIM_PEER_STARTING, SIM_PEER_RUNNING, SIM_PEER_LEAVING };

struct sim_peer {
    uint64_t session; /* 0: free */
    uint64_t connection;
    uint64_t nonce;
    enum sim_peer_state state;
    uint64_t seq;
    uint64_t acked;
    uint64_t heard_us;
    uint64_t sent_us;
    struct chunk *batch;
    size_t batch_count;
    size_t batch_capacity;
};

struct sim_server {
    struct sched *sched;
    struct sim_peer peers[SIM_PEERS_MAX];
    uint64_t next_session;
    uint32_t job_index;
    uint64_t job; /* id; 0: no job */
    uint64_t fed;
    bool job_over;
    bool cancelled;
    bool stopped;
    bool stalled;
    bool no_more_workers;
    uint64_t frozen_until_us;
    uint64_t beat_us; /* next one */
    bool dirty;
};

/* How suspect a chunk is, and so how many of its like one worker may have. */
enum sim_suspicion { SIM_CLEAR = 0, SIM_COMPANY, SIM_GROUP, SIM_ALONE, SIM_SUSPICIONS };

/* What the judge knows of a chunk, by the slot that the actions name. */
struct sim_chunk {
    uint64_t id; /* 0: none is live in this slot */
    uint64_t last_id;
    uint64_t first;
    uint64_t count;
    uint32_t attempt;
    enum sim_suspicion suspicion;
    uint32_t losses; /* while it was alone */
    uint32_t failures;
    bool must_split;
    uint64_t holder; /* session; 0: queued */
};

/* What is left of a chunk that is over, and has not been sent yet. */
struct sim_part {
    uint64_t first;
    uint64_t count;
    uint32_t attempt; /* that it must be sent as */
    enum sim_suspicion suspicion;
    uint32_t failures;
    uint64_t due_us;
};

struct sim_session {
    uint64_t id;
    uint64_t credit;
    uint32_t slots;
    uint32_t held;                /* chunks */
    enum sim_suspicion suspicion; /* of all of them */
    uint32_t stale;               /* chunks that it runs for nothing: another's result counted */
    bool live;
    bool draining;
};

/* What the chunks and parts of a judge add up to. */
struct sim_sums {
    uint64_t items_held;
    uint64_t items_queued;
    bool waits[SIM_SUSPICIONS]; /* something of this suspicion, that may be sent now */
    uint64_t must_split;        /* id of a chunk; 0: none */
};

struct sim_judge {
    struct interval_set counted;
    struct tally tally;
    struct sim_chunk *chunks;
    size_t chunk_capacity;
    size_t live; /* chunks and parts */
    size_t live_max;
    struct sim_part *parts;
    size_t part_count;
    size_t part_capacity;
    uint64_t cut;       /* where the next fresh chunk must begin */
    uint64_t count_max; /* items of the largest chunk */
    uint64_t abandoned; /* items */
    bool disturbed;     /* a session ended, or a chunk was given back */
    uint64_t answering; /* session whose result is in hand, and has not counted */
    bool holding;
    bool stopped;
    struct sim_sums sums; /* after the last step */
    struct sim_session *sessions;
    size_t session_count;
    size_t session_capacity;
    bool done;
    bool stalled;
};

struct sim {
    struct sim_plan plan;
    struct rng rng;
    bool verbose;
    uint64_t now_us;
    bool calm;
    bool ending;     /* all jobs are over */
    bool no_restart; /* whoever dies now stays dead */
    uint64_t steps;
    struct sim_queue queue;
    struct sim_network network;
    struct sim_worker workers[SIM_WORKERS_MAX];
    struct sim_server server;
    struct sim_judge judge;
    uint32_t jobs_done;
    uint32_t jobs_cancelled;
    uint64_t duplicates;
    uint64_t abandoned;
    uint64_t retried;
    uint64_t splits;
    uint64_t lost;
    uint64_t poisoned;             /* workers that died of an item of the job */
    uint16_t *tries[SIM_JOBS_MAX]; /* how often each item was run to its end, where items are few */
};

/* --- sim_run.c --- */

/* Run a plan to its end, or print what was broken and abort. */
void sim_run(const struct sim_plan *plan, bool verbose);

/* The rule that is broken, with values; aborts. */
_Noreturn void sim_fail(const struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void sim_trace(const struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* `entry` at `time_us`; takes over its message. */
void sim_at(struct sim *sim, uint64_t time_us, struct sim_entry entry);

/* Uniform in [low, high]. */
uint64_t sim_between(struct sim *sim, uint64_t low, uint64_t high);
bool sim_chance(struct sim *sim, uint32_t per_mille);

/* malloc and realloc that cannot fail here. */
void *sim_realloc(void *old, size_t size);

/* --- sim_items.c --- */

/* What items [first, first + count) come to. */
struct tally sim_tally(const struct sim_job *job, uint64_t first, uint64_t count, uint32_t attempt);

/* Which of them fail, `first` counted from the first. Returns how many spans; the list is the caller's. */
size_t sim_failed(const struct sim_job *job,
                  uint64_t first,
                  uint64_t count,
                  uint32_t attempt,
                  struct sched_span **ret_spans);

/* How often an item is run when nothing else goes wrong. */
uint32_t sim_tries(const struct sim_job *job, uint64_t item);

/* The first of these items that is poisonous; `first + count` when none is. And how many are. */
uint64_t sim_poison(const struct sim_job *job, uint64_t first, uint64_t count);
uint64_t sim_poison_count(const struct sim_job *job);

/* Is it few enough items to keep a record of each? */
bool sim_counts_tries(const struct sim_job *job);

/* --- sim_network.c --- */

struct sim_message *sim_message_new(enum wire_type type, uint64_t session, uint64_t job);
void sim_message_free(struct sim_message *message);

/* A new connection of a worker, up at once. Returns its id. */
uint64_t sim_connect(struct sim *sim, uint32_t worker);

/* What is under way to the worker is lost, to the server what would arrive after a random moment; nothing of that
 * when `all_arrives`. `id` is the connection's, here and below. */
void sim_disconnect(struct sim *sim, uint64_t id, bool all_arrives);

/* Each takes over the message. The first returns false when the connection is down and the sender notices. */
bool sim_send_to_worker(struct sim *sim, uint64_t id, struct sim_message *message);
void sim_send_to_server(struct sim *sim, uint64_t id, struct sim_message *message);

/* Does a message that arrives now on this connection get through? */
bool sim_arrives(const struct sim *sim, const struct sim_entry *entry);

/* --- sim_worker.c --- */

void sim_worker_start(struct sim *sim, uint32_t index);

/* Dies without a word. */
void sim_worker_kill(struct sim *sim, uint32_t index);
void sim_worker_happens(struct sim *sim, struct sim_entry *entry);
void sim_worker_drain(struct sim *sim, uint32_t index);
void sim_worker_break_connection(struct sim *sim, uint32_t index, uint64_t for_us);
void sim_worker_tick(struct sim *sim, uint32_t index);

/* When the agent's next timer is due. */
uint64_t sim_worker_deadline_us(const struct sim *sim, uint32_t index);
void sim_worker_deinit(struct sim_worker *worker);

/* --- sim_server.c --- */

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

/* --- sim_judge.c --- */

/* A session has ended one that it ran for nothing, if it had any. */
void sim_judge_not_stale(struct sim_judge *judge, uint64_t id);

/* Most chunks of one suspicion that a worker may have. */
uint32_t sim_company_max(enum sim_suspicion suspicion);

void sim_judge_begin_job(struct sim *sim);
void sim_judge_deinit(struct sim_judge *judge);
void sim_judge_event(struct sim *sim, const struct sched_event *event);
void sim_judge_action(struct sim *sim,
                      const struct sched_event *event,
                      const struct sched_action *action);

/* --- sim_judge_state.c --- */

/* After each step of the scheduler. */
void sim_judge_state(struct sim *sim);

/* When it has nothing more to say for now. */
void sim_judge_settled(struct sim *sim);

/* The job is over: everything is accounted for exactly once, or it was cancelled or stopped. */
void sim_judge_end_job(struct sim *sim);

#endif
