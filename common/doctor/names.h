/* Names to addresses, in bounded time: a name server that does not answer must not keep a doctor. */
#ifndef QUARTET_COMMON_DOCTOR_NAMES_H
#define QUARTET_COMMON_DOCTOR_NAMES_H

#include "common/doctor/knock.h"
#include "common/doctor/seen.h"

/* Look `seen->host` up, as libzmq does, within `limit_ms`. Fills in what `seen` has of the name, how many addresses
 * there are, and those in `ret_addresses` (SEEN_ADDRESSES_MAX), each with seen->port. */
void names_look(struct seen *seen, uint32_t limit_ms, struct knock_address *ret_addresses);

/* Put that one first which libzmq takes, and workers with it: the first of IPv6 if there is one, however the system
 * prefers them. Pure. */
void names_order(struct knock_address *addresses, size_t count);

#endif
