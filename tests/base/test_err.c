/* Error codes and their texts, and what a failed check does. */
#include "common/base/check.h"
#include "common/base/err.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void test_err_set_formats_the_text_and_returns_the_code(void **state)
{
    (void)state;
    struct err_text text = {0};
    assert_int_equal(err_set(&text, ERR_BUSY, "port %d is in use", 80), ERR_BUSY);
    assert_string_equal(text.s, "port 80 is in use");
}

static void test_err_set_needs_no_text(void **state)
{
    (void)state;
    assert_int_equal(err_set(NULL, ERR_IO, "nobody reads %s", "this"), ERR_IO);
}

static void test_err_set_cuts_a_long_text(void **state)
{
    (void)state;
    struct err_text text;
    char word[2 * ERR_TEXT_SIZE];
    memset(word, 'x', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    assert_int_equal(err_set(&text, ERR_INVALID, "%s", word), ERR_INVALID);
    assert_int_equal(strlen(text.s), ERR_TEXT_SIZE - 1);
}

static void test_err_set_keeps_to_one_line_whatever_it_quotes(void **state)
{
    (void)state;
    struct err_text text;
    assert_int_equal(err_set(&text, ERR_INVALID, "'%s'", "a\nb\x1b[2Jc\x7f \xc3\xa9"), ERR_INVALID);
    assert_string_equal(text.s, "'a?b?[2Jc? \xc3\xa9'");
}

static void test_err_name_knows_every_code_by_its_own_name(void **state)
{
    (void)state;
    for (int code = 0; code >= ERR_CHILD; code--) {
        assert_string_not_equal(err_name(code), "unknown error");
        for (int other = code + 1; other <= 0; other++) {
            assert_string_not_equal(err_name(code), err_name(other));
        }
    }
    assert_string_equal(err_name(ERR_CHILD - 1), "unknown error");
    assert_string_equal(err_name(1), "unknown error");
}

static void test_check_aborts_and_says_where(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL); /* cmocka catches it */
        bool broken = false;
        CHECK(broken);
        _exit(0);
    }
    (void)close(ends[1]);
    char said[256] = {0};
    assert_true(read(ends[0], said, sizeof(said) - 1) > 0);
    (void)close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(said, "test_err.c:"));
    assert_non_null(strstr(said, ": check failed: broken\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_err_set_formats_the_text_and_returns_the_code),
        cmocka_unit_test(test_err_set_needs_no_text),
        cmocka_unit_test(test_err_set_cuts_a_long_text),
        cmocka_unit_test(test_err_set_keeps_to_one_line_whatever_it_quotes),
        cmocka_unit_test(test_err_name_knows_every_code_by_its_own_name),
        cmocka_unit_test(test_check_aborts_and_says_where),
    };
    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
