/* A program that is the first process of a container (PID 1), where nobody else is its init.
 *
 * The kernel makes three things of the first process that a program does not expect: signals that it
 * has no handler for are ignored, so that `docker stop` waits in vain until its handlers stand; every
 * process whose parent has ended becomes its child, and stays a zombie until it is waited for; and
 * when it ends, all others are killed. Waiting for children that are not known would take the ends of
 * those that are from whoever waits for them. So the program is divided in two: the first process
 * stays behind as an init, hands signals on, waits for whatever ends, and ends as the program does;
 * and the program goes on as its child, an ordinary process. */
#ifndef QUARTET_COMMON_IO_FIRST_PROCESS_H
#define QUARTET_COMMON_IO_FIRST_PROCESS_H

#include "common/base/err.h"

/* The very first act of a program. Does nothing when this is not PID 1. Otherwise returns in the child,
 * which leads a process group of its own, the terminal's foreground group where there is a terminal;
 * the first process ends with the child's exit status, or 128 + N when signal N ended it. Returns 0, or
 * ERR_IO when no process can be made. */
int first_process_leave(struct err_text *ret_error);

#endif
