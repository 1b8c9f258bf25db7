/* Which file of certificates is taken. */
#include "worker/workloads/http_authorities.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char there[] = "/tmp/quartet-authorities-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    int fd = mkstemp(there);
    return fd >= 0 ? close(fd) : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(there);
}

static void test_place_that_libcurl_knows_is_left_to_it(void **state)
{
    (void)state;
    const char *const others[] = {there, NULL};
    assert_null(http_authorities_choose(there, others));
}

static void test_first_other_place_is_taken_when_that_one_is_not_there(void **state)
{
    (void)state;
    const char *const others[] = {"/nowhere/a", there, "/dev/null", NULL};
    assert_string_equal(http_authorities_choose("/nowhere/b", others), there);
    assert_string_equal(http_authorities_choose(NULL, others), there);
}

static void test_nothing_is_taken_when_there_is_none(void **state)
{
    (void)state;
    const char *const others[] = {"/nowhere/a", NULL};
    assert_null(http_authorities_choose("/nowhere/b", others));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_place_that_libcurl_knows_is_left_to_it),
        cmocka_unit_test(test_first_other_place_is_taken_when_that_one_is_not_there),
        cmocka_unit_test(test_nothing_is_taken_when_there_is_none),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
