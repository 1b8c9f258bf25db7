/* Plugins that are loaded beside the loop: what comes back, and those that never do. */
#include "common/base/check.h"
#include "worker/plugin_loader.h"
#include "worker/workloads/plugin.h"
#include "worker/workloads/registry.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Of the plugin that is loaded next. */
static struct {
    sem_t let_go;
    const char *error;
} plugin;

static void await(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0) {
    }
}

int __wrap_plugin_load(const char *path,
                       struct err_text *ret_error,
                       const struct workload_ops **ret_workload);

int __wrap_plugin_load(const char *path,
                       struct err_text *ret_error,
                       const struct workload_ops **ret_workload)
{
    CHECK(strcmp(path, "/a/plugin.so") == 0);
    await(&plugin.let_go);
    if (plugin.error != NULL) {
        return err_set(ret_error, ERR_INVALID, "%s", plugin.error);
    }
    *ret_workload = workload_find("noop");
    return 0;
}

static void on_wake(void *arg)
{
    CHECK(sem_post(arg) == 0);
}

struct fixture {
    sem_t woken;
    struct plugin_loader *loader;
    struct plugin_loader *left;
};

static int setup(void **state)
{
    static struct fixture f;
    struct err_text error;
    char path[] = "/a/plugin.so";
    f = (struct fixture){.loader = NULL};
    plugin.error = NULL;
    CHECK(sem_init(&plugin.let_go, 0, 0) == 0 && sem_init(&f.woken, 0, 0) == 0);
    CHECK(plugin_loader_start(path, on_wake, &f.woken, &error, &f.loader) == 0);
    memset(path, 0, sizeof(path)); /* it has its own */
    *state = &f;
    return 0;
}

/* None may be left by then. */
static int teardown(void **state)
{
    struct fixture *f = *state;
    return plugin_loader_reap(&f->left, 10000) ? 0 : 1;
}

static void test_loader_brings_what_was_loaded(void **state)
{
    struct fixture *f = *state;
    struct err_text error;
    const struct workload_ops *workload = NULL;
    int rc = -1;
    assert_false(plugin_loader_done(f->loader, &rc, &error, &workload));
    assert_int_equal(rc, -1);
    CHECK(sem_post(&plugin.let_go) == 0);
    await(&f->woken);
    while (!plugin_loader_done(f->loader, &rc, &error, &workload)) {
    }
    assert_int_equal(rc, 0);
    assert_ptr_equal(workload, workload_find("noop"));
    plugin_loader_leave(f->loader, &f->left);
}

static void test_loader_brings_the_refusal(void **state)
{
    struct fixture *f = *state;
    struct err_text error;
    const struct workload_ops *workload = NULL;
    int rc = 0;
    plugin.error = "it is no plugin";
    CHECK(sem_post(&plugin.let_go) == 0);
    await(&f->woken);
    assert_true(plugin_loader_done(f->loader, &rc, &error, &workload));
    assert_int_equal(rc, ERR_INVALID);
    assert_string_equal(error.s, "it is no plugin");
    plugin_loader_leave(f->loader, &f->left);
}

static void test_loader_that_was_left_wakes_nobody_and_is_freed_when_it_is_done(void **state)
{
    struct fixture *f = *state;
    plugin_loader_leave(f->loader, &f->left);
    assert_false(plugin_loader_reap(&f->left, 0));
    assert_false(plugin_loader_reap(&f->left, 1));
    assert_non_null(f->left);
    CHECK(sem_post(&plugin.let_go) == 0);
    assert_true(plugin_loader_reap(&f->left, 10000));
    assert_null(f->left);
    assert_int_equal(sem_trywait(&f->woken), -1);
}

static void test_loader_frees_only_those_that_are_done(void **state)
{
    struct fixture *f = *state;
    struct err_text error;
    struct plugin_loader *second = NULL;
    assert_int_equal(plugin_loader_start("/a/plugin.so", on_wake, &f->woken, &error, &second), 0);
    plugin_loader_leave(f->loader, &f->left);
    plugin_loader_leave(second, &f->left);
    CHECK(sem_post(&plugin.let_go) == 0); /* one of the two comes back */
    assert_false(plugin_loader_reap(&f->left, 100));
    CHECK(sem_post(&plugin.let_go) == 0);
    assert_true(plugin_loader_reap(&f->left, 10000));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_loader_brings_what_was_loaded),
        TEST(test_loader_brings_the_refusal),
        TEST(test_loader_that_was_left_wakes_nobody_and_is_freed_when_it_is_done),
        TEST(test_loader_frees_only_those_that_are_done),
    };
    return cmocka_run_group_tests_name("plugin_loader", tests, NULL, NULL);
}
