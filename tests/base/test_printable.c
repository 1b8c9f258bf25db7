/* What may be shown on a terminal, byte by byte. */
#include "common/base/printable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_printable_takes_text_of_one_line_in_any_language(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "counts lines", "z\xc3\xa4hlt", "\xe8\xa1\x8c", "\xf0\x9f\x98\x80"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_true(printable(texts[i], strlen(texts[i])));
    }
}

static void test_printable_refuses_controls_and_broken_utf8(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "a\nb",             /* a second line */
        "\x1b[2J",          /* an escape sequence */
        "\x7f",             /* DEL */
        "\xc2\x9b",         /* C1: CSI in one character */
        "\xc3",             /* cut off */
        "\xc0\xaf",         /* longer than need be */
        "\xed\xa0\x80",     /* half of a surrogate pair */
        "\xf4\x90\x80\x80", /* beyond the last code point */
        "\xff",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (printable(texts[i], strlen(texts[i]))) {
            fail_msg("text %zu is taken for printable", i);
        }
    }
    assert_false(printable("a\0b", 3));
}

static void test_printable_len_looks_no_further_than_it_may(void **state)
{
    (void)state;
    assert_int_equal(printable_len("\xe8\xa1\x8c", 3), 3);
    assert_int_equal(printable_len("\xe8\xa1\x8c", 2), 0);
    assert_int_equal(printable_len("ab", 2), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_printable_takes_text_of_one_line_in_any_language),
        cmocka_unit_test(test_printable_refuses_controls_and_broken_utf8),
        cmocka_unit_test(test_printable_len_looks_no_further_than_it_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
