/* Findings for programs: JSON, schema "quartet.doctor/1". Keys are only ever added.
 *
 *   { "schema": "quartet.doctor/1", "quartet": "0.1.0", "protocol": "1.3",
 *     "host": "h1", "side": "worker",                  or "coordinator", or "hosts"
 *     "health": "ok",                                  the worst of all: "ok", "warn" or "FAIL"
 *     "checks": [ { "health": "ok", "check": "port", "subject": "tcp://10.0.0.1:5555",  "" : this host
 *                   "text": "...", "advice": null, "figures": { "took_s": 0.0002 } }, ... ],
 *     "hosts": [ { "host": "h1", "health": "ok", "text": "...", "advice": null,    of side "hosts" alone
 *                  "report": { a whole report of side "worker" } or null }, ... ] }
 */
#ifndef QUARTET_COMMON_DOCTOR_REPORT_H
#define QUARTET_COMMON_DOCTOR_REPORT_H

#include "common/base/err.h"
#include "common/doctor/finding.h"

#include <jansson.h>

/* Everything but "hosts". NULL without memory. */
json_t *report_of(const char *side, const struct findings *findings);

/* A text that may be any bytes; NULL or "" is null. */
json_t *report_text(const char *text);

/* The checks of a report of somebody else's, appended to `findings`, which borrow from `report`. Returns 0, or
 * ERR_INVALID: it is none. */
int report_read(const json_t *report, struct findings *findings);

/* To the file `path`, or standard output when that is "-", in lines that stay short. Returns 0, or ERR_IO. Takes
 * `report`; NULL is no memory. */
int report_write(json_t *report, const char *path, struct err_text *ret_error);

#endif
