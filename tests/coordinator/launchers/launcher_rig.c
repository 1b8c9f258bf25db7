#include "tests/coordinator/launchers/launcher_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *empty_environment(const char *name)
{
    (void)name;
    return NULL;
}

struct launcher_request rig_request(void)
{
    return (struct launcher_request){
        .access = "/home/me/worker.json",
        .access_text = RIG_SECRET,
        .worker_path = "quartet-worker",
        .give_up_s = 600,
        .drain_limit_s = 30,
        .env = empty_environment,
    };
}

int rig_plan(const struct launcher_ops *launcher,
             const struct launcher_request *request,
             const char *const *arguments,
             struct err_text *ret_error,
             struct plan *ret_plan)
{
    struct cli_table table = {.count = 0};
    void *options = calloc(1, launcher->options_size);
    const char *words[16];
    size_t count = 0;
    char **argv = (char **)(uintptr_t)arguments; /* which is not written to */
    int argc = 0;
    assert_non_null(options);
    while (arguments[argc] != NULL) {
        argc++;
    }
    if (launcher->defaults != NULL) {
        launcher->defaults(options);
    }
    launcher->add_options(&table, options);
    const struct cli cli = {
        .program = "launch", .options = table.list, .option_count = table.count};
    *ret_plan = (struct plan){.count = 0};
    int rc = cli_parse(&cli, argc, argv, ret_error, words, &count, NULL, NULL);
    rc = rc != 0 ? rc : launcher->plan(request, options, ret_error, ret_plan);
    free(options);
    return rc;
}

static void expect_no_secret_in_words(const struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        for (size_t k = 0; k < plan->steps[i].command.count; k++) {
            assert_null(strstr(plan->steps[i].command.list[k], "not for show"));
        }
    }
}

void rig_expect(const struct launcher_ops *launcher,
                const struct launcher_request *request,
                const char *const *arguments,
                const char *shown)
{
    struct err_text error = {{0}};
    struct plan plan;
    struct script script = {.text = NULL};
    assert_int_equal(rig_plan(launcher, request, arguments, &error, &plan), 0);
    assert_string_equal(error.s, "");
    assert_true(plan_is_complete(&plan));
    plan_show(&plan, &script);
    assert_string_equal(script.text, shown);
    expect_no_secret_in_words(&plan);
    script_deinit(&script);
    plan_deinit(&plan);
}

void rig_expect_refused(const struct launcher_ops *launcher,
                        const struct launcher_request *request,
                        const char *const *arguments,
                        const char *part)
{
    struct err_text error = {{0}};
    struct plan plan;
    assert_int_equal(rig_plan(launcher, request, arguments, &error, &plan), ERR_INVALID);
    if (strstr(error.s, part) == NULL) {
        fail_msg("'%s' does not say '%s'", error.s, part);
    }
    assert_int_equal(plan.count, 0);
    plan_deinit(&plan);
}
