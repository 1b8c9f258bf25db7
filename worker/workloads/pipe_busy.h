/* Is a process, or one that it started, at work? Told from /proc, which costs some 20 us; where
 * that is not to be had, nobody is ever busy. */
#ifndef QUARTET_WORKER_WORKLOADS_PIPE_BUSY_H
#define QUARTET_WORKER_WORKLOADS_PIPE_BUSY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What was seen last; initialise with {0}. */
struct pipe_busy {
    uint64_t cpu_ticks;
    bool known;
};

/* True when one of them runs, waits for a core or for a disk, or has used CPU time since the last
 * call. Waiting for anything else (a lock, a socket, a child, the end of a sleep) is not work. */
bool pipe_busy_look(struct pipe_busy *busy, pid_t pid);

#endif
