/* Asking a coordinator over a connection that stands: PROBE and ECHO. */
#ifndef QUARTET_COMMON_DOCTOR_TALK_H
#define QUARTET_COMMON_DOCTOR_TALK_H

#include "common/doctor/seen.h"
#include "common/io/zdial.h"

/* Who it is, how long answers take, whose clock is ahead, and, unless `load_max_bytes` is 0, how much goes through each
 * way. Not beyond `end_us`, by clock_now_us. Fills in what `seen` has from `talk` on. Returns 0 or ERR_NOMEM. */
int talk(struct zdial *dial, uint64_t load_max_bytes, uint64_t end_us, struct seen *seen);

#endif
