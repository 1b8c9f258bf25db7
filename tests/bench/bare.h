/* What the bare programs share: a clock, CPU time, and how to give up. The bare programs are what a good programmer would write
 * with the same libraries and nothing of ours; bench.py divides our figures by theirs.
 *
 * Each prints one JSON object on standard output and nothing else. Not tests: nothing here passes or fails. */
#ifndef QUARTET_TESTS_BENCH_BARE_H
#define QUARTET_TESTS_BENCH_BARE_H

#include <stdint.h>

/* Monotonic. */
uint64_t bare_now_ns(void);

/* User and system time of this process and of its children that were waited for. */
double bare_cpu_s(void);

/* Say what failed and why on standard error, and exit 1. A baseline that cannot run has no figure. `why` may be NULL: errno says. */
_Noreturn void bare_fail(const char *what, const char *why);

/* The argument as a whole number from 1 to `max`, or exit 2 with `usage`. */
uint64_t bare_number(const char *text, uint64_t max, const char *usage);

#endif
