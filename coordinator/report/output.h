/* Where reports go: the table to standard output for a person, JSON, CSV and Markdown to the
 * files that were asked for. When one of those goes to standard output, the table goes to
 * standard error, so that neither spoils the other. */
#ifndef QUARTET_COORDINATOR_REPORT_OUTPUT_H
#define QUARTET_COORDINATOR_REPORT_OUTPUT_H

#include "coordinator/options/options.h"
#include "coordinator/report/report.h"

#include <stddef.h>

/* Write everything. What could not be written is said on standard error. Returns 0 or ERR_IO. */
int output_report(const struct report *report, const struct options *options);

/* Only the files, not the table. */
int output_files(const struct report *report, const struct options *options);

/* The time now as RFC 3339, UTC. */
void output_now(char *ret_text, size_t size);

#endif
