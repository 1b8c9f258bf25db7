#include "common/wire/text.h"

#include "common/base/printable.h"

#include <string.h>

struct wire_text wire_text(const char *s)
{
    if (s == NULL) {
        s = "";
    }
    return (struct wire_text){s, strlen(s)};
}

bool text_is_printable(struct wire_text text)
{
    return printable(text.s, text.len);
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
