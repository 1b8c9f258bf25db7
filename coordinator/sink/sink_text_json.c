/* UTF-8, JSON strings and base64; see sink_text.h. */
#include "coordinator/sink/sink_text.h"

enum {
    PART = 512, /* bytes that are escaped at once */
    PART_BASE64 = PART / 4 * 3,
    ESCAPE_MAX = 6, /* bytes that one becomes at most: \u001f */
};

_Static_assert(PART *ESCAPE_MAX <= SINK_TEXT_ROOM_MAX, "a part fits");
_Static_assert(PART_BASE64 % 3 == 0, "base64 is written in whole groups");

/* The eighth bits of eight bytes: all zero when they are ASCII. */
static const uint64_t high_bits = UINT64_C(0x8080808080808080);

static bool is_continuation(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/* Bytes of a sequence that begins with `lead`; 0: none does. */
static size_t sequence_len(unsigned char lead)
{
    if (lead < 0x80) {
        return 1;
    }
    if (lead < 0xc2 || lead > 0xf4) {
        return 0;
    }
    return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/* May `second` follow `lead`? Refuses what is too long, surrogates, and above U+10FFFF. */
static bool may_follow(unsigned char lead, unsigned char second)
{
    switch (lead) {
    case 0xe0:
        return second >= 0xa0 && second <= 0xbf;
    case 0xed:
        return second >= 0x80 && second <= 0x9f;
    case 0xf0:
        return second >= 0x90 && second <= 0xbf;
    case 0xf4:
        return second >= 0x80 && second <= 0x8f;
    default:
        return is_continuation(second);
    }
}

/* Bytes at `at`, of which there are `left`, at least 1, that are right as far as they go, up to
 * the end of the sequence. */
static size_t right_len(const unsigned char *at, size_t left)
{
    size_t want = sequence_len(at[0]);
    size_t len = want > 0;
    if (len < want && len < left && may_follow(at[0], at[1])) {
        len = 2;
        while (len < want && len < left && is_continuation(at[len])) {
            len++;
        }
    }
    return len;
}

size_t sink_text_utf8(const char *bytes, size_t len)
{
    const unsigned char *at = (const unsigned char *)bytes;
    size_t i = 0;
    while (i < len) {
        uint64_t eight;
        if (len - i >= sizeof(eight)) {
            memcpy(&eight, at + i, sizeof(eight));
            if ((eight & high_bits) == 0) {
                i += sizeof(eight);
                continue;
            }
        }
        size_t want = sequence_len(at[i]);
        if (want == 0 || right_len(at + i, len - i) < want) {
            return i;
        }
        i += want;
    }
    return i;
}

bool sink_text_is_cut_utf8(const char *bytes, size_t len)
{
    const unsigned char *at = (const unsigned char *)bytes;
    return len > 0 && len < sequence_len(at[0]) && right_len(at, len) == len;
}

static bool needs_escape(unsigned char c)
{
    return c < ' ' || c == '"' || c == '\\';
}

/* What follows the backslash; 'u': four digits do. */
static char escape_of(unsigned char c)
{
    switch (c) {
    case '"':
    case '\\':
        return (char)c;
    case '\b':
        return 'b';
    case '\t':
        return 't';
    case '\n':
        return 'n';
    case '\f':
        return 'f';
    case '\r':
        return 'r';
    default:
        return 'u';
    }
}

static char *put_escaped(char *at, const char *bytes, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (!needs_escape(c)) {
            *at++ = (char)c;
            continue;
        }
        char escape = escape_of(c);
        *at++ = '\\';
        *at++ = escape;
        if (escape == 'u') {
            *at++ = '0';
            *at++ = '0';
            *at++ = hex[c >> 4];
            *at++ = hex[c & 15];
        }
    }
    return at;
}

void sink_text_put_json(struct sink_text *text, const char *bytes, size_t len)
{
    while (len > 0) {
        size_t part = len < PART ? len : PART;
        char *at = sink_text_room(text, part * ESCAPE_MAX);
        sink_text_end(text, put_escaped(at, bytes, part));
        bytes += part;
        len -= part;
    }
}

void sink_text_put_json_lossy(struct sink_text *text, const char *bytes, size_t len)
{
    while (len > 0) {
        size_t right = sink_text_utf8(bytes, len);
        sink_text_put_json(text, bytes, right);
        bytes += right;
        len -= right;
        if (len > 0) {
            SINK_TEXT_PUT(text, "\xef\xbf\xbd");
            bytes++;
            len--;
        }
    }
}

/* Four characters for `len` bytes, 1 to 3. */
static char *put_group(char *at, const unsigned char *bytes, size_t len)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned group = (unsigned)bytes[0] << 16;
    group |= len > 1 ? (unsigned)bytes[1] << 8 : 0;
    group |= len > 2 ? bytes[2] : 0;
    at[0] = alphabet[group >> 18];
    at[1] = alphabet[group >> 12 & 63];
    at[2] = '=';
    at[3] = '=';
    if (len > 1) {
        at[2] = alphabet[group >> 6 & 63];
    }
    if (len > 2) {
        at[3] = alphabet[group & 63];
    }
    return at + 4;
}

void sink_text_put_base64(struct sink_text *text, const char *bytes, size_t len)
{
    const unsigned char *from = (const unsigned char *)bytes;
    while (len > 0) {
        size_t part = len < PART_BASE64 ? len : PART_BASE64;
        char *at = sink_text_room(text, PART);
        for (size_t i = 0; i < part; i += 3) {
            at = put_group(at, from + i, part - i < 3 ? part - i : 3);
        }
        sink_text_end(text, at);
        from += part;
        len -= part;
    }
}
