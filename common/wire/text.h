/* Texts that came from elsewhere: which of their bytes may reach a terminal or a report. Private
 * to common/wire. */
#ifndef QUARTET_COMMON_WIRE_TEXT_H
#define QUARTET_COMMON_WIRE_TEXT_H

#include "common/wire/wire.h"

#include <stdbool.h>
#include <stddef.h>

/* Is it well-formed UTF-8 without control characters (C0, DEL, C1: they would drive a terminal)? */
bool text_is_printable(struct wire_text text);

/* Replace each byte that text_is_printable would refuse by '?'. */
void text_clean(char *bytes, size_t len);

enum { TEXT_QUOTE_SIZE = 64 };

/* The text cleaned and cut to fit, NUL-terminated: for error texts and logs. Returns
 * `ret_quote`. */
const char *text_quote(struct wire_text text, char ret_quote[TEXT_QUOTE_SIZE]);

#endif
