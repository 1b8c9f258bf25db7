/* The coordinator's side of a doctor: can one listen here, who could reach it and who gets in? Then it listens, as a
 * coordinator does, and answers doctors and workers that come. */
#ifndef QUARTET_COORDINATOR_DOCTOR_DOCTOR_LISTEN_H
#define QUARTET_COORDINATOR_DOCTOR_DOCTOR_LISTEN_H

#include "common/doctor/doctor.h"
#include "coordinator/options/options.h"

/* Where and with which keys, and which access file is to be written: `options`. It listens for `wait_s`, 0: until a
 * signal. Returns the exit status: DOCTOR_ILL also when nobody came within `wait_s`. */
int doctor_listen(const struct options *options,
                  double wait_s,
                  const struct doctor_options *doctor);

#endif
