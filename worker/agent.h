/* The agent: what a worker says and does, as a pure state machine: register, make an engine for
 * the job, take chunks, report results until they are acknowledged, keep the coordinator's and
 * its own life signs, drain, leave.
 *
 * Events and the time go in, actions come out; worker/client.c is the shell that performs them
 * on ZeroMQ and the engine.
 *
 * A session begins with WELCOME and ends when the connection drops, the coordinator is silent for
 * AGENT_SILENCE_BEATS heartbeats or acknowledges nothing for AGENT_ACK_BEATS, it sends more chunks
 * than there was credit for, or it rejects the session. A worker that lost its session goes on
 * working: it registers again with the same nonce. When JOB names the job that it has, perhaps
 * from a coordinator that was started anew, it says what it has in hand (HOLDING), then READY, and
 * results that were not acknowledged are sent again. Only a new job, CANCEL or BYE makes it forget
 * them.
 *
 * Waits before HELLO: none before the first one; AGENT_RETURN_US after a session or a HELLO that
 * came to nothing; 100 ms to 5 s, doubling, after a refusal. Each is cut at random by up to half,
 * so that many workers that lost one coordinator do not come back in one instant.
 *
 * A drain gives back what is unbegun (RETURNED), finishes the rest, and leaves when every result
 * is acknowledged; at drain_limit_us; or after 5 s in which nothing could be delivered. A second
 * DRAIN changes nothing.
 *
 * Credit: the window is how many chunks the worker wants to hold. It starts at twice the slots
 * (at least 4) and, unless the job fixes it, follows the rate at which chunks finish, so that
 * about AGENT_WINDOW_US of work is at hand: at most doubling at a time, never under twice the
 * slots, never over credit_max. It doubles too when chunks come for idle slots and all credit
 * was used up: the window is then too small for the round trip. Held chunks plus credit out
 * never exceed the window's largest value so far, and results not yet acknowledged never exceed
 * twice credit_max (no credit is granted beyond).
 *
 * Records of single items (chunk_result.records) are kept with their result until it is
 * acknowledged. They are what is large: a RESULTS message carries AGENT_RECORDS_PER_MESSAGE bytes of
 * them, or one result; and while more than AGENT_RECORDS_KEPT bytes wait for their
 * acknowledgement no further credit is granted. */
#ifndef QUARTET_WORKER_AGENT_H
#define QUARTET_WORKER_AGENT_H

#include "common/base/chunk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agent;

enum {
    AGENT_WINDOW_US = 20000,

    /* More than the three after which a coordinator counts a worker as lost: what it says with its
     * last breath (REJECT, BYE) is worth waiting for, and a new session costs both sides more. */
    AGENT_SILENCE_BEATS = 5,

    /* An acknowledgement may wait for the coordinator's disk. */
    AGENT_ACK_BEATS = 15,

    AGENT_RETURN_US = 500000,

    /* Bytes of records in a RESULTS message that are announced by a HEARTBEAT before it: half a
     * second of a connection of 4 Mbit/s, in which nothing else is heard of this worker. */
    AGENT_LONG_MESSAGE = 256 * 1024,

    /* Bytes of records in one RESULTS message, unless its only result has more: large enough that
     * the message's own cost does not matter, small enough that a slow connection is never without
     * a sign of life for long. */
    AGENT_RECORDS_PER_MESSAGE = 1024 * 1024,

    /* Bytes of records that wait for their acknowledgement: beyond, no credit is granted. At 1 GB/s
     * and 20 ms there and back 20 MB are under way; a coordinator that does not keep up must slow the
     * worker down, not fill its memory. What chunks in hand still yield comes on top. */
    AGENT_RECORDS_KEPT = 32 * 1024 * 1024,
};

struct agent_options {
    uint32_t credit_max;          /* most chunks ever held, 4 to 65536 */
    uint32_t results_per_message; /* 1 to WIRE_CHUNKS_MAX */
    uint32_t errors_per_message;  /* 1 to WIRE_ERRORS_MAX */
    uint64_t
        drain_limit_us; /* when draining: leave after this long even with chunks still running; 0: no limit */
    uint64_t give_up_us;    /* without a session for this long: exit; 0: never */
    uint64_t idle_limit_us; /* welcomed but without a chunk for this long: leave; 0: never */
    uint64_t time_limit_us; /* so long after agent_new it drains by itself, in time to be gone at
                               time_limit_us + drain_limit_us; 0: never */
    uint64_t seed;          /* of the jitter in waits before HELLO: another one in each worker */
};

enum agent_event_type {
    AGENT_CONNECTED = 1, /* the connection stands: say HELLO */
    AGENT_DISCONNECTED,  /* it dropped; the transport is connecting again by itself */
    AGENT_WELCOME,
    AGENT_REJECT, /* not registered, or not any more: by reason, leave for good or say HELLO again */
    AGENT_JOB,
    AGENT_CANCEL, /* forget the job */
    AGENT_CHUNKS, /* chunks came; the shell has checked their bytes */
    AGENT_ACK,    /* RESULTS up to seq are accounted for */
    AGENT_HEARD,  /* any other sign of life; it may say how often they are expected from now on */
    AGENT_DRAIN,  /* coordinator or a signal: give back what is unbegun, finish the rest, leave */
    AGENT_QUIT,   /* a second signal: leave now, with whatever still runs */
    AGENT_BYE,    /* the coordinator is done: exit with success */
    AGENT_ENGINE_READY,
    AGENT_ENGINE_FAILED,
    AGENT_ENGINE_STOPPED,
    AGENT_RESULTS,    /* the engine finished chunks */
    AGENT_TAKEN_BACK, /* answer to AGENT_TAKE_BACK: these were unbegun. May come in several parts */
    AGENT_HOLDING,    /* answer to AGENT_ASK_HOLDING, at once: all that the engine has in hand */
    AGENT_TICK,
};

struct agent_event {
    enum agent_event_type type;
    uint64_t session; /* of events that came in a message: its session; a stale one is ignored */
    uint64_t job;     /* likewise; of ENGINE_*, RESULTS: the job the engine was made for */

    union {
        struct {
            uint64_t heartbeat_us;
            uint32_t
                minor; /* of the protocol that the coordinator speaks: may it be sent HOLDING? */
        } welcome;

        struct {
            uint64_t heartbeat_us; /* 0: as before */
        } heard;

        struct {
            uint32_t reason;  /* enum wire_reason */
            const char *text; /* borrowed for the call */
        } reject;

        struct {
            uint32_t credit_fixed; /* 0: adapt */
        } job;

        struct {
            size_t count;
        } chunks;

        uint64_t ack;

        struct {
            uint32_t slots;
        } ready;

        struct {
            const struct chunk *list; /* borrowed for the call; payloads mean nothing */
            size_t count;
        } holding;

        struct {
            struct chunk_result *list; /* the agent takes over what each owns. records_len is at
                                        * most RECORDS_MAX */
            size_t count;
        } results;

        struct {
            const struct chunk_id *list; /* borrowed for the call */
            size_t count;
        } taken_back;
    } as;
};

enum agent_action_type {
    AGENT_SEND_HELLO = 1,
    AGENT_SEND_READY,   /* with credit; or with the engine's error when `failed` */
    AGENT_SEND_RESULTS, /* results [first, first + count) of agent_result(), under seq, with credit */
    AGENT_SEND_HEARTBEAT, /* about the job whose engine stands; job 0: none does. Also at once when an engine is down */
    AGENT_SEND_RETURNED, /* `count` ids of agent_returned_ids() from `first` */
    AGENT_SEND_BYE,
    AGENT_START_ENGINE, /* make an engine for the job last received */
    AGENT_STOP_ENGINE,  /* end it; answer with ENGINE_STOPPED */
    AGENT_SUBMIT,       /* hand the chunks of the event in hand to the engine */
    AGENT_DISCARD,      /* drop the chunks of the event in hand (stale session or job) */
    AGENT_TAKE_BACK,    /* ask the engine for what is unbegun; answer with TAKEN_BACK */
    AGENT_ASK_HOLDING, /* the job goes on in a new session: what is in the engine? Answer with HOLDING */
    AGENT_SEND_HOLDING, /* `count` chunks of agent_holding() from `first`, before READY */
    AGENT_RECONNECT,    /* close the connection and open a new one */
    AGENT_EXIT,         /* end the program with `exit_status`; agent_exit_text() says why */
};

struct agent_action {
    enum agent_action_type type;
    uint64_t session;
    uint64_t job;
    uint64_t seq;
    uint64_t first;  /* absolute number of a result, from 0 for the agent's life */
    uint64_t coming; /* of HEARTBEAT: bytes of records in the RESULTS behind it; 0: nothing long */
    uint32_t count;
    uint32_t credit;
    bool failed;
    int exit_status;
};

struct agent_actions {
    struct agent_action *list;
    size_t count;
    size_t capacity; /* at least AGENT_ACTIONS_MIN */
};

/* Exit statuses beyond the common ones: 3 the coordinator went away or never came; 4 refused for
 * good (another protocol version). */
enum { AGENT_EXIT_OK = 0, AGENT_EXIT_LOST = 3, AGENT_EXIT_REFUSED = 4 };

enum { AGENT_ACTIONS_MIN = 128 };

int agent_new(const struct agent_options *options, uint64_t now_us, struct agent **ret_agent);
void agent_free(struct agent *agent);

/* Advance by one event, as sched_step; `out` has room for at least 16 more. Events that make no
 * sense for the state (stale session, unknown job) are ignored, never errors; AGENT_RESULTS of a
 * stale job are freed. What finds no room in `out` goes with the next step, for which
 * agent_deadline_us says `now`. Perform the actions in order; those for the engine that may be
 * answered at once come after all messages. Returns 0, or ERR_NOMEM with the state unchanged
 * (results then stay the caller's). */
int agent_step(struct agent *agent,
               uint64_t now_us,
               const struct agent_event *event,
               struct agent_actions *out);

/* When the next TICK is due; UINT64_MAX: never. */
uint64_t agent_deadline_us(const struct agent *agent);

/* A result that is not acknowledged yet, by its absolute number; borrowed until the next step.
 * Results of one message lie side by side in memory. */
const struct chunk_result *agent_result(const struct agent *agent, uint64_t number);

/* Chunks behind AGENT_SEND_HOLDING (without payloads): what the engine has, and what results that
 * are not acknowledged are of; borrowed until the next step. */
const struct chunk *agent_holding(const struct agent *agent);

/* Ids behind AGENT_SEND_RETURNED; borrowed until the next step. */
const struct chunk_id *agent_returned_ids(const struct agent *agent);

struct agent_stats {
    const char
        *state; /* "connecting", "greeting", "idle", "starting", "running", "draining", "leaving" */
    uint64_t session;
    uint64_t job;
    uint32_t held; /* chunks in the engine */
    uint32_t window;
    uint32_t credit_out;    /* granted and not used */
    uint64_t unacked;       /* results */
    uint64_t records_bytes; /* of these */
    uint64_t items_done;    /* of this job, by this worker */
    uint64_t sessions;      /* how many there have been */
};

void agent_get_stats(const struct agent *agent, struct agent_stats *ret_stats);

/* Why the agent drains, from the step on in which it began to. */
enum agent_drain_reason {
    AGENT_DRAIN_NOT,         /* it does not */
    AGENT_DRAIN_ASKED,       /* AGENT_DRAIN without a session: by a signal */
    AGENT_DRAIN_COORDINATOR, /* by a message */
    AGENT_DRAIN_TIME,        /* options.time_limit_us has come */
};

enum agent_drain_reason agent_drain_reason(const struct agent *agent);

/* Why AGENT_EXIT came: one line. */
const char *agent_exit_text(const struct agent *agent);

/* Abort when an invariant is broken: credit_conserved, results_kept (nothing unacknowledged is
 * gone), seq_dense. */
void agent_check(const struct agent *agent);

char *agent_describe_event(const struct agent_event *event, char *ret_text, size_t size);
char *agent_describe_action(const struct agent_action *action, char *ret_text, size_t size);

#endif
