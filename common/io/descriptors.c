#include "common/io/descriptors.h"

#include "common/base/check.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    EXPECTED_MAX = 64,
    KEPT_EACH = 32, /* one of so many, and at most KEPT_MAX */
    KEPT_MAX = 16,
};

/* The soft limit before it was raised; 0: it was not. The one thing here that is remembered:
 * nobody can ask the system for it later. Written once, before there are threads. */
static rlim_t raised_from;

/* In this order: open gives the lowest number that is free. Input is opened for writing and
 * output for reading, so that using them is an error (EBADF) and not an empty file or a success;
 * errors have nowhere to be told. */
static void fill_standard(void)
{
    static const int modes[] = {
        [STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_RDWR};
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            (void)!open("/dev/null", modes[fd]);
        }
    }
}

/* The usual soft limit of 1,024 is for programs with select(), which is not used here. 4,096
 * items in flight need more. */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        rlim_t before = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) == 0) {
            raised_from = before;
        }
    }
}

bool descriptors_raised_from(uint64_t *ret_soft_limit)
{
    if (raised_from == 0) {
        return false;
    }
    *ret_soft_limit = raised_from;
    return true;
}

int descriptors_prepare(struct err_text *ret_error)
{
    fill_standard();
    raise_limit();
    return descriptors_expect(DESCRIPTORS_OF_A_LOOP, "to begin with", ret_error);
}

int descriptors_expect(unsigned count, const char *what, struct err_text *ret_error)
{
    CHECK(count > 0 && count <= EXPECTED_MAX);
    int probes[EXPECTED_MAX];
    unsigned got = 0;
    while (got < count && (probes[got] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)) >= 0) {
        got++;
    }
    for (unsigned i = 0; i < got; i++) {
        (void)close(probes[i]);
    }
    if (got == count) {
        return 0;
    }
    struct rlimit limit = {0};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    return err_set(ret_error,
                   ERR_IO,
                   "too few open files are allowed: %u more are needed %s, %u are left of %llu "
                   "(raise ulimit -n)",
                   count,
                   what,
                   got,
                   (unsigned long long)limit.rlim_cur);
}

uint64_t descriptors_kept(uint64_t limit)
{
    uint64_t kept = limit / KEPT_EACH;
    return kept < KEPT_MAX ? kept : KEPT_MAX;
}

int descriptors_expect_later(uint64_t count, const char *what, struct err_text *ret_error)
{
    uint64_t limit = 0;
    uint64_t left = descriptors_left(&limit);
    uint64_t kept = descriptors_kept(limit);
    if (count <= left && left - count >= kept) {
        return 0;
    }
    return err_set(ret_error,
                   ERR_IO,
                   "too few open files are allowed: %llu more will be needed %s, %llu are left of "
                   "%llu (raise ulimit -n to %llu where this is started)",
                   (unsigned long long)(count + kept),
                   what,
                   (unsigned long long)left,
                   (unsigned long long)limit,
                   (unsigned long long)(limit - left + count + KEPT_MAX));
}

uint64_t descriptors_left(uint64_t *ret_limit)
{
    struct rlimit limit = {0};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    *ret_limit = limit.rlim_cur;
    int lowest = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    if (lowest < 0) {
        return 0;
    }
    (void)close(lowest);
    return limit.rlim_cur - (rlim_t)lowest;
}
