/* Text on a terminal: columns, cutting, wrapping; and what a terminal says of itself. */
#include "common/io/text.h"
#include "coordinator/report/terminal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_wrapped(const char *text,
                           size_t column,
                           size_t indent,
                           size_t width,
                           const char *expected)
{
    char *out = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&out, &size);
    assert_non_null(stream);
    text_wrap(stream, text, column, indent, width);
    assert_int_equal(fclose(stream), 0);
    assert_string_equal(out, expected);
    free(out);
}

static void test_text_counts_code_points(void **state)
{
    (void)state;
    assert_int_equal(text_columns(""), 0);
    assert_int_equal(text_columns("abc"), 3);
    assert_int_equal(text_columns("██▎ é"), 5);
}

static void test_text_is_never_cut_inside_a_code_point(void **state)
{
    (void)state;
    char text[] = "a█é";
    text_truncate(text, 3);
    assert_string_equal(text, "a█é");
    text_truncate(text, 2);
    assert_string_equal(text, "a█");
    text_truncate(text, 0);
    assert_string_equal(text, "");
}

static void test_text_wraps_at_spaces(void **state)
{
    (void)state;
    assert_wrapped("one two three", 0, 2, 8, "one two\n  three\n");
    assert_wrapped("one two three", 0, 0, 80, "one two three\n");
    assert_wrapped("one two", 5, 5, 11, "one\n     two\n");
    assert_wrapped("  one   two ", 0, 0, 80, "one two\n");
    assert_wrapped("", 0, 0, 80, "\n");
}

static void test_text_keeps_long_words_whole(void **state)
{
    (void)state;
    assert_wrapped(
        "see http://example.org/long now", 0, 1, 8, "see\n http://example.org/long\n now\n");
}

static void test_text_keeps_number_and_unit_together(void **state)
{
    (void)state;
    assert_wrapped("took 6.43 s or (3.30 ms), yes", 0, 0, 11, "took 6.43 s\nor\n(3.30 ms),\nyes\n");
    assert_wrapped("a 5", 0, 0, 2, "a\n5\n");
}

static void test_text_keeps_newlines(void **state)
{
    (void)state;
    assert_wrapped("a b\nc", 0, 2, 80, "a b\n  c\n");
}

static void test_text_lets_no_escape_sequence_through(void **state)
{
    (void)state;
    assert_wrapped("a\033[2Jb \x7f\t \xc2\x9b"
                   "31m \xc3\xa9",
                   0,
                   0,
                   80,
                   "a?[2Jb ?? ?31m \xc3\xa9\n");
}

static void test_text_append_cuts_what_does_not_fit(void **state)
{
    (void)state;
    char buf[6] = "ab";
    text_append(buf, sizeof(buf), "%d", 123456);
    assert_string_equal(buf, "ab123");
    text_append(buf, sizeof(buf), "x");
    assert_string_equal(buf, "ab123");
}

static void set_locale(const char *lc_all, const char *lc_ctype, const char *lang)
{
    assert_int_equal(setenv("LC_ALL", lc_all, 1), 0);
    assert_int_equal(setenv("LC_CTYPE", lc_ctype, 1), 0);
    assert_int_equal(setenv("LANG", lang, 1), 0);
}

static void test_terminal_takes_utf8_from_the_first_variable_that_is_set(void **state)
{
    (void)state;
    set_locale("", "", "de_DE.UTF-8");
    assert_true(terminal_is_utf8());
    set_locale("", "en_US.utf8", "C");
    assert_true(terminal_is_utf8());
    set_locale("C", "en_US.UTF-8", "en_US.UTF-8");
    assert_false(terminal_is_utf8());
    set_locale("", "", "");
    assert_false(terminal_is_utf8());
}

static void test_terminal_wants_no_color_on_a_file(void **state)
{
    (void)state;
    FILE *null = fopen("/dev/null", "w");
    assert_non_null(null);
    assert_false(terminal_is_able(null));
    assert_false(terminal_wants_color(null));
    assert_int_equal(terminal_width(null), 0);
    (void)fclose(null);
}

/* A terminal of our own: the follower's end of a new pseudo-terminal. */
static void test_terminal_heeds_no_color_and_dumb(void **state)
{
    (void)state;
    int leader = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(leader >= 0);
    assert_int_equal(grantpt(leader), 0);
    assert_int_equal(unlockpt(leader), 0);
    FILE *terminal = fopen(ptsname(leader), "r+");
    assert_non_null(terminal);
    struct winsize size = {.ws_col = 123};
    assert_int_equal(ioctl(leader, TIOCSWINSZ, &size), 0);
    assert_int_equal(unsetenv("NO_COLOR"), 0);
    assert_int_equal(setenv("TERM", "xterm", 1), 0);
    assert_true(terminal_wants_color(terminal));
    assert_int_equal(terminal_width(terminal), 123);
    assert_int_equal(setenv("NO_COLOR", "1", 1), 0);
    assert_false(terminal_wants_color(terminal));
    assert_true(terminal_is_able(terminal));
    assert_int_equal(setenv("TERM", "dumb", 1), 0);
    assert_false(terminal_is_able(terminal));
    (void)fclose(terminal);
    (void)close(leader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_counts_code_points),
        cmocka_unit_test(test_text_is_never_cut_inside_a_code_point),
        cmocka_unit_test(test_text_wraps_at_spaces),
        cmocka_unit_test(test_text_keeps_long_words_whole),
        cmocka_unit_test(test_text_keeps_number_and_unit_together),
        cmocka_unit_test(test_text_keeps_newlines),
        cmocka_unit_test(test_text_lets_no_escape_sequence_through),
        cmocka_unit_test(test_text_append_cuts_what_does_not_fit),
        cmocka_unit_test(test_terminal_takes_utf8_from_the_first_variable_that_is_set),
        cmocka_unit_test(test_terminal_wants_no_color_on_a_file),
        cmocka_unit_test(test_terminal_heeds_no_color_and_dumb),
    };
    return cmocka_run_group_tests_name("report_text", tests, NULL, NULL);
}
