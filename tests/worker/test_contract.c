/* The contract test: every registered workload with every strategy comes to the same counts and the same checksum. A new workload or strategy is covered
 * the moment it is registered. */
#include "coordinator/origin/origin.h"
#include "tests/worker/contract_rig.h"
#include "worker/engine/zygote.h"
#include "worker/workloads/params.h"
#include "worker/workloads/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct zygote *zygote;
    struct origin *origin;
    char url[128];
};

/* Quick settings, where a workload's own are slow. */
static void set_params(struct params *params,
                       const struct workload_ops *workload,
                       const struct fixture *fixture)
{
    if (strcmp(workload->name, "download") == 0) {
        assert_int_equal(params_set(params, "url", fixture->url), 0);
    }
    if (strcmp(workload->name, "sleep") == 0 || strcmp(workload->name, "spin") == 0) {
        assert_int_equal(params_set(params, "seconds", "0.001"), 0);
    }
    if (strcmp(workload->name, "exec") == 0) {
        assert_int_equal(params_set(params, "command", "echo {#}: {}"), 0);
    }
    if (strcmp(workload->name, "pipe") == 0) {
        assert_int_equal(params_set(params, "command", "cat"), 0);
    }
    struct err_text error = {{0}};
    assert_int_equal(params_resolve(params, workload->params, workload->param_count, &error), 0);
}

static void compare_strategies(const struct fixture *fixture,
                               const struct workload_ops *workload,
                               const char *prefix)
{
    struct params params = {0};
    set_params(&params, workload, fixture);
    contract_compare_strategies(&(struct contract_case){
        .zygote = fixture->zygote, .workload = workload, .params = &params, .prefix = prefix});
    params_deinit(&params);
}

/* Those without a default range have to be told what to do, and have tests of their own. */
static bool runs_by_itself(const struct workload_ops *workload)
{
    return workload->default_last != 0;
}

static void test_every_workload_comes_to_the_same_with_every_strategy_on_numbers(void **state)
{
    for (size_t i = 0; i < workload_registry_count; i++) {
        if ((workload_registry[i]->traits & WORKLOAD_NUMBERS) != 0 &&
            runs_by_itself(workload_registry[i])) {
            compare_strategies(*state, workload_registry[i], NULL);
        }
    }
}

static void test_every_workload_comes_to_the_same_with_every_strategy_on_bytes(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < workload_registry_count; i++) {
        char prefix[160];
        (void)snprintf(prefix, sizeof(prefix), "%s?item=", fixture->url);
        if ((workload_registry[i]->traits & WORKLOAD_BYTES) != 0 &&
            runs_by_itself(workload_registry[i])) {
            compare_strategies(fixture, workload_registry[i], prefix);
        }
    }
}

static void test_exec_comes_to_the_same_with_every_strategy(void **state)
{
    compare_strategies(*state, workload_find("exec"), NULL);
    compare_strategies(*state, workload_find("exec"), "it's an item: ");
}

static void test_every_workload_describes_itself(void **state)
{
    (void)state;
    for (size_t i = 0; i < workload_registry_count; i++) {
        const struct workload_ops *workload = workload_registry[i];
        assert_ptr_equal(workload_find(workload->name), workload);
        assert_non_null(workload->summary);
        assert_true(workload->traits & (WORKLOAD_NUMBERS | WORKLOAD_BYTES));
        assert_true(workload->default_first <= workload->default_last);
        assert_true((workload->async_open == NULL) == (workload->async_start == NULL));
        assert_true((workload->run_numbers == NULL) || workload->numbers_per_batch > 0);
        for (size_t k = 0; k < workload->param_count; k++) {
            assert_non_null(workload->params[k].help);
            assert_non_null(workload->params[k].unit);
        }
    }
}

static int set_up(void **state)
{
    struct fixture *fixture = *state;
    struct err_text error = {{0}};
    if (origin_start("127.0.0.1", 0, &error, &fixture->origin) != 0) {
        print_error("%s\n", error.s);
        return -1;
    }
    (void)snprintf(fixture->url,
                   sizeof(fixture->url),
                   "http://127.0.0.1:%u/delay/0.001",
                   origin_port(fixture->origin));
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    origin_stop(fixture->origin);
    return 0;
}

int main(void)
{
    /* The zygote first: nothing else exists yet. */
    struct fixture fixture = {0};
    struct err_text error = {{0}};
    if (zygote_start(&error, &fixture.zygote) != 0) {
        (void)fprintf(stderr, "%s\n", error.s);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(
            test_every_workload_comes_to_the_same_with_every_strategy_on_numbers, &fixture),
        cmocka_unit_test_prestate(
            test_every_workload_comes_to_the_same_with_every_strategy_on_bytes, &fixture),
        cmocka_unit_test_prestate(test_exec_comes_to_the_same_with_every_strategy, &fixture),
        cmocka_unit_test(test_every_workload_describes_itself),
    };
    void *state = &fixture;
    int rc = set_up(&state) == 0 ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    (void)tear_down(&state);
    zygote_stop(fixture.zygote);
    return rc;
}
