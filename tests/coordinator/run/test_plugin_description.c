/* Descriptions as another process gives them: read, and refused when they are wrong. */
#include "coordinator/run/plugin_description.h"
#include "worker/workloads/plugin_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char whole[] =
    "{\"name\": \"right\", \"summary\": \"does it right\", \"abi\": \"1.0\","
    " \"traits\": [\"numbers\", \"idempotent\"], \"forms\": [\"run\", \"async\"],"
    " \"default_range\": \"1:18446744073709551615\","
    " \"parameters\": ["
    "{\"name\": \"level\", \"kind\": \"count\", \"unit\": \"levels\", \"default\": \"3\","
    " \"max\": 9, \"choices\": null, \"help\": \"how far\"},"
    "{\"name\": \"mode\", \"kind\": \"choice\", \"unit\": \"MODE\", \"default\": null,"
    " \"max\": null, \"choices\": \"a|b\", \"help\": \"which way\"}]}";

static void test_description_is_read(void **state)
{
    (void)state;
    struct plugin_description description = {.forms = 0};
    struct err_text error = {""};
    /* Not from a string: no byte behind it may be looked at. */
    char *bytes = malloc(strlen(whole));
    assert_non_null(bytes);
    memcpy(bytes, whole, strlen(whole));
    int rc = plugin_description_parse(bytes, strlen(whole), &error, &description);
    free(bytes);
    if (rc != 0) {
        fail_msg("refused: %s", error.s);
    }
    const struct workload_ops *workload = &description.workload;
    assert_string_equal(workload->name, "right");
    assert_string_equal(workload->summary, "does it right");
    assert_int_equal(workload->traits, WORKLOAD_NUMBERS | WORKLOAD_IDEMPOTENT);
    assert_int_equal(description.forms, PLUGIN_RUN | PLUGIN_ASYNC);
    assert_int_equal(workload->default_first, 1);
    assert_true(workload->default_last == UINT64_MAX);
    assert_int_equal(workload->param_count, 2);
    assert_string_equal(workload->params[0].name, "level");
    assert_int_equal(workload->params[0].kind, PARAM_COUNT);
    assert_string_equal(workload->params[0].default_value, "3");
    assert_true(workload->params[0].max == 9);
    assert_null(workload->params[0].choices);
    assert_int_equal(workload->params[1].kind, PARAM_CHOICE);
    assert_null(workload->params[1].default_value);
    assert_string_equal(workload->params[1].choices, "a|b");
    assert_null(workload->run);
    plugin_description_deinit(&description);
    plugin_description_deinit(&description); /* as {0} */
}

static void assert_refused(const char *text, const char *why)
{
    struct plugin_description description = {.forms = 77};
    struct err_text error = {""};
    assert_int_equal(plugin_description_parse(text, strlen(text), &error, &description),
                     ERR_INVALID);
    assert_int_equal(description.forms, 77);
    if (strstr(error.s, why) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"; from: %s", error.s, why, text);
    }
}

/* With the first `from` in the whole one replaced by `to`. */
static void assert_refused_with(const char *from, const char *to, const char *why)
{
    char text[2 * sizeof(whole)];
    const char *at = strstr(whole, from);
    assert_non_null(at);
    (void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - whole), whole, to, at + strlen(from));
    assert_refused(text, why);
}

static void test_description_that_is_no_object_is_refused(void **state)
{
    (void)state;
    assert_refused("", "not JSON");
    assert_refused("hello", "not JSON");
    assert_refused("{} {}", "not JSON");
    assert_refused("[]", "no 'name'");
    assert_refused("{\"name\": 1}", "no 'name'");
    assert_refused("{\"name\": \"a\\u0000b\"}", "not JSON");
    assert_refused("{\"name\": \"\xff\"}", "not JSON");
}

static void test_description_cut_off_anywhere_is_refused(void **state)
{
    (void)state;
    for (size_t len = 0; len < strlen(whole); len++) {
        struct plugin_description description = {.forms = 0};
        struct err_text error = {""};
        assert_int_equal(plugin_description_parse(whole, len, &error, &description), ERR_INVALID);
    }
}

static void test_description_with_something_wrong_is_refused(void **state)
{
    (void)state;

    static const struct {
        const char *from;
        const char *to;
        const char *why;
    } cases[] = {
        {"\"right\"", "\"squares\"", "'squares' is that of a built-in workload"},
        {"\"right\"", "\"two words\"", "its name 'two words'"},
        {"\"does it right\"", "null", "no 'summary'"},
        {"\"does it right\"", "\"\\u001b[2J\"", "the summary of right"},
        {"\"idempotent\"", "\"idempotence\"", "no 'traits'"},
        {"\"idempotent\"", "3", "no 'traits'"},
        {"[\"numbers\", \"idempotent\"]", "{}", "no 'traits'"},
        {"\"numbers\", ", "", "have neither"},
        {"\"async\"", "\"asynchronous\"", "no 'forms'"},
        {"\"1:18446744073709551615\"", "\"1:18446744073709551616\"", "no 'default_range'"},
        {"\"1:18446744073709551615\"", "\"1\"", "no 'default_range'"},
        {"\"1:18446744073709551615\"", "\"1:2:3\"", "no 'default_range'"},
        {"\"1:18446744073709551615\"",
         "\"000000000000000000000000000000000000001:2\"",
         "no 'defau"},
        {"\"1:18446744073709551615\"", "\"2:1\"", "its default range 2:1"},
        {"\"1:18446744073709551615\"", "7", "no 'default_range'"},
        {"\"count\"", "\"number\"", "no 'kind'"},
        {"\"max\": 9", "\"max\": \"9\"", "no 'max'"},
        {"\"max\": 9", "\"max\": -1", "the largest value of parameter level is -1"},
        {"\"3\"", "\"10\"", "a default is wrong: parameter level=10"},
        {"\"3\"", "3", "no 'default'"},
        {"\"mode\"", "\"level\"", "two parameters of the name 'level'"},
        {"\"a|b\"", "null", "the list of choices of mode is missing"},
        {"\"parameters\": [", "\"parameters\": [[], ", "no 'name'"},
        {"\"forms\"", "\"name\"", "not JSON"}, /* twice the same key */
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_refused_with(cases[i].from, cases[i].to, cases[i].why);
    }
}

static void test_description_with_too_many_parameters_is_refused(void **state)
{
    (void)state;
    char many[400] = "\"parameters\": [{}";
    for (int i = 0; i < 32; i++) {
        strcat(many, ", {}");
    }
    strcat(many, ",");
    assert_refused_with("\"parameters\": [", many, "no 'parameters'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_description_is_read),
        cmocka_unit_test(test_description_that_is_no_object_is_refused),
        cmocka_unit_test(test_description_cut_off_anywhere_is_refused),
        cmocka_unit_test(test_description_with_something_wrong_is_refused),
        cmocka_unit_test(test_description_with_too_many_parameters_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
