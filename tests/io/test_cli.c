/* The command line: what is taken, what is refused and in which words, and the help. */
#include "common/io/cli.h"
#include "common/io/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Where the options of the test's table go. */
struct targets {
    bool quiet;
    uint64_t rounds;
    uint64_t seed;
    double timeout_s;
    const char *json;
    char params[8][64];
    size_t param_count;
};

static struct targets targets;

static int add_param(const char *value, void *target, struct err_text *ret_error)
{
    struct targets *into = target;
    if (strcmp(value, "silent") == 0) {
        return ERR_INVALID;
    }
    if (strchr(value, '=') == NULL) {
        return err_set(ret_error, ERR_INVALID, "'%s' is not NAME=VALUE", value);
    }
    (void)snprintf(into->params[into->param_count++], sizeof(into->params[0]), "%s", value);
    return 0;
}

static const struct cli_option options[] = {
    {.help = "Measuring"},
    {.name = "rounds",
     .kind = CLI_COUNT,
     .value = "N",
     .target = &targets.rounds,
     .min = 1,
     .max = 1000,
     .default_text = "3",
     .help = "Rounds to time."},
    {.name = "seed",
     .kind = CLI_COUNT,
     .value = "N",
     .target = &targets.seed,
     .help = "Seed of the order in which cells run in a round."},
    {.name = "timeout",
     .kind = CLI_SECONDS,
     .value = "SECONDS",
     .target = &targets.timeout_s,
     .min = 0.1,
     .max = 3600,
     .default_text = "10",
     .help = "How long to wait for workers to come, in seconds. This text is long enough to need "
             "more than one line of help."},
    {.help = "Output"},
    {.name = "json",
     .kind = CLI_TEXT,
     .value = "FILE",
     .target = &targets.json,
     .help = "Write it."},
    {.name = "param",
     .kind = CLI_CALL,
     .value = "NAME=VALUE",
     .target = &targets,
     .call = add_param,
     .repeatable = true,
     .help = "A parameter of the workload; may be repeated."},
    {.name = "quiet", .kind = CLI_FLAG, .target = &targets.quiet, .help = "Say nothing."},
    {.name = "a-name-that-is-far-too-long",
     .kind = CLI_TEXT,
     .value = "WHATEVER",
     .target = &targets.json,
     .help = "Has its help on the next line."},
};

enum { OPTIONS = sizeof(options) / sizeof(options[0]), WORDS_MAX = 16 };

static const struct cli cli = {
    .program = "quartet test",
    .usage = "[WORKLOAD...]",
    .summary = "Times things.",
    .examples = "  quartet test squares\n",
    .options = options,
    .option_count = OPTIONS,
    .positional_max = 2,
};

static const char *words[WORDS_MAX];
static size_t word_count;
static bool given[OPTIONS];
static struct err_text error;

static int setup(void **state)
{
    (void)state;
    memset(&targets, 0, sizeof(targets));
    memset(&error, 0, sizeof(error));
    memset(given, 0, sizeof(given));
    word_count = 99;
    return 0;
}

/* Parse the words of `line`, which are split at spaces; "''" is an empty argument. */
static int parse(const char *line)
{
    static char copy[512];
    char *argv[WORDS_MAX + 1] = {(char[]){"test"}};
    int argc = 1;
    (void)snprintf(copy, sizeof(copy), "%s", line);
    char *rest = copy;
    for (char *word = strsep(&rest, " "); word != NULL; word = strsep(&rest, " ")) {
        if (word[0] != '\0') {
            argv[argc++] = strcmp(word, "''") == 0 ? word + 2 : word;
        }
    }
    return cli_parse(&cli, argc, argv, &error, words, &word_count, NULL, given);
}

static void assert_refused(const char *line, const char *text)
{
    int rc = parse(line);
    if (rc != ERR_INVALID) {
        fail_msg("\"%s\" gave %d", line, rc);
    }
    assert_string_equal(error.s, text);
}

static void test_cli_takes_values_behind_space_and_equals(void **state)
{
    (void)state;
    assert_int_equal(parse("--rounds 5 --timeout=1.5 --json=a=b --quiet"), 0);
    assert_int_equal(targets.rounds, 5);
    assert_true(targets.timeout_s == 1.5);
    assert_string_equal(targets.json, "a=b");
    assert_true(targets.quiet);
    assert_int_equal(word_count, 0);
}

static void test_cli_takes_words_anywhere(void **state)
{
    (void)state;
    assert_int_equal(parse("download --rounds 2 squares"), 0);
    assert_int_equal(word_count, 2);
    assert_string_equal(words[0], "download");
    assert_string_equal(words[1], "squares");
}

static void test_cli_takes_everything_after_two_dashes_as_words(void **state)
{
    (void)state;
    assert_int_equal(parse("--quiet -- --rounds -x"), 0);
    assert_int_equal(word_count, 2);
    assert_string_equal(words[0], "--rounds");
    assert_string_equal(words[1], "-x");
}

static void test_cli_takes_one_dash_as_word_and_as_value(void **state)
{
    (void)state;
    assert_int_equal(parse("--json - -"), 0);
    assert_string_equal(targets.json, "-");
    assert_string_equal(words[0], "-");
}

static void test_cli_calls_for_each_repeated_option(void **state)
{
    (void)state;
    assert_int_equal(parse("--param a=1 --param=b=2"), 0);
    assert_int_equal(targets.param_count, 2);
    assert_string_equal(targets.params[0], "a=1");
    assert_string_equal(targets.params[1], "b=2");
}

static void test_cli_says_which_options_were_given(void **state)
{
    (void)state;
    assert_int_equal(parse("--quiet --rounds 3"), 0);
    for (size_t i = 0; i < OPTIONS; i++) {
        const char *name = options[i].name;
        bool expected = name != NULL && (strcmp(name, "quiet") == 0 || strcmp(name, "rounds") == 0);
        assert_int_equal(given[i], expected);
    }
}

static void test_cli_help_wins_over_what_follows(void **state)
{
    (void)state;
    assert_int_equal(parse("--quiet --help --nonsense"), 1);
    assert_int_equal(parse("-h"), 1);
}

static void test_cli_takes_numbers_at_the_ends_of_the_range(void **state)
{
    (void)state;
    assert_int_equal(parse("--rounds 1 --timeout 3600"), 0);
    assert_int_equal(setup(NULL), 0);
    assert_int_equal(parse("--rounds 1000 --timeout 100ms --seed 18446744073709551615"), 0);
    assert_true(targets.seed == UINT64_MAX);
    assert_true(targets.timeout_s == 0.1);
}

static void test_cli_offers_the_nearest_name(void **state)
{
    (void)state;
    assert_refused("--ruonds 3", "unknown option '--ruonds'; did you mean '--rounds'?");
    assert_refused("--jsn=out", "unknown option '--jsn'; did you mean '--json'?");
    assert_refused("--time 3", "unknown option '--time'; did you mean '--timeout'?");
    assert_refused("-rounds 3", "unknown option '-rounds'; did you mean '--rounds'?");
    assert_refused("--hlep", "unknown option '--hlep'; did you mean '--help'?");
    assert_refused("--xyzzyxyzzy",
                   "unknown option '--xyzzyxyzzy'; 'quartet test --help' lists all");
    assert_refused("--=3", "unknown option '--'; 'quartet test --help' lists all");
}

static void test_cli_refuses_numbers_outside_the_range(void **state)
{
    (void)state;
    assert_refused("--rounds 0",
                   "--rounds: '0' is not accepted; give a whole number from 1 to 1000");
    assert_refused("--rounds 1001",
                   "--rounds: '1001' is not accepted; give a whole number from 1 to 1000");
    assert_refused("--rounds 3x",
                   "--rounds: '3x' is not accepted; give a whole number from 1 to 1000");
    assert_refused("--rounds 2.5",
                   "--rounds: '2.5' is not accepted; give a whole number from 1 to 1000");
    assert_refused("--timeout 0.01",
                   "--timeout: '0.01' is not accepted; give a number of seconds from 0.1 to 3600");
    assert_refused("--timeout nan",
                   "--timeout: 'nan' is not accepted; give a number of seconds from 0.1 to 3600");
    assert_refused(
        "--seed 18446744073709551616",
        "--seed: '18446744073709551616' is not accepted; give a whole number, at least 0");
}

static void test_cli_refuses_negative_numbers_as_such(void **state)
{
    (void)state;
    assert_refused("--rounds -3", "--rounds: '-3' is negative; give a whole number from 1 to 1000");
    assert_refused("--timeout=-1",
                   "--timeout: '-1' is negative; give a number of seconds from 0.1 to 3600");
}

static void test_cli_refuses_a_missing_value(void **state)
{
    (void)state;
    assert_refused("--rounds", "--rounds needs a value: --rounds N");
    assert_refused("--json=", "--json needs a value: --json FILE");
    assert_refused("--json ''", "--json needs a value: --json FILE");
    assert_refused("--json --quiet",
                   "--json needs a value (FILE), but '--quiet' follows; write --json=--quiet if it "
                   "is one");
    assert_int_equal(parse("--json=--quiet"), 0);
    assert_string_equal(targets.json, "--quiet");
}

static void test_cli_refuses_a_value_for_a_flag(void **state)
{
    (void)state;
    assert_refused("--quiet=yes", "--quiet takes no value, but was given 'yes'");
}

static void test_cli_refuses_an_option_given_twice(void **state)
{
    (void)state;
    assert_refused("--rounds 3 --rounds 4", "--rounds is given twice, as '3' and as '4'");
    assert_int_equal(parse("--quiet --quiet"), 0);
}

static void test_cli_refuses_too_many_words(void **state)
{
    (void)state;
    assert_refused("a b c", "'c' is one word too many: quartet test takes 2");
    struct cli none = cli;
    none.positional_max = 0;
    char *argv[] = {(char[]){"x"}, (char[]){"a"}, NULL};
    assert_int_equal(cli_parse(&none, 2, argv, &error, words, &word_count, NULL, NULL),
                     ERR_INVALID);
    assert_string_equal(error.s, "'a' is one word too many: quartet test takes options only");
}

static void test_cli_puts_the_name_before_a_refusal_of_a_call(void **state)
{
    (void)state;
    assert_refused("--param nonsense", "--param: 'nonsense' is not NAME=VALUE");
    assert_refused("--param silent", "--param: 'silent': invalid value");
}

static char *help_text(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    cli_help(&cli, stream);
    assert_int_equal(fclose(stream), 0);
    return text;
}

static void test_cli_help_is_aligned_and_complete(void **state)
{
    (void)state;
    char *text = help_text();
    assert_string_equal(
        text,
        "Usage: quartet test [OPTION...] [WORKLOAD...]\n"
        "\n"
        "Times things.\n"
        "\n"
        "Measuring:\n"
        "  --rounds N          Rounds to time. (1 to 1000; default: 3)\n"
        "  --seed N            Seed of the order in which cells run in a round.\n"
        "  --timeout SECONDS   How long to wait for workers to come, in seconds. This\n"
        "                      text is long enough to need more than one line of help.\n"
        "                      (0.1 to 3600; default: 10)\n"
        "\n"
        "Output:\n"
        "  --json FILE         Write it.\n"
        "  --param NAME=VALUE  A parameter of the workload; may be repeated.\n"
        "  --quiet             Say nothing.\n"
        "  --a-name-that-is-far-too-long WHATEVER\n"
        "                      Has its help on the next line.\n"
        "  --help              Print this and exit.\n"
        "\n"
        "Examples:\n"
        "  quartet test squares\n");
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        assert_true(text_columns(line) <= 80);
    }
    free(text);
}

#define CASE(test) cmocka_unit_test_setup(test, setup)

static void test_cli_keeps_what_stands_behind_two_dashes_apart(void **state)
{
    (void)state;
    struct cli with_rest = cli;
    with_rest.rest = "COMMAND...";
    static char line[9][8] = {"test", "squares", "--seed", "3", "--", "gzip", "--", "--seed", "-9"};
    char *argv[9];
    for (int i = 0; i < 9; i++) {
        argv[i] = line[i];
    }
    size_t rest_count = 99;
    assert_int_equal(cli_parse(&with_rest, 9, argv, &error, words, &word_count, &rest_count, given),
                     0);
    assert_int_equal(word_count, 1);
    assert_int_equal(rest_count, 4);
    assert_string_equal(words[0], "squares");
    assert_string_equal(words[1], "gzip");
    assert_string_equal(words[2], "--");
    assert_string_equal(words[3], "--seed");
    assert_string_equal(words[4], "-9");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_cli_takes_values_behind_space_and_equals),
        CASE(test_cli_takes_words_anywhere),
        CASE(test_cli_takes_everything_after_two_dashes_as_words),
        CASE(test_cli_keeps_what_stands_behind_two_dashes_apart),
        CASE(test_cli_takes_one_dash_as_word_and_as_value),
        CASE(test_cli_calls_for_each_repeated_option),
        CASE(test_cli_says_which_options_were_given),
        CASE(test_cli_help_wins_over_what_follows),
        CASE(test_cli_takes_numbers_at_the_ends_of_the_range),
        CASE(test_cli_offers_the_nearest_name),
        CASE(test_cli_refuses_numbers_outside_the_range),
        CASE(test_cli_refuses_negative_numbers_as_such),
        CASE(test_cli_refuses_a_missing_value),
        CASE(test_cli_refuses_a_value_for_a_flag),
        CASE(test_cli_refuses_an_option_given_twice),
        CASE(test_cli_refuses_too_many_words),
        CASE(test_cli_puts_the_name_before_a_refusal_of_a_call),
        CASE(test_cli_help_is_aligned_and_complete),
    };
    return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
