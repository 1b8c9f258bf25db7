/* The contract over every registered workload: whatever forms it has come to the same count and checksum. Those that need a
 * network or a command have more in tests of their own. */
#include "tests/worker/workload_rig.h"
#include "worker/workloads/params.h"
#include "worker/workloads/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Short items, so that the contract test is quick; NULL: the defaults will do. */
static const char *quick_param(const char *workload)
{
    static const struct {
        const char *workload;
        const char *param;
    } quick[] = {
        {"sleep", "seconds=0.002"},
        {"spin", "seconds=0.0002"},
        {"pipe", "command=cat"},
    };

    for (size_t i = 0; i < sizeof(quick) / sizeof(quick[0]); i++) {
        if (strcmp(quick[i].workload, workload) == 0) {
            return quick[i].param;
        }
    }
    return NULL;
}

static void assert_same(const struct rig_result *a, const struct rig_result *b)
{
    assert_int_equal(a->tally.ok, b->tally.ok);
    assert_int_equal(a->tally.failed, b->tally.failed);
    assert_int_equal(a->tally.checksum, b->tally.checksum);
    assert_int_equal(a->tally.bytes_out, b->tally.bytes_out);
}

static void compare_forms(const char *name, const struct rig_items *items)
{
    const char *params[] = {quick_param(name), NULL};
    struct rig rig;
    rig_open(&rig, name, params);
    struct rig_result serial;
    struct rig_result other;
    rig_run(&rig, items, &serial);
    assert_int_equal(serial.tally.ok, items->count);
    rig_run_threads(&rig, items, 4, &other);
    assert_same(&serial, &other);
    if (rig.ops->run_numbers != NULL && items->texts == NULL) {
        rig_run_numbers(&rig, items, 7, &other);
        assert_same(&serial, &other);
        rig_run_numbers(&rig, items, rig.ops->numbers_per_batch, &other);
        assert_same(&serial, &other);
    }
    if (rig.ops->async_start != NULL) {
        rig_run_async(&rig, items, 10, &other);
        assert_same(&serial, &other);
    }
    rig_close(&rig);
}

/* Without a network, and without parameters that somebody has to give. */
static bool runs_by_itself(const struct workload_ops *ops)
{
    return strcmp(ops->name, "download") != 0 && ops->default_last != 0;
}

static void test_workloads_forms_agree_on_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < workload_registry_count; i++) {
        const struct workload_ops *ops = workload_registry[i];
        if ((ops->traits & WORKLOAD_NUMBERS) != 0 && runs_by_itself(ops)) {
            compare_forms(ops->name, &(struct rig_items){.count = 50, .first_number = 1000});
        }
    }
}

static void test_workloads_forms_agree_on_bytes(void **state)
{
    (void)state;
    static const char *const texts[] = {"one", "two", "", "two"};
    for (size_t i = 0; i < workload_registry_count; i++) {
        const struct workload_ops *ops = workload_registry[i];
        if ((ops->traits & WORKLOAD_BYTES) != 0 && runs_by_itself(ops)) {
            compare_forms(ops->name, &(struct rig_items){.count = 4, .texts = texts});
        }
    }
}

static void test_workloads_entries_are_complete(void **state)
{
    (void)state;
    for (size_t i = 0; i < workload_registry_count; i++) {
        const struct workload_ops *ops = workload_registry[i];
        assert_true(ops->traits & (WORKLOAD_NUMBERS | WORKLOAD_BYTES));
        assert_true(ops->open && ops->close && ops->slot_open && ops->slot_close && ops->run);
        assert_int_equal(ops->async_open != NULL, ops->async_start != NULL);
        assert_int_equal(ops->async_open != NULL, ops->async_cancel != NULL);
        assert_int_equal(ops->async_open != NULL, ops->async_close != NULL);
        assert_int_equal(ops->run_numbers != NULL, ops->numbers_per_batch > 0);
        assert_true(ops->default_first <= ops->default_last);
        assert_true(ops->param_count <= PARAMS_MAX);
        assert_ptr_equal(workload_find(ops->name), ops);

        struct params params = {0};
        struct err_text error = {""};
        if (params_resolve(&params, ops->params, ops->param_count, &error) != 0) {
            fail_msg("%s: its own defaults are refused: %s", ops->name, error.s);
        }
        params_deinit(&params);
    }
}

static void test_workloads_lookup_offers_nearest_name(void **state)
{
    (void)state;
    struct err_text error;
    const struct workload_ops *ops = NULL;
    assert_int_equal(workload_lookup("downlaod", &error, &ops), ERR_NOT_FOUND);
    assert_string_equal(error.s, "workload 'downlaod' is not known; did you mean 'download'?");
    assert_int_equal(workload_lookup("xyzzy", &error, &ops), ERR_NOT_FOUND);
    assert_non_null(strstr(error.s, "'xyzzy'"));
    assert_null(ops);
}

static void test_squares_checksum_is_the_closed_form(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_result result;
    rig_open(&rig, "squares", NULL);
    /* N(N+1)(2N+1)/6 for N = 10^6 is 333333833333500000, which fits. */
    const struct rig_items million = {.count = 1000000, .first_number = 1};
    rig_run_numbers(&rig, &million, rig.ops->numbers_per_batch, &result);
    assert_int_equal(result.tally.checksum, 333333833333500000U);
    assert_int_equal(result.tally.bytes_out, 8000000);

    /* Wraps: (2^64 - 1)^2 + (2^64 - 2)^2 is 1 + 4 modulo 2^64. */
    const struct rig_items last = {.count = 2, .first_number = UINT64_MAX - 1};
    rig_run(&rig, &last, &result);
    assert_int_equal(result.tally.checksum, 5);
    rig_close(&rig);
}

static void test_noop_checksum_is_the_sum_and_shows_a_lost_item(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_result result;
    rig_open(&rig, "noop", NULL);
    rig_run_numbers(&rig, &(struct rig_items){.count = 1001, .first_number = 3}, 1000, &result);
    assert_int_equal(result.tally.ok, 1001);
    assert_int_equal(result.tally.checksum, 1001 * (3 + 1003) / 2);
    rig_run_numbers(&rig, &(struct rig_items){.count = 1000, .first_number = 3}, 999, &result);
    assert_int_equal(result.tally.checksum, 1000 * (3 + 1002) / 2);
    rig_close(&rig);
}

static void test_sleep_never_ends_early_in_either_form(void **state)
{
    (void)state;
    const char *params[] = {"seconds=0.0207", NULL};
    struct rig rig;
    struct rig_result result;
    rig_open(&rig, "sleep", params);

    uint64_t begin = rig_now_us();
    rig_run(&rig, &(struct rig_items){.count = 3}, &result);
    uint64_t serial_us = rig_now_us() - begin;
    begin = rig_now_us();
    rig_run_async(&rig, &(struct rig_items){.count = 50}, 50, &result);
    uint64_t async_us = rig_now_us() - begin;
    rig_close(&rig);

    /* The upper bounds leave room for a busy machine; one after another the fifty would need 1.035 s. */
    assert_in_range(serial_us, 3 * 20700, 1000000);
    assert_in_range(async_us, 20700, 1000000);
}

static void test_sleep_of_zero_completes_in_async_form(void **state)
{
    (void)state;
    const char *params[] = {"seconds=0", NULL};
    struct rig rig;
    struct rig_result result;
    rig_open(&rig, "sleep", params);
    rig_run_async(&rig, &(struct rig_items){.count = 1000}, 3, &result);
    assert_int_equal(result.tally.ok, 1000);
    rig_close(&rig);
}

static void test_workloads_that_take_long_stop_when_cancelled(void **state)
{
    (void)state;
    static const char *const names[] = {"sleep", "spin"};
    const char *params[] = {"seconds=60", NULL};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct rig rig;
        struct rig_result result;
        rig_open(&rig, names[i], params);
        rig_cancel_soon(&rig);
        rig_run(&rig, &(struct rig_items){.count = 1}, &result);
        assert_true(rig_cancelled_for_us(&rig) < 200000);
        rig_close(&rig);
    }
}

static void test_sleep_async_calls_come_back_as_failed_when_cancelled(void **state)
{
    (void)state;
    const char *params[] = {"seconds=60", NULL};
    struct rig rig;
    struct rig_result result;
    rig_open(&rig, "sleep", params);
    rig_cancel_soon(&rig);
    rig_run_async(&rig, &(struct rig_items){.count = 100}, 50, &result);
    assert_true(rig_cancelled_for_us(&rig) < 200000);
    assert_int_equal(result.tally.failed, 50);
    assert_string_equal(result.error, "cancelled");
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_workloads_entries_are_complete),
        cmocka_unit_test(test_workloads_forms_agree_on_numbers),
        cmocka_unit_test(test_workloads_forms_agree_on_bytes),
        cmocka_unit_test(test_workloads_lookup_offers_nearest_name),
        cmocka_unit_test(test_squares_checksum_is_the_closed_form),
        cmocka_unit_test(test_noop_checksum_is_the_sum_and_shows_a_lost_item),
        cmocka_unit_test(test_sleep_never_ends_early_in_either_form),
        cmocka_unit_test(test_sleep_of_zero_completes_in_async_form),
        cmocka_unit_test(test_workloads_that_take_long_stop_when_cancelled),
        cmocka_unit_test(test_sleep_async_calls_come_back_as_failed_when_cancelled),
    };
    return !!cmocka_run_group_tests_name("workloads", tests, NULL, NULL);
}
