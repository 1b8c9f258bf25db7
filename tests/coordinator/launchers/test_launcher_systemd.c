/* What `quartet launch systemd` would install and run. A whole unit is in tests/coordinator/golden; what systemd makes of it is for
 * tests/e2e/test_launch_systemd.py. */
#include "coordinator/launchers/systemd_unit.h"
#include "tests/coordinator/launchers/launcher_rig.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { GOLDEN_SIZE = 16 * 1024 };

static struct launcher_request request_for(uint64_t workers)
{
    struct launcher_request request = rig_request();
    request.workers = workers;
    return request;
}

static void expect_golden(const struct launcher_request *request,
                          const char *const *arguments,
                          const char *name)
{
    char path[512];
    char *text = calloc(1, GOLDEN_SIZE);
    assert_non_null(text);
    (void)snprintf(path, sizeof(path), "%s/%s", GOLDEN, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(read(fd, text, GOLDEN_SIZE - 1) > 0);
    (void)close(fd);
    rig_expect(&launcher_systemd, request, arguments, text);
    free(text);
}

static void test_instances_of_a_template_are_started(void **state)
{
    (void)state;
    struct launcher_request request = request_for(3);
    request.allow_exec = true;
    expect_golden(&request, RIG_ARGUMENTS("--cpus", "1.5", "--memory", "2Gi", NULL), "systemd.txt");
}

static char *home(const char *name)
{
    static char path[] = "/home/me";
    return strcmp(name, "HOME") == 0 ? path : NULL;
}

static void test_workers_of_a_user_stay(void **state)
{
    (void)state;
    struct launcher_request request = request_for(2);
    request.env = home;
    request.access = "/home/me/100% mine/worker.json";
    request.worker_path = "/opt/my $programs/quartet-worker";
    request.drain_limit_s = 1;
    request.quiet = true;
    expect_golden(
        &request, RIG_ARGUMENTS("--user", "--stay", "--name", "pool", NULL), "systemd_user.txt");
}

/* Does the unit have this line? */
static bool has_line(const struct launcher_request *request,
                     const char *const *arguments,
                     const char *line)
{
    struct err_text error = {{0}};
    struct plan plan;
    char wanted[512];
    assert_int_equal(rig_plan(&launcher_systemd, request, arguments, &error, &plan), 0);
    assert_int_equal(plan.steps[0].kind, PLAN_INSTALL);
    (void)snprintf(wanted, sizeof(wanted), "\n%s\n", line);
    bool found = strstr(plan.steps[0].text.text, wanted) != NULL;
    plan_deinit(&plan);
    return found;
}

static void test_limits_are_in_systemds_words(void **state)
{
    (void)state;
    struct launcher_request request = request_for(1);
    assert_true(has_line(&request, RIG_ARGUMENTS("--cpus", "2", NULL), "CPUQuota=200%"));
    assert_true(has_line(&request, RIG_ARGUMENTS("--cpus", "0.25", NULL), "CPUQuota=25%"));
    assert_true(has_line(&request, RIG_ARGUMENTS("--memory", "1k", NULL), "MemoryMax=1000"));
    assert_true(has_line(&request, RIG_ARGUMENTS("--run-as", "me", NULL), "User=me"));
    assert_false(has_line(&request, RIG_ARGUMENTS("--run-as", "me", NULL), "DynamicUser=yes"));
    assert_true(has_line(&request, RIG_ARGUMENTS(NULL), "DynamicUser=yes"));
    assert_true(has_line(&request, RIG_ARGUMENTS(NULL), "TimeoutStopSec=40"));
}

static void test_without_keys_there_is_no_credential(void **state)
{
    (void)state;
    struct launcher_request request = request_for(1);
    request.access = NULL;
    request.access_text = NULL;
    request.connect = "tcp://127.0.0.1:5555";
    assert_true(has_line(&request,
                         RIG_ARGUMENTS(NULL),
                         "ExecStart=quartet-worker --connect tcp://127.0.0.1:5555 --give-up 600 "
                         "--drain-limit 30 --name %p-%i"));
}

/* systemd would not look where the caller's PATH does. */
static void test_the_worker_beside_this_program_is_named_by_its_path(void **state)
{
    (void)state;
    struct launcher_request request = request_for(1);
    request.access = NULL;
    request.access_text = NULL;
    request.connect = "tcp://127.0.0.1:5555";
    request.worker_here = "/opt/quartet/bin/quartet-worker";
    assert_true(has_line(&request,
                         RIG_ARGUMENTS(NULL),
                         "ExecStart=/opt/quartet/bin/quartet-worker --connect tcp://127.0.0.1:5555 "
                         "--give-up 600 --drain-limit 30 --name %p-%i"));
    request.worker_path = "other-worker";
    assert_true(has_line(&request,
                         RIG_ARGUMENTS(NULL),
                         "ExecStart=other-worker --connect tcp://127.0.0.1:5555 --give-up 600 "
                         "--drain-limit 30 --name %p-%i"));
}

static void test_what_a_unit_cannot_say_is_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"--name", "a b"},
        {"--name", ""},
        {"--name", "-a"},
        {"--name", "a/b"},
        {"--name", "a@b"},
        {"--run-as", "a:b"},
        {"--run-as", "%u"},
        {"--cpus", "0"},
        {"--cpus", "0.001"},
        {"--cpus", "many"},
        {"--cpus", "1s"},
        {"--cpus", "-1"},
        {"--memory", "0"},
        {"--memory", "lots"},
        {"--memory", "-1"},
        {"--unit-dir", "units"},
    };
    struct launcher_request request = request_for(1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rig_expect_refused(&launcher_systemd,
                           &request,
                           RIG_ARGUMENTS(cases[i][0], cases[i][1], NULL),
                           cases[i][0]);
    }
    rig_expect_refused(&launcher_systemd, &request, RIG_ARGUMENTS("--user", NULL), "HOME");
    rig_expect_refused(
        &launcher_systemd, &request, RIG_ARGUMENTS("--user", "--run-as", "me", NULL), "--run-as");
    request.workers = 513;
    rig_expect_refused(&launcher_systemd, &request, RIG_ARGUMENTS(NULL), "513");
    request.workers = 0;
    rig_expect_refused(&launcher_systemd, &request, RIG_ARGUMENTS(NULL), "--workers N");
}

static void test_paths_that_a_unit_cannot_say_are_refused(void **state)
{
    (void)state;
    static const char *const access[] = {"/a\nExecStart=/bin/sh", "/a ", "/a\\", "/\x01"};
    static const char *const programs[] = {
        "./quartet-worker", "/a\nb", "+quartet-worker", "a b", ""};
    for (size_t i = 0; i < sizeof(access) / sizeof(access[0]); i++) {
        struct launcher_request request = request_for(1);
        request.access = access[i];
        rig_expect_refused(&launcher_systemd, &request, RIG_ARGUMENTS(NULL), "--access");
    }
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
        struct launcher_request request = request_for(1);
        request.worker_path = programs[i];
        rig_expect_refused(&launcher_systemd, &request, RIG_ARGUMENTS(NULL), "--worker-path");
    }
    assert_true(systemd_takes_path("/with blanks/and 100%"));
    assert_false(systemd_takes_path("relative"));
    assert_false(systemd_takes_path(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instances_of_a_template_are_started),
        cmocka_unit_test(test_workers_of_a_user_stay),
        cmocka_unit_test(test_limits_are_in_systemds_words),
        cmocka_unit_test(test_without_keys_there_is_no_credential),
        cmocka_unit_test(test_the_worker_beside_this_program_is_named_by_its_path),
        cmocka_unit_test(test_what_a_unit_cannot_say_is_refused),
        cmocka_unit_test(test_paths_that_a_unit_cannot_say_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
