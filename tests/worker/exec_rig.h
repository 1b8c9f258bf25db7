/* Runs single items through the two forms of workload exec and keeps all that they come to. Test
 * support; aborts where a test would fail. */
#ifndef QUARTET_TESTS_WORKER_EXEC_RIG_H
#define QUARTET_TESTS_WORKER_EXEC_RIG_H

#include "tests/worker/workload_rig.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* An outcome with copies of what it borrowed, each with a NUL behind it. */
struct exec_result {
    struct workload_outcome outcome;
    char *out;
    char *err;
};

void exec_result_deinit(struct exec_result *result);

/* Item 0, attempt 1. */
struct workload_item exec_item(const char *text);

/* Run `count` items one after the other on one slot, or one loop. */
void exec_run_blocking(struct rig *rig,
                       const struct workload_item *items,
                       size_t count,
                       struct exec_result *ret_results);
void exec_run_async(struct rig *rig,
                    const struct workload_item *items,
                    size_t count,
                    struct exec_result *ret_results);

/* Run one item in both forms, with "NAME=VALUE" texts (NULL at the end), and check that they come
 * to the same and leave no descriptor behind. */
void exec_run_both(const char *const *params,
                   const struct workload_item *item,
                   struct exec_result *ret_result);

/* Wait for a process that has become our child because its parent has ended (the test must be a
 * subreaper), and tell the signal that ended it; 0: none. */
int exec_await_orphan(pid_t pid);

#endif
