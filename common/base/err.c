#include "common/base/err.h"

#include "common/base/check.h"

#include <stdio.h>
#include <stdlib.h>

void err_one_line(char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < ' ' || c == 0x7f) {
            *text = c == '\t' ? ' ' : '?';
        }
    }
}

int err_vset(struct err_text *ret_text, int code, const char *format, va_list arguments)
{
    if (ret_text != NULL) {
        (void)vsnprintf(ret_text->s, sizeof(ret_text->s), format, arguments);
        err_one_line(ret_text->s);
    }
    return code;
}

int err_set(struct err_text *ret_text, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)err_vset(ret_text, code, format, arguments);
    va_end(arguments);
    return code;
}

const char *err_name(int code)
{
    switch (code) {
    case 0:
        return "success";
    case ERR_NOMEM:
        return "no memory";
    case ERR_INVALID:
        return "invalid value";
    case ERR_NOT_FOUND:
        return "not found";
    case ERR_PROTOCOL:
        return "protocol error";
    case ERR_IO:
        return "input or output failed";
    case ERR_BUSY:
        return "busy";
    case ERR_GONE:
        return "gone";
    case ERR_TIMEOUT:
        return "timed out";
    case ERR_CANCELLED:
        return "cancelled";
    case ERR_CHILD:
        return "child process failed";
    default:
        return "unknown error";
    }
}

void check_failed(const char *file, int line, const char *text)
{
    (void)fprintf(stderr, "%s:%d: check failed: %s\n", file, line, text);
    abort();
}
