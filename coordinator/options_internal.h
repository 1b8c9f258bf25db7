/* What the files of options share. */
#ifndef QUARTET_COORDINATOR_OPTIONS_INTERNAL_H
#define QUARTET_COORDINATOR_OPTIONS_INTERNAL_H

#include "coordinator/options.h"

/* A CLI_CALL: one more --advertise; `target` is the struct options. */
int options_add_advertised(const char *value, void *target, struct err_text *ret_error);

/* The flags about keys make sense together. */
int options_check_keys(const struct options *options, struct err_text *ret_error);

#endif
