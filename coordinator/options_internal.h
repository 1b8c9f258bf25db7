/* What the files of options share. */
#ifndef QUARTET_COORDINATOR_OPTIONS_INTERNAL_H
#define QUARTET_COORDINATOR_OPTIONS_INTERNAL_H

#include "coordinator/options.h"

void options_add_heading(struct option_table *table, const char *text);
void options_add_all(struct option_table *table, const struct cli_option *list, size_t count);

/* The flags about keys make sense together. */
int options_check_keys(const struct options *options, struct err_text *ret_error);

#endif
