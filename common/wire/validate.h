/* The rules for the values in a message, the same for what is received and for what is sent.
 * Private to common/wire. */
#ifndef QUARTET_COMMON_WIRE_VALIDATE_H
#define QUARTET_COMMON_WIRE_VALIDATE_H

#include "common/wire/wire.h"

/* Returns 0, or ERR_PROTOCOL with a text that names the field and quotes the value. `message`
 * has a known type, and its arrays are as long as their counts say. */
int wire_validate(const struct wire_message *message, struct err_text *ret_error);

#endif
