/* Messages that cannot be read; see nonsense.h. */
#include "tests/e2e/nonsense.h"

#include "common/base/check.h"
#include "tests/wire/wire_samples.h"

#include <stdlib.h>

enum {
    RANDOM_SIZE_MAX = 4096,
    SAMPLE_MAX = 1024,
    FRAMES_FEW = 40,
    FRAMES_MANY = 5000,
    EACH = 2000, /* of so many messages one is of the largest kind */
};

void nonsense_init(struct nonsense *nonsense, struct raw *raw, uint64_t seed)
{
    nonsense->raw = raw;
    rng_init(&nonsense->rng, seed);
    nonsense->zeros = calloc(1, (size_t)WIRE_PAYLOAD_MAX + 1);
    CHECK(nonsense->zeros != NULL);
}

void nonsense_deinit(struct nonsense *nonsense)
{
    free(nonsense->zeros);
}

void nonsense_fill(struct nonsense *nonsense, unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (unsigned char)rng_next(&nonsense->rng);
    }
}

static void send_random(struct nonsense *nonsense, void *socket)
{
    unsigned char bytes[RANDOM_SIZE_MAX];
    uint64_t frames = 1 + rng_below(&nonsense->rng, 3);
    for (uint64_t i = 1; i <= frames; i++) {
        size_t len = (size_t)rng_below(&nonsense->rng, sizeof(bytes)) >>
                     rng_below(&nonsense->rng, 12);
        nonsense_fill(nonsense, bytes, len);
        raw_send_frame(nonsense->raw, socket, bytes, len, i < frames);
    }
}

static size_t any_sample(struct nonsense *nonsense, unsigned char *bytes)
{
    size_t which = (size_t)rng_below(&nonsense->rng, wire_sample_count);
    return wire_sample_golden(&wire_samples[which], bytes, SAMPLE_MAX);
}

static void send_truncated(struct nonsense *nonsense, void *socket)
{
    unsigned char bytes[SAMPLE_MAX];
    size_t len = any_sample(nonsense, bytes);
    raw_send_frame(
        nonsense->raw, socket, bytes, len > 0 ? (size_t)rng_below(&nonsense->rng, len) : 0, false);
}

/* Would this end a worker in good order? */
static bool is_farewell(struct nonsense *nonsense, const unsigned char *bytes, size_t len)
{
    struct wire_message message;
    struct err_text error;
    return wire_decode(nonsense->raw->decoder, bytes, len, &error, &message) == 0 &&
           (message.type == WIRE_REJECT || message.type == WIRE_DRAIN || message.type == WIRE_BYE);
}

static void send_turned_over(struct nonsense *nonsense, void *socket)
{
    unsigned char bytes[SAMPLE_MAX];
    size_t len = any_sample(nonsense, bytes);
    for (uint64_t i = 1 + rng_below(&nonsense->rng, 4); len > 0 && i > 0; i--) {
        bytes[rng_below(&nonsense->rng, len)] ^= (unsigned char)(1U
                                                                 << rng_below(&nonsense->rng, 8));
    }
    len = is_farewell(nonsense, bytes, len) ? len - 1 : len;
    raw_send_frame(nonsense->raw, socket, bytes, len, false);
}

static void send_too_long(struct nonsense *nonsense, void *socket)
{
    unsigned char bytes[SAMPLE_MAX];
    size_t len = any_sample(nonsense, bytes);
    if (rng_below(&nonsense->rng, EACH / 20) == 0) {
        raw_send_frame(nonsense->raw, socket, bytes, len, true);
        raw_send_frame(nonsense->raw, socket, nonsense->zeros, (size_t)WIRE_PAYLOAD_MAX + 1, false);
        return;
    }
    raw_send_frame(nonsense->raw, socket, nonsense->zeros, (size_t)WIRE_HEADER_MAX + 1, false);
}

static void send_many_frames(struct nonsense *nonsense, void *socket)
{
    bool many = rng_below(&nonsense->rng, EACH / 20) == 0;
    uint64_t frames = 3 + rng_below(&nonsense->rng, many ? FRAMES_MANY : FRAMES_FEW);
    for (uint64_t i = 1; i <= frames; i++) {
        raw_send_frame(nonsense->raw, socket, nonsense->zeros, 64, i < frames);
    }
}

void nonsense_say(struct nonsense *nonsense, void *socket, const void *id, size_t id_len)
{
    static void (*const ways[])(struct nonsense * nonsense, void *socket) = {
        send_random,
        send_random,
        send_random,
        send_truncated,
        send_truncated,
        send_truncated,
        send_turned_over,
        send_turned_over,
        send_too_long,
        send_many_frames,
    };

    if (id_len > 0) {
        raw_send_frame(nonsense->raw, socket, id, id_len, true);
    }
    ways[rng_below(&nonsense->rng, sizeof(ways) / sizeof(ways[0]))](nonsense, socket);
}
