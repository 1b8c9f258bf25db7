/* UTF-8, one character at a time; see printable.h. */
#include "common/base/printable.h"

#include <stdint.h>

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

size_t printable_len(const char *s, size_t left)
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

bool printable(const char *s, size_t len)
{
    size_t at = 0;
    while (at < len) {
        size_t step = printable_len(s + at, len - at);
        if (step == 0) {
            return false;
        }
        at += step;
    }
    return true;
}
