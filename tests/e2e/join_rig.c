/* Many workers that are none, from one process, to see how a coordinator takes them:
 *
 *   join_rig serial ENDPOINT COUNT    one after the other: connect, HELLO, WELCOME
 *   join_rig at-once ENDPOINT COUNT   all at the same time, and they work: once each has had a chunk, all answer theirs, until BYE
 *
 * Each has its own connection, says HELLO once, and again when it had no WELCOME for HELLO_AGAIN_MS, as worker/agent_timers.c has it.
 * Prints what it took in seconds, and how many HELLOs: "serial 0.412", or "welcomed 0.120", "working 0.180", "hellos 1000". */
#include "common/base/check.h"
#include "tests/e2e/raw_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

enum { COUNT_MAX = 4096, HELLO_AGAIN_MS = 5000, POLL_MS = 100, LIMIT_S = 120 };

struct worker {
    uint64_t session; /* 0: not welcomed yet */
    uint64_t job;
    uint64_t seq;
    double hello_s;               /* when it said HELLO last */
    bool working;                 /* it has had a chunk */
    bool gone;                    /* the coordinator is done with it */
    uint64_t id[WIRE_CHUNKS_MAX]; /* of chunks that it has not answered */
    uint64_t items[WIRE_CHUNKS_MAX];
    uint32_t attempt[WIRE_CHUNKS_MAX];
    size_t held;
};

struct join {
    struct raw raw;
    const char *endpoint;
    size_t count;
    struct worker *workers;
    zmq_pollitem_t *polls;
    size_t welcomed;
    size_t working;
    size_t gone;
    size_t hellos;
    double start_s;
};

static double now_s(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void say_hello(struct join *join, size_t i)
{
    const struct wire_text workload = wire_text("noop");
    struct wire_message hello = raw_hello(&workload, i + 1);
    join->workers[i].hello_s = now_s();
    join->hellos++;
    raw_send(&join->raw, join->polls[i].socket, &hello);
}

static void connect_one(struct join *join, size_t i)
{
    join->polls[i] = (zmq_pollitem_t){.socket = raw_connect(&join->raw, join->endpoint),
                                      .events = ZMQ_POLLIN};
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
    for (size_t i = 0; i < join->count; i++) {
        connect_one(join, i);
        do {
            if (!raw_receive(&join->raw, join->polls[i].socket, 0, &answer)) {
                raw_give_up(&join->raw, "no answer to HELLO %zu", i);
            }
            if (answer.type == WIRE_REJECT) {
                give_up_refused(join, &answer);
            }
        } while (answer.type != WIRE_WELCOME);
    }
    (void)printf("serial %.4f\n", now_s() - join->start_s);
    (void)fflush(stdout);
}

/* --- all at once --- */

static void answer(struct join *join, size_t i)
{
    static const uint64_t zeros[WIRE_CHUNKS_MAX];
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
    raw_send(&join->raw, join->polls[i].socket, &message);
    worker->held = 0;
}

static void say(struct join *join, size_t i, enum wire_type type)
{
    struct wire_message message = {.type = type, .session = join->workers[i].session};
    if (type == WIRE_READY) {
        message.job = join->workers[i].job;
        message.as.ready = (struct wire_ready){.slots = 1, .credit = 1};
    }
    raw_send(&join->raw, join->polls[i].socket, &message);
}

static void take_chunks(struct join *join, size_t i, const struct wire_chunks *chunks)
{
    struct worker *worker = &join->workers[i];
    CHECK(worker->held + chunks->count <= WIRE_CHUNKS_MAX);
    memcpy(worker->id + worker->held, chunks->id, chunks->count * sizeof(*chunks->id));
    memcpy(worker->items + worker->held, chunks->items, chunks->count * sizeof(*chunks->items));
    memcpy(
        worker->attempt + worker->held, chunks->attempt, chunks->count * sizeof(*chunks->attempt));
    worker->held += chunks->count;
    join->working += !worker->working;
    worker->working = true;
}

static void hear(struct join *join, size_t i, const struct wire_message *message)
{
    struct worker *worker = &join->workers[i];
    switch (message->type) {
    case WIRE_WELCOME:
        join->welcomed += worker->session == 0;
        worker->session = message->session;
        break;
    case WIRE_JOB:
        worker->job = message->job;
        say(join, i, WIRE_READY);
        break;
    case WIRE_CHUNKS:
        take_chunks(join, i, &message->as.chunks);
        break;
    case WIRE_CANCEL:
        say(join, i, WIRE_HEARTBEAT); /* about no job: it is forgotten */
        break;
    case WIRE_BYE:
        say(join, i, WIRE_BYE);
        worker->gone = true;
        join->gone++;
        break;
    case WIRE_REJECT:
        give_up_refused(join, message);
    default:
        break;
    }
}

static void turn(struct join *join)
{
    struct wire_message message;
    (void)zmq_poll(join->polls, (int)join->count, POLL_MS);
    for (size_t i = 0; i < join->count; i++) {
        struct worker *worker = &join->workers[i];
        while (raw_receive(&join->raw, join->polls[i].socket, ZMQ_DONTWAIT, &message)) {
            hear(join, i, &message);
        }
        if (worker->session == 0 && now_s() - worker->hello_s > HELLO_AGAIN_MS / 1000.0) {
            say_hello(join, i);
        }
        if (join->working == join->count && worker->held > 0) {
            answer(join, i);
        }
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
    double welcomed_s = 0;
    for (size_t i = 0; i < join->count; i++) {
        connect_one(join, i);
    }
    while (join->working < join->count) {
        turn(join);
        if (join->welcomed == join->count && welcomed_s == 0) {
            welcomed_s = now_s() - join->start_s;
        }
    }
    (void)printf("welcomed %.4f\nworking %.4f\nhellos %zu\n",
                 welcomed_s,
                 now_s() - join->start_s,
                 join->hellos);
    (void)fflush(stdout);
    while (join->gone < join->count) {
        turn(join);
    }
}

int main(int argc, char **argv)
{
    struct join join = {.count = argc > 3 ? strtoull(argv[3], NULL, 10) : 0};
    raw_open(&join.raw, "join_rig", COUNT_MAX);
    if (argc != 4 || join.count == 0 || join.count > COUNT_MAX) {
        raw_give_up(&join.raw, "serial | at-once, ENDPOINT, and a count up to %d", COUNT_MAX);
    }
    join.endpoint = argv[2];
    join.workers = calloc(join.count, sizeof(*join.workers));
    join.polls = calloc(join.count, sizeof(*join.polls));
    CHECK(join.workers != NULL && join.polls != NULL);
    join.start_s = now_s();
    if (strcmp(argv[1], "serial") == 0) {
        join_serially(&join);
    } else {
        join_at_once(&join);
    }
    for (size_t i = 0; i < join.count; i++) {
        (void)zmq_close(join.polls[i].socket);
    }
    free(join.workers);
    free(join.polls);
    raw_close(&join.raw);
    return EXIT_SUCCESS;
}
