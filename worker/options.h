/* The command line of quartet-worker. */
#ifndef QUARTET_WORKER_OPTIONS_H
#define QUARTET_WORKER_OPTIONS_H

#include "common/doctor/doctor.h"

#include <stdbool.h>
#include <stdint.h>

struct worker_options {
    const char *connect; /* NULL with `access` */
    const char *access;  /* file; "-": standard input */
    const char *name;
    const char *describe;
    uint64_t slots;
    uint64_t credit_max;
    double give_up_s;
    double spread_s;
    double idle_limit_s;
    double drain_limit_s;
    double time_limit_s; /* 0: none */
    uint64_t drained_status;
    uint64_t parent;
    bool insecure;
    bool allow_exec;
    bool allow_plugins;
    bool end_with_stdin;
    bool quiet;
    bool version;
    bool doctor; /* be no worker, but look whether one could reach the coordinator */
    struct doctor_options doctor_options;
};

/* Read argv into `ret_options`, whose texts are borrowed from it. Returns -1 to go on; or the
 * program's exit status: 0 when help was asked for and given, 2 (wrong usage, said on standard
 * error), 3 (no memory). */
int worker_options_parse(int argc, char **argv, struct worker_options *ret_options);

/* Do they make a worker, or a doctor, that can connect? Returns -1, or 2 with the reason on standard error. */
int worker_options_check(const struct worker_options *options);

#endif
