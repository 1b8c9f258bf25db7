/* Tests of coordinator/halt.c. */
#include "coordinator/runner/halt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct halt parsed(const char *text)
{
    struct halt halt;
    struct err_text error;
    assert_int_equal(halt_parse(text, &halt, &error), 0);
    return halt;
}

static void test_halt_counts_failures_successes_or_both(void **state)
{
    (void)state;
    struct halt fail = parsed("soon,fail=3");
    assert_int_equal(halt_check(&fail, 100, 2, 0), HALT_NEVER);
    assert_int_equal(halt_check(&fail, 0, 3, 0), HALT_SOON);
    struct halt success = parsed("now,success=1");
    assert_int_equal(halt_check(&success, 0, 9, 10), HALT_NEVER);
    assert_int_equal(halt_check(&success, 1, 9, 10), HALT_NOW);
    struct halt done = parsed("soon,done=10");
    assert_int_equal(halt_check(&done, 4, 5, 0), HALT_NEVER);
    assert_int_equal(halt_check(&done, 5, 5, 0), HALT_SOON);
}

static void test_halt_share_is_of_all_items_and_waits_for_their_number(void **state)
{
    (void)state;
    struct halt halt = parsed("now,fail=2.5%");
    assert_int_equal(halt_check(&halt, 0, 1000, 0), HALT_NEVER);
    assert_int_equal(halt_check(&halt, 0, 4, 200), HALT_NEVER);
    assert_int_equal(halt_check(&halt, 0, 5, 200), HALT_NOW);
}

static void test_halt_knows_the_older_forms(void **state)
{
    (void)state;
    assert_int_equal(parsed("never").when, HALT_NEVER);
    assert_int_equal(parsed("0").when, HALT_NEVER);
    assert_int_equal(parsed("1").when, HALT_SOON);
    assert_int_equal(parsed("2").when, HALT_NOW);
    assert_int_equal(parsed("-2").why, HALT_SUCCESS);
    struct halt share = parsed("10%");
    assert_int_equal(halt_check(&share, 0, 1, 10), HALT_SOON);
}

static void test_halt_refuses_what_is_no_condition_and_quotes_it(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "soon",
                                        "soon,",
                                        "later,fail=1",
                                        "soon,fail=0",
                                        "soon,fail=",
                                        "soon,fail=1x",
                                        "now,fail=0%",
                                        "now,fail=101%",
                                        "now,fail=%",
                                        "3",
                                        "now,fail=-1",
                                        "now,fail=nan%"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct halt halt = {.count = 77};
        struct err_text error = {{0}};
        assert_int_equal(halt_parse(wrong[i], &halt, &error), ERR_INVALID);
        assert_non_null(strstr(error.s, wrong[i]));
        assert_int_equal(halt.count, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_halt_counts_failures_successes_or_both),
        cmocka_unit_test(test_halt_share_is_of_all_items_and_waits_for_their_number),
        cmocka_unit_test(test_halt_knows_the_older_forms),
        cmocka_unit_test(test_halt_refuses_what_is_no_condition_and_quotes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
