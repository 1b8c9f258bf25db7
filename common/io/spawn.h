/* Starting other programs: fast, and with nothing of this one left in them.
 *
 * The child is made as vfork makes one (it borrows our memory until it has become the other
 * program), so that a start costs the same however large this process is. A program started here
 * finds three descriptors, no signal blocked, none ignored or handled, and the limit on open
 * files that there was before this program raised it (descriptors.h). Every other descriptor is
 * closed by being O_CLOEXEC, as everything that this program opens is. It leads a process group
 * of its own, so that all that it starts can be ended with it. May be called from any thread. */
#ifndef QUARTET_COMMON_IO_SPAWN_H
#define QUARTET_COMMON_IO_SPAWN_H

#include "common/base/err.h"
#include "common/io/spawn_groups.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct spawn_options {
    const char *path; /* of the program, as path_find gives it */
    char *const *argv;
    char *const *envp;
    const char *cwd; /* where it begins; NULL: where this one is. A relative `path` is from there */

    /* These become its standard input, output and error; they stay the caller's and may be the
     * same one. */
    int in;
    int out;
    int err;

    /* Kill it (not what it has started) when the thread that called spawn ends. The kernel knows
     * threads here, not processes: only for callers whose thread outlives its children, for whom
     * it means that a child does not outlive the program, however that ends. */
    bool ends_with_thread;

    /* With that: ask it to end (SIGTERM) instead, and leave it alone otherwise, also its group, as it has to end
     * what it has started elsewhere. */
    bool ends_in_order;
};

/* A child that was started. Becomes readable on `pidfd` when it has ended; until spawn_reap its
 * number, which is its group's too, cannot become another process's. */
struct spawn_child {
    pid_t pid;
    int pidfd;        /* O_CLOEXEC */
    spawn_note *note; /* of its group; NULL: none */
};

/* How a child ended. */
struct spawn_end {
    int exit_status; /* 0 to 255; 0 when a signal ended it */
    int signal;      /* 0: none */
    uint64_t cpu_us; /* of it and of those that it has waited for: user and system */
};

/* Start a program. A file that the kernel does not know how to run is given to /bin/sh, as
 * execvp does. Returns 0; ERR_IO with the reason and what it is about: no such program, cannot be
 * executed, arguments too long, `cwd` cannot be entered, no more processes or descriptors. */
int spawn(const struct spawn_options *options,
          struct err_text *ret_error,
          struct spawn_child *ret_child);

/* Send `signal` to the child and to all in its group. Nothing happens when all have ended. Only
 * before spawn_reap. */
void spawn_signal_group(const struct spawn_child *child, int signal);

/* Wait for the end of the child (does not block once pidfd is readable), and close pidfd. */
void spawn_reap(struct spawn_child *child, struct spawn_end *ret_end);

/* Which file execvp would run for `name`: `name` itself when it has a slash, otherwise the first
 * executable one in PATH's directories. To be asked once and not for every child. `cwd`: where
 * relative names are looked up, NULL: here. `*ret_path` is the caller's to free. Returns 0;
 * ERR_NOT_FOUND (with the PATH that was searched) or ERR_INVALID (found, but a directory or not
 * executable), which name `name`; ERR_NOMEM. */
int path_find(const char *name, const char *cwd, struct err_text *ret_error, char **ret_path);

#endif
