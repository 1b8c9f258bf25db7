#include "tests/bench/bare.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

uint64_t bare_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static double usage_s(int who)
{
    struct rusage usage;
    if (getrusage(who, &usage) != 0) {
        bare_fail("getrusage", NULL);
    }
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

double bare_cpu_s(void)
{
    return usage_s(RUSAGE_SELF) + usage_s(RUSAGE_CHILDREN);
}

_Noreturn void bare_fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "%s: %s\n", what, why != NULL ? why : strerror(errno));
    exit(EXIT_FAILURE);
}

uint64_t bare_number(const char *text, uint64_t max, const char *usage)
{
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number < 1 ||
        number > max) {
        (void)fprintf(stderr, "'%s' is not a whole number from 1\nusage: %s\n", text, usage);
        exit(2);
    }
    return number;
}
