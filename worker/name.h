/* What a worker is called when nobody says so: after its key, after what whoever started it calls it, where that can be
 * read in the environment, and after its process. For people, in notes and reports: nothing depends on it. Pure.
 *
 *   worker-2253                    by hand
 *   worker-slurm-4711.0.3-2253     task 3 of step 0 of job 4711
 *   worker-slurm-4711_5.0.0-2253   the same in member 5 of an array of jobs
 *   worker-mpi-3-2253              rank 3, of Open MPI, PMIx or PMI (MPICH, Intel MPI)
 *   worker-k8s-3-1                 pod 3 of an indexed Job of Kubernetes
 *
 * The process is named in any case: two launches have the same ranks. Reports have the host beside the name. */
#ifndef QUARTET_WORKER_NAME_H
#define QUARTET_WORKER_NAME_H

#include <stddef.h>
#include <sys/types.h>

enum { WORKER_NAME_SIZE = 160 };

/* `key`: of the key in the access file; NULL: there is none. `env` as getenv; what is no number there is passed over. */
void worker_name_make(const char *key,
                      pid_t pid,
                      char *(*env)(const char *name),
                      char ret_name[WORKER_NAME_SIZE]);

#endif
