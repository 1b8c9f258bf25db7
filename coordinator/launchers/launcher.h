/* Launchers of `quartet launch`: each starts workers by way of another program (mpirun, srun) for a
 * coordinator that runs elsewhere and lets whoever has its access file come. (Those of a coordinator's own, which
 * it watches itself, are in coordinator/launch/launch.h.)
 *
 * A launcher turns options into a plan, and that is all: it runs nothing and reads nothing, and what it knows of the
 * world is in the request (one may have a question, which is put to a command before). So what --dry-run shows is what is done. One file each, and one line in
 * launcher.c. Pure. */
#ifndef QUARTET_COORDINATOR_LAUNCHERS_LAUNCHER_H
#define QUARTET_COORDINATOR_LAUNCHERS_LAUNCHER_H

#include "common/base/err.h"
#include "common/io/cli.h"
#include "coordinator/launchers/plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What every launcher is asked for. */
struct launcher_request {
    const char *access;      /* absolute path of the access file; NULL: `connect`, without keys */
    const char *access_text; /* what is in it, in one line with its line end: a secret */
    const char *const *endpoints; /* where that file sends workers */
    size_t endpoint_count;
    const char *connect;
    uint64_t workers;        /* how many to start; 0: not said */
    uint64_t slots;          /* items at once in each; 0: as the job says */
    const char *worker_path; /* of quartet-worker there; without a slash it is looked for in PATH */
    const char
        *worker_here; /* absolute path of the one that came with this program; NULL: not known */
    double give_up_s; /* a worker ends after so long without a coordinator */
    double drain_limit_s; /* and leaves at most so long after it was asked to */
    bool insecure;
    bool allow_exec;
    bool allow_plugins;
    bool quiet;
    const char *const *rest; /* words that stood behind `--` */
    size_t rest_count;
    char *(*env)(const char *name); /* as getenv: of whoever asks */
    const char *answer;             /* to the launcher's `question`; NULL: there is none */
};

struct launcher_ops {
    const char *name;     /* "mpi" */
    const char *title;    /* a line, for the list of all */
    const char *summary;  /* what it does, in a paragraph: for --help */
    const char *examples; /* lines for the end of --help */
    const char *rest; /* what words behind `--` are: "OPTIONS OF MPIRUN..."; NULL: there are none */

    /* Bytes of its own options, which begin as zeros and then as `defaults` leaves them (NULL: as zeros).
     * Texts in them are borrowed from the command line. */
    size_t options_size;
    void (*defaults)(void *options);

    /* Add its own options to the table of the command; their targets are in `options`. */
    void (*add_options)(struct cli_table *table, void *options);

    /* Add the words of a command that only looks, and whose first line of output the plan is the better for; none: there is
     * nothing to ask. NULL: there never is. */
    void (*question)(const struct launcher_request *request, struct words *command);

    /* Add the steps to `plan`, which is empty and complete. Returns 0, or ERR_INVALID when options make no sense, with
     * the one that is wrong. Missing memory is no error here: the plan knows. */
    int (*plan)(const struct launcher_request *request,
                const void *options,
                struct err_text *ret_error,
                struct plan *plan);
};

/* All of them, NULL behind the last. */
extern const struct launcher_ops *const launchers[];

/* NULL: there is none of that name. */
const struct launcher_ops *launcher_find(const char *name);

/* The nearest name to one that there is not; NULL: none is near. */
const char *launcher_nearest(const char *name);

extern const struct launcher_ops launcher_k8s;
extern const struct launcher_ops launcher_mpi;
extern const struct launcher_ops launcher_slurm;
extern const struct launcher_ops launcher_systemd;

#endif
