/* A program that a launcher runs, such as ssh: a pipe to its standard input, which stays open until
 * it is to end, and which a file may be sent through; what it says on its outputs, line by line; and its end. It is killed when the
 * coordinator ends, however that ends. */
#ifndef QUARTET_COORDINATOR_LAUNCH_LAUNCH_CHILD_H
#define QUARTET_COORDINATOR_LAUNCH_LAUNCH_CHILD_H

#include "common/base/err.h"
#include "common/io/spawn.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum { LAUNCH_LINE_SIZE = 512 }; /* longer lines are cut */

struct launch_child;

struct launch_child_handlers {
    /* A line without its end (\n or \r\n); the bytes are as they came. */
    void (*line)(void *arg, bool is_error_output, const char *line);
    /* The last call: everything that it said has been handed over, and the child is gone. */
    void (*ended)(void *arg, const struct spawn_end *end);
    /* It has workers to end elsewhere, as srun has: when the coordinator is killed it is asked to end (SIGTERM)
     * instead of being killed. */
    bool ends_in_order;
};

/* Only from the thread that lives as long as the program. Without a slash in it argv[0] is looked for in PATH; it reaches the
 * program as it is: some behave by it, as mpirun does. Returns 0; ERR_NOT_FOUND or ERR_INVALID as path_find; ERR_IO (it cannot
 * be run, no more processes or descriptors) or ERR_NOMEM. */
int launch_child_start(uv_loop_t *loop,
                       const char *const *argv,
                       const struct launch_child_handlers *handlers,
                       void *arg,
                       struct err_text *ret_error,
                       struct launch_child **ret_child);

/* Give it `text`, which fits a pipe. Nothing is said when it does not read any more: its end tells. Not
 * while a file is under way. */
void launch_child_write(struct launch_child *child, const char *text, size_t len);

/* Give it the first `size_bytes` of a file, as fast as it reads and no faster; returns at once. `file`
 * stays the caller's, at whatever position, and open until the child has ended. A file that turns out shorter ends its
 * input. To be asked for once. */
void launch_child_feed(struct launch_child *child, int file, uint64_t size_bytes);

/* How much of the file it was given by now. */
uint64_t launch_child_fed_bytes(const struct launch_child *child);

/* Its standard input ends. */
void launch_child_end_input(struct launch_child *child);

/* Send a signal to it and to what it has started. */
void launch_child_signal(struct launch_child *child, int signal);

#endif
