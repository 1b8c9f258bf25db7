/* Who answers on the way to an address, when the one that was asked does not: packets that must not go further than so
 * many hops, as tracepath(8) sends them, and what comes back of them. Needs no rights. */
#ifndef QUARTET_COMMON_DOCTOR_HOPS_H
#define QUARTET_COMMON_DOCTOR_HOPS_H

#include "common/doctor/knock.h"
#include "common/doctor/seen.h"

/* Within about `limit_ms`. `refused`: it is known that somebody says no, and worth while to ask again until he says so once
 * more: routers say such things only once in a second or two. */
void hops_look(const struct knock_address *address,
               bool refused,
               uint32_t limit_ms,
               struct seen_way *ret_way);

/* What an ICMP message of this type and code means. Pure. */
enum hops_meaning {
    HOPS_MEANS_PASSED,    /* that hop is on the way */
    HOPS_MEANS_THERE,     /* the host is there, and nothing listens at that port of UDP */
    HOPS_MEANS_FORBIDDEN, /* a rule */
    HOPS_MEANS_NO_WAY,
    HOPS_MEANS_NOTHING,
};

enum hops_meaning hops_meaning(bool ipv6, unsigned type, unsigned code);

#endif
