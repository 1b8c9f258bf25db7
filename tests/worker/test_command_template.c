/* Templates filled in: what GNU Parallel makes of the same, and what is refused. */
#include "common/base/rng.h"
#include "worker/workloads/command_template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SIZE_MAX_BYTES = 2 * 1024 * 1024, ITEM_MAX = 1024 * 1024 };

static const struct command_template_options plain = {.size_max = SIZE_MAX_BYTES};
static const struct command_template_options shell = {.size_max = SIZE_MAX_BYTES, .shell = true};
static const struct command_template_options to_stdin = {.size_max = SIZE_MAX_BYTES,
                                                         .to_stdin = true};
static const struct command_template_options comma = {.size_max = SIZE_MAX_BYTES, .colsep = ","};

static int make(const char *text,
                const struct command_template_options *options,
                struct err_text *ret_error,
                struct command_template **ret_template)
{
    struct command_words words = {0};
    assert_int_equal(command_line_split(text, ret_error, &words), 0);
    int rc = command_template_new(&words, options, ret_error, ret_template);
    command_words_deinit(&words);
    return rc;
}

static struct workload_item item_of(const char *bytes, size_t len)
{
    return (struct workload_item){.index = 6, .bytes = bytes, .bytes_len = len, .attempt = 1};
}

/* The command that `item` makes of `text`, as one text again; or the error. The caller frees. */
static char *fill(const char *text,
                  const struct command_template_options *options,
                  const struct workload_item *item)
{
    struct err_text error = {""};
    struct command_template *template = NULL;
    struct command_argv argv = {0};
    char *line = NULL;
    if (make(text, options, &error, &template) != 0 ||
        command_template_expand(template, item, &error, &argv) != 0) {
        line = strdup(error.s);
    } else {
        assert_null(argv.list[argv.count]);
        const char *const *words = (const char *const *)argv.list;
        assert_int_equal(command_line_join(words, argv.count, &line), 0);
    }
    command_argv_deinit(&argv);
    command_template_free(template);
    return line;
}

static void assert_fills(const char *text,
                         const struct command_template_options *options,
                         const char *bytes,
                         const char *expected)
{
    struct workload_item item = item_of(bytes, strlen(bytes));
    char *line = fill(text, options, &item);
    assert_string_equal(line, expected);
    free(line);
}

static void test_command_template_views_are_those_of_gnu_parallel(void **state)
{
    (void)state;

    /* What GNU Parallel 20221122 prints for these. */
    static const struct {
        const char *item, *no_extension, *base, *directory, *base_no_extension;
    } rows[] = {
        {"a.b.c", "a.b", "a.b.c", ".", "a.b"},
        {"dir.d/x", "dir.d/x", "x", "dir.d", "x"},
        {".hid", "", ".hid", ".", ""},
        {"a/.hid", "a/", ".hid", "a", ""},
        {"a/b.", "a/b", "b.", "a", "b"},
        {"", "", "", ".", ""},
        {"/", "/", "", "/", ""},
        {"//", "//", "", "/", ""},
        {"/x", "/x", "x", "/", "x"},
        {"//x", "//x", "x", "/", "x"},
        {"a/", "a/", "", ".", ""},
        {"a//b", "a//b", "b", "a", "b"},
        {"a/b//", "a/b//", "", "a", ""},
        {"///a///b///", "///a///b///", "", "///a", ""},
        {"./x.tar.gz", "./x.tar", "x.tar.gz", ".", "x.tar"},
        {"...", "..", "...", ".", ".."},
        {"a..", "a.", "a..", ".", "a."},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *words[] = {
            "p",
            rows[i].item,
            rows[i].no_extension,
            rows[i].base,
            rows[i].directory,
            rows[i].base_no_extension,
            "7",
        };
        char *expected = NULL;
        assert_int_equal(command_line_join(words, 7, &expected), 0);
        assert_fills("p {} {.} {/} {//} {/.} {#}", &plain, rows[i].item, expected);
        free(expected);
    }
}

static void test_command_template_fills_gaps_within_words(void **state)
{
    (void)state;
    assert_fills("cp {} out/{/.}-{#}.{}{}", &plain, "a/b.c", "cp a/b.c out/b-7.a/b.ca/b.c");
    assert_fills("{} x", &plain, "prog", "prog x");
}

static void test_command_template_without_gap_gets_the_item_last(void **state)
{
    (void)state;
    assert_fills("gzip -9", &plain, "a b", "gzip -9 'a b'");
    assert_fills("echo {#}", &plain, "a b", "echo 7");
    assert_fills("cat -n", &to_stdin, "a b", "cat -n");
    assert_fills("cat {}", &to_stdin, "a b", "cat 'a b'");
}

static void test_command_template_leaves_other_braces_alone(void **state)
{
    (void)state;
    assert_fills("e { } {{}} {a} {/x} {%} {1a} {-1} {...} {.",
                 &plain,
                 "I",
                 "e '{' '}' {I} {a} {/x} {%} {1a} {-1} '{...}' {.");
}

static void test_command_template_never_splits_or_reads_an_item_again(void **state)
{
    (void)state;
    assert_fills("e {}", &plain, "a b  'c' $d {#} {}\n", "e 'a b  '\\''c'\\'' $d {#} {}\n'");
    assert_fills("e {}", &plain, "", "e ''");
    assert_fills("e {}", &plain, "-rf", "e -rf");
}

static void test_command_template_takes_numbers_as_digits(void **state)
{
    (void)state;
    struct workload_item item = {.index = UINT64_MAX - 1, .number = UINT64_MAX};
    char *line = fill("e {} {.} {#}", &plain, &item);
    assert_string_equal(line, "e 18446744073709551615 18446744073709551615 18446744073709551615");
    free(line);
}

static void test_command_template_columns(void **state)
{
    (void)state;
    assert_fills("e {2} {1} {}", &comma, "a,b.c/d.e", "e b.c/d.e a a,b.c/d.e");
    assert_fills("e {2.} {2/} {2//} {2/.}", &comma, "a,b.c/d.e", "e b.c/d d.e b.c d");
    assert_fills("e {1} {2} {3}", &comma, ",,", "e '' '' ''");
    assert_fills("e {1}", &comma, "", "e ''");
    assert_fills("e {3}", &comma, "a,b", "item 'a,b' has no column 3, it has 2");
    assert_fills("e", &comma, "a,b", "e a,b");

    static const struct command_template_options tab = {.size_max = 4096, .colsep = "\\t"};
    static const struct command_template_options odd = {.size_max = 4096, .colsep = "\\\\\\n"};
    assert_fills("e {2}", &tab, "a\tb c", "e 'b c'");
    assert_fills("e {2}", &odd, "a\\\nb", "e b");
    assert_fills("e {2}", &odd, "a\\nb", "item 'a\\nb' has no column 2, it has 1");
}

static void test_command_template_refuses_when_made(void **state)
{
    (void)state;

    static const struct {
        const char *text;
        const char *colsep;
        const char *reason;
    } rows[] = {
        {"e {2}", NULL, "the command uses column {2}, but no colsep says what is between columns"},
        {"e x{12/.}", NULL, "column {12/.}, but no colsep"},
        {"e {0}", ",", "the command uses column {0}: columns are 1 to 9999"},
        {"e {10000}", ",", "columns are 1 to 9999"},
        {"e {18446744073709551617}", ",", "columns are 1 to 9999"},
        {"e", "", "colsep is empty"},
        {"e", "\\x", "a backslash goes with t, n or another backslash"},
        {"e", "\\", "a backslash goes with"},
        {"e",
         "0123456789012345678901234567890123456789012345678901234567890123x",
         "is longer than 64 bytes"},
        {"", NULL, "the command is empty"},
        {"'' x", NULL, "the command is empty"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct command_template_options options = plain;
        options.colsep = rows[i].colsep;
        struct err_text error = {""};
        struct command_template *template = NULL;
        assert_int_equal(make(rows[i].text, &options, &error, &template), ERR_INVALID);
        if (strstr(error.s, rows[i].reason) == NULL) {
            fail_msg("%s: %s", rows[i].text, error.s);
        }
        assert_null(template);
    }
}

static void test_command_template_with_shell_quotes_what_it_puts_in(void **state)
{
    (void)state;
    assert_fills("'gzip -c {} >' {.}.gz",
                 &shell,
                 "a b'c.x",
                 "/bin/sh -c 'gzip -c '\\''a b'\\''\\'\\'''\\''c.x'\\'' > '\\''a "
                 "b'\\''\\'\\'''\\''c'\\''.gz'");
    assert_fills("echo '$HOME;'", &shell, "x", "/bin/sh -c 'echo $HOME; x'");
    assert_fills("echo {#}", &shell, "; rm -rf /", "/bin/sh -c 'echo 7'");
    assert_fills("echo {}", &shell, "; rm -rf /", "/bin/sh -c 'echo '\\''; rm -rf /'\\'''");
}

static void test_command_template_knows_its_program(void **state)
{
    (void)state;

    static const struct {
        const char *text;
        const struct command_template_options *options;
        const char *program;
    } rows[] = {
        {"gzip -9 {}", &plain, "gzip"},
        {"gzip", &plain, "gzip"},
        {"'a b'", &plain, "a b"},
        {"{} x", &plain, NULL},
        {"x{#} x", &plain, NULL},
        {"{} x", &shell, "/bin/sh"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err_text error;
        struct command_template *template = NULL;
        assert_int_equal(make(rows[i].text, rows[i].options, &error, &template), 0);
        const char *program = command_template_program(template);
        if (rows[i].program == NULL) {
            assert_null(program);
        } else {
            assert_string_equal(program, rows[i].program);
        }
        command_template_free(template);
    }
}

static void test_command_template_fails_items_that_no_argument_can_hold(void **state)
{
    (void)state;
    struct workload_item item = item_of("a\0b", 3);
    char *line = fill("e {/}", &plain, &item);
    assert_string_equal(line, "item holds a NUL byte, which no argument can");
    free(line);
    line = fill("cat {#}", &to_stdin, &item);
    assert_string_equal(line, "cat 7");
    free(line);
}

/* `ok` and `too_long` bytes of item, the first of which the template can just take. */
static void assert_limit(const char *text,
                         const struct command_template_options *options,
                         size_t most,
                         const char *reason)
{
    char *bytes = calloc(1, ITEM_MAX + 1);
    assert_non_null(bytes);
    memset(bytes, 'x', ITEM_MAX);
    struct err_text error = {""};
    struct command_template *template = NULL;
    struct command_argv argv = {0};
    assert_int_equal(make(text, options, &error, &template), 0);
    struct workload_item item = item_of(bytes, most);
    assert_int_equal(command_template_expand(template, &item, &error, &argv), 0);
    item = item_of(bytes, most + 1);
    assert_int_equal(command_template_expand(template, &item, &error, &argv), ERR_INVALID);
    assert_non_null(strstr(error.s, reason));
    item = item_of(bytes, ITEM_MAX);
    assert_int_equal(command_template_expand(template, &item, &error, &argv), ERR_INVALID);
    /* The buffers can be used again. */
    item = item_of(bytes, 1);
    assert_int_equal(command_template_expand(template, &item, &error, &argv), 0);
    assert_string_equal(argv.list[argv.count - 1] + strlen(argv.list[argv.count - 1]) - 1, "x");
    command_argv_deinit(&argv);
    command_template_free(template);
    free(bytes);
}

static void test_command_template_bounds_what_it_makes(void **state)
{
    (void)state;
    static const struct command_template_options small = {.size_max = 1000};
    assert_limit(
        "e {}", &plain, COMMAND_ARGUMENT_MAX, "argument 1 of the command would have 131072");
    assert_limit("e 12{}", &plain, COMMAND_ARGUMENT_MAX - 2, "argument 1 of the command");
    assert_limit("e {}{}", &plain, COMMAND_ARGUMENT_MAX / 2, "argument 1 of the command");
    /* Pointers to "e", to the item and a NULL; and two NULs. */
    assert_limit("e {}", &small, 1000 - 3 * 8 - 2 - 1, "more than the 1000 bytes that the system");
    assert_limit("e {} {}", &small, (1000 - 4 * 8 - 3 - 1) / 2, "more than the 1000 bytes");
}

/* Whatever goes in comes back as one argument, with a shell as without. */
static void test_command_template_any_item_is_one_argument(void **state)
{
    (void)state;
    struct rng rng;
    struct err_text error;
    struct command_template *templates[2] = {NULL, NULL};
    struct command_argv argv = {0};
    rng_init(&rng, 4);
    assert_int_equal(make("p {} end", &plain, &error, &templates[0]), 0);
    assert_int_equal(make("p {} end", &shell, &error, &templates[1]), 0);
    for (int round = 0; round < 10000; round++) {
        char bytes[64];
        size_t len = rng_below(&rng, sizeof(bytes));
        for (size_t i = 0; i < len; i++) {
            bytes[i] = (char)(1 + rng_below(&rng, 255));
        }
        bytes[len] = '\0';
        struct workload_item item = item_of(bytes, len);
        assert_int_equal(command_template_expand(templates[0], &item, &error, &argv), 0);
        assert_int_equal(argv.count, 3);
        assert_string_equal(argv.list[1], bytes);
        assert_string_equal(argv.list[2], "end");

        assert_int_equal(command_template_expand(templates[1], &item, &error, &argv), 0);
        struct command_words words;
        assert_int_equal(command_line_split(argv.list[2], &error, &words), 0);
        assert_int_equal(words.count, 3);
        assert_string_equal(words.list[1], bytes);
        command_words_deinit(&words);
    }
    command_argv_deinit(&argv);
    command_template_free(templates[0]);
    command_template_free(templates[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_template_views_are_those_of_gnu_parallel),
        cmocka_unit_test(test_command_template_fills_gaps_within_words),
        cmocka_unit_test(test_command_template_without_gap_gets_the_item_last),
        cmocka_unit_test(test_command_template_leaves_other_braces_alone),
        cmocka_unit_test(test_command_template_never_splits_or_reads_an_item_again),
        cmocka_unit_test(test_command_template_takes_numbers_as_digits),
        cmocka_unit_test(test_command_template_columns),
        cmocka_unit_test(test_command_template_refuses_when_made),
        cmocka_unit_test(test_command_template_with_shell_quotes_what_it_puts_in),
        cmocka_unit_test(test_command_template_knows_its_program),
        cmocka_unit_test(test_command_template_fails_items_that_no_argument_can_hold),
        cmocka_unit_test(test_command_template_bounds_what_it_makes),
        cmocka_unit_test(test_command_template_any_item_is_one_argument),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
