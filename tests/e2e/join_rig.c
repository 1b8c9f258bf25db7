/* Many workers that are none, from one process, to see how a coordinator takes them:
 *
 *   join_rig serial ENDPOINT COUNT [ACCESS]    one after the other: connect, HELLO, WELCOME
 *   join_rig at-once ENDPOINT COUNT [ACCESS]   all at the same time, and they work: once each has had a chunk, all answer theirs, until BYE
 *
 * Each has its own connection, with keys when there is an access file, says HELLO once, and again when it had no WELCOME for HELLO_AGAIN_MS,
 * as worker/agent_timers.c has it; and a HEARTBEAT as often as it was told to. All are connections of one ROUTER, which knows them by names of
 * ours: a socket for each would take two descriptors for each, and poll would look at all of them for every message.
 *
 * Prints what it took in seconds, as soon as that is known, and how many HELLOs: "serial 0.412", or "welcomed 0.120", "working 0.180",
 * "hellos 1000", and HEARTBEATs until all worked. */
#include "common/base/check.h"
#include "tests/e2e/raw_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

enum {
    COUNT_MAX = 16384,
    HELD_MAX = 8, /* chunks; the credit is 1 */
    HELLO_AGAIN_MS = 5000,
    HANDSHAKE_MS =
        30000, /* that it may take with keys; nobody tells this program when it is over */
    POLL_MS = 100,
    LIMIT_S = 300,
};

struct worker {
    uint64_t session; /* 0: not welcomed yet */
    uint64_t job;
    uint64_t seq;
    double spoke_s; /* when it said something last */
    double beat_s;  /* it says something at least as often */
    bool working;   /* it has had a chunk */
    bool gone;      /* the coordinator is done with it */
    size_t held;    /* chunks that it has not answered */
    uint64_t id[HELD_MAX];
    uint64_t items[HELD_MAX];
    uint32_t attempt[HELD_MAX];
};

/* The first byte is not 0: those are libzmq's own. */
struct name {
    unsigned char letter;
    unsigned char index[sizeof(uint32_t)];
};

struct join {
    struct raw raw;
    void *socket;
    const char *endpoint;
    size_t count;
    struct worker *workers;
    size_t welcomed;
    size_t working;
    size_t gone;
    size_t hellos;
    size_t beats_said;
    size_t beats_heard;
    double patience_s; /* without a WELCOME it says HELLO again */
    double start_s;
    double looked_s; /* when it was last looked whose turn it is to say something by itself */
};

static double now_s(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- one socket for all --- */

static struct name name_of(size_t i)
{
    uint32_t index = (uint32_t)i;
    struct name name = {.letter = 'w'};
    memcpy(name.index, &index, sizeof(index));
    return name;
}

static size_t index_of(const struct name *name)
{
    uint32_t index;
    memcpy(&index, name->index, sizeof(index));
    return index;
}

static void open_socket(struct join *join, const char *access_path)
{
    const int one = 1;
    const int without_limit = 0;
    join->socket = raw_socket(&join->raw, ZMQ_ROUTER);
    raw_set(&join->raw, join->socket, ZMQ_ROUTER_MANDATORY, one);
    raw_set(&join->raw, join->socket, ZMQ_SNDHWM, without_limit);
    raw_set(&join->raw, join->socket, ZMQ_RCVHWM, without_limit);
    raw_use_access(&join->raw, join->socket, access_path);
}

static void send_as(struct join *join, size_t i, const struct wire_message *message)
{
    const struct name name = name_of(i);
    raw_send_frame(&join->raw, join->socket, &name, sizeof(name), true);
    raw_send(&join->raw, join->socket, message);
    join->workers[i].spoke_s = now_s();
}

/* False: none came, in time or at all. */
static bool receive(struct join *join,
                    int flags,
                    size_t *ret_index,
                    struct wire_message *ret_message)
{
    struct name name;
    if (zmq_recv(join->socket, &name, sizeof(name), flags) != (int)sizeof(name)) {
        return false;
    }
    *ret_index = index_of(&name);
    CHECK(*ret_index < join->count);
    return raw_receive(&join->raw, join->socket, 0, ret_message);
}

static void say_hello(struct join *join, size_t i)
{
    const struct wire_text workload = wire_text("noop");
    struct wire_message hello = raw_hello(&workload, ((uint64_t)getpid() << 32) + i + 1);
    join->hellos++;
    send_as(join, i, &hello);
}

static void connect_one(struct join *join, size_t i)
{
    const struct name name = name_of(i);
    CHECK(zmq_setsockopt(join->socket, ZMQ_CONNECT_ROUTING_ID, &name, sizeof(name)) == 0);
    if (zmq_connect(join->socket, join->endpoint) != 0) {
        raw_give_up(
            &join->raw, "cannot connect to '%s': %s", join->endpoint, zmq_strerror(zmq_errno()));
    }
    say_hello(join, i);
}

_Noreturn static void give_up_refused(const struct join *join, const struct wire_message *message)
{
    const struct wire_text *text = &message->as.reject.text;
    raw_give_up(&join->raw, "refused: %.*s", (int)text->len, text->s);
}

/* --- one after the other --- */

static void join_serially(struct join *join)
{
    struct wire_message answer;
    size_t from;
    for (size_t i = 0; i < join->count; i++) {
        connect_one(join, i);
        do {
            if (!receive(join, 0, &from, &answer)) {
                raw_give_up(&join->raw, "no answer to HELLO %zu", i);
            }
            if (answer.type == WIRE_REJECT) {
                give_up_refused(join, &answer);
            }
        } while (from != i || answer.type != WIRE_WELCOME);
    }
    (void)printf("serial %.4f\n", now_s() - join->start_s);
    (void)fflush(stdout);
}

/* --- all at once --- */

static void answer(struct join *join, size_t i)
{
    static const uint64_t zeros[HELD_MAX];
    struct worker *worker = &join->workers[i];
    struct wire_message message = {
        .type = WIRE_RESULTS, .session = worker->session, .job = worker->job};
    message.as.results = (struct wire_results){.seq = ++worker->seq,
                                               .credit = (uint32_t)worker->held,
                                               .count = worker->held,
                                               .id = worker->id,
                                               .attempt = worker->attempt,
                                               .ok = worker->items,
                                               .checksum = zeros,
                                               .run_us = zeros};
    send_as(join, i, &message);
    worker->held = 0;
}

static void say(struct join *join, size_t i, enum wire_type type)
{
    struct wire_message message = {.type = type, .session = join->workers[i].session};
    if (type == WIRE_READY) {
        message.job = join->workers[i].job;
        message.as.ready = (struct wire_ready){.slots = 1, .credit = 1};
    }
    send_as(join, i, &message);
}

/* As long as it has a job it is asked about that. */
static void beat(struct join *join, size_t i)
{
    join->beats_said++;
    struct wire_message message = {
        .type = WIRE_HEARTBEAT, .session = join->workers[i].session, .job = join->workers[i].job};
    send_as(join, i, &message);
}

static void take_chunks(struct join *join, size_t i, const struct wire_chunks *chunks)
{
    struct worker *worker = &join->workers[i];
    CHECK(worker->held + chunks->count <= HELD_MAX);
    memcpy(worker->id + worker->held, chunks->id, chunks->count * sizeof(*chunks->id));
    memcpy(worker->items + worker->held, chunks->items, chunks->count * sizeof(*chunks->items));
    memcpy(
        worker->attempt + worker->held, chunks->attempt, chunks->count * sizeof(*chunks->attempt));
    worker->held += chunks->count;
    join->working += !worker->working;
    worker->working = true;
}

static void say_how_long(const struct join *join, const char *what)
{
    (void)printf("%s %.4f\n", what, now_s() - join->start_s);
    (void)fflush(stdout);
}

static void be_welcome(struct join *join, size_t i, const struct wire_message *message)
{
    struct worker *worker = &join->workers[i];
    join->welcomed += worker->session == 0;
    worker->session = message->session;
    worker->beat_s = message->as.welcome.heartbeat_ms / 1000.0;
}

/* A session that is over began on a connection before: it registers again, as a worker does. */
static void be_rejected(struct join *join, size_t i, const struct wire_message *message)
{
    if (message->as.reject.reason != WIRE_REASON_SESSION) {
        give_up_refused(join, message);
    }
    if (message->session == join->workers[i].session) {
        say_hello(join, i);
    }
}

static void hear(struct join *join, size_t i, const struct wire_message *message)
{
    struct worker *worker = &join->workers[i];
    switch (message->type) {
    case WIRE_WELCOME:
        be_welcome(join, i, message);
        break;
    case WIRE_HEARTBEAT:
        join->beats_heard++;
        worker->beat_s = message->as.heartbeat.heartbeat_ms / 1000.0;
        break;
    case WIRE_JOB:
        worker->job = message->job;
        say(join, i, WIRE_READY);
        break;
    case WIRE_CHUNKS:
        take_chunks(join, i, &message->as.chunks);
        break;
    case WIRE_CANCEL:
        worker->job = 0;
        beat(join, i); /* about no job: it is forgotten */
        break;
    case WIRE_BYE:
        say(join, i, WIRE_BYE);
        worker->gone = true;
        join->gone++;
        break;
    case WIRE_REJECT:
        be_rejected(join, i, message);
        break;
    default:
        break;
    }
}

/* What nobody has asked for: HELLO again, a HEARTBEAT, and results once all have a chunk. */
static void speak(struct join *join)
{
    bool all = join->working == join->count;
    double at_s = now_s();
    for (size_t i = 0; i < join->count; i++) {
        struct worker *worker = &join->workers[i];
        double silent_s = at_s - worker->spoke_s;
        if (worker->session == 0 && silent_s > join->patience_s) {
            say_hello(join, i);
        } else if (all && worker->held > 0) {
            answer(join, i);
        } else if (worker->session != 0 && !worker->gone && silent_s >= worker->beat_s) {
            beat(join, i);
        }
    }
    join->looked_s = at_s;
}

/* Hear what there is; those that hear of chunks when all have some answer at once. */
static void turn(struct join *join)
{
    struct wire_message message;
    size_t i;
    zmq_pollitem_t poll = {.socket = join->socket, .events = ZMQ_POLLIN};
    (void)zmq_poll(&poll, 1, POLL_MS);
    while (receive(join, ZMQ_DONTWAIT, &i, &message)) {
        hear(join, i, &message);
        if (join->working == join->count && join->workers[i].held > 0) {
            answer(join, i);
        }
        if (now_s() - join->looked_s > POLL_MS / 1000.0) {
            break;
        }
    }
    if (now_s() - join->looked_s >= POLL_MS / 1000.0) {
        speak(join);
    }
    if (now_s() - join->start_s > LIMIT_S) {
        raw_give_up(&join->raw,
                    "%d s passed: %zu of %zu welcomed, %zu working",
                    LIMIT_S,
                    join->welcomed,
                    join->count,
                    join->working);
    }
}

static void join_at_once(struct join *join)
{
    for (size_t i = 0; i < join->count; i++) {
        connect_one(join, i);
    }
    while (join->welcomed < join->count) {
        turn(join);
    }
    say_how_long(join, "welcomed");
    while (join->working < join->count && join->gone < join->count) {
        turn(join);
    }
    say_how_long(join, "working");
    (void)printf("beats-said %zu\nbeats-heard %zu\n", join->beats_said, join->beats_heard);
    (void)printf("hellos %zu\n", join->hellos);
    (void)fflush(stdout);
    while (join->gone < join->count) {
        turn(join);
    }
}

int main(int argc, char **argv)
{
    struct join join = {.count = argc > 3 ? strtoull(argv[3], NULL, 10) : 0};
    raw_open(&join.raw, "join_rig", 1);
    if (argc < 4 || argc > 5 || join.count == 0 || join.count > COUNT_MAX) {
        raw_give_up(&join.raw,
                    "serial | at-once, ENDPOINT, a count up to %d, and perhaps an access file",
                    COUNT_MAX);
    }
    join.endpoint = argv[2];
    join.workers = calloc(join.count, sizeof(*join.workers));
    CHECK(join.workers != NULL);
    open_socket(&join, argc == 5 ? argv[4] : NULL);
    join.patience_s = (HELLO_AGAIN_MS + (argc == 5 ? HANDSHAKE_MS : 0)) / 1000.0;
    join.start_s = now_s();
    if (strcmp(argv[1], "serial") == 0) {
        join_serially(&join);
    } else {
        join_at_once(&join);
    }
    (void)zmq_close(join.socket);
    free(join.workers);
    raw_close(&join.raw);
    return EXIT_SUCCESS;
}
