/* What the files of options share. */
#ifndef QUARTET_COORDINATOR_OPTIONS_INTERNAL_H
#define QUARTET_COORDINATOR_OPTIONS_INTERNAL_H

#include "coordinator/options.h"

/* The flags about keys make sense together. */
int options_check_keys(const struct options *options, struct err_text *ret_error);

#endif
