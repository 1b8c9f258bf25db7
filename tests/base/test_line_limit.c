/* Lines to people: some at once, then one a second, and none is left out unsaid. */
#include "common/base/line_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_what_is_left_out_is_counted_once(void **state)
{
    (void)state;
    struct line_limit limit = {{0}, 0};
    unsigned said = 0;
    for (int i = 0; i < 1000; i++) {
        said += line_limit_allows(&limit, 7);
    }
    assert_int_equal(said, LINE_LIMIT_BURST);
    assert_int_equal(line_limit_take_left_out(&limit), 1000 - LINE_LIMIT_BURST);
    assert_int_equal(line_limit_take_left_out(&limit), 0);
}

static void test_one_a_second_goes_on(void **state)
{
    (void)state;
    struct line_limit limit = {{0}, 0};
    while (line_limit_allows(&limit, 0)) {
        continue;
    }
    unsigned said = 0;
    for (uint64_t now_us = 0; now_us <= 10 * 1000 * 1000; now_us += 1000) {
        said += line_limit_allows(&limit, now_us);
    }
    assert_int_equal(said, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_left_out_is_counted_once),
        cmocka_unit_test(test_one_a_second_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
