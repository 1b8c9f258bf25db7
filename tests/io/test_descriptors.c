/* Descriptors put right at the start, each case in a child of its own: what it changes is the
 * process's. */
#include "common/io/descriptors.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Run `is_right` in a child, whose standard descriptors it may close. */
static void assert_in_child(bool (*is_right)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(is_right() ? 0 : 1);
    }
    int status = -1;
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static bool set_limit(rlim_t soft, rlim_t hard)
{
    const struct rlimit limit = {.rlim_cur = soft, .rlim_max = hard};
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static bool closed_standard_ones_become_ones_that_fail(void)
{
    char byte = 0;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        (void)close(fd);
    }
    bool right = descriptors_prepare(NULL) == 0;
    int next = dup(STDERR_FILENO);
    right = right && next > STDERR_FILENO;
    right = right && read(STDIN_FILENO, &byte, 1) == -1 && errno == EBADF;
    right = right && write(STDOUT_FILENO, &byte, 1) == -1 && errno == EBADF;
    return right && write(STDERR_FILENO, &byte, 1) == 1;
}

static void test_descriptors_prepare_opens_closed_standard_ones(void **state)
{
    (void)state;
    assert_in_child(closed_standard_ones_become_ones_that_fail);
}

static bool soft_limit_becomes_the_hard_one(void)
{
    struct rlimit limit;
    uint64_t before = 0;
    return set_limit(50, 80) && !descriptors_raised_from(&before) &&
           descriptors_prepare(NULL) == 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
           limit.rlim_cur == 80 && descriptors_raised_from(&before) && before == 50;
}

static bool limit_that_is_high_enough_is_not_raised(void)
{
    uint64_t before = 0;
    return set_limit(80, 80) && descriptors_prepare(NULL) == 0 && !descriptors_raised_from(&before);
}

static void test_descriptors_prepare_raises_the_soft_limit_and_remembers_it(void **state)
{
    (void)state;
    assert_in_child(soft_limit_becomes_the_hard_one);
    assert_in_child(limit_that_is_high_enough_is_not_raised);
}

static bool too_few_are_refused_with_the_numbers(void)
{
    struct err_text error = {.s = ""};
    int free_one = dup(STDERR_FILENO);
    (void)close(free_one);
    rlim_t limit = (rlim_t)free_one + 3; /* room for three more */
    return set_limit(limit, limit) && descriptors_expect(3, "for a test", &error) == 0 &&
           descriptors_expect(4, "for a test", &error) == ERR_IO &&
           strstr(error.s, "4 more are needed for a test, 3 are left of ") != NULL;
}

static void test_descriptors_expect_refuses_with_the_numbers(void **state)
{
    (void)state;
    assert_in_child(too_few_are_refused_with_the_numbers);
}

static bool expecting_leaves_nothing_open(void)
{
    int before = dup(STDERR_FILENO);
    (void)close(before);
    return descriptors_expect(64, "for a test", NULL) == 0 && dup(STDERR_FILENO) == before;
}

static void test_descriptors_expect_leaves_nothing_open(void **state)
{
    (void)state;
    assert_in_child(expecting_leaves_nothing_open);
}

static bool later_ones_must_fit_beside_those_that_stay_free(void)
{
    struct err_text error = {.s = ""};
    int lowest = dup(STDERR_FILENO);
    (void)close(lowest);
    rlim_t limit = (rlim_t)lowest + 1000;
    uint64_t kept = descriptors_kept(limit);
    return kept == 16 && descriptors_kept(64) == 2 && set_limit(limit, limit) &&
           descriptors_expect_later(1000 - kept, "for a test", &error) == 0 &&
           descriptors_expect_later(1000 - kept + 1, "for a test", &error) == ERR_IO &&
           strstr(error.s, "1001 more will be needed for a test, 1000 are left of ") != NULL &&
           strstr(error.s, "raise ulimit -n to ") != NULL &&
           descriptors_expect_later(UINT64_MAX / 2, "for a test", &error) == ERR_IO;
}

static void test_descriptors_expect_later_says_how_far_the_limit_is_to_be_raised(void **state)
{
    (void)state;
    assert_in_child(later_ones_must_fit_beside_those_that_stay_free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descriptors_prepare_opens_closed_standard_ones),
        cmocka_unit_test(test_descriptors_prepare_raises_the_soft_limit_and_remembers_it),
        cmocka_unit_test(test_descriptors_expect_refuses_with_the_numbers),
        cmocka_unit_test(test_descriptors_expect_leaves_nothing_open),
        cmocka_unit_test(test_descriptors_expect_later_says_how_far_the_limit_is_to_be_raised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
