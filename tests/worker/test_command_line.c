/* Words to one text and back: what a person reads, what a shell would read, and what comes back. */
#include "common/base/rng.h"
#include "worker/workloads/command_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WORDS_MAX = 12, WORD_MAX = 40, ROUNDS = 20000 };

static void assert_joins(const char *const *words, size_t count, const char *expected)
{
    char *text = NULL;
    assert_int_equal(command_line_join(words, count, &text), 0);
    assert_string_equal(text, expected);
    free(text);
}

static void assert_splits(const char *text, const char *const *words, size_t count)
{
    struct command_words split = {0};
    struct err_text error = {""};
    assert_int_equal(command_line_split(text, &error, &split), 0);
    assert_int_equal(split.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(split.list[i], words[i]);
    }
    assert_null(split.list[count]);
    command_words_deinit(&split);
}

static void assert_refused(const char *text, const char *reason)
{
    struct command_words split = {0};
    struct err_text error = {""};
    assert_int_equal(command_line_split(text, &error, &split), ERR_INVALID);
    assert_non_null(strstr(error.s, reason));
    assert_null(split.list);
}

#define WORDS(...)                                                                                 \
    (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

static void test_command_line_join_quotes_only_what_needs_it(void **state)
{
    (void)state;
    assert_joins(WORDS("gzip", "-9k", "{}"), "gzip -9k {}");
    assert_joins(WORDS("dd", "if={}", "of={.}.gz"), "dd if={} of={.}.gz");
    assert_joins(WORDS("mv", "{}", "{//}/{#}-{/.}"), "mv {} {//}/{#}-{/.}");
    assert_joins(WORDS("grep", "a b", ""), "grep 'a b' ''");
    assert_joins(WORDS("echo", "it's", "$HOME", "*", "~", "a;b"),
                 "echo 'it'\\''s' '$HOME' '*' '~' 'a;b'");
    assert_joins(WORDS("A=b", "A=b", "=c"), "'A=b' A=b '=c'");
    assert_joins(WORDS("{", "}", "#x", "x#", "{a,b}", "{1..3}", "{1}"),
                 "'{' '}' '#x' x# '{a,b}' '{1..3}' {1}");
    assert_joins(NULL, 0, "");
}

static void test_command_line_split_reads_what_people_type(void **state)
{
    (void)state;
    assert_splits("gzip -9k {}", WORDS("gzip", "-9k", "{}"));
    assert_splits(" \t a\n b  ", WORDS("a", "b"));
    assert_splits("'a b'c\"d e\"\\ f", WORDS("a bcd e f"));
    assert_splits("\"\\$ \\` \\\" \\\\ \\x\" '\\'", WORDS("$ ` \" \\ \\x", "\\"));
    assert_splits("'' \"\" x''", WORDS("", "", "x"));
    assert_splits("a | b > c; $d", WORDS("a", "|", "b", ">", "c;", "$d"));
    assert_splits("a\\\nb \\\n c \"d\\\ne\"", WORDS("ab", "c", "de"));
    assert_splits("", NULL, 0);
    assert_splits(" \n\t", NULL, 0);
    assert_splits("\\\n", NULL, 0);
}

static void test_command_line_split_refuses_what_has_no_end(void **state)
{
    (void)state;
    assert_refused("echo 'a b", "command \"echo 'a b\": a quote ' is not closed");
    assert_refused("echo \"a b", "a quote \" is not closed");
    assert_refused("\"", "a quote \" is not closed");
    assert_refused("\"\\", "a quote \" is not closed");
    assert_refused("'", "a quote ' is not closed");
    assert_refused("echo \\", "a backslash at its end");
}

static void test_command_line_split_bounds_the_words(void **state)
{
    (void)state;
    char text[2 * (COMMAND_WORDS_MAX + 1) + 1] = "";
    struct command_words words;
    struct err_text error = {""};
    for (size_t i = 0; i < COMMAND_WORDS_MAX; i++) {
        memcpy(text + 2 * i, "x ", 3);
    }
    assert_int_equal(command_line_split(text, &error, &words), 0);
    assert_int_equal(words.count, COMMAND_WORDS_MAX);
    command_words_deinit(&words);
    memcpy(text + strlen(text), "x", 2);
    assert_refused(text, "more words than a command may have");
}

/* Often from the characters that quoting is about. */
static char random_byte(struct rng *rng)
{
    static const char special[] = " \t\n'\"\\$`#={}~*;|&<>()[]!^,.-/%";
    return rng_below(rng, 2) == 0 ? special[rng_below(rng, sizeof(special) - 1)]
                                  : (char)(1 + rng_below(rng, 255));
}

static size_t random_words(struct rng *rng, char bytes[][WORD_MAX + 1], const char **words)
{
    size_t count = rng_below(rng, WORDS_MAX + 1);
    for (size_t i = 0; i < count; i++) {
        size_t len = rng_below(rng, WORD_MAX + 1);
        for (size_t k = 0; k < len; k++) {
            bytes[i][k] = random_byte(rng);
        }
        bytes[i][len] = '\0';
        words[i] = bytes[i];
    }
    return count;
}

static void test_command_line_any_words_come_back(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 1);
    for (int round = 0; round < ROUNDS; round++) {
        char bytes[WORDS_MAX][WORD_MAX + 1];
        const char *words[WORDS_MAX];
        size_t count = random_words(&rng, bytes, words);
        char *text = NULL;
        assert_int_equal(command_line_join(words, count, &text), 0);
        assert_splits(text, words, count);
        free(text);
    }
}

/* The judge is a shell: what it prints for the joined words, a NUL behind each, must be them. */
static void test_command_line_join_is_what_a_shell_reads(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 2);
    for (int round = 0; round < 50; round++) {
        char bytes[WORDS_MAX][WORD_MAX + 1];
        const char *words[WORDS_MAX];
        size_t count = random_words(&rng, bytes, words);
        char *text = NULL;
        assert_int_equal(command_line_join(words, count, &text), 0);
        char *program = NULL;
        assert_true(asprintf(&program,
                             "set -- %s\nfor word; do printf '%%s\\0' \"$word\"; done",
                             text) > 0);
        setenv("COMMAND_LINE_TEST", program, 1);
        FILE *shell = popen("/bin/sh -c \"$COMMAND_LINE_TEST\"", "r");
        assert_non_null(shell);
        for (size_t i = 0; i < count; i++) {
            char got[WORD_MAX + 1];
            size_t len = strlen(words[i]) + 1;
            assert_int_equal(fread(got, 1, len, shell), len);
            assert_memory_equal(got, words[i], len);
        }
        assert_int_equal(fgetc(shell), EOF);
        assert_int_equal(pclose(shell), 0);
        free(program);
        free(text);
    }
}

static void test_command_line_quote_fits_and_comes_back(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 3);
    for (int round = 0; round < ROUNDS; round++) {
        char value[WORD_MAX + 1];
        size_t len = rng_below(&rng, WORD_MAX + 1);
        for (size_t i = 0; i < len; i++) {
            value[i] = random_byte(&rng);
        }
        value[len] = '\0';
        size_t size = command_line_quoted_len(value, len);
        char *quoted = malloc(size + 1);
        assert_non_null(quoted);
        assert_ptr_equal(command_line_quote(quoted, value, len), quoted + size);
        quoted[size] = '\0';
        assert_true(size <= 4 * len + 2);
        assert_splits(quoted, (const char *const[]){value}, 1);
        free(quoted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_line_join_quotes_only_what_needs_it),
        cmocka_unit_test(test_command_line_split_reads_what_people_type),
        cmocka_unit_test(test_command_line_split_refuses_what_has_no_end),
        cmocka_unit_test(test_command_line_split_bounds_the_words),
        cmocka_unit_test(test_command_line_any_words_come_back),
        cmocka_unit_test(test_command_line_join_is_what_a_shell_reads),
        cmocka_unit_test(test_command_line_quote_fits_and_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
