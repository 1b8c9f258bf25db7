#include "common/wire/refuse.h"

bool refuse(const struct refusal *refusal, const char *format, ...)
{
    struct err_text why;
    va_list arguments;
    va_start(arguments, format);
    (void)err_vset(&why, ERR_PROTOCOL, format, arguments);
    va_end(arguments);
    (void)err_set(refusal->error, ERR_PROTOCOL, "%s: %s", refusal->type, why.s);
    return false;
}
