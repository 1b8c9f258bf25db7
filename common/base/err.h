/* The one list of error codes, and the text that goes beside a code.
 *
 * Functions return 0 or a negative code. Where a person may read it, they also fill a `struct
 * err_text` with one line that says what was wrong, with what value, and what to do about it.
 * Outputs named `ret_x` are written only on success. */
#ifndef QUARTET_COMMON_BASE_ERR_H
#define QUARTET_COMMON_BASE_ERR_H

#include <stdarg.h>

enum err {
    ERR_NOMEM = -1,     /* memory could not be had */
    ERR_INVALID = -2,   /* a value is malformed or out of range */
    ERR_NOT_FOUND = -3, /* a name is not known */
    ERR_PROTOCOL = -4,  /* a peer said something that the protocol does not allow */
    ERR_IO = -5,        /* the operating system refused; the text has strerror */
    ERR_BUSY = -6,      /* taken: a port in use, a queue full */
    ERR_GONE = -7,      /* the peer is not there any more */
    ERR_TIMEOUT = -8,   /* did not happen in time */
    ERR_CANCELLED = -9, /* stopped on request */
    ERR_CHILD = -10,    /* a child process ended or could not start */
};

enum { ERR_TEXT_SIZE = 512 };

/* One line, NUL-terminated, no newline. Empty: nothing was said. */
struct err_text {
    char s[ERR_TEXT_SIZE];
};

/* Format the line and return `code`, so that a refusal is one statement: return err_set(text,
 * ERR_INVALID, ...). A text that is too long is cut, and control characters in it become '?'.
 * NULL `ret_text`: only the code. */
int err_set(struct err_text *ret_text, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int err_vset(struct err_text *ret_text, int code, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

/* Replace control characters in `text` by '?', tabs by spaces. Texts quote what users, items and peers wrote: on
 * a terminal a control character could do more than be read. */
void err_one_line(char *text);

/* "no memory", "invalid value", ...: for logs. Never NULL. */
const char *err_name(int code);

#endif
