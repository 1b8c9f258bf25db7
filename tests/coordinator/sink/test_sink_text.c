/* Numbers, times, UTF-8, JSON strings and base64, put through a small buffer. */
#include "common/base/rng.h"
#include "tests/coordinator/sink/sink_fixture.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static struct text_fixture fixture;

static int setup(void **state)
{
    (void)state;
    text_fixture_init(&fixture);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    text_fixture_clear(&fixture);
    return 0;
}

/* What was put since the last call; borrowed until the next one. */
static const char *taken(void)
{
    static char copy[4096];
    size_t len;
    const char *all = text_fixture_all(&fixture, &len);
    assert_true(len < sizeof(copy));
    memcpy(copy, all, len + 1);
    text_fixture_clear(&fixture);
    return copy;
}

static void test_sink_text_writes_numbers(void **state)
{
    (void)state;
    uint64_t value = 1;
    char expected[32];
    for (unsigned digits = 1; digits <= 19; digits++, value *= 10) {
        for (int step = -1; step <= 1; step++) {
            uint64_t number = value + (uint64_t)(int64_t)step;
            (void)snprintf(expected, sizeof(expected), "%" PRIu64, number);
            sink_text_put_u64(&fixture.text, number);
            assert_string_equal(taken(), expected);
        }
    }
    sink_text_put_u64(&fixture.text, UINT64_MAX);
    assert_string_equal(taken(), "18446744073709551615");
}

static void test_sink_text_writes_seconds(void **state)
{
    (void)state;
    sink_text_put_seconds(&fixture.text, 0);
    assert_string_equal(taken(), "0.000000");
    sink_text_put_seconds(&fixture.text, 1234);
    assert_string_equal(taken(), "0.001234");
    sink_text_put_seconds(&fixture.text, UINT64_MAX);
    assert_string_equal(taken(), "18446744073709.551615");
    sink_text_put_milliseconds(&fixture.text, 1999, 10);
    assert_string_equal(taken(), "     0.001");
    sink_text_put_milliseconds(&fixture.text, UINT64_C(1376577364974999), 0);
    assert_string_equal(taken(), "1376577364.974");
}

static void assert_time(uint64_t us)
{
    char day[64];
    char expected[96];
    time_t second = (time_t)(us / 1000000);
    struct tm tm;
    assert_non_null(gmtime_r(&second, &tm));
    assert_true(strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm) > 0);
    /* strftime writes the year 999 in three digits; there is none before 1970 here */
    (void)snprintf(expected, sizeof(expected), "%s.%06uZ", day, (unsigned)(us % 1000000));
    sink_text_put_time(&fixture.text, us);
    assert_string_equal(taken(), expected);
}

static void test_sink_text_writes_times_as_the_c_library_does(void **state)
{
    (void)state;
    const uint64_t us_max = UINT64_C(253402300799999999);
    struct rng rng;
    rng_init(&rng, 7);
    for (int i = 0; i < 20000; i++) {
        assert_time(1 + rng_next(&rng) % us_max);
    }
    for (uint64_t day = 0; day < 150000; day++) { /* every day until the year 2380 */
        assert_time(day * UINT64_C(86400000000) + 1);
    }
    assert_time(us_max);
}

static void test_sink_text_knows_which_times_it_can_write(void **state)
{
    (void)state;
    assert_false(sink_text_has_time(0));
    assert_true(sink_text_has_time(1));
    assert_true(sink_text_has_time(UINT64_C(253402300799999999)));
    assert_false(sink_text_has_time(UINT64_C(253402300800000000)));
    assert_false(sink_text_has_time(UINT64_MAX));
}

/* The code point in UTF-8, surrogates too; by the definition, not by the code under test. */
static size_t encode(uint32_t point, char *to)
{
    if (point < 0x80) {
        to[0] = (char)point;
        return 1;
    }
    size_t len = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len; i-- > 1; point >>= 6) {
        to[i] = (char)(0x80 | (point & 0x3f));
    }
    to[0] = (char)(leads[len] | point);
    return len;
}

static void test_sink_text_accepts_every_code_point_but_surrogates(void **state)
{
    (void)state;
    char bytes[8];
    for (uint32_t point = 0; point <= 0x110000; point++) {
        size_t len = encode(point, bytes);
        bool valid = point < 0x110000 && (point < 0xd800 || point > 0xdfff);
        assert_int_equal(sink_text_utf8(bytes, len), valid ? len : 0);
        for (size_t cut = 1; valid && cut < len; cut++) {
            assert_int_equal(sink_text_utf8(bytes, cut), 0);
            assert_true(sink_text_is_cut_utf8(bytes, cut));
        }
    }
}

static void test_sink_text_refuses_bytes_that_are_not_utf8(void **state)
{
    (void)state;
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc3(",
                                      "\xe0\x9f\xbf",
                                      "\xe2\x82(",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xfe",
                                      "\xff"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[32];
        for (size_t before = 0; before < 17; before++) { /* eight at a time, and the rest */
            memset(text, 'a', before);
            memcpy(text + before, bad[i], strlen(bad[i]) + 1);
            assert_int_equal(sink_text_utf8(text, strlen(text)), before);
        }
    }
    assert_false(sink_text_is_cut_utf8("\x80", 1));
    assert_false(sink_text_is_cut_utf8("\xe0\x9f", 2));
    assert_false(sink_text_is_cut_utf8("\xc3\xa9", 2)); /* whole */
    assert_false(sink_text_is_cut_utf8("", 0));
}

static void test_sink_text_escapes_json(void **state)
{
    (void)state;
    static const char text[] = "a\"b\\c/\b\f\n\r\t\x01\x1f\x7f\0é€😀";
    sink_text_put_json(&fixture.text, text, sizeof(text) - 1);
    assert_string_equal(taken(), "a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\\u0000é€😀");
}

static void test_sink_text_replaces_what_is_not_utf8_in_texts_to_be_read(void **state)
{
    (void)state;
    static const char text[] = "\xff"
                               "a\n\xc3\xa9\xe2\x82";
    sink_text_put_json_lossy(&fixture.text, text, sizeof(text) - 1);
    assert_string_equal(taken(),
                        "\xef\xbf\xbd"
                        "a\\n\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd");
}

static void test_sink_text_encodes_base64_as_the_rfc_does(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        sink_text_put_base64(&fixture.text, pairs[i][0], strlen(pairs[i][0]));
        assert_string_equal(taken(), pairs[i][1]);
    }
}

/* Lengths around every border of a part and of the buffer. */
static void test_sink_text_base64_of_random_bytes_comes_back(void **state)
{
    (void)state;
    static char bytes[20000];
    static char back[20003];
    struct rng rng;
    rng_init(&rng, 11);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (char)rng_next(&rng);
    }
    for (size_t len = 0; len < sizeof(bytes); len += len < 1100 ? 1 : 997) {
        sink_text_put_base64(&fixture.text, bytes, len);
        assert_int_equal(base64_fixture(text_fixture_all(&fixture, NULL), back), len);
        assert_memory_equal(back, bytes, len);
        text_fixture_clear(&fixture);
    }
}

static void test_sink_text_takes_more_than_its_buffer(void **state)
{
    (void)state;
    static char bytes[3 * SINK_TEXT_ROOM_MAX + 5];
    memset(bytes, '\n', sizeof(bytes));
    size_t len;
    sink_text_put(&fixture.text, bytes, sizeof(bytes));
    const char *all = text_fixture_all(&fixture, &len);
    assert_int_equal(len, sizeof(bytes));
    assert_memory_equal(all, bytes, len);
    text_fixture_clear(&fixture);
    sink_text_put_json(&fixture.text, bytes, sizeof(bytes));
    all = text_fixture_all(&fixture, &len);
    assert_int_equal(len, 2 * sizeof(bytes));
    for (size_t i = 0; i < len; i += 2) {
        assert_memory_equal(all + i, "\\n", 2);
    }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_sink_text_writes_numbers),
        CASE(test_sink_text_writes_seconds),
        CASE(test_sink_text_writes_times_as_the_c_library_does),
        CASE(test_sink_text_knows_which_times_it_can_write),
        CASE(test_sink_text_accepts_every_code_point_but_surrogates),
        CASE(test_sink_text_refuses_bytes_that_are_not_utf8),
        CASE(test_sink_text_escapes_json),
        CASE(test_sink_text_replaces_what_is_not_utf8_in_texts_to_be_read),
        CASE(test_sink_text_encodes_base64_as_the_rfc_does),
        CASE(test_sink_text_base64_of_random_bytes_comes_back),
        CASE(test_sink_text_takes_more_than_its_buffer),
    };
    return cmocka_run_group_tests_name("sink_text", tests, NULL, NULL);
}
