/* The clock by which time limits are kept and durations measured: it never goes back, and begins
 * anywhere. Pure code gets what it says as an argument. */
#ifndef QUARTET_COMMON_IO_CLOCK_H
#define QUARTET_COMMON_IO_CLOCK_H

#include <stdint.h>

/* Microseconds, CLOCK_MONOTONIC. */
uint64_t clock_now_us(void);

#endif
