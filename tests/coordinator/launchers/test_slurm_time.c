/* Time limits as Slurm writes them (sbatch(1), --time). */
#include "common/base/err.h"
#include "coordinator/launchers/slurm_time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_every_form_of_a_limit_is_read(void **state)
{
    (void)state;

    static const struct {
        const char *text;
        uint64_t seconds;
    } cases[] = {
        {"1", 60},
        {"90", 90 * 60},
        {"0:05", 60}, /* rounded up, as Slurm does */
        {"2:00", 120},
        {"2:01", 180},
        {"100:00", 6000},
        {"1:30:00", 5400},
        {"100:00:00", 360000},
        {"2-12", 2 * 86400 + 12 * 3600},
        {"0-1:30", 5400},
        {"1-00:00:01", 86400 + 60},
        {"7-0:0:0", 7 * 86400},
        {"0", 0},
        {"INFINITE", 0},
        {"unlimited", 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t seconds = 1;
        assert_int_equal(slurm_time_parse(cases[i].text, &seconds), 0);
        assert_int_equal(seconds, cases[i].seconds);
    }
}

static void test_time_left_is_to_the_second_or_not_known(void **state)
{
    (void)state;
    uint64_t seconds = 1;
    assert_int_equal(slurm_time_left_parse("0:00", &seconds), 0);
    assert_int_equal(seconds, 0);
    assert_int_equal(slurm_time_left_parse("59:07", &seconds), 0);
    assert_int_equal(seconds, 59 * 60 + 7);
    assert_int_equal(slurm_time_left_parse("2-01:02:03", &seconds), 0);
    assert_int_equal(seconds, 2 * 86400 + 3723);
    static const char *const unknown[] = {"UNLIMITED", "NOT_SET", "INVALID", "", "soon"};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        assert_int_equal(slurm_time_left_parse(unknown[i], &seconds), ERR_NOT_FOUND);
    }
}

static void test_what_is_no_limit_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "-",
        ":",
        "1:",
        ":1",
        "1:2:3:4",
        "1-",
        "-1",
        "1-2-3",
        "1h",
        "1:60",
        "1:60:00",
        "1-0:60",
        "1.5",
        " 1",
        "1 ",
        "+1",
        "1e3",
        "infinite!",
        "0x10",
        "1:-2",
        "9999999999",
        "99999999999999999999",
        "1--2",
        "tomorrow",
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t seconds = 7;
        assert_int_equal(slurm_time_parse(cases[i], &seconds), ERR_INVALID);
        assert_int_equal(seconds, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_form_of_a_limit_is_read),
        cmocka_unit_test(test_time_left_is_to_the_second_or_not_known),
        cmocka_unit_test(test_what_is_no_limit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
