/* What a command says when it is asked. */
#include "common/base/err.h"
#include "coordinator/launchers/ask.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

enum { PATIENCE_MS = 60000, SIZE = 16 };

/* What sh says to `script`. */
static int ask_sh(const char *script, int limit_ms, char *ret_line)
{
    struct words command = {.list = NULL};
    words_add(&command, "sh");
    words_add(&command, "-c");
    words_add(&command, "%s", script);
    int rc = ask(&command, limit_ms, ret_line, SIZE);
    words_deinit(&command);
    return rc;
}

static void assert_nobody_is_left(void)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void test_the_first_line_is_the_answer(void **state)
{
    (void)state;

    static const struct {
        const char *script;
        const char *line;
    } cases[] = {
        {"echo 2:00", "2:00"},
        {"printf 2:00", "2:00"},
        {"echo first; echo second; echo bad >&2", "first"},
        {"echo 0123456789abcdefgh", "0123456789abcde"},
        {"read -r line || echo nothing", "nothing"},
        {"yes | head -c 1000000", "y"},
    };

    char line[SIZE];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(ask_sh(cases[i].script, PATIENCE_MS, line), 0);
        assert_string_equal(line, cases[i].line);
    }
    assert_nobody_is_left();
}

static void test_who_fails_or_says_nothing_has_no_answer(void **state)
{
    (void)state;
    char line[SIZE];
    struct words command = {.list = NULL};
    assert_int_equal(ask_sh("echo 2:00; exit 1", PATIENCE_MS, line), ERR_NOT_FOUND);
    assert_int_equal(ask_sh("echo 2:00; kill -9 $$", PATIENCE_MS, line), ERR_NOT_FOUND);
    assert_int_equal(ask_sh("true", PATIENCE_MS, line), ERR_NOT_FOUND);
    words_add(&command, "no-such-command-anywhere");
    assert_int_equal(ask(&command, PATIENCE_MS, line, SIZE), ERR_NOT_FOUND);
    words_deinit(&command);
    assert_nobody_is_left();
}

/* Also one that has said something and whose child holds the pipe, or that has closed it. */
static void test_who_does_not_come_to_an_end_is_ended(void **state)
{
    (void)state;
    char line[SIZE];
    assert_int_equal(ask_sh("echo 2:00; sleep 1000 & sleep 1000", 50, line), ERR_TIMEOUT);
    assert_int_equal(ask_sh("echo 2:00; exec >&-; sleep 1000", 50, line), ERR_TIMEOUT);
    assert_nobody_is_left();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_line_is_the_answer),
        cmocka_unit_test(test_who_fails_or_says_nothing_has_no_answer),
        cmocka_unit_test(test_who_does_not_come_to_an_end_is_ended),
    };
    return cmocka_run_group_tests_name("ask", tests, NULL, NULL);
}
