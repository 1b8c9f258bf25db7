/* The worker's side of a doctor: can a worker on this host reach its coordinator, and if not, at which step does it end and
 * what has to be changed? Both programs have it: `quartet doctor`, and `quartet-worker --doctor` on hosts that have only
 * that. */
#ifndef QUARTET_COMMON_DOCTOR_DOCTOR_H
#define QUARTET_COMMON_DOCTOR_DOCTOR_H

#include "common/base/err.h"
#include "common/doctor/finding.h"
#include "common/doctor/print.h"
#include "common/io/cli.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum doctor_status { DOCTOR_WELL = 0, DOCTOR_ILL = 1, DOCTOR_USAGE = 2, DOCTOR_CANNOT_LOOK = 3 };

struct doctor_options {
    const char *program; /* for what is said on standard error */
    const char *access;  /* file, or "-": standard input; or */
    const char *connect; /* an endpoint */
    bool one_line;       /* of standard input: it is kept open by a launcher */
    const char
        *json; /* where the report goes, too; "-": to standard output, and no text; NULL: nowhere */
    double timeout_s; /* for all of it */
    uint64_t load_max_bytes;
    struct print_options print;
};

/* Defaults; and the flags that are a doctor's alone. */
void doctor_options_init(struct doctor_options *options, const char *program);
void doctor_add_options(struct cli_table *table, struct doctor_options *options);

/* Is it clear where to go, and may one go there? As a worker is told: without keys to another machine only with
 * `insecure`. Returns 0, or ERR_INVALID with the reason. */
int doctor_check(const struct doctor_options *options, bool insecure, struct err_text *ret_error);

/* Look, and say what was found on standard output. Returns the exit status: DOCTOR_ILL when something fails. */
int doctor_run(const struct doctor_options *options);

/* Print what was found, from `first` on, and a last line; nothing when standard output is the report's. */
void doctor_say(const struct doctor_options *options,
                const struct findings *findings,
                size_t first,
                const char *conclusion);

/* Write the report, if one was asked for. Takes `report`. Returns the exit status: DOCTOR_ILL when `worst` is HEALTH_FAIL. */
int doctor_finish(const struct doctor_options *options, json_t *report, enum health worst);

/* What this host is like. */
void doctor_look_here(bool coordinator, struct findings *findings);

#endif
