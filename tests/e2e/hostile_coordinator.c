/* A coordinator that does everything wrong, for the workers that connect to it:
 *
 *   hostile_coordinator ENDPOINT MESSAGES SEED
 *
 * Says "listening", answers each HELLO, and says one of, at random and without waiting: nonsense (nonsense.h), WELCOME to
 * another session, REJECT, one JOB after the other (unknown ones, with parameters that are none, commands, ones that would run
 * for ever), CANCEL, chunks without credit, of no job, with more items than there are numbers or with payloads that are none,
 * ACK of what was never sent, PART that nobody asked for, what only workers say. Listens to what comes meanwhile, so that it
 * knows whom to answer, and from time to time is silent for a moment. When the worker has gone it waits for it to come back.
 *
 * Left out is what ends a worker in good order: REJECT of its version, DRAIN, BYE; and huge numbers of slots: a worker takes the
 * number of threads that it is told. */
#include "common/base/check.h"
#include "tests/e2e/nonsense.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

enum { PAUSE_EACH = 50, PAUSE_MS = 20, SELDOM = 500, SLOTS_MAX = 8, KINDS = WIRE_ECHO + 1 };

struct hostile {
    struct raw raw;
    struct nonsense nonsense;
    void *socket;
    unsigned char peer[16]; /* the routing id that spoke last */
    size_t peer_len;
    uint64_t session; /* the one said last */
    uint64_t job;
    bool greeted; /* it said HELLO, and had no answer yet */
    uint64_t heard[KINDS];
};

static uint64_t below(struct hostile *hostile, uint64_t limit)
{
    return rng_below(&hostile->nonsense.rng, limit);
}

/* --- listening --- */

/* Waits so long at most. False: nothing came. */
static bool hear(struct hostile *hostile, int limit_ms)
{
    unsigned char peer[sizeof(hostile->peer)];
    struct wire_message message;
    raw_set(&hostile->raw, hostile->socket, ZMQ_RCVTIMEO, limit_ms);
    int len = zmq_recv(hostile->socket, peer, sizeof(peer), 0);
    if (len <= 0) {
        return false;
    }
    hostile->peer_len = (size_t)len;
    for (int i = 0; i < len; i++) {
        hostile->peer[i] = peer[i];
    }
    if (raw_receive(&hostile->raw, hostile->socket, 0, &message)) {
        hostile->heard[message.type]++;
        hostile->greeted |= message.type == WIRE_HELLO;
    }
    return true;
}

/* Is the one that spoke last connected still? Asks by an empty message. */
static bool is_reachable(struct hostile *hostile)
{
    raw_set(&hostile->raw, hostile->socket, ZMQ_ROUTER_MANDATORY, 1);
    bool reachable = zmq_send(hostile->socket, hostile->peer, hostile->peer_len, ZMQ_SNDMORE) >= 0;
    raw_set(&hostile->raw, hostile->socket, ZMQ_ROUTER_MANDATORY, 0);
    if (reachable) {
        raw_send_frame(&hostile->raw, hostile->socket, "", 0, false);
    }
    return reachable;
}

/* --- speaking --- */

static void say(struct hostile *hostile,
                struct wire_message *message,
                const void *payload,
                size_t payload_len)
{
    unsigned char bytes[WIRE_HEADER_MAX];
    size_t len = raw_encode(&hostile->raw, message, bytes);
    raw_send_frame(&hostile->raw, hostile->socket, hostile->peer, hostile->peer_len, true);
    raw_send_frame(&hostile->raw, hostile->socket, bytes, len, payload != NULL);
    if (payload != NULL) {
        raw_send_frame(&hostile->raw, hostile->socket, payload, payload_len, false);
    }
}

/* In the session that it was given, mostly. */
static struct wire_message of_session(struct hostile *hostile, enum wire_type type)
{
    struct wire_message message = {.type = type, .session = hostile->session, .job = hostile->job};
    if (below(hostile, 10) == 0) {
        message.session = rng_next(&hostile->nonsense.rng) | 1;
    }
    return message;
}

static void talk_nonsense(struct hostile *hostile)
{
    nonsense_say(&hostile->nonsense, hostile->socket, hostile->peer, hostile->peer_len);
}

static void welcome(struct hostile *hostile)
{
    struct wire_message message = {.type = WIRE_WELCOME, .session = ++hostile->session};
    message.as.welcome.protocol_minor = (uint32_t)below(hostile, UINT32_MAX);
    message.as.welcome.heartbeat_ms = 10 + (uint32_t)below(hostile, 3599000);
    say(hostile, &message, NULL, 0);
}

static void reject(struct hostile *hostile)
{
    struct wire_message message = of_session(hostile, WIRE_REJECT);
    message.job = 0;
    message.session = below(hostile, 2) == 0 ? 0 : message.session;
    message.as.reject.reason = below(hostile, 2) == 0 ? WIRE_REASON_FULL : WIRE_REASON_MALFORMED;
    message.as.reject.text = wire_text("go away\x1b[2J\nand stay away");
    say(hostile, &message, NULL, 0);
}

static void order_job(struct hostile *hostile)
{
    static const char *const workloads[] = {"noop", "squares", "sleep", "spin", "exec", "nothing"};
    static const char *const values[] = {"", "0.001", "-1", "1e999", "\xff\xfe", "%s%n"};
    const struct wire_text name = wire_text(below(hostile, 2) == 0 ? "seconds" : "command");
    const struct wire_text value = wire_text(values[below(hostile, 6)]);
    struct wire_message message = of_session(hostile, WIRE_JOB);
    message.job = ++hostile->job;
    message.as.job_spec = (struct wire_job){
        .workload = wire_text(workloads[below(hostile, 6)]),
        .param_names = &name,
        .param_values = &value,
        .param_count = (size_t)below(hostile, 2),
        .strategy = 1 + (uint32_t)below(hostile, 4),
        .slots = (uint32_t)below(hostile, SLOTS_MAX),
        .range_first = rng_next(&hostile->nonsense.rng),
        .credit_fixed = (uint32_t)below(hostile, 65536),
        .records = below(hostile, 2) == 0,
    };
    say(hostile, &message, NULL, 0);
}

static void cancel(struct hostile *hostile)
{
    struct wire_message message = of_session(hostile, WIRE_CANCEL);
    message.job = 1 + below(hostile, hostile->job + 1);
    say(hostile, &message, NULL, 0);
}

static void send_chunks(struct hostile *hostile)
{
    uint64_t id[WIRE_CHUNKS_MAX];
    uint64_t first[WIRE_CHUNKS_MAX];
    uint64_t items[WIRE_CHUNKS_MAX];
    uint32_t attempt[WIRE_CHUNKS_MAX];
    uint32_t payload_len[WIRE_CHUNKS_MAX];
    unsigned char payload[WIRE_CHUNKS_MAX * 16];
    bool with_payload = below(hostile, 2) == 0;
    bool huge = below(hostile, 8) == 0;
    size_t count = 1 + (size_t)below(hostile, below(hostile, 20) == 0 ? WIRE_CHUNKS_MAX : 2);
    for (size_t i = 0; i < count; i++) {
        id[i] = 1 + below(hostile, 100);
        first[i] = rng_next(&hostile->nonsense.rng) >> 1;
        items[i] = huge ? UINT64_MAX / 4 : 1 + below(hostile, 3);
        attempt[i] = 1 + (uint32_t)below(hostile, UINT32_MAX - 1);
        payload_len[i] = (uint32_t)below(hostile, 16);
    }
    struct wire_message message = of_session(hostile, WIRE_CHUNKS);
    message.job = hostile->job > 0 ? hostile->job : 1;
    message.as.chunks = (struct wire_chunks){.count = count,
                                             .id = id,
                                             .first = first,
                                             .items = items,
                                             .attempt = attempt,
                                             .payload_len = with_payload ? payload_len : NULL};
    nonsense_fill(&hostile->nonsense, payload, sizeof(payload));
    say(hostile, &message, with_payload ? payload : NULL, (size_t)below(hostile, sizeof(payload)));
}

static void acknowledge(struct hostile *hostile)
{
    struct wire_message message = of_session(hostile, WIRE_ACK);
    message.ack = below(hostile, 2) == 0 ? UINT64_MAX : below(hostile, 100);
    say(hostile, &message, NULL, 0);
}

static void send_part(struct hostile *hostile)
{
    static const char hash[WIRE_HASH_SIZE] = {2};
    struct wire_message message = of_session(hostile, WIRE_PART);
    message.job = hostile->job > 0 ? hostile->job : 1;
    message.as.fetch.hash = (struct wire_text){hash, sizeof(hash)};
    message.as.fetch.offset = below(hostile, WIRE_PLUGIN_MAX);
    say(hostile, &message, hash, sizeof(hash));
}

static void say_what_only_workers_do(struct hostile *hostile)
{
    struct wire_message message = of_session(hostile, WIRE_READY);
    message.job |= 1;
    message.as.ready = (struct wire_ready){.slots = 1, .credit = 65536};
    say(hostile, &message, NULL, 0);
}

static void (*const deeds[])(struct hostile *hostile) = {
    talk_nonsense,
    talk_nonsense,
    talk_nonsense,
    talk_nonsense,
    order_job,
    order_job,
    cancel,
    send_chunks,
    send_chunks,
    send_chunks,
    acknowledge,
    send_part,
    say_what_only_workers_do,
};

static void run(struct hostile *hostile, uint64_t messages)
{
    for (uint64_t i = 0; i < messages; i++) {
        if (below(hostile, PAUSE_EACH) == 0) {
            (void)hear(hostile, PAUSE_MS);
        }
        while (hear(hostile, 0)) {
            continue;
        }
        if ((i == 0 || !is_reachable(hostile)) && !hear(hostile, RAW_LIMIT_MS)) {
            raw_give_up(&hostile->raw, "no worker came (any more)");
        }
        if (hostile->greeted || below(hostile, SELDOM) == 0) {
            hostile->greeted = false;
            welcome(hostile);
        } else if (below(hostile, SELDOM) == 0) {
            reject(hostile); /* after which the worker says nothing for up to 5 s */
        } else {
            deeds[below(hostile, sizeof(deeds) / sizeof(deeds[0]))](hostile);
        }
    }
}

int main(int argc, char **argv)
{
    struct hostile hostile = {.session = 1};
    raw_open(&hostile.raw, "hostile_coordinator", 1);
    if (argc != 4) {
        raw_give_up(&hostile.raw, "ENDPOINT MESSAGES SEED");
    }
    nonsense_init(&hostile.nonsense, &hostile.raw, strtoull(argv[3], NULL, 10));
    hostile.socket = raw_socket(&hostile.raw, ZMQ_ROUTER);
    if (zmq_bind(hostile.socket, argv[1]) != 0) {
        raw_give_up(&hostile.raw, "cannot listen on '%s': %s", argv[1], zmq_strerror(zmq_errno()));
    }
    (void)printf("listening\n");
    (void)fflush(stdout);
    run(&hostile, strtoull(argv[2], NULL, 10));
    for (size_t type = 0; type < KINDS; type++) {
        if (hostile.heard[type] > 0) {
            (void)printf(
                "%s %" PRIu64 "\n", wire_type_name((enum wire_type)type), hostile.heard[type]);
        }
    }
    raw_set(&hostile.raw, hostile.socket, ZMQ_LINGER, 0);
    (void)zmq_close(hostile.socket);
    nonsense_deinit(&hostile.nonsense);
    raw_close(&hostile.raw);
    return EXIT_SUCCESS;
}
