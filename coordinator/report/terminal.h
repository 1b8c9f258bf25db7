/* What the terminal at the other end of a stream can do. Reads the environment and the terminal,
 * changes nothing. */
#ifndef QUARTET_COORDINATOR_REPORT_TERMINAL_H
#define QUARTET_COORDINATOR_REPORT_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

/* Is `stream` a terminal that understands escape sequences (isatty, and TERM is neither unset
 * nor "dumb")? */
bool terminal_is_able(FILE *stream);

/* terminal_is_able, and the user has not said NO_COLOR (https://no-color.org: set and not
 * empty). */
bool terminal_wants_color(FILE *stream);

/* Columns of the terminal (TIOCGWINSZ); 0 when `stream` is not one or does not say. */
int terminal_width(FILE *stream);

/* Is text shown as UTF-8? The first of LC_ALL, LC_CTYPE and LANG that is set and not empty
 * decides, as for the C library. */
bool terminal_is_utf8(void);

#endif
