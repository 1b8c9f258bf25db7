/* Numbers with units: what is read, what is refused, what is written. */
#include "common/base/err.h"
#include "common/base/units.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const uint64_t no_limit = UINT64_MAX;

static void expect_seconds(const char *text, double expected)
{
    double seconds = -1;
    assert_int_equal(units_parse_seconds(text, 1e9, &seconds), 0);
    assert_true(seconds == expected);
}

static void expect_bytes(const char *text, uint64_t expected)
{
    uint64_t bytes = 1;
    assert_int_equal(units_parse_bytes(text, no_limit, &bytes), 0);
    assert_int_equal(bytes, expected);
}

static void test_units_reads_whole_numbers(void **state)
{
    (void)state;
    uint64_t value = 1;
    assert_int_equal(units_parse_u64("0", no_limit, &value), 0);
    assert_int_equal(value, 0);
    assert_int_equal(units_parse_u64("18446744073709551615", no_limit, &value), 0);
    assert_int_equal(value, UINT64_MAX);
    assert_int_equal(units_parse_u64("007", 7, &value), 0);
    assert_int_equal(value, 7);
}

static void test_units_refuses_what_is_no_whole_number(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        " 1",
                                        "1 ",
                                        "+1",
                                        "-1",
                                        "0x10",
                                        "1e3",
                                        "1.0",
                                        "1,000",
                                        "18446744073709551616",
                                        "99999999999999999999"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        uint64_t value = 42;
        assert_int_equal(units_parse_u64(wrong[i], no_limit, &value), ERR_INVALID);
        assert_int_equal(value, 42);
    }
    uint64_t value = 42;
    assert_int_equal(units_parse_u64("8", 7, &value), ERR_INVALID);
    assert_int_equal(value, 42);
}

static void test_units_reads_seconds_with_every_suffix(void **state)
{
    (void)state;
    expect_seconds("0", 0);
    expect_seconds("0.1", 0.1);
    expect_seconds(".5", 0.5);
    expect_seconds("2.", 2);
    expect_seconds("1e-3", 0.001);
    expect_seconds("1.5E+2", 150);
    expect_seconds("250us", 250e-6);
    expect_seconds("100ms", 0.1);
    expect_seconds("3s", 3);
    expect_seconds("1.5m", 90);
    expect_seconds("2h", 7200);
    expect_seconds("0.30000000000000000000000000001", 0.3);
}

static void test_units_refuses_what_is_no_number_of_seconds(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        ".",
                                        "s",
                                        "-1",
                                        "+1",
                                        " 1",
                                        "1 s",
                                        "1S",
                                        "1d",
                                        "inf",
                                        "nan",
                                        "1e",
                                        "1e999",
                                        "0x1",
                                        "1,5",
                                        "1.2.3",
                                        "1e9"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        double seconds = 42;
        assert_int_equal(units_parse_seconds(wrong[i], 1e8, &seconds), ERR_INVALID);
        assert_true(seconds == 42);
    }
}

static void expect_wall_time(const char *text, double expected)
{
    double seconds = -1;
    assert_int_equal(units_parse_wall_time(text, 1e9, &seconds), 0);
    assert_true(seconds == expected);
}

static void test_units_reads_wall_times(void **state)
{
    (void)state;
    expect_wall_time("90", 90);
    expect_wall_time("1.5h", 5400);
    expect_wall_time("0:30", 30);
    expect_wall_time("10:00", 600);
    expect_wall_time("600:05", 36005);
    expect_wall_time("1:00:00", 3600);
    expect_wall_time("48:00:01", 172801);
    expect_wall_time("1-02:03:04", 93784);
    expect_wall_time("0-23:59:59", 86399);
}

static void test_units_refuses_what_is_no_wall_time(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        ":",
                                        ":30",
                                        "1:",
                                        "1:2",
                                        "1:60",
                                        "1:60:00",
                                        "1:00:00:00",
                                        "1:00:00 ",
                                        " 1:00",
                                        "-1:00",
                                        "1:-1",
                                        "1-02:03",
                                        "1-2:03:04",
                                        "1-24:00:00",
                                        "-02:03:04",
                                        "1-02:03:04:05",
                                        "1--2:03:04",
                                        "1:00.5",
                                        "20000-00:00:00",
                                        "18446744073709551616:00",
                                        "18446744073709551615:00"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        double seconds = 42;
        assert_int_equal(units_parse_wall_time(wrong[i], 1e9, &seconds), ERR_INVALID);
        assert_true(seconds == 42);
    }
}

static void test_units_reads_bytes_with_every_suffix(void **state)
{
    (void)state;
    expect_bytes("0", 0);
    expect_bytes("12", 12);
    expect_bytes("12B", 12);
    expect_bytes("3k", 3000);
    expect_bytes("3kB", 3000);
    expect_bytes("3M", 3000000);
    expect_bytes("3G", 3000000000);
    expect_bytes("3Ki", 3072);
    expect_bytes("64KiB", 65536);
    expect_bytes("1Mi", 1048576);
    expect_bytes("4GiB", UINT64_C(4294967296));
}

static void test_units_refuses_what_is_no_number_of_bytes(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "B",
                                        "k",
                                        "-1",
                                        "1 k",
                                        "1.5k",
                                        "1K",
                                        "1m",
                                        "1T",
                                        "1BB",
                                        "1kb",
                                        "17179869184Gi",
                                        "18446744073709551615k"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        uint64_t bytes = 42;
        assert_int_equal(units_parse_bytes(wrong[i], no_limit, &bytes), ERR_INVALID);
        assert_int_equal(bytes, 42);
    }
    uint64_t bytes = 42;
    assert_int_equal(units_parse_bytes("1001", 1000, &bytes), ERR_INVALID);
    assert_int_equal(units_parse_bytes("1Ki", 1000, &bytes), ERR_INVALID);
    assert_int_equal(units_parse_bytes("1k", 1000, &bytes), 0);
}

static void test_units_writes_seconds(void **state)
{
    (void)state;

    static const struct {
        double seconds;
        const char *text;
    } cases[] = {
        {0, "0 s"},
        {412e-6, "412 us"},
        {41.24e-6, "41.2 us"},
        {0.41e-6, "0.410 us"},
        {999.4e-6, "999 us"},
        {999.6e-6, "1.00 ms"},
        {6.43e-3, "6.43 ms"},
        {99.94e-3, "99.9 ms"},
        {99.96e-3, "0.100 s"},
        {0.805, "0.805 s"},
        {0.99949, "0.999 s"},
        {0.9996, "1.00 s"},
        {9.996, "10.0 s"},
        {64.2, "64.2 s"},
        {99.96, "1m 40s"},
        {200, "3m 20s"},
        {3599.4, "59m 59s"},
        {3599.6, "1h 00m"},
        {7500, "2h 05m"},
        {360000, "100h 00m"},
        {-0.805, "-0.805 s"},
        {-7500, "-2h 05m"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[UNITS_TEXT_SIZE];
        assert_string_equal(units_format_seconds(cases[i].seconds, text), cases[i].text);
    }
}

static void test_units_writes_no_number_as_question_mark(void **state)
{
    (void)state;
    char text[UNITS_TEXT_SIZE];
    double zero = 0;
    double infinite = 1e308 * 10;
    assert_string_equal(units_format_seconds(infinite, text), "?");
    assert_string_equal(units_format_seconds(-infinite, text), "?");
    assert_string_equal(units_format_seconds(infinite * zero, text), "?");
}

static void test_units_writes_counts(void **state)
{
    (void)state;

    static const struct {
        uint64_t count;
        const char *text;
    } cases[] = {
        {0, "0"},
        {64, "64"},
        {999, "999"},
        {1000, "1,000"},
        {9999, "9,999"},
        {10007, "10,007"},
        {99999, "99,999"},
        {100000, "100 k"},
        {999499, "999 k"},
        {999500, "1.00 M"},
        {10000000, "10.0 M"},
        {1900000000, "1.90 G"},
        {UINT64_MAX, "18.4 E"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[UNITS_TEXT_SIZE];
        assert_string_equal(units_format_count(cases[i].count, text), cases[i].text);
    }
}

static void test_units_writes_rates(void **state)
{
    (void)state;

    static const struct {
        double per_second;
        const char *text;
    } cases[] = {
        {0, "0"},
        {0.6652, "0.665"},
        {16.44, "16.4"},
        {50, "50"},
        {999.4, "999"},
        {999.6, "1,000"},
        {12345.6, "12,346"},
        {1.9e6, "1.90 M"},
        {1e300, "1e+300"},
        {-1, "?"},
        {NAN, "?"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[UNITS_TEXT_SIZE];
        assert_string_equal(units_format_rate(cases[i].per_second, text), cases[i].text);
    }
}

static void test_units_writes_exact_counts(void **state)
{
    (void)state;
    char text[UNITS_TEXT_SIZE];
    assert_string_equal(units_format_exact(0, text), "0");
    assert_string_equal(units_format_exact(999, text), "999");
    assert_string_equal(units_format_exact(999999, text), "999,999");
    assert_string_equal(units_format_exact(UINT64_MAX, text), "18,446,744,073,709,551,615");
}

static void test_units_writes_bytes(void **state)
{
    (void)state;

    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0 B"},
        {512, "512 B"},
        {1023, "1023 B"},
        {1024, "1.00 KiB"},
        {1000 * 1024, "1000 KiB"},
        {1024 * 1024 - 1, "1.00 MiB"},
        {64 * 1024 * 1024, "64.0 MiB"},
        {UINT64_MAX, "16.0 EiB"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[UNITS_TEXT_SIZE];
        assert_string_equal(units_format_bytes(cases[i].bytes, text), cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units_reads_whole_numbers),
        cmocka_unit_test(test_units_refuses_what_is_no_whole_number),
        cmocka_unit_test(test_units_reads_seconds_with_every_suffix),
        cmocka_unit_test(test_units_refuses_what_is_no_number_of_seconds),
        cmocka_unit_test(test_units_reads_wall_times),
        cmocka_unit_test(test_units_refuses_what_is_no_wall_time),
        cmocka_unit_test(test_units_reads_bytes_with_every_suffix),
        cmocka_unit_test(test_units_refuses_what_is_no_number_of_bytes),
        cmocka_unit_test(test_units_writes_seconds),
        cmocka_unit_test(test_units_writes_no_number_as_question_mark),
        cmocka_unit_test(test_units_writes_counts),
        cmocka_unit_test(test_units_writes_rates),
        cmocka_unit_test(test_units_writes_exact_counts),
        cmocka_unit_test(test_units_writes_bytes),
    };
    return cmocka_run_group_tests_name("units", tests, NULL, NULL);
}
