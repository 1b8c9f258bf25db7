/* How a message is refused: one line that names its type. Private to common/wire. */
#ifndef QUARTET_COMMON_WIRE_REFUSE_H
#define QUARTET_COMMON_WIRE_REFUSE_H

#include "common/base/err.h"

#include <stdbool.h>

struct refusal {
    const char *type;       /* of the message, by name */
    struct err_text *error; /* where the line goes; NULL: nobody asks */
};

/* Write "TYPE: why". Returns false always, so that a refusal is one statement. */
bool refuse(const struct refusal *refusal, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
