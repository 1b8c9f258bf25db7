/* One program running as a child process: a worker on this machine, the origin.
 *
 * The child is known by a pidfd, so that a signal never reaches another process that got its number, and its end can be watched on
 * a loop. Nothing here looks at other children: no handler for SIGCHLD, no wait for any child. Not for forking without exec; that is the
 * zygote's. Each child belongs to one thread; starting one is safe while other threads run. */
#ifndef QUARTET_COMMON_IO_CHILD_H
#define QUARTET_COMMON_IO_CHILD_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct child;

struct child_options {
    const char *program;          /* a path; PATH is not searched */
    const char *const *arguments; /* the first is the program's own name; ends with NULL */
    int parent_death_signal; /* what the child gets when the thread that starts it ends, however it does; 0: nothing */
    bool own_session; /* out of reach of the terminal: Ctrl-C is then for the parent alone */
    bool pipe_output; /* standard output to child_output_fd(); otherwise inherited */
    bool keep_errors; /* standard error to child_errors(); otherwise inherited */
};

/* Start the program, with standard input empty, every signal as it was at first, and no descriptor of ours but the standard ones.
 * Returns 0; ERR_CHILD when it could not be executed (the text names it and says why), ERR_IO when
 * there was no process or descriptor to be had, ERR_NOMEM. */
int child_start(const struct child_options *options,
                struct err_text *ret_error,
                struct child **ret_child);

/* End it by SIGKILL if it still runs, reap it, free. NULL is allowed. */
void child_free(struct child *child);

pid_t child_pid(const struct child *child);

/* Readable once the child has ended: for uv_poll. Call child_has_ended then. Owned by the child. */
int child_pidfd(const struct child *child);

/* The end from which its standard output is read, not blocking; -1 without pipe_output. Owned by the child. Who asks for it must read
 * it, or the child stops when the pipe is full. */
int child_output_fd(const struct child *child);

/* The next line of its standard output, without the newline, for at most `timeout_ms`. Returns 0; ERR_TIMEOUT; ERR_CHILD when the output
 * ended before the line did (the text says how the child ended and its last words); ERR_INVALID when the line is longer than `size` - 1.
 * What it had read is lost when it fails. Blocks: for the time before there is a loop. */
int child_read_line(struct child *child,
                    uint32_t timeout_ms,
                    char *ret_line,
                    size_t size,
                    struct err_text *ret_error);

/* Has it ended? Reaps it if so. Never blocks. */
bool child_has_ended(struct child *child);

/* Wait for its end, at most `timeout_ms`. Returns 0 or ERR_TIMEOUT. */
int child_wait(struct child *child, uint32_t timeout_ms);

/* Send a signal. Returns 0, or ERR_GONE when it has ended. */
int child_kill(struct child *child, int signal_number);

/* "running", "exited with status 3", "killed by signal 9 (Killed)". Borrowed until the next call for this child. */
const char *child_status_text(struct child *child);

/* The status that a shell would show: the exit status, or 128 + the signal. -1 while it runs. */
int child_exit_status(struct child *child);

/* The last whole lines of what it wrote to standard error, at most CHILD_ERRORS_SIZE bytes; empty without keep_errors. Takes in what is
 * there first: call it now and then, or the child stops when the pipe is full. Borrowed until the next call for this child. */
const char *child_errors(struct child *child);

enum { CHILD_ERRORS_SIZE = 4096 };

#endif
