#include "common/wire/text.h"

#include <string.h>

struct wire_text wire_text(const char *s)
{
    if (s == NULL) {
        s = "";
    }
    return (struct wire_text){s, strlen(s)};
}

/* Bytes of the sequence that `lead` begins, and the least code point that may need so many; 0
 * when it begins none. */
static size_t sequence_len(unsigned char lead, uint32_t *ret_bits, uint32_t *ret_least)
{
    if (lead >= 0xc2 && lead <= 0xdf) {
        *ret_bits = lead & 0x1fU;
        *ret_least = 0xa0; /* not 0x80: U+0080 to U+009F are control characters */
        return 2;
    }
    if (lead >= 0xe0 && lead <= 0xef) {
        *ret_bits = lead & 0x0fU;
        *ret_least = 0x800;
        return 3;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        *ret_bits = lead & 0x07U;
        *ret_least = 0x10000;
        return 4;
    }
    return 0;
}

/* Bytes of the printable character at the start of `s`; 0 when there is none. */
static size_t printable_len(const char *s, size_t left)
{
    unsigned char lead = (unsigned char)s[0];
    if (lead < 0x80) {
        return lead >= 0x20 && lead < 0x7f;
    }
    uint32_t code = 0;
    uint32_t least = 0;
    size_t len = sequence_len(lead, &code, &least);
    if (len == 0 || len > left) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        unsigned char next = (unsigned char)s[i];
        if ((next & 0xc0U) != 0x80) {
            return 0;
        }
        code = code << 6 | (next & 0x3fU);
    }
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return code < least || code > 0x10ffff || surrogate ? 0 : len;
}

bool text_is_printable(struct wire_text text)
{
    size_t at = 0;
    while (at < text.len) {
        size_t len = printable_len(text.s + at, text.len - at);
        if (len == 0) {
            return false;
        }
        at += len;
    }
    return true;
}

void text_clean(char *bytes, size_t len)
{
    size_t at = 0;
    while (at < len) {
        size_t step = printable_len(bytes + at, len - at);
        if (step == 0) {
            bytes[at] = '?';
            step = 1;
        }
        at += step;
    }
}

const char *text_quote(struct wire_text text, char ret_quote[TEXT_QUOTE_SIZE])
{
    size_t len = text.len < TEXT_QUOTE_SIZE ? text.len : TEXT_QUOTE_SIZE - 1;
    if (len > 0) {
        memcpy(ret_quote, text.s, len);
    }
    text_clean(ret_quote, len);
    if (len < text.len) {
        memcpy(ret_quote + TEXT_QUOTE_SIZE - 4, "...", 3);
    }
    ret_quote[len] = '\0';
    return ret_quote;
}
