#include "common/io/clock.h"

#include <time.h>

enum { US_PER_S = 1000 * 1000, NS_PER_US = 1000 };

uint64_t clock_now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * US_PER_S + (uint64_t)now.tv_nsec / NS_PER_US;
}
