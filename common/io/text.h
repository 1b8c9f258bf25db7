/* Text on a terminal: how wide it is, and broken into lines. Tables, help and progress bars
 * share it. Pure. */
#ifndef QUARTET_COMMON_IO_TEXT_H
#define QUARTET_COMMON_IO_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* Columns that UTF-8 text takes, one per code point: good for Latin, Greek, Cyrillic and the
 * block elements of the bars; wide East Asian characters count one too few. */
size_t text_columns(const char *text);

/* Cut `text` in place to at most `columns`, never inside a code point. */
void text_truncate(char *text, size_t columns);

/* Print `text` broken at spaces into lines of at most `width` columns; every line after the
 * first begins with `indent` spaces, and `column` says where the first one begins. A word longer
 * than a line gets a line of its own and sticks out: a URL that is cut in two is of no use. A
 * number and the word behind it, its unit, stay together. Newlines in `text` are kept; any other
 * control character is printed as '?'. Ends with a newline. */
void text_wrap(FILE *stream, const char *text, size_t column, size_t indent, size_t width);

/* Append to `buf` (of `size` bytes, NUL-terminated) as printf does; what does not fit is cut. */
void text_append(char *buf, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
