/* The environment of a child: this process's, and QUARTET_INDEX (from 0), QUARTET_ATTEMPT (from 1)
 * and QUARTET_ITEM. An item that no environment can hold, because of a NUL in it or its length, is
 * left out: QUARTET_ITEM is then not set. */
#ifndef QUARTET_WORKER_WORKLOADS_EXEC_ENVIRONMENT_H
#define QUARTET_WORKER_WORKLOADS_EXEC_ENVIRONMENT_H

#include "worker/workloads/workload.h"

#include <stddef.h>

enum { EXEC_VARIABLE_SIZE = 48 };

/* The variables of this process that children inherit: all but the three above (which a quartet
 * that runs under another one has). The texts stay the process's. Returns 0 or ERR_NOMEM. */
int exec_environment_base(char ***ret_list, size_t *ret_count);

/* One environment, used for one child after the other. */
struct exec_environment {
    char **list; /* NULL at the end */
    size_t base_count;
    char index[EXEC_VARIABLE_SIZE];
    char attempt[EXEC_VARIABLE_SIZE];
    char *item;
    size_t item_capacity;
};

/* Returns 0 or ERR_NOMEM; deinit accepts what a failed init left, and {0}. */
int exec_environment_init(struct exec_environment *self, char *const *base, size_t base_count);
void exec_environment_deinit(struct exec_environment *self);

/* Put an item in. Returns 0 or ERR_NOMEM. */
int exec_environment_set(struct exec_environment *self, const struct workload_item *item);

#endif
