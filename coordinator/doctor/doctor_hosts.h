/* A doctor for hosts that are reached over ssh: on each of them the worker's side looks whether a worker there would get
 * back here, and says so through the same ssh. */
#ifndef QUARTET_COORDINATOR_DOCTOR_DOCTOR_HOSTS_H
#define QUARTET_COORDINATOR_DOCTOR_DOCTOR_HOSTS_H

#include "common/doctor/doctor.h"
#include "coordinator/options/options.h"

/* The hosts, and how they are reached: `options`. Within doctor->timeout_s, and a moment. Returns the exit status: DOCTOR_ILL
 * when a worker would not do on one of them. */
int doctor_hosts(const struct options *options, const struct doctor_options *doctor);

#endif
