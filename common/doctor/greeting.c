#include "common/doctor/greeting.h"

#include "common/base/printable.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Where things are in a greeting of ZMTP 3. */
enum {
    AT_SIGNATURE_END = 9,
    AT_MAJOR = 10,
    AT_MINOR = 11,
    AT_MECHANISM = 12,
    MECHANISM_LEN = 20,
    MAJOR_WITH_MECHANISMS = 3,
    HEX_SHOWN = 8,
};

const unsigned char greeting_asked[GREETING_ASKED_SIZE] =
    {0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, MAJOR_WITH_MECHANISMS};

static bool begins(const unsigned char *bytes, size_t len, const char *with)
{
    size_t with_len = strlen(with);
    return len >= with_len && memcmp(bytes, with, with_len) == 0;
}

static bool is_tls(const unsigned char *bytes, size_t len)
{
    enum { ALERT = 0x15, HANDSHAKE = 0x16, MAJOR_OF_TLS = 3 };

    return len >= 3 && (bytes[0] == ALERT || bytes[0] == HANDSHAKE) && bytes[1] == MAJOR_OF_TLS;
}

/* The eight bytes between are a length in ZMTP 1, and mean nothing since. */
static bool is_zmtp(const unsigned char *bytes, size_t len)
{
    return len > AT_SIGNATURE_END && bytes[0] == 0xff && (bytes[AT_SIGNATURE_END] & 1) == 1;
}

static void copy_line(const unsigned char *bytes, size_t len, char *ret_words)
{
    size_t at = 0;
    while (at < len && at < GREETING_WORDS_SIZE - 1) {
        size_t step = printable_len((const char *)bytes + at, len - at);
        if (step == 0 || at + step > GREETING_WORDS_SIZE - 1) {
            break;
        }
        at += step;
    }
    memcpy(ret_words, bytes, at);
    ret_words[at] = '\0';
}

static void copy_hex(const unsigned char *bytes, size_t len, char *ret_words)
{
    for (size_t i = 0; i < len && i < HEX_SHOWN; i++) {
        (void)snprintf(
            ret_words + 3 * i, 4, "%02x%s", bytes[i], i + 1 < HEX_SHOWN && i + 1 < len ? " " : "");
    }
}

static void read_words(const unsigned char *bytes, size_t len, struct greeting *greeting)
{
    copy_line(bytes, len, greeting->words);
    if (greeting->words[0] == '\0') {
        copy_hex(bytes, len, greeting->words);
    }
}

/* A name is padded with zeros to its whole length. */
static void read_mechanism(const unsigned char *bytes, struct greeting *greeting)
{
    for (size_t i = 0; i < MECHANISM_LEN && bytes[AT_MECHANISM + i] != '\0'; i++) {
        unsigned char byte = bytes[AT_MECHANISM + i];
        greeting->mechanism[i] = (char)(byte > ' ' && byte < 0x7f ? byte : '?');
    }
}

static void read_zmtp(const unsigned char *bytes, size_t len, struct greeting *greeting)
{
    greeting->kind = GREETING_ZMTP_CUT;
    if (len <= AT_MAJOR) {
        return;
    }
    greeting->major = bytes[AT_MAJOR];
    if (greeting->major < MAJOR_WITH_MECHANISMS) {
        greeting->kind = GREETING_ZMTP_OLD;
    } else if (len >= AT_MECHANISM + MECHANISM_LEN) {
        greeting->kind = GREETING_ZMTP;
        greeting->minor = bytes[AT_MINOR];
        read_mechanism(bytes, greeting);
    }
}

struct greeting greeting_read(const void *bytes, size_t len)
{
    struct greeting greeting = {.kind = len == 0 ? GREETING_NONE : GREETING_OTHER};
    if (is_zmtp(bytes, len)) {
        read_zmtp(bytes, len, &greeting);
        return greeting;
    }
    if (begins(bytes, len, "SSH-")) {
        greeting.kind = GREETING_SSH;
    } else if (begins(bytes, len, "HTTP/")) {
        greeting.kind = GREETING_HTTP;
    } else if (is_tls(bytes, len)) {
        greeting.kind = GREETING_TLS;
    }
    if (len > 0) {
        read_words(bytes, len, &greeting);
    }
    return greeting;
}
