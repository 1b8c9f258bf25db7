/* The engine's clocks: monotonic nanoseconds, the same in every process of the machine, and for
 * records the time of day. Reading them costs no system call. */
#ifndef QUARTET_WORKER_ENGINE_CLOCK_H
#define QUARTET_WORKER_ENGINE_CLOCK_H

#include <stdint.h>
#include <time.h>

enum { NS_PER_US = 1000, NS_PER_MS = 1000 * 1000, NS_PER_S = 1000 * 1000 * 1000 };

static inline uint64_t clock_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Microseconds since 1970 at the monotonic time `at_ns`, as far as the two clocks now tell. */
static inline uint64_t clock_wall_us(uint64_t at_ns)
{
    struct timespec wall;
    (void)clock_gettime(CLOCK_REALTIME, &wall);
    uint64_t now_ns = clock_now_ns();
    uint64_t wall_ns = (uint64_t)wall.tv_sec * NS_PER_S + (uint64_t)wall.tv_nsec;
    return (wall_ns - now_ns + at_ns) / NS_PER_US;
}

static inline struct timespec clock_timespec(uint64_t at_ns)
{
    return (struct timespec){.tv_sec = (time_t)(at_ns / NS_PER_S),
                             .tv_nsec = (long)(at_ns % NS_PER_S)};
}

#endif
