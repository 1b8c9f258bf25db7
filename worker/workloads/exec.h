/* What the files of the exec workload share: the state of a process. Private to exec*.c. */
#ifndef QUARTET_WORKER_WORKLOADS_EXEC_H
#define QUARTET_WORKER_WORKLOADS_EXEC_H

#include "worker/workloads/command_template.h"
#include "worker/workloads/time_limit.h"
#include "worker/workloads/workload.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EXEC_LOOK_NS = 100 * 1000 * 1000 }; /* how often to look at `cancelled` and moving limits */

struct uv_loop_s;

/* Immutable once open, but for the limit, which locks itself. */
struct exec_state {
    const struct workload_host *host;
    struct command_template *command;
    char *program;      /* its path; NULL: it has a gap, and is looked for with each item */
    char *cwd;          /* absolute; NULL: where this process is */
    char **environment; /* of every child, but for what exec_environment adds. Borrowed texts */
    size_t environment_count;
    int null; /* /dev/null: standard input unless an item is */
    bool to_stdin;
    uint64_t kill_after_ns;
    size_t output_max;
    struct time_limit limit;
};

uint64_t exec_now_ns(void); /* monotonic */

/* The asynchronous form, as in workload_ops. */
int exec_async_open(void *state,
                    struct uv_loop_s *loop,
                    struct err_text *ret_error,
                    void **ret_async);
void exec_async_start(void *async, struct workload_call *call);
void exec_async_cancel(void *async);
void exec_async_close(void *async);

#endif
