/* The parts of the agent, for worker/agent*.c and nobody else: the credit window, the results
 * that wait for their acknowledgement, and the agent's own state. */
#ifndef QUARTET_WORKER_AGENT_INTERNAL_H
#define QUARTET_WORKER_AGENT_INTERNAL_H

#include "common/base/err.h"
#include "common/base/rng.h"
#include "worker/agent.h"

/* --- the window: how many chunks to hold (agent_window.c) --- */

struct agent_window {
    uint32_t size;    /* chunks wanted, held and asked for together */
    uint32_t largest; /* of this job so far */
    uint32_t least;   /* twice the slots */
    uint32_t most;    /* credit_max */
    uint32_t slots;
    bool fixed;        /* the job says how many; nothing adapts */
    bool starved;      /* since the last change slots stood idle for want of credit */
    uint64_t since_us; /* when the last change was made; what follows was counted since */
    uint64_t finished; /* chunks */
    uint64_t run_us;   /* sum of their run times */
};

/* Start for a job on `slots` slots; `fixed` 0: adapt. */
void agent_window_init(struct agent_window *window,
                       uint32_t slots,
                       uint32_t fixed,
                       uint32_t most,
                       uint64_t now_us);

/* The coordinator had used up all credit when chunks came for idle slots: the window was too
 * small for the round trip. */
void agent_window_note_starved(struct agent_window *window);

/* `count` chunks finished, which ran for `run_us` together. May change the size. */
void agent_window_note_finished(struct agent_window *window,
                                uint64_t now_us,
                                uint64_t count,
                                uint64_t run_us);

/* --- results from the engine until they are acknowledged (agent_results.c) --- */

/* Two rings. `list` holds the results [acked, end), numbered from 0 for the agent's life; those
 * from `sent` on have not been sent in this session. `message_ends` holds, for each message of
 * this session that is not acknowledged, the number behind its last result. */
struct agent_results {
    struct chunk_result *list;
    size_t capacity; /* a power of two, or 0 */
    uint64_t acked;
    uint64_t sent;
    uint64_t end;
    uint64_t failing;        /* results in [acked, end) with an error */
    uint64_t failing_unsent; /* and in [sent, end) */
    uint64_t recorded;       /* results in [acked, end) with records */
    uint64_t records_bytes;  /* of these */
    uint64_t records_unsent; /* bytes in [sent, end) */

    uint64_t *message_ends;  /* by seq */
    size_t message_capacity; /* a power of two, or 0 */
    uint64_t seq_acked;
    uint64_t seq_next;
};

void agent_results_init(struct agent_results *results);
void agent_results_deinit(struct agent_results *results);

/* Room for so many more results and messages. Returns 0 or ERR_NOMEM; nothing that can be seen
 * has changed then. */
int agent_results_reserve(struct agent_results *results, size_t more_results, size_t more_messages);

/* Take over `count` results and what they own. Room was reserved. */
void agent_results_append(struct agent_results *results,
                          const struct chunk_result *list,
                          size_t count);

/* How many of the unsent results go into the next message: at most `max`, of which at most
 * `errors_max` with an error, at most AGENT_RECORDS_PER_MESSAGE bytes of records unless the first
 * alone has more, and contiguous in memory. 0: all are sent. */
uint32_t agent_results_next_count(const struct agent_results *results,
                                  uint32_t max,
                                  uint32_t errors_max);

/* Bytes of records of the next `count` results. */
uint64_t agent_results_next_bytes(const struct agent_results *results, uint32_t count);

/* The next `count` results (0 is allowed) have become one message. Returns its seq. Room was
 * reserved. */
uint64_t agent_results_mark_sent(struct agent_results *results, uint32_t count);

/* Every message up to `seq` is accounted for: drop their results. A `seq` never sent or already
 * acknowledged is ignored. True when it was news. */
bool agent_results_ack(struct agent_results *results, uint64_t seq);

/* A new session: nothing counts as sent, seq starts at 1 again. */
void agent_results_restart(struct agent_results *results);

/* Drop all results. Messages of this session are still counted. */
void agent_results_forget(struct agent_results *results);

uint64_t agent_results_unacked(const struct agent_results *results);
void agent_results_check(const struct agent_results *results);

/* --- the agent --- */

enum agent_link {
    LINK_DOWN,     /* no connection */
    LINK_WAITING,  /* connected; HELLO only after a while */
    LINK_GREETING, /* HELLO was said */
    LINK_WELCOMED, /* in a session */
    LINK_LEFT,     /* EXIT was said; nothing happens any more */
    LINK_COUNT,
};

enum agent_engine {
    ENGINE_IS_NONE,
    ENGINE_IS_STARTING,
    ENGINE_IS_RUNNING,
    ENGINE_IS_STOPPING,
    ENGINE_IS_COUNT,
};

/* Ids of chunks that the engine gave back. [sent, count) are still to be sent. */
struct agent_returned {
    struct chunk_id *list;
    size_t count;
    size_t capacity;
    size_t sent;
    bool
        due; /* say RETURNED even with no id: the coordinator then knows that this worker is leaving */
};

/* What is in hand when a job goes on in a new session; see agent_holding.c. */
struct agent_holding {
    enum agent_holding_phase {
        HOLDING_NONE,   /* nothing is to be named */
        HOLDING_ASKED,  /* the engine was asked */
        HOLDING_SAYING, /* [sent, count) are still to be named, then READY said */
    } phase;
    struct chunk *list;
    size_t count;
    size_t capacity;
    size_t sent;
};

struct agent {
    struct agent_options options;
    uint64_t now_us;
    uint64_t born_us;
    struct rng rng; /* of the jitter */

    /* The connection and the session. */
    enum agent_link link;
    uint64_t session; /* 0: none */
    uint64_t sessions;
    uint64_t heartbeat_us;
    uint64_t greeted_us;  /* HELLO was sent */
    uint64_t welcomed_us; /* the session began */
    uint64_t alone_us;    /* the last session ended, or the agent began */
    uint64_t heard_us;    /* last message of the session */
    uint64_t spoke_us;    /* last message sent */
    uint64_t
        ack_moved_us; /* the oldest unacknowledged message was sent, or an acknowledgement came */
    uint32_t coordinator_minor; /* of the protocol, in this session */
    bool returning;         /* a session or a connection was lost, and no wait has followed yet */
    uint64_t hello_from_us; /* no HELLO before that */
    uint64_t back_off_us;   /* after the last refusal, before jitter; 0: none yet */

    /* The job and its engine. */
    uint64_t job;        /* wanted by the coordinator; 0: none */
    bool job_asked;      /* it sent JOB for it in this session */
    bool job_failed;     /* it cannot run here */
    uint32_t job_credit; /* window that it fixes; 0: adapt */
    enum agent_engine engine;
    uint64_t engine_job;          /* which job the engine was made for */
    enum agent_action_type order; /* to the engine, from the event in hand; 0: none */

    /* Chunks. */
    struct agent_window window;
    uint32_t held;
    uint32_t credit_out;
    uint64_t items_done;
    uint64_t busy_us; /* when there last was a chunk, a new engine or a new session */
    struct agent_results results;
    struct agent_holding holding;

    /* Leaving. */
    bool draining;
    enum agent_drain_reason drain_reason;
    uint64_t drain_us; /* since when */
    struct agent_returned returned;
    struct err_text last_refusal;
    struct err_text exit_text;
};

/* --- what reactions and timers are made of (agent_deeds.c) --- */

/* Abort when the move is not in the table. */
void agent_move_link(struct agent *agent, enum agent_link next);
void agent_move_engine(struct agent *agent, enum agent_engine next);
const char *agent_state_name(const struct agent *agent);

/* Has the coordinator been told READY in this session, so that it knows whose results come? (Or is
 * that the next thing to say.) */
bool agent_can_deliver(const struct agent *agent);

/* Is there something to send that found no room among the actions? */
bool agent_has_unsent(const struct agent *agent);
bool agent_has_returned(const struct agent *agent);

/* Append an action about the session and job in hand; `say` for those that are messages. */
struct agent_action *agent_emit(struct agent *agent,
                                struct agent_actions *out,
                                enum agent_action_type type);
struct agent_action *agent_say(struct agent *agent,
                               struct agent_actions *out,
                               enum agent_action_type type);

/* Give the engine an order, once this event's messages are out. */
void agent_order_engine(struct agent *agent, enum agent_action_type order);

/* Is the event of the session that stands? */
bool agent_in_session(const struct agent *agent, const struct agent_event *event);

void agent_say_hello(struct agent *agent, struct agent_actions *out);

/* The next HELLO only after a while, longer each time: a thousand refused workers must not keep
 * the coordinator busy. */
void agent_back_off(struct agent *agent);

/* No HELLO before half of `wait_us` has passed, or as much as chance adds to that, up to the
 * whole. */
void agent_wait_before_hello(struct agent *agent, uint64_t wait_us);

/* About the job whose engine stands; job 0: none does. */
struct agent_action *agent_say_heartbeat(struct agent *agent, struct agent_actions *out);

/* Forget what belongs to the session, if there is one; the link is the caller's to move. */
void agent_end_session(struct agent *agent);
void agent_lose_connection(struct agent *agent);
void agent_reconnect(struct agent *agent, struct agent_actions *out);

/* The end. Whatever still runs ends with the program, and the coordinator gives it to others. */
void agent_leave(struct agent *agent, int exit_status, struct agent_actions *out);
void agent_say_bye_and_leave(struct agent *agent, struct agent_actions *out);

/* --- what is in hand (agent_holding.c) --- */

/* Room for so many chunks. Returns 0 or ERR_NOMEM (unchanged). */
int agent_holding_reserve(struct agent_holding *holding, size_t count);
void agent_holding_forget(struct agent_holding *holding);

/* The reaction to AGENT_HOLDING. */
void agent_on_holding(struct agent *agent,
                      const struct agent_event *event,
                      struct agent_actions *out);

/* Say the next HOLDING. False: all are said. */
bool agent_say_holding(struct agent *agent, struct agent_actions *out);

/* --- leaving (agent_leave.c) --- */

/* Not while draining. */
void agent_begin_drain(struct agent *agent, enum agent_drain_reason reason);

/* Reactions. */
void agent_on_drain(struct agent *agent,
                    const struct agent_event *event,
                    struct agent_actions *out);
void agent_on_quit(struct agent *agent, const struct agent_event *event, struct agent_actions *out);
void agent_on_taken_back(struct agent *agent,
                         const struct agent_event *event,
                         struct agent_actions *out);

/* Room for `more` ids. Returns 0 or ERR_NOMEM (unchanged). */
int agent_returned_reserve(struct agent_returned *returned, size_t more);
void agent_say_returned(struct agent *agent, struct agent_actions *out);
void agent_leave_when_drained(struct agent *agent, struct agent_actions *out);

/* --- timers (agent_timers.c) --- */

/* Do what is due at agent->now_us. */
void agent_run_timers(struct agent *agent, struct agent_actions *out);

#endif
