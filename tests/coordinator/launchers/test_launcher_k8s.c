/* What `quartet launch k8s` prints and would run. Whole manifests are in tests/coordinator/golden; whether Kubernetes would take them is for
 * tests/e2e/test_launch_k8s.py, which has its schemas. */
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

/* {"secret_key":"not for show"} and a line end, in base64. */
#define SECRET_IN_BASE64 "eyJzZWNyZXRfa2V5Ijoibm90IGZvciBzaG93In0K"

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
    rig_expect(&launcher_k8s, request, arguments, text);
    free(text);
}

static void test_job_of_workers_is_printed(void **state)
{
    (void)state;
    struct launcher_request request = request_for(3);
    request.allow_exec = true;
    expect_golden(&request, RIG_ARGUMENTS(NULL), "k8s_job.txt");
}

static void test_deployment_with_a_service_is_applied(void **state)
{
    (void)state;
    static const char *const rest[] = {"--context", "far away"};
    struct launcher_request request = request_for(1000);
    static const char *const endpoints[] = {"tcp://10.0.0.7:7000", "tcp://quartet.batch.svc:7000"};
    request.endpoints = endpoints;
    request.endpoint_count = 2;
    request.rest = rest;
    request.rest_count = 2;
    request.drain_limit_s = 299.5;
    request.slots = 4;
    request.worker_path = "/opt/$HOME/quartet-worker";
    expect_golden(&request,
                  RIG_ARGUMENTS("--kind",
                                "deployment",
                                "--service",
                                "quartet:7000",
                                "--namespace",
                                "batch",
                                "--name",
                                "pool",
                                "--image",
                                "registry.example:5000/quartet/worker@sha256:0123",
                                "--cpus",
                                "1.5",
                                "--memory",
                                "512Mi",
                                "--user",
                                "2000",
                                "--apply",
                                "--kubectl",
                                "/opt/kubectl",
                                NULL),
                  "k8s_deployment.txt");
}

static void test_secret_is_in_what_is_done_and_not_in_what_is_shown(void **state)
{
    (void)state;
    const char *const *const cases[] = {RIG_ARGUMENTS(NULL), RIG_ARGUMENTS("--apply", NULL)};
    for (size_t i = 0; i < 2; i++) {
        struct launcher_request request = request_for(1);
        struct err_text error = {{0}};
        struct plan plan;
        struct script script = {.text = NULL};
        assert_int_equal(rig_plan(&launcher_k8s, &request, cases[i], &error, &plan), 0);
        assert_int_equal(plan.count, 1);
        assert_non_null(strstr(plan.steps[0].text.text, SECRET_IN_BASE64));
        plan_show(&plan, &script);
        assert_null(strstr(script.text, SECRET_IN_BASE64));
        assert_non_null(strstr(script.text, "<access file, not shown>"));
        script_deinit(&script);
        plan_deinit(&plan);
    }
}

/* Is `part` anywhere in what would be done? */
static bool plans(const struct launcher_request *request,
                  const char *const *arguments,
                  const char *part)
{
    struct err_text error = {{0}};
    struct plan plan;
    assert_int_equal(rig_plan(&launcher_k8s, request, arguments, &error, &plan), 0);
    bool found = strstr(plan.steps[0].text.text, part) != NULL;
    plan_deinit(&plan);
    return found;
}

static void test_secret_that_is_there_is_used_and_none_is_made(void **state)
{
    (void)state;
    struct launcher_request request = request_for(1);
    const char *const *arguments = RIG_ARGUMENTS("--secret", "mine", NULL);
    assert_false(plans(&request, arguments, SECRET_IN_BASE64));
    assert_false(plans(&request, arguments, "\"kind\": \"Secret\""));
    assert_true(plans(&request, arguments, "\"secretName\": \"mine\""));
}

static void test_without_keys_there_is_no_secret(void **state)
{
    (void)state;
    struct launcher_request request = request_for(1);
    request.access = NULL;
    request.access_text = NULL;
    request.connect = "tcp://quartet:5555";
    request.insecure = true;
    assert_true(plans(&request, RIG_ARGUMENTS(NULL), "\"tcp://quartet:5555\",\n"));
    assert_false(plans(&request, RIG_ARGUMENTS(NULL), "access"));
    assert_true(plans(&request, RIG_ARGUMENTS("--service", "quartet", NULL), "\"port\": 5555"));
    rig_expect_refused(
        &launcher_k8s, &request, RIG_ARGUMENTS("--secret", "mine", NULL), "--connect");
}

static void test_service_must_be_where_workers_are_told_to_go(void **state)
{
    (void)state;

    static const struct {
        const char *endpoint;
        const char *service;
        bool leads;
    } cases[] = {
        {"tcp://quartet:5555", "quartet", true},
        {"tcp://quartet.ns.svc.cluster.local:5555", "quartet:5555", true},
        {"tcp://quartet:5555", "quartet:5556", false},
        {"tcp://quartet2:5555", "quartet", false},
        {"tcp://10.0.0.1:5555", "quartet", false},
        {"ipc:///tmp/quartet:5555", "quartet", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct launcher_request request = request_for(1);
        request.endpoints = &cases[i].endpoint;
        request.endpoint_count = 1;
        const char *const *arguments = RIG_ARGUMENTS("--service", cases[i].service, NULL);
        if (cases[i].leads) {
            assert_true(plans(&request, arguments, "\"kind\": \"Service\""));
        } else {
            rig_expect_refused(&launcher_k8s, &request, arguments, "--advertise quartet:555");
        }
    }
}

static void test_what_kubernetes_would_refuse_is_refused(void **state)
{
    (void)state;
#define LONG "a234567890123456789012345678901234567890123456789012"
    static const char *const cases[][2] = {
        {"--name", "Upper"},    {"--name", ""},
        {"--name", "a_b"},      {"--name", "-a"},
        {"--name", "a-"},       {"--name", LONG "3"},
        {"--namespace", "a.b"}, {"--namespace", "a b"},
        {"--secret", "a/b"},    {"--kind", "pod"},
        {"--image", ""},        {"--image", "a b"},
        {"--image", "a\nb"},    {"--cpus", "0"},
        {"--cpus", "1G"},       {"--cpus", ""},
        {"--cpus", "-1"},       {"--cpus", "1."},
        {"--cpus", "0.0m"},     {"--memory", "1m"},
        {"--memory", "1gb"},    {"--memory", "lots"},
        {"--service", "a:0"},   {"--service", "a:70000"},
        {"--service", ":5555"}, {"--service", "A:5555"},
        {"--service", "a:b"},   {"--service", LONG LONG ":1"},
    };
    struct launcher_request request = request_for(1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rig_expect_refused(
            &launcher_k8s, &request, RIG_ARGUMENTS(cases[i][0], cases[i][1], NULL), cases[i][0]);
    }
    assert_true(plans(&request, RIG_ARGUMENTS("--name", LONG, NULL), LONG));
    request.workers = 0;
    rig_expect_refused(&launcher_k8s, &request, RIG_ARGUMENTS(NULL), "--workers N");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_job_of_workers_is_printed),
        cmocka_unit_test(test_deployment_with_a_service_is_applied),
        cmocka_unit_test(test_secret_is_in_what_is_done_and_not_in_what_is_shown),
        cmocka_unit_test(test_secret_that_is_there_is_used_and_none_is_made),
        cmocka_unit_test(test_without_keys_there_is_no_secret),
        cmocka_unit_test(test_service_must_be_where_workers_are_told_to_go),
        cmocka_unit_test(test_what_kubernetes_would_refuse_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
