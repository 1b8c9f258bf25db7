/* First and last words alone. */
#include "worker/workloads/pipe_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct pipe_words words;

static int set_up(void **state)
{
    (void)state;
    memset(&words, 'x', sizeof(words));
    pipe_words_reset(&words);
    return 0;
}

static void say(const char *text)
{
    pipe_words_add(&words, text, strlen(text));
}

static void assert_last(size_t size, const char *expected)
{
    char text[512];
    memset(text, 'x', sizeof(text));
    pipe_words_last(&words, text, size);
    assert_string_equal(text, expected);
    assert_int_equal(text[size], 'x');
}

static void test_words_of_a_silent_program_are_none(void **state)
{
    (void)state;
    assert_false(pipe_words_any(&words));
    assert_null(pipe_words_first(&words, true));
    assert_last(100, "");
    assert_last(1, "");
}

static void test_words_first_line_is_told_when_it_is_whole(void **state)
{
    (void)state;
    say("\n\nhe");
    assert_true(pipe_words_any(&words));
    assert_null(pipe_words_first(&words, false));
    assert_string_equal(pipe_words_first(&words, true), "he");
    say("llo\nand more\n");
    assert_string_equal(pipe_words_first(&words, false), "hello");
}

static void test_words_first_line_that_is_too_long_is_cut(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        say("a");
    }
    assert_int_equal(strlen(pipe_words_first(&words, false)), PIPE_WORDS_FIRST - 1);
}

static void test_words_last_lines_are_joined(void **state)
{
    (void)state;
    say("Traceback:\n  line 3\n\nValueError: 'x'\n\n");
    assert_last(100, "Traceback: /   line 3 / ValueError: 'x'");
    assert_last(40, "Traceback: /   line 3 / ValueError: 'x'");
    assert_last(39, "  line 3 / ValueError: 'x'"); /* as many lines as fit, the last ones */
    assert_last(26, "ValueError: 'x'");
    assert_last(16, "ValueError: 'x'");
    assert_last(10, "rror: 'x'");
    assert_last(1, "");
}

static void test_words_are_shown_without_control_characters(void **state)
{
    (void)state;
    pipe_words_add(&words, "a\0b\033[1m\tc\n", 10);
    assert_last(100, "a?b?[1m c");
}

static void test_words_keep_the_last_of_much(void **state)
{
    (void)state;
    static char much[10000];
    memset(much, 'm', sizeof(much));
    say("first\n");
    pipe_words_add(&words, much, sizeof(much));
    say("\n");
    for (int i = 0; i < 2000; i++) {
        char line[16];
        (void)snprintf(line, sizeof(line), "%d\n", i);
        say(line);
    }
    assert_string_equal(pipe_words_first(&words, false), "first");
    assert_int_equal(words.last_len, PIPE_WORDS_LAST);
    assert_last(19, "1997 / 1998 / 1999");
    pipe_words_add(&words, much, PIPE_WORDS_LAST);
    assert_last(5, "mmmm");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_words_of_a_silent_program_are_none, set_up),
        cmocka_unit_test_setup(test_words_first_line_is_told_when_it_is_whole, set_up),
        cmocka_unit_test_setup(test_words_first_line_that_is_too_long_is_cut, set_up),
        cmocka_unit_test_setup(test_words_last_lines_are_joined, set_up),
        cmocka_unit_test_setup(test_words_are_shown_without_control_characters, set_up),
        cmocka_unit_test_setup(test_words_keep_the_last_of_much, set_up),
    };
    return !!cmocka_run_group_tests_name("pipe_words", tests, NULL, NULL);
}
