/* Tables of plugins: one that is right, and everything that can be wrong with it. */
#include "worker/workloads/params.h"
#include "worker/workloads/plugin_check.h"
#include "worker/workloads/plugin_words.h"
#include "worker/workloads/registry.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* --- a table that is right --- */

static const struct param_spec right_params[] = {
    {.name = "level",
     .kind = PARAM_COUNT,
     .unit = "levels",
     .default_value = "3",
     .max = 9,
     .help = "how far"},
    {.name = "mode", .kind = PARAM_CHOICE, .unit = "MODE", .choices = "a|b", .help = "which way"},
};

/* What every case changes one thing of. */
struct given {
    struct workload_ops ops;
    struct param_spec params[PARAMS_MAX + 1];
};

static int some_async_open(void *state,
                           struct uv_loop_s *loop,
                           struct err_text *ret_error,
                           void **ret_async)
{
    (void)state;
    (void)loop;
    (void)ret_error;
    *ret_async = NULL;
    return 0;
}

static void some_async_start(void *async, struct workload_call *call)
{
    (void)async;
    (void)call;
}

static void some_run_batch(void *slot, struct workload_batch *batch)
{
    (void)slot;
    (void)batch;
}

static void make_right(struct given *given)
{
    *given = (struct given){.ops = workload_noop_ops};
    memcpy(given->params, right_params, sizeof(right_params));
    given->ops.name = "right";
    given->ops.summary = "does it right";
    given->ops.params = given->params;
    given->ops.param_count = 2;
}

static int check(const struct workload_ops *ops, struct err_text *ret_error)
{
    int rc = plugin_check_description(ops, ret_error);
    return rc != 0 ? rc : plugin_check_forms(ops, ret_error);
}

static void assert_refused(const struct given *given, const char *text)
{
    struct err_text error = {""};
    assert_int_equal(check(&given->ops, &error), ERR_INVALID);
    if (strstr(error.s, text) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error.s, text);
    }
}

static void test_check_takes_what_is_right(void **state)
{
    (void)state;
    struct given given;
    struct err_text error = {""};
    make_right(&given);
    if (check(&given.ops, &error) != 0) {
        fail_msg("refused: %s", error.s);
    }
    given.ops.run_batch = some_run_batch; /* instead of run */
    given.ops.batch_max = SIZE_MAX;       /* as many as the engine likes */
    given.ops.run = NULL;
    assert_int_equal(check(&given.ops, &error), 0);
    given.ops.default_first = 0; /* no default range */
    given.ops.default_last = 0;
    assert_int_equal(check(&given.ops, &error), 0);
    given.ops.default_last = UINT64_MAX - 1;
    assert_int_equal(check(&given.ops, &error), 0);
}

static void test_check_takes_built_in_workloads_under_other_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < workload_registry_count; i++) {
        struct workload_ops ops = *workload_registry[i];
        struct err_text error = {""};
        ops.name = "other";
        if (check(&ops, &error) != 0) {
            fail_msg("%s is refused: %s", workload_registry[i]->name, error.s);
        }
    }
}

/* --- names and texts --- */

static void test_check_refuses_names(void **state)
{
    (void)state;
    static const char *const names[] = {"", "two words", "a/b", "-a", "a=b", "z\xc3\xa4hl", "a\n"};
    static const char longest[] = "0123456789012345678901234567890123456789abcdefgh";
    struct given given;
    struct err_text error = {""};
    make_right(&given);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        given.ops.name = names[i];
        assert_refused(&given, "its name '");
    }
    given.ops.name = NULL;
    assert_refused(&given, "its name is missing");
    given.ops.name = longest;
    assert_int_equal(strlen(longest), PLUGIN_NAME_MAX);
    assert_int_equal(check(&given.ops, &error), 0);
    given.ops.name = "0123456789012345678901234567890123456789abcdefghi";
    assert_refused(&given, "is not 1 to 48 letters");
    given.ops.name = "squares";
    assert_refused(&given, "'squares' is that of a built-in workload");
}

static void test_check_refuses_texts(void **state)
{
    (void)state;
    char much[PLUGIN_LINE_MAX + 2];
    memset(much, 'a', sizeof(much) - 1);
    much[sizeof(much) - 1] = '\0';
    struct given given;
    struct err_text error = {""};
    make_right(&given);
    given.ops.summary = NULL;
    assert_refused(&given, "the summary of right is missing");
    given.ops.summary = "one\ntwo";
    assert_refused(&given, "the summary of right is not one line of printable UTF-8: 'one?two'");
    given.ops.summary = "\xff";
    assert_refused(&given, "the summary of right is not one line");
    given.ops.summary = much;
    assert_refused(&given, "the summary of right has more than 240 bytes");
    given.ops.summary = much + 1;
    assert_int_equal(check(&given.ops, &error), 0);
}

/* --- traits, items --- */

static void test_check_refuses_traits(void **state)
{
    (void)state;
    struct given given;
    make_right(&given);
    given.ops.traits = WORKLOAD_NUMBERS | 0x4000;
    assert_refused(&given, "traits 0x4002, of which this program does not know 0x4000");
    given.ops.traits = WORKLOAD_IDEMPOTENT;
    assert_refused(&given, "its traits 0x1 have neither");
}

static void test_check_refuses_default_ranges(void **state)
{
    (void)state;
    struct given given;
    make_right(&given);
    given.ops.default_first = 7;
    given.ops.default_last = 6;
    assert_refused(&given, "its default range 7:6");
    given.ops.default_first = 0;
    given.ops.default_last = UINT64_MAX; /* 2^64 numbers */
    assert_refused(&given, "its default range 0:18446744073709551615");
    make_right(&given);
    given.ops.traits = WORKLOAD_BYTES;
    assert_refused(&given, "a default range, 1:1000000, and does not take numbers");
}

/* --- parameters --- */

static void test_check_refuses_tables_of_parameters(void **state)
{
    (void)state;
    struct given given;
    make_right(&given);
    given.ops.param_count = PARAMS_MAX + 1;
    assert_refused(&given, "it has 33 parameters; 32 is the most");
    given.ops.param_count = 1;
    given.ops.params = NULL;
    assert_refused(&given, "it has 1 parameters and no table of them");
    make_right(&given);
    given.params[1].name = "level";
    assert_refused(&given, "two parameters of the name 'level'");
}

static void test_check_refuses_parameters(void **state)
{
    (void)state;

    static const struct {
        struct param_spec spec;
        const char *text;
    } cases[] = {
        {{.name = NULL}, "the name of a parameter is missing"},
        {{.name = "a=b"}, "the name of a parameter 'a=b'"},
        {{.name = "p", .kind = (enum param_kind)6}, "parameter p is of kind 6"},
        {{.name = "p", .kind = (enum param_kind) - 1}, "parameter p is of kind -1"},
        {{.name = "p", .kind = PARAM_TEXT, .help = "h"}, "the unit of p is missing"},
        {{.name = "p", .kind = PARAM_TEXT, .unit = "u"}, "the help of p is missing"},
        {{.name = "p", .kind = PARAM_COUNT, .max = -1}, "the largest value of parameter p is -1"},
        {{.name = "p", .kind = PARAM_BYTES, .max = NAN}, "the largest value of parameter p is"},
        {{.name = "p", .kind = PARAM_SECONDS, .max = INFINITY}, "the largest value of parameter p"},
        {{.name = "p", .kind = PARAM_CHOICE}, "the list of choices of p is missing"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct given given;
        make_right(&given);
        given.params[1] = cases[i].spec;
        assert_refused(&given, cases[i].text);
    }
}

static void test_check_refuses_defaults_that_a_user_may_not_give(void **state)
{
    (void)state;

    static const struct {
        enum param_kind kind;
        const char *value;
        const char *text;
    } cases[] = {
        {PARAM_COUNT, "11", "a default is wrong: parameter p=11: give a whole number from 0 to 10"},
        {PARAM_COUNT, "", "a default is wrong: parameter p="},
        {PARAM_SECONDS, "1h", "a default is wrong: parameter p=1h: give seconds"},
        {PARAM_BYTES, "1Ki", "a default is wrong: parameter p=1Ki: give bytes"},
        {PARAM_URL, "ftp://host/", "a default is wrong: parameter p=ftp://host/"},
        {PARAM_CHOICE, "c", "a default is wrong: parameter p=c: give one of a|b"},
        {PARAM_TEXT, "a\nb", "the default of parameter p is not one line"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct given given;
        make_right(&given);
        given.params[1] = (struct param_spec){.name = "p",
                                              .kind = cases[i].kind,
                                              .unit = "u",
                                              .default_value = cases[i].value,
                                              .max = 10,
                                              .choices = "a|b",
                                              .help = "h"};
        assert_refused(&given, cases[i].text);
    }
}

static void test_check_refuses_default_that_is_too_long(void **state)
{
    (void)state;
    static char value[PARAM_VALUE_MAX + 1];
    struct given given;
    make_right(&given);
    memset(value, 'a', PARAM_VALUE_MAX);
    given.params[1].kind = PARAM_TEXT;
    given.params[1].default_value = value;
    assert_refused(&given, "the default of parameter mode has more than ");
    value[PARAM_VALUE_MAX - 1] = '\0';
    struct err_text error = {""};
    assert_int_equal(check(&given.ops, &error), 0);
}

/* --- functions --- */

static void test_check_refuses_missing_functions(void **state)
{
    (void)state;
    struct given given;
    make_right(&given);
    given.ops.open = NULL;
    assert_refused(&given, "it has no open");
    make_right(&given);
    given.ops.close = NULL;
    assert_refused(&given, "it has no close");
    make_right(&given);
    given.ops.slot_open = NULL;
    assert_refused(&given, "it has no slot_open");
    make_right(&given);
    given.ops.slot_close = NULL;
    assert_refused(&given, "it has no slot_close");
    make_right(&given);
    given.ops.run = NULL;
    assert_refused(&given, "it has no run and no run_batch");
}

static void test_check_refuses_halves_of_forms(void **state)
{
    (void)state;
    struct given given;
    make_right(&given);
    given.ops.async_open = some_async_open;
    given.ops.async_start = some_async_start;
    assert_refused(&given, "it has 2 of async_open");
    make_right(&given);
    given.ops.run_batch = some_run_batch;
    assert_refused(&given, "batch_max=0");
    make_right(&given);
    given.ops.numbers_per_batch = 0;
    assert_refused(&given, "numbers_per_batch=0");
    make_right(&given);
    given.ops.traits = WORKLOAD_BYTES;
    given.ops.default_first = 0;
    given.ops.default_last = 0;
    assert_refused(&given, "it has run_numbers, but not the trait");
}

/* --- versions --- */

static void assert_not_adopted(const struct workload_ops *theirs, const char *text)
{
    struct err_text error = {""};
    struct workload_ops ours = {.name = "unchanged"};
    assert_int_equal(plugin_adopt(theirs, &error, &ours), ERR_INVALID);
    assert_string_equal(ours.name, "unchanged");
    if (strstr(error.s, text) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error.s, text);
    }
}

static void test_adopt_refuses_what_is_no_table_of_this_version(void **state)
{
    (void)state;
    struct workload_ops theirs = workload_noop_ops;
    assert_not_adopted(NULL, "returned NULL");
    theirs.magic = 0x12345678;
    assert_not_adopted(&theirs, "magic number 0x12345678");
    theirs = workload_noop_ops;
    theirs.abi_major = 2;
    theirs.abi_minor = 7;
    assert_not_adopted(&theirs, "version 2.7 of quartet/workload.h, this program has 1.0");
    theirs = workload_noop_ops;
    theirs.size = PLUGIN_SIZE_MIN - 1;
    assert_not_adopted(&theirs, "its table is of ");
    theirs.abi_minor++;
    assert_not_adopted(&theirs, "which has at least ");
    theirs = workload_noop_ops;
    theirs.size++; /* larger, but of no later version */
    assert_not_adopted(&theirs, "its table is of ");
}

static void test_adopt_leaves_out_members_of_a_later_version(void **state)
{
    (void)state;

    struct {
        struct workload_ops ops;
        char more[64];
    } theirs = {.ops = workload_noop_ops};

    struct {
        struct workload_ops ops;
        char guard;
    } ours = {.guard = 'g'};

    memset(theirs.more, 0xff, sizeof(theirs.more));
    theirs.ops.size = sizeof(theirs);
    theirs.ops.abi_minor++;
    struct err_text error = {""};
    assert_int_equal(plugin_adopt(&theirs.ops, &error, &ours.ops), 0);
    assert_int_equal(ours.guard, 'g');
    assert_int_equal(ours.ops.size, sizeof(ours.ops));
    assert_ptr_equal(ours.ops.run, workload_noop_ops.run);
}

/* --- words --- */

static void test_words_are_found_again(void **state)
{
    (void)state;
    for (const struct plugin_word *word = plugin_trait_words; word->word != NULL; word++) {
        assert_int_equal(plugin_word_bit(plugin_trait_words, word->word), word->bit);
    }
    assert_int_equal(plugin_word_bit(plugin_trait_words, "idempotence"), 0);
    for (int i = PARAM_SECONDS; i <= PARAM_TEXT; i++) {
        enum param_kind kind = PARAM_SECONDS;
        assert_int_equal(plugin_kind_from_word(plugin_kind_word((enum param_kind)i), &kind), 0);
        assert_int_equal(kind, i);
    }
    enum param_kind kind = PARAM_URL;
    assert_int_equal(plugin_kind_from_word("colour", &kind), ERR_NOT_FOUND);
    assert_null(plugin_kind_word((enum param_kind)(PARAM_TEXT + 1)));
}

static void test_forms_are_told_from_functions(void **state)
{
    (void)state;
    struct workload_ops ops = workload_noop_ops;
    assert_int_equal(plugin_forms(&ops), PLUGIN_RUN | PLUGIN_RUN_NUMBERS);
    assert_int_equal(plugin_forms(&workload_sleep_ops), PLUGIN_RUN | PLUGIN_ASYNC);
    ops = (struct workload_ops){.run_batch = some_run_batch};
    assert_int_equal(plugin_forms(&ops), PLUGIN_RUN_BATCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_takes_what_is_right),
        cmocka_unit_test(test_check_takes_built_in_workloads_under_other_names),
        cmocka_unit_test(test_check_refuses_names),
        cmocka_unit_test(test_check_refuses_texts),
        cmocka_unit_test(test_check_refuses_traits),
        cmocka_unit_test(test_check_refuses_default_ranges),
        cmocka_unit_test(test_check_refuses_tables_of_parameters),
        cmocka_unit_test(test_check_refuses_parameters),
        cmocka_unit_test(test_check_refuses_defaults_that_a_user_may_not_give),
        cmocka_unit_test(test_check_refuses_default_that_is_too_long),
        cmocka_unit_test(test_check_refuses_missing_functions),
        cmocka_unit_test(test_check_refuses_halves_of_forms),
        cmocka_unit_test(test_adopt_refuses_what_is_no_table_of_this_version),
        cmocka_unit_test(test_adopt_leaves_out_members_of_a_later_version),
        cmocka_unit_test(test_words_are_found_again),
        cmocka_unit_test(test_forms_are_told_from_functions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
