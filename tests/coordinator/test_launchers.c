/* What holds for every launcher that is in the list. */
#include "coordinator/launchers/worker_command.h"
#include "tests/coordinator/launcher_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_each_launcher_says_what_it_is_and_is_found(void **state)
{
    (void)state;
    assert_non_null(launchers[0]);
    for (size_t i = 0; launchers[i] != NULL; i++) {
        const struct launcher_ops *launcher = launchers[i];
        assert_ptr_equal(launcher_find(launcher->name), launcher);
        assert_true(strlen(launcher->title) > 0 && strlen(launcher->title) < 55);
        assert_true(strlen(launcher->summary) > 0);
        assert_true(launcher->options_size > 0);
        assert_non_null(strstr(launcher->examples, launcher->name));
    }
    assert_null(launcher_find("mp"));
    assert_string_equal(launcher_nearest("mpii"), "mpi");
}

/* The access file gets there: by its path, or as a text that is hidden. And never in an argument. */
static void test_each_launcher_plans_a_worker_and_shows_no_secret(void **state)
{
    (void)state;
    for (size_t i = 0; launchers[i] != NULL; i++) {
        struct launcher_request request = rig_request();
        struct err_text error = {{0}};
        struct plan plan;
        struct script script = {.text = NULL};
        request.workers = 2;
        assert_int_equal(rig_plan(launchers[i], &request, RIG_ARGUMENTS(NULL), &error, &plan), 0);
        assert_true(plan.count > 0 && plan_is_complete(&plan));
        plan_show(&plan, &script);
        assert_null(strstr(script.text, "not for show"));
        assert_non_null(strstr(script.text, "quartet-worker"));
        script_deinit(&script);
        plan_deinit(&plan);
    }
}

static void test_few_workers_call_at_once_and_no_crowd_waits_for_long(void **state)
{
    (void)state;
    assert_true(worker_command_spread_s(0) == 0);
    assert_true(worker_command_spread_s(20) == 0);
    assert_true(worker_command_spread_s(21) > 0.1);
    assert_true(worker_command_spread_s(1000) == 5);
    assert_true(worker_command_spread_s(16384) == 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_launcher_says_what_it_is_and_is_found),
        cmocka_unit_test(test_each_launcher_plans_a_worker_and_shows_no_secret),
        cmocka_unit_test(test_few_workers_call_at_once_and_no_crowd_waits_for_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
