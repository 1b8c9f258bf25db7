/* Parameters: what is taken, what is refused, and that a refusal quotes the value. */
#include "worker/workloads/params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct param_spec specs[] = {
    {.name = "delay", .kind = PARAM_SECONDS, .default_value = "0.1", .max = 3600},
    {.name = "redirects", .kind = PARAM_COUNT, .default_value = "5", .max = 50},
    {.name = "body-max", .kind = PARAM_BYTES, .default_value = "64Mi", .max = 0x1p62},
    {.name = "seed", .kind = PARAM_COUNT, .max = 0x1p64},
    {.name = "url", .kind = PARAM_URL},
    {.name = "note", .kind = PARAM_TEXT},
    {.name = "http", .kind = PARAM_CHOICE, .choices = "1.1|2"},
};

enum { SPEC_COUNT = sizeof(specs) / sizeof(specs[0]) };

static void test_params_resolve_takes_and_refuses(void **state)
{
    (void)state;

    static const struct {
        const char *text;
        int rc;
        const char *error; /* a part of it; NULL when taken */
    } cases[] = {
        {"delay=0.25", 0, NULL},
        {"delay=20ms", 0, NULL},
        {"delay=0", 0, NULL},
        {"delay=3600", 0, NULL},
        {"delay=3601", ERR_INVALID, "delay=3601: give seconds from 0 to 3600"},
        {"delay=-1", ERR_INVALID, "delay=-1"},
        {"delay=abc", ERR_INVALID, "delay=abc"},
        {"delay=", ERR_INVALID, "delay="},
        {"delay=nan", ERR_INVALID, "delay=nan"},
        {"delay=1e99", ERR_INVALID, "delay=1e99"},
        {"redirects=50", 0, NULL},
        {"redirects=51", ERR_INVALID, "redirects=51: give a whole number from 0 to 50"},
        {"redirects=1.5", ERR_INVALID, "redirects=1.5"},
        {"seed=18446744073709551615", 0, NULL},
        {"seed=18446744073709551616", ERR_INVALID, "seed=18446744073709551616"},
        {"body-max=1Gi", 0, NULL},
        {"body-max=1Q", ERR_INVALID, "body-max=1Q: give bytes"},
        {"url=http://host/path", 0, NULL},
        {"url=HTTPS://host", 0, NULL},
        {"url=ftp://host/", ERR_INVALID, "url=ftp://host/: give a URL"},
        {"url=http://", ERR_INVALID, "url=http://"},
        {"url=http:///path", ERR_INVALID, "url=http:///path"},
        {"http=1.1", 0, NULL},
        {"http=2", 0, NULL},
        {"http=", ERR_INVALID, "http=: give one of 1.1|2"},
        {"http=1", ERR_INVALID, "http=1: give one of 1.1|2"},
        {"http=1.1|2", ERR_INVALID, "http=1.1|2: give one of 1.1|2"},
        {"note=", 0, NULL},
        {"note=a=b", 0, NULL},
        {"dealy=1", ERR_NOT_FOUND, "'dealy' is not known; did you mean 'delay'?"},
        {"quite-different=1", ERR_NOT_FOUND, "'quite-different' is not known"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct params params = {0};
        struct err_text error = {""};
        assert_int_equal(params_set_text(&params, cases[i].text, &error), 0);
        int rc = params_resolve(&params, specs, SPEC_COUNT, &error);
        if (rc != cases[i].rc || (rc != 0 && strstr(error.s, cases[i].error) == NULL)) {
            fail_msg("%s: returned %d, '%s'", cases[i].text, rc, error.s);
        }
        params_deinit(&params);
    }
}

static void test_params_set_text_refuses_what_is_not_name_value(void **state)
{
    (void)state;
    static const char *const texts[] = {"delay", "=1", "", "="};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct params params = {0};
        struct err_text error = {""};
        char quoted[32];
        (void)snprintf(quoted, sizeof(quoted), "'%s'", texts[i]);
        assert_int_equal(params_set_text(&params, texts[i], &error), ERR_INVALID);
        assert_non_null(strstr(error.s, quoted));
        assert_int_equal(params.count, 0);
    }
}

static void test_params_getters_give_values_in_base_units(void **state)
{
    (void)state;
    struct params params = {0};
    struct err_text error;
    assert_int_equal(params_set(&params, "delay", "20ms"), 0);
    assert_int_equal(params_resolve(&params, specs, SPEC_COUNT, &error), 0);

    assert_float_equal((float)params_seconds(&params, "delay"), 0.02F, 1e-9F);
    assert_int_equal(params_count(&params, "redirects"), 5);
    assert_int_equal(params_bytes(&params, "body-max"), 64 * 1024 * 1024);
    assert_null(params_get(&params, "url")); /* no default, not given */
    params_deinit(&params);
}

static void test_params_later_value_replaces_earlier_one(void **state)
{
    (void)state;
    struct params params = {0};
    assert_int_equal(params_set(&params, "delay", "1"), 0);
    assert_int_equal(params_set(&params, "delay", "2"), 0);
    assert_int_equal(params.count, 1);
    assert_string_equal(params_get(&params, "delay"), "2");
    params_deinit(&params);
}

static void test_params_refuses_too_long_and_too_many(void **state)
{
    (void)state;
    struct params params = {0};
    char name[PARAM_NAME_MAX + 1];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(params_set(&params, name, "1"), ERR_INVALID);
    assert_int_equal(params_set(&params, "", "1"), ERR_INVALID);

    char *value = malloc(PARAM_VALUE_MAX + 1);
    assert_non_null(value);
    memset(value, 'v', PARAM_VALUE_MAX);
    value[PARAM_VALUE_MAX] = '\0';
    assert_int_equal(params_set(&params, "note", value), ERR_INVALID);
    value[PARAM_VALUE_MAX - 1] = '\0';
    assert_int_equal(params_set(&params, "note", value), 0);
    free(value);

    for (int i = 1; i < PARAMS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "name%d", i);
        assert_int_equal(params_set(&params, name, "1"), 0);
    }
    assert_int_equal(params_set(&params, "one-more", "1"), ERR_INVALID);
    assert_int_equal(params.count, PARAMS_MAX);
    struct err_text error;
    assert_int_equal(params_set_text(&params, "one-more=1", &error), ERR_INVALID);
    assert_non_null(strstr(error.s, "'one-more=1'"));
    params_deinit(&params);
}

static void test_params_copy_is_independent(void **state)
{
    (void)state;
    struct params from = {0};
    struct params into = {0};
    assert_int_equal(params_set(&from, "delay", "1"), 0);
    assert_int_equal(params_set(&into, "note", "old"), 0);
    assert_int_equal(params_copy(&into, &from), 0);
    params_deinit(&from);

    assert_int_equal(into.count, 1);
    assert_string_equal(params_get(&into, "delay"), "1");
    assert_null(params_get(&into, "note"));
    params_deinit(&into);
}

static void test_params_workload_without_parameters_says_so(void **state)
{
    (void)state;
    struct params params = {0};
    struct err_text error;
    assert_int_equal(params_set(&params, "delay", "1"), 0);
    assert_int_equal(params_resolve(&params, NULL, 0, &error), ERR_NOT_FOUND);
    assert_non_null(strstr(error.s, "'delay' is not known: this workload takes none"));
    params_deinit(&params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_params_resolve_takes_and_refuses),
        cmocka_unit_test(test_params_set_text_refuses_what_is_not_name_value),
        cmocka_unit_test(test_params_getters_give_values_in_base_units),
        cmocka_unit_test(test_params_later_value_replaces_earlier_one),
        cmocka_unit_test(test_params_refuses_too_long_and_too_many),
        cmocka_unit_test(test_params_copy_is_independent),
        cmocka_unit_test(test_params_workload_without_parameters_says_so),
    };
    return !!cmocka_run_group_tests_name("params", tests, NULL, NULL);
}
