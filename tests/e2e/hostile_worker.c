/* Many peers that do everything wrong, at a coordinator that has honest work going on:
 *
 *   hostile_worker ENDPOINT MESSAGES CONNECTIONS SEED
 *
 * It stays until its standard input ends. Each message goes over one of the connections and is one of: nonsense (nonsense.h), a HELLO of another version, a good HELLO,
 * the same message twice, a session number or a nonce of another connection, results out of turn, chunks given back that
 * it never had; or the connection is closed and made anew. Some connections never read what is answered, some choose
 * a routing id for themselves, some become workers and lie about the chunks that they are given.
 *
 * What no coordinator can find out is not among it: results that add up and are wrong. Prints how much of what was said. */
#include "common/base/check.h"
#include "tests/e2e/nonsense.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

enum {
    DEAF_EACH = 10,  /* of so many connections one never reads */
    NAMED_EACH = 20, /* one has a routing id of its own choice */
    WORKS_EACH = 5,  /* one becomes a worker when it is sent a job */
    ANSWERS_READ = 64,
    MAX_CONNECTIONS = 4096,
    KINDS = WIRE_ECHO + 1,
};

struct connection {
    void *socket;
    size_t number;
    uint64_t session; /* 0: none that it knows of */
    uint64_t job;
    uint64_t nonce;
    unsigned char last[WIRE_HEADER_MAX]; /* the last valid message that it said */
    size_t last_len;
};

struct hostile {
    struct raw raw;
    struct nonsense nonsense;
    const char *endpoint;
    struct connection *connections;
    size_t count;
    uint64_t answers[KINDS]; /* by type */
    uint64_t reopened;
    uint64_t lies;
};

static bool works(const struct connection *connection)
{
    return connection->number % WORKS_EACH == 2;
}

static uint64_t below(struct hostile *hostile, uint64_t limit)
{
    return rng_below(&hostile->nonsense.rng, limit);
}

static struct connection *any(struct hostile *hostile)
{
    return &hostile->connections[below(hostile, hostile->count)];
}

static void open_connection(struct hostile *hostile, struct connection *connection)
{
    char id[32];
    void *socket = raw_socket(&hostile->raw, ZMQ_DEALER);
    raw_set(&hostile->raw, socket, ZMQ_LINGER, 0);
    if (connection->number % NAMED_EACH == 1) {
        int len = snprintf(id, sizeof(id), "my own name %zu", connection->number);
        CHECK(zmq_setsockopt(socket, ZMQ_ROUTING_ID, id, (size_t)len) == 0);
    }
    if (zmq_connect(socket, hostile->endpoint) != 0) {
        raw_give_up(&hostile->raw, "cannot connect: %s", zmq_strerror(zmq_errno()));
    }
    connection->socket = socket;
    connection->session = 0;
}

/* --- messages in good form --- */

static void say(struct hostile *hostile,
                struct connection *connection,
                const struct wire_message *message)
{
    connection->last_len = raw_encode(&hostile->raw, message, connection->last);
    raw_send_frame(
        &hostile->raw, connection->socket, connection->last, connection->last_len, false);
}

static void say_hello(struct hostile *hostile, struct connection *connection)
{
    const struct wire_text workload = wire_text("sleep");
    connection->nonce = rng_next(&hostile->nonsense.rng) | 1;
    struct wire_message hello = raw_hello(&workload, connection->nonce);
    say(hostile, connection, &hello);
}

static void say_hello_of_another_version(struct hostile *hostile, struct connection *connection)
{
    const struct wire_text workload = wire_text("sleep");
    struct wire_message hello = raw_hello(&workload, 1);
    hello.as.hello.protocol_major = 2 + (uint32_t)below(hostile, 1000);
    say(hostile, connection, &hello);
}

static void say_hello_of_somebody_else(struct hostile *hostile, struct connection *connection)
{
    const struct wire_text workload = wire_text("sleep");
    struct wire_message hello = raw_hello(&workload, any(hostile)->nonce | 1);
    say(hostile, connection, &hello);
}

static void say_again(struct hostile *hostile, struct connection *connection)
{
    if (connection->last_len > 0) {
        raw_send_frame(
            &hostile->raw, connection->socket, connection->last, connection->last_len, false);
    }
}

/* RESULTS of `count` chunks with ids from `id` on, each of `ok` items. */
static void say_results(struct hostile *hostile,
                        struct connection *connection,
                        uint64_t session,
                        uint64_t seq,
                        uint64_t id,
                        uint32_t attempt,
                        uint64_t ok)
{
    struct wire_message message = {.type = WIRE_RESULTS, .session = session};
    const uint64_t one = 1;
    message.job = connection->job | 1;
    message.as.results = (struct wire_results){.seq = seq,
                                               .credit = (uint32_t)below(hostile, 65536),
                                               .count = 1,
                                               .id = &id,
                                               .attempt = &attempt,
                                               .ok = &ok,
                                               .checksum = &one,
                                               .run_us = &one};
    say(hostile, connection, &message);
}

/* About chunks that others have, in numbers that no chunk has. Session numbers are its own, another's, or any. */
static void say_results_out_of_turn(struct hostile *hostile, struct connection *connection)
{
    uint64_t session = below(hostile, 2) == 0 ? any(hostile)->session : connection->session;
    session = session == 0 ? rng_next(&hostile->nonsense.rng) | 1 : session;
    uint64_t seq = below(hostile, 2) == 0 ? 1 : 1 + below(hostile, 100000);
    uint64_t id = 1 + below(hostile, 1000);
    say_results(hostile, connection, session, seq, id, 1, UINT64_MAX - below(hostile, 1000));
}

static void give_back_what_it_never_had(struct hostile *hostile, struct connection *connection)
{
    uint64_t ids[16];
    struct wire_message message = {.type = WIRE_RETURNED, .session = any(hostile)->session | 1};
    for (size_t i = 0; i < 16; i++) {
        ids[i] = 1 + below(hostile, 1000);
    }
    message.job = connection->job;
    message.as.returned.id = ids;
    message.as.returned.count = 16;
    say(hostile, connection, &message);
}

static void say_what_only_workers_with_a_session_may(struct hostile *hostile,
                                                     struct connection *connection)
{
    static const enum wire_type types[] = {WIRE_HEARTBEAT, WIRE_BYE, WIRE_READY, WIRE_FETCH};

    static const char hash[WIRE_HASH_SIZE] = {1};
    struct wire_message message = {.type = types[below(hostile, 4)]};
    message.session = any(hostile)->session | 1;
    message.job = connection->job | 1;
    if (message.type == WIRE_READY) {
        message.as.ready = (struct wire_ready){.slots = 65536};
    } else if (message.type == WIRE_FETCH) {
        message.as.fetch.hash = (struct wire_text){hash, sizeof(hash)};
        message.as.fetch.offset = below(hostile, WIRE_PLUGIN_MAX);
    } else if (message.type == WIRE_HEARTBEAT) {
        message.as.heartbeat.items_done = UINT64_MAX;
        message.as.heartbeat.cpu_us = UINT64_MAX;
    }
    say(hostile, connection, &message);
}

static void say_what_only_coordinators_do(struct hostile *hostile, struct connection *connection)
{
    struct wire_message message = {.type = below(hostile, 2) == 0 ? WIRE_WELCOME : WIRE_CANCEL};
    message.session = connection->session | 1;
    message.job = 1;
    if (message.type == WIRE_WELCOME) {
        message.job = 0;
        message.as.welcome.heartbeat_ms = 10;
    }
    say(hostile, connection, &message);
}

static void reconnect(struct hostile *hostile, struct connection *connection)
{
    (void)zmq_close(connection->socket);
    open_connection(hostile, connection);
    hostile->reopened++;
}

static void talk_nonsense(struct hostile *hostile, struct connection *connection)
{
    nonsense_say(&hostile->nonsense, connection->socket, NULL, 0);
}

/* --- workers that lie --- */

static void get_ready(struct hostile *hostile, struct connection *connection)
{
    struct wire_message message = {
        .type = WIRE_READY, .session = connection->session, .job = connection->job};
    message.as.ready = (struct wire_ready){.slots = 1, .credit = 1};
    say(hostile, connection, &message);
}

/* About the chunk that it was given. The last lie is one that is found out for sure, so that the chunk is not kept. */
static void lie(struct hostile *hostile,
                struct connection *connection,
                const struct wire_chunks *chunks)
{
    uint64_t id = chunks->id[0];
    uint64_t items = chunks->items[0];
    uint32_t attempt = chunks->attempt[0];
    hostile->lies++;
    switch (below(hostile, 4)) {
    case 0: /* of a chunk that never was */
        say_results(hostile, connection, connection->session, 1, UINT64_MAX, 1, items);
        break;
    case 1: /* of an attempt that never was */
        say_results(hostile, connection, connection->session, 1, id, attempt + 100, items + 1);
        break;
    case 2: /* a number that wraps with any other */
        say_results(hostile, connection, connection->session, 1, id, attempt, UINT64_MAX);
        break;
    default: /* out of turn */
        say_results(hostile, connection, connection->session, 7, id, attempt, items);
        break;
    }
    say_results(hostile, connection, connection->session, 2, id, attempt, items + 1);
    raw_send_frame(&hostile->raw, connection->socket, "?", 1, false);
    connection->session = 0;
}

static void hear(struct hostile *hostile, struct connection *connection)
{
    struct wire_message answer;
    for (int i = 0; i < ANSWERS_READ; i++) {
        if (!raw_receive(&hostile->raw, connection->socket, ZMQ_DONTWAIT, &answer)) {
            return;
        }
        hostile->answers[answer.type]++;
        connection->session = answer.session != 0 ? answer.session : connection->session;
        if (answer.type == WIRE_JOB) {
            connection->job = answer.job;
            if (works(connection)) {
                get_ready(hostile, connection);
            }
        } else if (answer.type == WIRE_CHUNKS) {
            lie(hostile, connection, &answer.as.chunks);
        }
    }
}

/* --- */

/* A worker that dies with a chunk cannot be told from one that its chunk has killed: those that work keep their connection, and
 * are found out. */
static void act_as_worker(struct hostile *hostile, struct connection *connection)
{
    hear(hostile, connection);
    if (connection->session == 0) {
        say_hello(hostile, connection);
    } else if (below(hostile, 4) == 0) {
        raw_send_frame(&hostile->raw, connection->socket, "?", 1, false);
        connection->session = 0;
    }
}

/* As a doctor that asks for all that it can have. */
static void probe(struct hostile *hostile, struct connection *connection)
{
    struct wire_message message = {.type = WIRE_PROBE};
    message.as.probe = (struct wire_probe){
        .protocol_major = below(hostile, 2) == 0 ? WIRE_PROTOCOL_MAJOR : 77,
        .host = wire_text("nowhere\x1b[2J"),
        .seq = below(hostile, 3),
        .want = below(hostile, 2) == 0 ? WIRE_PROBE_MAX : (uint32_t)below(hostile, WIRE_PROBE_MAX),
    };
    say(hostile, connection, &message);
}

static void (*const deeds[])(struct hostile *hostile, struct connection *connection) = {
    talk_nonsense,
    talk_nonsense,
    talk_nonsense,
    talk_nonsense,
    talk_nonsense,
    talk_nonsense,
    talk_nonsense,
    say_hello_of_another_version,
    say_hello,
    say_hello,
    say_hello,
    say_hello_of_somebody_else,
    say_again,
    say_again,
    say_results_out_of_turn,
    say_results_out_of_turn,
    give_back_what_it_never_had,
    say_what_only_workers_with_a_session_may,
    say_what_only_coordinators_do,
    probe,
    probe,
    reconnect,
};

static void act(struct hostile *hostile)
{
    struct connection *connection = any(hostile);
    if (works(connection)) {
        act_as_worker(hostile, connection);
        return;
    }
    if (connection->number % DEAF_EACH != 0) {
        hear(hostile, connection);
    }
    deeds[below(hostile, sizeof(deeds) / sizeof(deeds[0]))](hostile, connection);
}

static void print_answers(const struct hostile *hostile)
{
    for (size_t type = 0; type < KINDS; type++) {
        if (hostile->answers[type] > 0) {
            (void)printf(
                "%s %" PRIu64 "\n", wire_type_name((enum wire_type)type), hostile->answers[type]);
        }
    }
    (void)printf("reopened %" PRIu64 "\nlies %" PRIu64 "\n", hostile->reopened, hostile->lies);
}

/* With nothing in hand. */
static void stay(struct hostile *hostile)
{
    for (size_t i = 0; i < hostile->count; i++) {
        if (works(&hostile->connections[i])) {
            raw_send_frame(&hostile->raw, hostile->connections[i].socket, "?", 1, false);
        }
    }
    (void)printf("done\n");
    (void)fflush(stdout);
    while (getchar() != EOF) {
        continue;
    }
}

int main(int argc, char **argv)
{
    struct hostile hostile = {.count = argc > 3 ? strtoull(argv[3], NULL, 10) : 0};
    raw_open(&hostile.raw, "hostile_worker", MAX_CONNECTIONS);
    if (argc != 5 || hostile.count == 0 || hostile.count > MAX_CONNECTIONS / 2) {
        raw_give_up(&hostile.raw, "ENDPOINT MESSAGES CONNECTIONS SEED, at most 2048 connections");
    }
    hostile.endpoint = argv[1];
    hostile.connections = calloc(hostile.count, sizeof(*hostile.connections));
    CHECK(hostile.connections != NULL);
    nonsense_init(&hostile.nonsense, &hostile.raw, strtoull(argv[4], NULL, 10));
    for (size_t i = 0; i < hostile.count; i++) {
        hostile.connections[i].number = i;
        open_connection(&hostile, &hostile.connections[i]);
    }
    for (uint64_t messages = strtoull(argv[2], NULL, 10); messages > 0; messages--) {
        act(&hostile);
    }
    print_answers(&hostile);
    stay(&hostile);
    for (size_t i = 0; i < hostile.count; i++) {
        (void)zmq_close(hostile.connections[i].socket);
    }
    free(hostile.connections);
    nonsense_deinit(&hostile.nonsense);
    raw_close(&hostile.raw);
    return EXIT_SUCCESS;
}
