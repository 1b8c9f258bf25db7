/* Asking quartet-worker what a plugin is: of those that are right, and of those that crash, hang and
 * talk. PLUGINS is where those of tests/plugins are, EXAMPLES the examples; WORKER is the
 * program, FLOOD another one. */
#include "coordinator/run/plugin_describe.h"
#include "worker/workloads/plugin_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int describe(const char *path,
                    struct err_text *error,
                    struct plugin_description *description)
{
    const struct plugin_describe_options options = {.path = path, .program = WORKER};
    error->s[0] = '\0';
    return plugin_describe(&options, error, description);
}

static void assert_refused(const struct plugin_describe_options *options, int rc, const char *text)
{
    struct plugin_description description = {.forms = 77};
    struct err_text error = {""};
    assert_int_equal(plugin_describe(options, &error, &description), rc);
    assert_int_equal(description.forms, 77);
    if (strstr(error.s, options->path) == NULL || strstr(error.s, text) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error.s, text);
    }
}

static void test_describe_tells_what_a_plugin_is(void **state)
{
    (void)state;
    struct plugin_description description = {.forms = 0};
    struct err_text error;
    if (describe(EXAMPLES "/liblinecount.so", &error, &description) != 0) {
        fail_msg("%s", error.s);
    }
    assert_string_equal(description.workload.name, "linecount");
    assert_int_equal(description.workload.traits, WORKLOAD_IDEMPOTENT | WORKLOAD_BYTES);
    assert_int_equal(description.forms, PLUGIN_RUN);
    assert_int_equal(description.workload.param_count, 1);
    assert_string_equal(description.workload.params[0].name, "longer-than");
    assert_true(description.workload.params[0].max == 1 << 30);
    plugin_description_deinit(&description);

    assert_int_equal(describe(EXAMPLES "/libfilesize.so", &error, &description), 0);
    assert_int_equal(description.forms, PLUGIN_RUN | PLUGIN_ASYNC);
    plugin_description_deinit(&description);
    assert_int_equal(describe(EXAMPLES "/libcollatz.so", &error, &description), 0);
    assert_int_equal(description.workload.default_last, 1000000);
    plugin_description_deinit(&description);
    assert_int_equal(describe(EXAMPLES "/libdurable.so", &error, &description), 0);
    assert_int_equal(description.forms, PLUGIN_RUN_BATCH);
    plugin_description_deinit(&description);
}

static void test_describe_passes_refusals_on(void **state)
{
    (void)state;
    const struct plugin_describe_options magic = {.path = PLUGINS "/wrong_magic.so",
                                                  .program = WORKER};
    assert_refused(&magic, ERR_INVALID, "wrong_magic.so': its table begins with the magic number");
    const struct plugin_describe_options absent = {.path = "./absent.so", .program = WORKER};
    assert_refused(&absent, ERR_INVALID, "plugin './absent.so': it cannot be read");
}

static void test_describe_survives_a_plugin_that_aborts(void **state)
{
    (void)state;
    const struct plugin_describe_options options = {.path = PLUGINS "/aborts.so",
                                                    .program = WORKER};
    assert_refused(&options, ERR_CHILD, "describing it was killed by signal 6 (Aborted)");
}

static void test_describe_does_not_wait_for_a_plugin_that_never_returns(void **state)
{
    (void)state;
    const struct plugin_describe_options options = {
        .path = PLUGINS "/hangs.so", .program = WORKER, .limit_ms = 200};
    assert_refused(&options, ERR_TIMEOUT, "did not come to an end and was killed");
}

static void test_describe_is_not_taken_in_by_a_plugin_that_ends_the_process(void **state)
{
    (void)state;
    const struct plugin_describe_options options = {.path = PLUGINS "/exits.so", .program = WORKER};
    assert_refused(&options, ERR_INVALID, "when it is loaded it ends the process");
}

static void test_describe_hears_the_program_not_what_the_plugin_prints(void **state)
{
    (void)state;
    struct plugin_description description = {.forms = 0};
    struct err_text error;
    if (describe(PLUGINS "/chatty.so", &error, &description) != 0) {
        fail_msg("%s", error.s);
    }
    assert_string_equal(description.workload.name, "odd");
    plugin_description_deinit(&description);
}

static void test_describe_says_when_the_program_is_missing_or_another_one(void **state)
{
    (void)state;
    const struct plugin_describe_options missing = {.path = "./x.so",
                                                    .program = "/nonexistent/quartet-worker"};
    assert_refused(&missing,
                   ERR_CHILD,
                   "it cannot be described with '/nonexistent/quartet-worker': no such file");
    const struct plugin_describe_options fails = {.path = "./x.so", .program = "/bin/false"};
    assert_refused(&fails, ERR_CHILD, "exit status 1, without a word");
    /* Prints its arguments, of which none is a description. */
    const struct plugin_describe_options echo = {.path = "./x.so", .program = "/bin/echo"};
    assert_refused(&echo, ERR_INVALID, "not JSON");
}

static void test_describe_does_not_keep_more_than_it_can_use(void **state)
{
    (void)state;
    const struct plugin_describe_options options = {
        .path = "./x.so", .program = FLOOD, .limit_ms = 60 * 1000};
    assert_refused(&options, ERR_INVALID, "has more than 4194304 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_describe_tells_what_a_plugin_is),
        cmocka_unit_test(test_describe_passes_refusals_on),
        cmocka_unit_test(test_describe_survives_a_plugin_that_aborts),
        cmocka_unit_test(test_describe_does_not_wait_for_a_plugin_that_never_returns),
        cmocka_unit_test(test_describe_is_not_taken_in_by_a_plugin_that_ends_the_process),
        cmocka_unit_test(test_describe_hears_the_program_not_what_the_plugin_prints),
        cmocka_unit_test(test_describe_says_when_the_program_is_missing_or_another_one),
        cmocka_unit_test(test_describe_does_not_keep_more_than_it_can_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
