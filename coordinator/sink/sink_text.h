/* Text being made for a results file: bytes, numbers, times, JSON strings, base64.
 *
 * Everything is written into one buffer of fixed size which its owner empties when it is full, so
 * that an item of any size takes no more memory than a small one, and nothing is allocated. Pure:
 * the functions know nothing of files. */
#ifndef QUARTET_COORDINATOR_SINK_SINK_TEXT_H
#define QUARTET_COORDINATOR_SINK_SINK_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    SINK_TEXT_ROOM_MAX = 4096, /* most bytes that can be asked for at once */
    SINK_TEXT_U64_SIZE = 20,   /* digits of 2^64-1 */
};

struct sink_text {
    char *bytes;
    size_t len;
    size_t size; /* at least SINK_TEXT_ROOM_MAX */

    /* Called when the buffer is too full: must leave SINK_TEXT_ROOM_MAX bytes free. It cannot
     * fail: an owner that can write no more throws the bytes away and remembers why. */
    void (*drain)(struct sink_text *text);
};

/* Where the next `len` bytes go, at most SINK_TEXT_ROOM_MAX; what was written there counts from
 * sink_text_end on. */
static inline char *sink_text_room(struct sink_text *text, size_t len)
{
    if (text->size - text->len < len) {
        text->drain(text);
    }
    return text->bytes + text->len;
}

/* The text ends at `end`, which is in the room that was asked for last. */
static inline void sink_text_end(struct sink_text *text, const char *end)
{
    text->len = (size_t)(end - text->bytes);
}

/* Bytes as they are, any number. */
void sink_text_put(struct sink_text *text, const char *bytes, size_t len);

static inline void sink_text_put_char(struct sink_text *text, char c)
{
    *sink_text_room(text, 1) = c;
    text->len++;
}

/* A string literal: its length is known when compiling, so this is a few moves. */
#define SINK_TEXT_PUT(text, literal)                                                               \
    do {                                                                                           \
        memcpy(sink_text_room((text), sizeof(literal) - 1), "" literal, sizeof(literal) - 1);      \
        (text)->len += sizeof(literal) - 1;                                                        \
    } while (0)

/* Decimal. */
void sink_text_put_u64(struct sink_text *text, uint64_t value);

/* Microseconds as seconds with six decimals: "12.345678". */
void sink_text_put_seconds(struct sink_text *text, uint64_t us);

/* Seconds with three decimals, cut, and padded with blanks to `width` (at most 32): "0.001". */
void sink_text_put_milliseconds(struct sink_text *text, uint64_t us, size_t width);

/* Can it be written as sink_text_put_time does? Not 0, which stands for "unknown", and not beyond
 * the year 9999, which RFC 3339 ends with (only a peer whose clock is broken says so). */
bool sink_text_has_time(uint64_t us);

/* Microseconds since 1970 as RFC 3339 in UTC: "2026-11-24T18:50:23.000001Z". */
void sink_text_put_time(struct sink_text *text, uint64_t us);

/* Bytes at the beginning that are whole UTF-8 sequences (no surrogates, none too long, nothing
 * above U+10FFFF): `len` when all is UTF-8. */
size_t sink_text_utf8(const char *bytes, size_t len);

/* Are the last bytes, fewer than 4, the beginning of a sequence? So end texts that were cut. */
bool sink_text_is_cut_utf8(const char *bytes, size_t len);

/* The inside of a JSON string. `bytes` are UTF-8. */
void sink_text_put_json(struct sink_text *text, const char *bytes, size_t len);

/* The same of any bytes: U+FFFD stands for each that is not UTF-8. For texts that are there to be
 * read (names, reasons), not for data. */
void sink_text_put_json_lossy(struct sink_text *text, const char *bytes, size_t len);

/* RFC 4648, with padding. */
void sink_text_put_base64(struct sink_text *text, const char *bytes, size_t len);

#endif
