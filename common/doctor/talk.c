#include "common/doctor/talk.h"

#include "common/io/clock.h"
#include "common/io/versions.h"
#include "common/wire/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    ECHOES = 10,
    ANSWER_LIMIT_MS = 5000,
    LOAD_LIMIT_MS = 5000,
    PIECE_BYTES = 256 * 1024, /* of a load: one message */
    US_PER_S = 1000 * 1000,
    US_PER_MS = 1000,
    NS_PER_US = 1000,
};

struct talker {
    struct zdial *dial;
    struct wire_encoder *encoder;
    struct wire_decoder *decoder;
    struct seen *seen;
    uint64_t end_us;
    uint64_t seq;
    char host[64];
    unsigned char header[WIRE_HEADER_MAX];
    /* the answer in hand */
    struct wire_message message;
    size_t payload_len;
};

/* Of the clock that two machines may compare. */
static uint64_t wall_clock_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * US_PER_S + (uint64_t)now.tv_nsec / NS_PER_US;
}

/* --- one question --- */

/* Each has a number of its own: `talker->seq` is then that of the last one. */
static int ask(struct talker *talker, uint32_t want, size_t payload_len)
{
    unsigned char bytes[512];
    struct wire_message message = {.type = WIRE_PROBE};
    message.as.probe = (struct wire_probe){
        .protocol_major = WIRE_PROTOCOL_MAJOR,
        .protocol_minor = WIRE_PROTOCOL_MINOR,
        .build = wire_text(versions_quartet()),
        .host = wire_text(talker->host),
        .seq = ++talker->seq,
        .want = want,
    };
    size_t len = wire_size(talker->encoder, &message);
    if (len > sizeof(bytes)) {
        return ERR_NOMEM;
    }
    wire_write(talker->encoder, bytes);
    return zdial_send(talker->dial, bytes, len, payload_len);
}

static void note_words(struct talker *talker, enum seen_talk what, const char *words, size_t len)
{
    talker->seen->talk = what;
    (void)snprintf(talker->seen->words, sizeof(talker->seen->words), "%.*s", (int)len, words);
}

/* A coordinator that is older than doctors takes the question for a mistake. */
static void note_reject(struct talker *talker)
{
    const struct wire_reject *reject = &talker->message.as.reject;
    enum seen_talk what = reject->reason == WIRE_REASON_MALFORMED ? TALK_TOO_OLD
                          : reject->reason == WIRE_REASON_KEY     ? TALK_KEY_REFUSED
                                                                  : TALK_REJECTED;
    note_words(talker, what, reject->text.s, reject->text.len);
}

/* Wait for the next ECHO; whatever else is said is taken for what it is. Returns 0, or ERR_TIMEOUT, ERR_GONE or
 * ERR_PROTOCOL, and seen->talk says why. */
static int hear(struct talker *talker, uint32_t limit_ms)
{
    struct err_text error = {{0}};
    size_t len = 0;
    uint64_t at_us = clock_now_us();
    uint64_t left_ms = at_us < talker->end_us ? (talker->end_us - at_us) / US_PER_MS : 0;
    int rc = zdial_receive(talker->dial,
                           left_ms < limit_ms ? (uint32_t)left_ms : limit_ms,
                           talker->header,
                           sizeof(talker->header),
                           &len,
                           &talker->payload_len);
    if (rc == ERR_TIMEOUT || rc == ERR_GONE) {
        note_words(talker, TALK_SILENCE, "", 0);
        return rc;
    }
    if (rc == 0 &&
        wire_decode(talker->decoder, talker->header, len, &error, &talker->message) != 0) {
        rc = ERR_PROTOCOL;
    }
    if (rc != 0) {
        const char *why = error.s[0] != '\0' ? error.s : "a message that is too long";
        note_words(talker, TALK_GARBLED, why, strlen(why));
        return ERR_PROTOCOL;
    }
    if (talker->message.type == WIRE_REJECT) {
        note_reject(talker);
        return ERR_PROTOCOL;
    }
    if (talker->message.type != WIRE_ECHO) {
        const char *what = wire_type_name(talker->message.type);
        note_words(talker, TALK_GARBLED, what, strlen(what));
        return ERR_PROTOCOL;
    }
    return 0;
}

/* --- who it is --- */

static void copy_text(char *to, size_t size, struct wire_text text)
{
    (void)snprintf(to, size, "%.*s", (int)text.len, text.s);
}

static void note_coordinator(struct talker *talker)
{
    const struct wire_echo *echo = &talker->message.as.echo;
    struct seen_coordinator *there = &talker->seen->coordinator;
    *there = (struct seen_coordinator){
        .protocol_major = echo->protocol_major,
        .protocol_minor = echo->protocol_minor,
        .workers = echo->workers,
        .workers_max = echo->workers_max,
        .files_max = echo->files_max,
        .files_left = echo->files_left,
        .running = echo->running,
    };
    copy_text(there->build, sizeof(there->build), echo->build);
    copy_text(there->host, sizeof(there->host), echo->host);
}

static bool introduce(struct talker *talker)
{
    if (ask(talker, 0, 0) != 0) {
        note_words(talker, TALK_SILENCE, "", 0);
        return false;
    }
    if (hear(talker, ANSWER_LIMIT_MS) != 0) {
        return false;
    }
    note_coordinator(talker);
    talker->seen->talk = talker->message.as.echo.protocol_major == WIRE_PROTOCOL_MAJOR
                             ? TALK_ANSWERED
                             : TALK_OTHER_VERSION;
    return talker->seen->talk == TALK_ANSWERED;
}

/* --- how long, and whose clock --- */

static bool take_echo(struct talker *talker)
{
    /* What passes is measured by a clock that nobody sets. */
    uint64_t asked_us = wall_clock_us();
    uint64_t begun_us = clock_now_us();
    if (ask(talker, 0, 0) != 0 || hear(talker, ANSWER_LIMIT_MS) != 0) {
        return false;
    }
    const struct wire_echo *echo = &talker->message.as.echo;
    if (echo->seq == talker->seq) {
        const struct echo_times times = {.asked_us = asked_us,
                                         .received_us = echo->received_us,
                                         .sent_us = echo->sent_us,
                                         .back_us = asked_us + clock_now_us() - begun_us};
        echoes_add(&talker->seen->echoes, &times);
    }
    return true;
}

/* --- how much --- */

/* Send `bytes` there (up), or have them sent back, in pieces, and wait until all of them have come. Returns the time that
 * it took, or 0: they did not. `*ret_bytes`: as many as really went. */
static uint64_t move(struct talker *talker, bool up, uint64_t bytes, uint64_t *ret_bytes)
{
    uint64_t begun_us = clock_now_us();
    uint64_t first = talker->seq + 1;
    *ret_bytes = 0;
    for (uint64_t left = bytes; left > 0;) {
        uint32_t piece = left < PIECE_BYTES ? (uint32_t)left : PIECE_BYTES;
        if (ask(talker, up ? 0 : piece, up ? piece : 0) != 0) {
            return 0;
        }
        left -= piece;
    }
    for (uint64_t seq = first; seq <= talker->seq; seq++) {
        if (hear(talker, LOAD_LIMIT_MS) != 0) {
            return 0;
        }
        *ret_bytes += up ? talker->message.as.echo.got : talker->payload_len;
    }
    return clock_now_us() - begun_us;
}

static void measure(struct talker *talker, bool up, uint64_t max_bytes, struct seen_load *ret_load)
{
    uint64_t round_us = echoes_least_us(&talker->seen->echoes);
    uint64_t bytes = load_next_bytes(0, 0, max_bytes);
    while (bytes > 0) {
        uint64_t moved = 0;
        uint64_t took_us = move(talker, up, bytes, &moved);
        if (took_us == 0 || moved < bytes) {
            return; /* the one before is what is known */
        }
        ret_load->bytes = bytes;
        ret_load->bytes_per_s = load_bytes_per_s(bytes, took_us, round_us);
        bytes = load_next_bytes(bytes, took_us, max_bytes);
    }
}

static void measure_both(struct talker *talker, uint64_t max_bytes)
{
    enum seen_talk before = talker->seen->talk;
    talker->seen->load_wanted = max_bytes > 0;
    measure(talker, true, max_bytes, &talker->seen->up);
    if (talker->seen->talk == before) {
        measure(talker, false, max_bytes, &talker->seen->down);
    }
    talker->seen->talk = before; /* it did answer, and what is missing is seen */
}

static void hold(struct talker *talker, uint64_t load_max_bytes)
{
    if (!introduce(talker)) {
        return;
    }
    for (int i = 0; i < ECHOES; i++) {
        if (!take_echo(talker)) {
            break;
        }
    }
    if (talker->seen->echoes.count == ECHOES) {
        measure_both(talker, load_max_bytes);
    }
    /* A connection that broke in between is seen by what is missing. */
    talker->seen->talk = talker->seen->echoes.count > 0 ? TALK_ANSWERED : talker->seen->talk;
}

int talk(struct zdial *dial, uint64_t load_max_bytes, uint64_t end_us, struct seen *seen)
{
    struct talker *talker = calloc(1, sizeof(*talker));
    if (talker == NULL) {
        return ERR_NOMEM;
    }
    talker->dial = dial;
    talker->encoder = wire_encoder_new();
    talker->decoder = wire_decoder_new();
    talker->seen = seen;
    talker->end_us = end_us;
    (void)gethostname(talker->host, sizeof(talker->host) - 1);
    int rc = talker->encoder == NULL || talker->decoder == NULL ? ERR_NOMEM : 0;
    if (rc == 0) {
        hold(talker, load_max_bytes);
    }
    wire_encoder_free(talker->encoder);
    wire_decoder_free(talker->decoder);
    free(talker);
    return rc;
}
