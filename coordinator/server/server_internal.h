/* What the files of the server share: server.c has its life and the runs, server_send.c says things,
 * server_register.c lets workers in, server_probe.c answers doctors, server_workers.c hears them, server_results.c looks into what
 * comes of chunks, server_beat.c watches over who lives, server_hosts.c knows where they are,
 * server_crew.c chooses who takes part,
 * server_keys.c who may come, server_status.c tells about it all. */
#ifndef QUARTET_COORDINATOR_SERVER_SERVER_INTERNAL_H
#define QUARTET_COORDINATOR_SERVER_SERVER_INTERNAL_H

#include "common/base/bucket.h"
#include "common/base/line_limit.h"
#include "common/io/zap.h"
#include "common/io/zsock.h"
#include "common/wire/wire.h"
#include "coordinator/server/keyring.h"
#include "coordinator/server/patience.h"
#include "coordinator/server/peers.h"
#include "coordinator/server/server.h"

enum {
    SILENT_BEATS = 3, /* heartbeats without a word before a worker is lost */
    US_PER_MS = 1000,
    US_PER_S = 1000 * 1000,
    /* A worker that has announced a long message is not silent while that may be on its way: bytes a
     * second of the slowest connection that is put up with (1 Mbit/s). */
    SLOWEST_BYTES_PER_S = 125000,
};

/* The run on stage, as the server sees it. */
struct server_run {
    const struct job *job; /* NULL: no run */
    struct runner *runner;
    uint64_t job_id;
    bool begun;
    uint64_t asked_us;         /* when the job was sent */
    uint64_t cpu_us_gone;      /* of workers that are not there any more */
    struct err_text unable;    /* what the last worker that could not run it said */
    struct err_text last_lost; /* the last worker that was lost, and why */
    uint64_t last_lost_us;     /* when that was; 0: none was */
    uint64_t late;             /* results that came in sessions that were over */
    uint64_t parts;            /* of its plugin, sent so far */
    uint32_t refused;          /* workers that it has lost because of what they said */
    uint32_t workers;
    uint32_t hosts; /* that these are on */
    bool elsewhere; /* one of them at least is on another machine */
    uint32_t concurrency;
    bool cooperative;
    bool vacant; /* a place in the crew may be free: server_call_reserves */
};

enum { KNOCKS_SAID_MAX = 32, KNOCK_TEXT_SIZE = 192 };

/* Who may come, and who came and may not. */
struct server_keys {
    struct key_pair own;
    struct zap *zap;           /* NULL: plaintext */
    struct key_named *allowed; /* those of the directory, then those that were admitted here */
    size_t allowed_count;
    size_t admitted_count;
    struct keyring_stamp stamp; /* of the directory when it was read */
    bool
        settled; /* `stamp` is so old that a change since then cannot have the same one, and no key was left out */
    struct err_text trouble;                     /* with the directory, said last */
    char said[KNOCKS_SAID_MAX][KNOCK_TEXT_SIZE]; /* refusals that were noted, the latest ones */
    unsigned said_next;
    uint64_t failed; /* handshakes that failed for other reasons than a key */
};

/* Those who look whether they can be heard here, all together: what they may cost. */
struct server_doctors {
    struct bucket probes; /* of any size */
    struct bucket pieces; /* of payload that is sent back */
};

struct server_stats {
    uint64_t messages_in;
    uint64_t messages_out;
    uint64_t bad_frames;     /* dropped: malformed, oversized, wrong magic */
    uint64_t rejected;       /* workers refused */
    uint64_t stale_messages; /* of sessions or jobs that are over */
    uint64_t ignored;        /* registrations passed over: too many by one connection */
    uint64_t doctors;        /* who introduced themselves as such */
    uint64_t registrations;  /* HELLOs that were answered with a session */
};

struct server {
    struct stage *stage;
    struct server_options options;
    struct zsock_context *context;
    struct zsock *socket;
    struct wire_decoder *decoder;
    struct wire_encoder *encoder;
    uv_timer_t beat;
    char host[PEER_NAME_SIZE]; /* of this machine */
    struct peers peers;
    struct server_keys keys;
    struct patience patience;
    struct line_limit notes;
    struct server_doctors doctors;
    struct peer **dirty; /* peers with something to flush, each once */
    size_t dirty_count;
    bool probe_due; /* connections dropped: find out whether those that had them are gone */
    bool no_more_workers;
    bool
        strange_said; /* what cannot be read of those that are not registered is told of once, and counted at the end */
    struct err_text
        full; /* why the last worker was refused for want of room; "": none was since one got in */
    char first_refusal[KNOCK_TEXT_SIZE];
    bool first_refusal_vague;
    uint64_t slowest_us; /* the longest that any worker may be silent between two life signs */
    uint32_t crowd;      /* as many workers there were since memory was last given back */
    uint64_t
        left_since_us; /* since when there have been less than half as many; 0: there are more */
    uint64_t alone_since_us; /* since when a run has had no worker; 0: it has */
    bool closing;            /* BYE was said: workers that go are no news */
    uint64_t next_job;
    struct server_run run;
    struct server_stats stats;
    struct blob *payload; /* of the message in hand; NULL: it has none */
    unsigned char *part;  /* WIRE_PART_MAX bytes; NULL until a plugin is asked for */
    struct chunk_result results[WIRE_CHUNKS_MAX];
};

/* Workers that run the job of the run on stage, or may: all but those that said that they cannot. */
uint32_t server_able(const struct server *server);

/* How many machines the workers that run the job are on; 0: none, or no memory to count them. */
uint32_t server_running_hosts(const struct server *server);

/* A line on standard error, unless --quiet; wipes the progress bar first. Not too
 * many (line_limit.h): how many were left out is said with the next one. */
void server_note(struct server *server, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same of somebody who is not let in; the first one is remembered, or the first that says more, when that one is
 * `vague`. */
void server_note_refusal(struct server *server, const char *text, bool vague);

/* How many lines were left out since the last one that was said, if any. */
void server_say_left_out(struct server *server);

/* Send to a registered worker, with the acknowledgement that is due. Returns 0, ERR_GONE,
 * ERR_BUSY or ERR_NOMEM. */
int server_try_send(struct server *server,
                    struct peer *peer,
                    struct wire_message *message,
                    const struct zsock_part *parts,
                    size_t part_count);

/* Likewise; a worker that could not be reached is forgotten (server_forget), and false is
 * returned. */
bool server_send(struct server *server, struct peer *peer, struct wire_message *message);
bool server_send_heartbeat(struct server *server, struct peer *peer);

/* To somebody who has no session, with `payload_len` zeros as a payload unless that is 0: nothing depends on
 * whether it arrives. */
void server_send_plain(struct server *server,
                       struct zsock_peer address,
                       const struct wire_message *message,
                       size_t payload_len);

/* Refuse a message of `session` (0: a HELLO, or what could not be read). Nothing depends on
 * whether this arrives. */
void server_reject(struct server *server,
                   struct zsock_peer address,
                   uint64_t session,
                   enum wire_reason reason,
                   const char *text);

/* Does the job of the run on stage fit a message? ERR_INVALID says what does not: its parameters
 * are a user's input. */
int server_check_job(struct server *server, struct err_text *ret_error);

/* The job of the run on stage, to a worker that has not had it. */
void server_send_job(struct server *server, struct peer *peer);

/* The job's plugin from `offset` on, as much as fits one message; a message without a payload when it cannot
 * be read any more. */
void server_send_part(struct server *server, struct peer *peer, uint64_t offset);

/* Is this about the job of the run on stage? */
bool server_is_of_run(const struct server *server, const struct wire_message *message);

/* What cannot be read is counted; who sent it is told, and dropped when it is a registered worker, as
 * server_refuse_worker does. */
void server_drop_bad(struct server *server, struct zsock_peer address, const char *why);

/* End a session whose two sides do not agree any more, and tell the worker so. Its chunks go on elsewhere without
 * a stain: it was not them that took it away. One that is refused as MALFORMED is not taken again. */
void server_refuse_worker(struct server *server,
                          struct peer *peer,
                          enum wire_reason reason,
                          const char *why);

/* A HELLO. */
void server_on_hello(struct server *server,
                     struct zsock_peer address,
                     const struct wire_message *message);

/* A PROBE, of whoever got through the handshake: nobody is registered for it. Its payload is server->payload. */
void server_on_probe(struct server *server,
                     struct zsock_peer address,
                     const struct wire_message *message);

/* A RESULTS of a registered worker; its payload is server->payload. */
void server_on_results(struct server *server,
                       struct peer *peer,
                       const struct wire_message *message);

/* This peer has something to be flushed: chunks, or an acknowledgement. */
void server_mark_dirty(struct server *server, struct peer *peer);
void server_flush(struct server *server);

/* End a worker's session and tell the scheduler: `how` is SCHED_WORKER_LOST or SCHED_WORKER_LEFT. `why` is
 * said to people, unless it is empty. */
void server_forget(struct server *server,
                   struct peer *peer,
                   enum sched_event_type how,
                   const char *why);

/* Where the runner's chunks go. */
extern const struct runner_link server_link;
/* What the socket calls. */
extern const struct zsock_handlers server_socket_handlers;
/* Life signs, both ways. */
void server_on_beat(uv_timer_t *timer);

/* --- server_crew.c --- */

/* Send the job of the run on stage to those that are to take part: all, or as many as it says. Returns
 * 0 or ERR_NOMEM. */
int server_call_crew(struct server *server);

/* A worker came, left, or cannot run the job: somebody may have to take a place, at the end of the
 * turn (server_call_reserves). */
void server_crew_changed(struct server *server);
void server_call_reserves(struct server *server);

/* --- server_keys.c --- */

/* Read the keys and check those of all that come, from before there is a socket; server_keys_close
 * comes after it. Nothing without keys. */
int server_keys_open(struct server *server, struct err_text *ret_error);
void server_keys_close(struct server *server);

/* With every beat: look whether keys were taken back, end the sessions of those, and tell who was
 * refused. */
void server_keys_beat(struct server *server);

/* May whoever has this key be a worker now? Without keys everybody may. */
bool server_key_is_allowed(const struct server *server, const char *public_key);

/* Is an allowed key one of the directory, and not of a worker that was started here? */
bool server_key_is_listed(const struct server *server, const char *public_key);

/* A handshake failed: see zsock.h. */
void server_on_refused(void *arg, const char *address, const char *why);

/* How many were refused in all; said at the end. */
void server_say_refusals(struct server *server);

/* Its connection may have dropped: see, when libzmq may know. */
void server_probe_soon(struct peer *peer);

/* This connection dropped; and now libzmq may know whose it was. */
void server_on_dropping(void *arg, uint64_t connection);
void server_on_peer_dropped(void *arg);

/* How often each worker and the server give life signs now. */
uint64_t server_tempo_us(const struct server *server);

#endif
