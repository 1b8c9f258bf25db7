/* Which bytes of a text that came from elsewhere may reach a terminal or a report: well-formed
 * UTF-8 without control characters (C0, DEL, C1: they would drive a terminal). Pure. */
#ifndef QUARTET_COMMON_BASE_PRINTABLE_H
#define QUARTET_COMMON_BASE_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the printable character at the start of `s`, of which `left` bytes (at least 1) may be
 * read; 0 when there is none. */
size_t printable_len(const char *s, size_t left);

/* Is all of it printable? An empty text is. A newline is not. */
bool printable(const char *s, size_t len);

#endif
