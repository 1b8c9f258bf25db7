/* What facts mean: from what was seen, lines for people, each with what to change. The one place of all these texts.
 * Pure. */
#ifndef QUARTET_COMMON_DOCTOR_DIAGNOSE_H
#define QUARTET_COMMON_DOCTOR_DIAGNOSE_H

#include "common/doctor/finding.h"
#include "common/doctor/seen.h"

/* This host as a place for a worker, or for a coordinator. */
void diagnose_host(const struct seen_host *host, bool coordinator, struct findings *findings);

/* The way to an endpoint, up to the first step that fails: its form, the name, the route, the port and who answers there,
 * the handshake and the keys; then, of a coordinator that answers, version, round trip, clock, bandwidth and room. */
void diagnose_endpoint(const struct seen *seen, struct findings *findings);

/* The parts of it; each returns whether it is worth to go on. In diagnose_way.c, */
bool diagnose_form(const struct seen *seen, struct findings *findings);
bool diagnose_name(const struct seen *seen, struct findings *findings);
bool diagnose_route(const struct seen *seen, struct findings *findings);
bool diagnose_port(const struct seen *seen, struct findings *findings);
/* in diagnose_answer.c, */
bool diagnose_answer(const struct seen *seen, struct findings *findings);
bool diagnose_handshake(const struct seen *seen, struct findings *findings);
void diagnose_key_refused(const struct seen *seen, struct findings *findings);
/* and in diagnose_talk.c. */
bool diagnose_protocol(const struct seen *seen, struct findings *findings);
bool diagnose_round_trip(const struct seen *seen, struct findings *findings);
bool diagnose_clock(const struct seen *seen, struct findings *findings);
bool diagnose_bandwidth(const struct seen *seen, struct findings *findings);
bool diagnose_room(const struct seen *seen, struct findings *findings);

#endif
