/* A peer that does not behave: what an old worker, a port scanner or a broken build would send to a coordinator.
 *
 *   strange_peer version ENDPOINT    a HELLO of another protocol version; prints the text of the REJECT
 *   strange_peer garbage ENDPOINT N  N messages of random bytes, frames and sizes; prints how many were refused
 *   strange_peer oversized ENDPOINT N  N messages beyond every limit
 *   strange_peer registrar ENDPOINT N  registers N times over, as somebody else each time, and reads nothing
 *   strange_peer liar ENDPOINT       registers, takes chunks, and sends results that nobody asked it for
 *   strange_peer commander ENDPOINT ACCESS   a worker's key in the hands of one who would be more: says, registered and not, all that only
 *                                    a coordinator may, speaks for the sessions of others, and prints each refusal
 *   strange_peer miscounter ENDPOINT registers, takes chunks, and says of one that it had more items; then it
 *                                would register again
 *
 * Exits with 0 when the coordinator answered as it should, otherwise with 1 and a line on standard error. hostile_worker.c
 * does all of it at once and in numbers. */
#include "common/base/check.h"
#include "common/base/rng.h"
#include "tests/e2e/raw_peer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum { LIES_EACH = 64, GARBAGE_SIZE_MAX = 4096, NONCE = 12345 };

static const size_t oversized_header = WIRE_HEADER_MAX + 1;
static const size_t oversized_payload = (size_t)WIRE_PAYLOAD_MAX + 1;

struct strange {
    struct raw raw;
    void *socket;
};

static void send_message(struct strange *strange, const struct wire_message *message)
{
    raw_send(&strange->raw, strange->socket, message);
}

static void wait_for(struct strange *strange, enum wire_type type, struct wire_message *ret_message)
{
    raw_wait_for(&strange->raw, strange->socket, type, ret_message);
}

static void send_frame(struct strange *strange, const void *bytes, size_t len, bool more)
{
    raw_send_frame(&strange->raw, strange->socket, bytes, len, more);
}

static void expect_reject(struct strange *strange, enum wire_reason reason)
{
    struct wire_message answer;
    do {
        wait_for(strange, WIRE_REJECT, &answer);
    } while (answer.as.reject.reason != reason);
    (void)printf("%.*s\n", (int)answer.as.reject.text.len, answer.as.reject.text.s);
}

static void be_of_another_version(struct strange *strange)
{
    const struct wire_text workload = wire_text("noop");
    struct wire_message hello = raw_hello(&workload, NONCE);
    hello.as.hello.protocol_major++;
    hello.as.hello.protocol_minor = 0;
    send_message(strange, &hello);
    expect_reject(strange, WIRE_REASON_VERSION);
}

/* --- messages as they should not be --- */

static void fill_random(struct rng *rng, unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (unsigned char)rng_next(rng);
    }
}

/* Counts refusals without waiting for any. */
static uint64_t count_refusals(struct strange *strange)
{
    struct wire_message answer;
    uint64_t count = 0;
    while (raw_receive(&strange->raw, strange->socket, ZMQ_DONTWAIT, &answer)) {
        count += answer.type == WIRE_REJECT;
    }
    return count;
}

static void send_garbage(struct strange *strange, uint64_t count)
{
    struct rng rng;
    unsigned char bytes[GARBAGE_SIZE_MAX];
    uint64_t refused = 0;
    rng_init(&rng, 1);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t frames = 1 + rng_below(&rng, 4);
        for (uint64_t k = 1; k <= frames; k++) {
            size_t len = (size_t)rng_below(&rng, sizeof(bytes)) >> rng_below(&rng, 12);
            fill_random(&rng, bytes, len);
            send_frame(strange, bytes, len, k < frames);
        }
        refused += count_refusals(strange);
    }
    /* Still there, and still polite? */
    be_of_another_version(strange);
    (void)printf("%" PRIu64 " refused\n", refused);
}

static void send_oversized(struct strange *strange, uint64_t count)
{
    unsigned char *bytes = calloc(1, oversized_payload);
    CHECK(bytes != NULL);
    for (uint64_t i = 0; i < count; i++) {
        bool two = i % 2 == 0;
        send_frame(strange, bytes, two ? 1 : oversized_header, two);
        if (two) {
            /* A few of the largest kind are enough: it is the same check. */
            send_frame(strange, bytes, i < 8 ? oversized_payload : oversized_header, false);
        }
        (void)count_refusals(strange);
    }
    free(bytes);
}

/* Stays until its input ends: as long as it is there, what is said to it waits. */
static void register_over_and_over(struct strange *strange, uint64_t count)
{
    const struct wire_text workload = wire_text("sleep");
    for (uint64_t i = 0; i < count; i++) {
        struct wire_message hello = raw_hello(&workload, NONCE + i);
        send_message(strange, &hello);
    }
    (void)printf("done\n");
    (void)fflush(stdout);
    while (getchar() != EOF) {
        continue;
    }
}

/* --- lies in good form --- */

static void send_lies(struct strange *strange, const struct wire_message *given, uint64_t seq)
{
    uint64_t ids[LIES_EACH];
    uint64_t numbers[LIES_EACH];
    uint32_t attempts[LIES_EACH];
    for (uint64_t i = 0; i < LIES_EACH; i++) {
        ids[i] = 1 + i; /* of chunks that others hold, or held */
        numbers[i] = 1000000 + i;
        attempts[i] = 1 + (uint32_t)(i % 3);
    }
    struct wire_message message = {
        .type = WIRE_RESULTS, .session = given->session, .job = given->job};
    message.as.results = (struct wire_results){
        .seq = seq,
        .credit = 1,
        .count = LIES_EACH,
        .id = ids,
        .attempt = attempts,
        .ok = numbers,
        .failed = numbers,
        .checksum = numbers,
        .bytes_out = numbers,
        .run_us = numbers,
    };
    send_message(strange, &message);
}

/* Register, get ready for the job, and wait for the first chunks. */
static struct wire_message take_chunks(struct strange *strange)
{
    const struct wire_text workload = wire_text("sleep");
    struct wire_message hello = raw_hello(&workload, NONCE);
    struct wire_message job;
    send_message(strange, &hello);
    wait_for(strange, WIRE_JOB, &job);
    struct wire_message ready = {.type = WIRE_READY, .session = job.session, .job = job.job};
    ready.as.ready = (struct wire_ready){.slots = 1, .credit = 1};
    send_message(strange, &ready);
    struct wire_message chunks;
    wait_for(strange, WIRE_CHUNKS, &chunks);
    return chunks;
}

static void be_a_miscounter(struct strange *strange)
{
    struct wire_message chunks = take_chunks(strange);
    uint64_t id = chunks.as.chunks.id[0];
    uint64_t ok = chunks.as.chunks.items[0] + 1;
    uint64_t checksum = 0;
    uint64_t run_us = 1;
    uint32_t attempt = chunks.as.chunks.attempt[0];
    struct wire_message message = {
        .type = WIRE_RESULTS, .session = chunks.session, .job = chunks.job};
    message.as.results = (struct wire_results){
        .seq = 1,
        .count = 1,
        .id = &id,
        .attempt = &attempt,
        .ok = &ok,
        .checksum = &checksum,
        .run_us = &run_us,
    };
    send_message(strange, &message);
    expect_reject(strange, WIRE_REASON_MALFORMED);
    const struct wire_text workload = wire_text("sleep");
    struct wire_message hello = raw_hello(&workload, NONCE);
    send_message(strange, &hello); /* or it would be given the same chunk again and again */
    expect_reject(strange, WIRE_REASON_MALFORMED);
}

static void be_a_liar(struct strange *strange)
{
    struct wire_message chunks = take_chunks(strange);
    struct wire_message given = {.session = chunks.session, .job = chunks.job};
    send_lies(strange, &given, 1);
    given.job++; /* a job that does not exist */
    send_lies(strange, &given, 2);
    given.job--;
    send_lies(strange, &given, 1000); /* as if messages had been lost */
    expect_reject(strange, WIRE_REASON_SESSION);
}

/* --- one that would command --- */

/* What only a coordinator says, as it would be said to a worker of that session. */
static struct wire_message command_of(enum wire_type type, uint64_t session)
{
    static const uint64_t one = 1;
    static const uint32_t first = 1;
    struct wire_message message = {.type = type, .session = session, .job = 1};
    switch (type) {
    case WIRE_WELCOME:
        message.job = 0;
        message.as.welcome = (struct wire_welcome){.heartbeat_ms = 1000};
        break;
    case WIRE_JOB:
        message.as.job_spec = (struct wire_job){.workload = wire_text("noop"), .strategy = 1};
        break;
    case WIRE_CHUNKS:
        message.as.chunks = (struct wire_chunks){
            .count = 1, .id = &one, .first = &one, .items = &one, .attempt = &first};
        break;
    default: /* CANCEL, DRAIN, ACK */
        message.job = type == WIRE_CANCEL ? 1 : 0;
        break;
    }
    return message;
}

/* Registered as somebody new, or not at all. */
static uint64_t begin_session(struct strange *strange, bool registered, uint64_t nonce)
{
    const struct wire_text workload = wire_text("sleep");
    struct wire_message hello = raw_hello(&workload, nonce);
    struct wire_message answer;
    if (!registered) {
        return 1;
    }
    send_message(strange, &hello);
    wait_for(strange, WIRE_WELCOME, &answer);
    return answer.session;
}

static void be_a_commander(struct strange *strange)
{
    static const enum wire_type commands[] = {
        WIRE_WELCOME, WIRE_JOB, WIRE_CHUNKS, WIRE_CANCEL, WIRE_DRAIN, WIRE_ACK};

    uint64_t nonce = NONCE;
    for (size_t i = 0; i < 2 * sizeof(commands) / sizeof(commands[0]); i++) {
        uint64_t session = begin_session(strange, i % 2 == 0, nonce++);
        struct wire_message message = command_of(commands[i / 2], session);
        send_message(strange, &message);
        expect_reject(strange, WIRE_REASON_MALFORMED);
    }
    /* Sessions are numbered: those of the honest ones lie below. */
    uint64_t own = begin_session(strange, true, nonce);
    for (uint64_t i = 1; i <= 3; i++) {
        struct wire_message bye = {.type = WIRE_HEARTBEAT, .session = own - (i << 16)};
        send_message(strange, &bye);
        expect_reject(strange, WIRE_REASON_SESSION);
    }
}

int main(int argc, char **argv)
{
    struct strange strange;
    uint64_t count = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    raw_open(&strange.raw, "strange_peer", 1);
    if (argc < 3) {
        raw_give_up(&strange.raw,
                    "version | garbage | oversized | registrar | liar | commander | miscounter, "
                    "ENDPOINT, and a count or an access file");
    }
    bool commands = strcmp(argv[1], "commander") == 0;
    strange.socket = raw_connect(&strange.raw, argv[2], commands ? argv[3] : NULL);
    if (strcmp(argv[1], "version") == 0) {
        be_of_another_version(&strange);
    } else if (strcmp(argv[1], "garbage") == 0) {
        send_garbage(&strange, count);
    } else if (strcmp(argv[1], "oversized") == 0) {
        send_oversized(&strange, count);
    } else if (strcmp(argv[1], "registrar") == 0) {
        register_over_and_over(&strange, count);
    } else if (strcmp(argv[1], "liar") == 0) {
        be_a_liar(&strange);
    } else if (commands) {
        be_a_commander(&strange);
    } else if (strcmp(argv[1], "miscounter") == 0) {
        be_a_miscounter(&strange);
    } else {
        raw_give_up(&strange.raw,
                    "'%s' is not one of version, garbage, oversized, registrar, liar, commander, "
                    "miscounter",
                    argv[1]);
    }
    (void)zmq_close(strange.socket);
    raw_close(&strange.raw);
    return EXIT_SUCCESS;
}
