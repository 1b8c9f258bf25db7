#include "common/io/text.h"

#include "common/base/check.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

/* Every byte begins a code point but the continuation bytes 10xxxxxx. */
static bool begins_code_point(char byte)
{
    return ((unsigned char)byte & 0xC0U) != 0x80U;
}

static size_t columns_of(const char *text, size_t len)
{
    size_t columns = 0;
    for (size_t i = 0; i < len; i++) {
        columns += begins_code_point(text[i]);
    }
    return columns;
}

size_t text_columns(const char *text)
{
    return columns_of(text, strlen(text));
}

void text_truncate(char *text, size_t columns)
{
    size_t seen = 0;
    for (size_t i = 0; text[i] != '\0'; i++) {
        if (!begins_code_point(text[i])) {
            continue;
        }
        if (seen == columns) {
            text[i] = '\0';
            return;
        }
        seen++;
    }
}

/* Length of the next thing that must stay on one line: a word, and behind a number the next
 * word, which is its unit. */
static size_t unbreakable(const char *text)
{
    size_t len = strcspn(text, " \n");
    if (strspn(text, "(0123456789.,") == len && isdigit((unsigned char)text[len - 1]) &&
        text[len] == ' ') {
        len += 1 + strcspn(text + len + 1, " \n");
    }
    return len;
}

/* Text may come from a peer or a server: what a terminal would take for a command (C0 and C1
 * controls, DEL) is shown as '?'. */
static void print_harmless(FILE *stream, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)text[i];
        unsigned char next = i + 1 < len ? (unsigned char)text[i + 1] : 0;
        bool c1 = byte == 0xC2 && next >= 0x80 && next < 0xA0;
        (void)fputc(byte < ' ' || byte == 0x7F || c1 ? '?' : byte, stream);
        i += c1;
    }
}

void text_wrap(FILE *stream, const char *text, size_t column, size_t indent, size_t width)
{
    bool line_is_empty = true;
    while (*text != '\0') {
        if (*text == '\n') {
            (void)fprintf(stream, "\n%*s", (int)indent, "");
            column = indent;
            line_is_empty = true;
            text++;
            continue;
        }
        if (*text == ' ') {
            text++;
            continue;
        }
        size_t len = unbreakable(text);
        size_t word = columns_of(text, len);
        if (!line_is_empty && column + 1 + word > width) {
            (void)fprintf(stream, "\n%*s", (int)indent, "");
            column = indent;
            line_is_empty = true;
        }
        (void)fputs(line_is_empty ? "" : " ", stream);
        print_harmless(stream, text, len);
        column += word + !line_is_empty;
        line_is_empty = false;
        text += len;
    }
    (void)fputc('\n', stream);
}

void text_append(char *buf, size_t size, const char *format, ...)
{
    size_t used = strlen(buf);
    CHECK(used < size);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(buf + used, size - used, format, arguments);
    va_end(arguments);
}
