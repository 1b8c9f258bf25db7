/* What the files of options share. */
#ifndef QUARTET_COORDINATOR_OPTIONS_OPTIONS_INTERNAL_H
#define QUARTET_COORDINATOR_OPTIONS_OPTIONS_INTERNAL_H

#include "coordinator/options/options.h"

#define WORKERS_NOT_GIVEN UINT64_MAX

/* --- options_sweep.c --- */

/* --workers as a list, and --placements. */
void options_add_sweep(struct cli_table *table,
                       struct options *options,
                       const char *workers_default);

/* How many workers are to be started on this machine, and whether there are any beside the local
 * placement. */
int options_settle_workers(struct options *options, struct err_text *ret_error);

/* After everybody who is to come is counted: are there as many as the largest number asks for? */
int options_check_sweep(const struct options *options, struct err_text *ret_error);

/* The largest number of --workers; there is one. */
uint64_t options_sweep_most(const struct options *options);

/* A CLI_CALL: one more --advertise; `target` is the struct options. */
int options_add_advertised(const char *value, void *target, struct err_text *ret_error);

/* The flags about keys make sense together. */
int options_check_keys(const struct options *options, struct err_text *ret_error);

#endif
