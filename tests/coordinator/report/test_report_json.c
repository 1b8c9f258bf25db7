/* The report as JSON, read back with jansson and held against schema quartet.report/1. */
#include "coordinator/report/report.h"
#include "tests/coordinator/report/report_fixture.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
    static struct fixture fixture;
    fixture_init_io(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_deinit(*state);
    return 0;
}

static json_t *parse(const struct fixture *fixture)
{
    char *text = fixture_render(&fixture->report, report_write_json);
    json_error_t error;
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL) {
        fail_msg("line %d: %s in:\n%s", error.line, error.text, text);
    }
    free(text);
    return json;
}

static json_t *first_comparison(const json_t *root)
{
    return json_array_get(json_object_get(root, "comparisons"), 0);
}

static json_t *cell_at(const json_t *root, size_t index)
{
    return json_array_get(json_object_get(first_comparison(root), "cells"), index);
}

static void assert_type(const json_t *object, const char *key, json_type type)
{
    const json_t *value = json_object_get(object, key);
    if (value == NULL || json_typeof(value) != type) {
        fail_msg("key %s is missing or of another type", key);
    }
}

static void assert_text(const json_t *object, const char *key, const char *expected)
{
    assert_type(object, key, JSON_STRING);
    assert_string_equal(json_string_value(json_object_get(object, key)), expected);
}

static void assert_whole(const json_t *object, const char *key, json_int_t expected)
{
    assert_type(object, key, JSON_INTEGER);
    assert_int_equal(json_integer_value(json_object_get(object, key)), expected);
}

static void assert_real(const json_t *object, const char *key, double expected)
{
    assert_type(object, key, JSON_REAL);
    double value = json_real_value(json_object_get(object, key));
    if (fabs(value - expected) > 1e-8 * fabs(expected)) {
        fail_msg("%s is %.12g, not %.12g", key, value, expected);
    }
}

static void test_json_has_the_head_of_the_schema(void **state)
{
    struct fixture *fixture = *state;
    struct environment *environment = &fixture->report.environment;
    (void)strcpy(environment->host, "h");
    (void)strcpy(environment->libraries[0][0], "libzmq");
    (void)strcpy(environment->libraries[0][1], "4.3.4");
    environment->library_count = 1;
    environment->memory_bytes = 1024;
    json_t *root = parse(fixture);
    assert_text(root, "schema", "quartet.report/1");
    assert_text(root, "started", "2026-01-02T03:04:05Z");
    const json_t *quartet = json_object_get(root, "quartet");
    assert_text(quartet, "version", "0.1.0");
    assert_text(quartet, "commit", "abc");
    const json_t *command = json_object_get(root, "command");
    assert_int_equal(json_array_size(command), 2);
    assert_string_equal(json_string_value(json_array_get(command, 1)), "compare");
    const json_t *machine = json_object_get(root, "environment");
    static const char *const texts[] = {"host", "os", "kernel", "cpu"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_type(machine, texts[i], JSON_STRING);
    }
    assert_type(machine, "cores_online", JSON_INTEGER);
    assert_type(machine, "cores_usable", JSON_INTEGER);
    assert_whole(machine, "memory_bytes", 1024);
    assert_type(machine, "load_before", JSON_REAL);
    assert_type(machine, "load_after", JSON_REAL);
    assert_text(json_object_get(machine, "libraries"), "libzmq", "4.3.4");
    json_decref(root);
}

static void test_json_has_the_comparison_of_the_schema(void **state)
{
    json_t *root = parse(*state);
    const json_t *comparison = first_comparison(root);
    const json_t *workload = json_object_get(comparison, "workload");
    assert_text(workload, "name", "fetch");
    assert_text(json_object_get(workload, "parameters"), "delay", "0.1");
    assert_whole(comparison, "items", 64);
    assert_whole(comparison, "rounds", 3);
    assert_whole(comparison, "warmup", 1);
    assert_whole(comparison, "seed", 7);
    const json_t *agreement = json_object_get(comparison, "agreement");
    assert_type(agreement, "agree", JSON_TRUE);
    assert_text(agreement, "checksum", "0000000000005f0c");
    const json_t *verdict = json_object_get(comparison, "verdict");
    assert_text(verdict, "bound", "io");
    assert_real(verdict, "cpu_per_wall", 0.03 / 6.43);
    assert_text(verdict, "best_local", "async");
    assert_text(verdict, "best_distributed", "async");
    assert_type(verdict, "text", JSON_STRING);
    json_decref(root);
}

static void test_json_has_every_cell_with_every_sample(void **state)
{
    json_t *root = parse(*state);
    assert_int_equal(json_array_size(json_object_get(first_comparison(root), "cells")),
                     FIXTURE_CELLS);
    const json_t *cell = cell_at(root, FAR_THREADS);
    assert_text(cell, "strategy", "threads");
    assert_text(cell, "placement", "distributed");
    assert_whole(cell, "workers", 2);
    assert_whole(cell, "concurrency", 16);
    assert_real(cell, "median_s", 0.41);
    assert_real(cell, "min_s", 0.41 * 0.99);
    assert_real(cell, "max_s", 0.41 * 1.01);
    assert_int_equal(json_array_size(json_object_get(cell, "ci95_s")), 2);
    assert_real(cell, "speedup", 6.43 / 0.41);
    assert_real(cell, "efficiency", 6.43 / 0.41 / 16);
    const json_t *samples = json_object_get(cell, "samples");
    assert_int_equal(json_array_size(samples), FIXTURE_ROUNDS);
    const json_t *sample = json_array_get(samples, 1);
    assert_real(sample, "wall_s", 0.41 * 1.01);
    assert_real(sample, "cpu_s", 0.03);
    assert_whole(sample, "ok", 64);
    static const char *const counts[] = {"failed",
                                         "retried",
                                         "duplicates",
                                         "workers_lost",
                                         "bytes_out",
                                         "speculated",
                                         "speculations_won",
                                         "adopted",
                                         "late"};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        assert_whole(sample, counts[i], 0);
    }
    assert_real(sample, "saved_s", 0);
    assert_whole(sample, "chunks", 8);
    assert_text(sample, "checksum", "0000000000005f0c");
    json_decref(root);
}

static void test_json_writes_null_where_there_is_no_time(void **state)
{
    struct fixture *fixture = *state;
    (void)strcpy(fixture->cells[FAR_ASYNC].trouble, "no worker came");
    fixture->cells[FAR_ASYNC].sample_count = 0;
    json_t *root = parse(fixture);
    const json_t *cell = cell_at(root, FAR_ASYNC);
    assert_type(cell, "has_time", JSON_FALSE);
    assert_type(cell, "median_s", JSON_NULL);
    assert_type(cell, "ci95_s", JSON_NULL);
    assert_type(cell, "speedup", JSON_NULL);
    assert_text(cell, "trouble", "no worker came");
    json_decref(root);
}

static void test_json_never_writes_what_is_not_finite(void **state)
{
    struct fixture *fixture = *state;
    fixture->samples[LOCAL_SERIAL][0].cpu_s = NAN;
    fixture->samples[LOCAL_SERIAL][1].startup_s = INFINITY;
    fixture->report.environment.load_after = -INFINITY;
    char *text = fixture_render(&fixture->report, report_write_json);
    assert_lacks(text, "inf");
    assert_lacks(text, "nan");
    free(text);
    json_t *root = parse(fixture);
    const json_t *sample = json_array_get(json_object_get(cell_at(root, 0), "samples"), 0);
    assert_type(sample, "cpu_s", JSON_NULL);
    json_decref(root);
}

static void test_json_keeps_whole_numbers_beyond_its_own_as_text(void **state)
{
    struct fixture *fixture = *state;
    fixture->comparison.seed = UINT64_MAX;
    fixture->comparison.items = INT64_MAX;
    json_t *root = parse(fixture);
    assert_text(first_comparison(root), "seed", "18446744073709551615");
    assert_whole(first_comparison(root), "items", INT64_MAX);
    json_decref(root);
}

static void test_json_replaces_bytes_that_are_not_utf8(void **state)
{
    struct fixture *fixture = *state;
    (void)strcpy(fixture->cells[LOCAL_ASYNC].trouble, "na\xc3\xafve \xff\xfe end\xc3");
    char argument[] = "\x80";
    char *command[] = {argument, NULL};
    fixture->report.command = command;
    json_t *root = parse(fixture);
    assert_text(cell_at(root, LOCAL_ASYNC),
                "trouble",
                "na\xc3\xafve \xef\xbf\xbd\xef\xbf\xbd end\xef\xbf\xbd");
    json_decref(root);
}

static void test_json_escapes_quotes_and_control_characters(void **state)
{
    struct fixture *fixture = *state;
    (void)strcpy(fixture->samples[FAR_SERIAL][0].first_error, "item \"a\\b\"\n\t\x01");
    json_t *root = parse(fixture);
    const json_t *sample = json_array_get(json_object_get(cell_at(root, FAR_SERIAL), "samples"), 0);
    assert_text(sample, "first_error", "item \"a\\b\"\n\t\x01");
    json_decref(root);
}

static void test_json_has_the_hosts_and_null_for_a_round_trip_that_was_not_measured(void **state)
{
    struct fixture *fixture = *state;
    static const struct report_host hosts[] = {
        {.name = "h1", .workers = 1, .cores = 2, .round_trip_s = 0.25, .items = 7},
        {.name = "h\xff",
         .workers = 2,
         .cores = 4}, /* not UTF-8: must not make the report unreadable */
    };
    fixture->report.hosts = hosts;
    fixture->report.host_count = 2;
    fixture->cells[FAR_SERIAL].hosts = 2;
    json_t *root = parse(fixture);
    const json_t *list = json_object_get(root, "hosts");
    assert_int_equal(json_array_size(list), 2);
    const json_t *first = json_array_get(list, 0);
    assert_text(first, "name", "h1");
    assert_int_equal(json_integer_value(json_object_get(first, "workers")), 1);
    assert_int_equal(json_integer_value(json_object_get(first, "cores_usable")), 2);
    assert_int_equal(json_integer_value(json_object_get(first, "items_run")), 7);
    assert_true(json_real_value(json_object_get(first, "round_trip_s")) == 0.25);
    assert_type(json_array_get(list, 1), "round_trip_s", JSON_NULL);
    assert_int_equal(json_integer_value(json_object_get(cell_at(root, FAR_SERIAL), "hosts")), 2);
    assert_int_equal(json_integer_value(json_object_get(cell_at(root, LOCAL_SERIAL), "hosts")), 0);
    json_decref(root);
}

static void test_json_of_a_disagreement(void **state)
{
    struct fixture *fixture = *state;
    fixture->samples[FAR_ASYNC][0].checksum = 1;
    json_t *root = parse(fixture);
    const json_t *agreement = json_object_get(first_comparison(root), "agreement");
    assert_type(agreement, "agree", JSON_FALSE);
    assert_whole(agreement, "odd_cells", 1);
    json_decref(root);
}

static void test_json_without_any_result(void **state)
{
    struct fixture *fixture = *state;
    fixture->comparison.cell_count = 0;
    fixture->report.command = NULL;
    fixture->comparison.params = NULL;
    json_t *root = parse(fixture);
    assert_type(json_object_get(first_comparison(root), "agreement"), "checksum", JSON_NULL);
    assert_type(json_object_get(first_comparison(root), "verdict"), "bound", JSON_NULL);
    json_decref(root);
}

static void test_json_sees_a_full_disk(void **state)
{
    struct fixture *fixture = *state;
    fixture_assert_full_disk_is_seen(&fixture->report, report_write_json);
}

/* ---- every allocation of jansson fails in turn ---- */

static size_t allocations_left;

static void *failing_malloc(size_t size)
{
    if (allocations_left == 0) {
        return NULL;
    }
    allocations_left--;
    return malloc(size);
}

static void test_json_says_when_memory_runs_out_wherever_that_is(void **state)
{
    struct fixture *fixture = *state;
    fixture->comparison.cell_count = 1;
    json_set_alloc_funcs(failing_malloc, free);
    int rc = ERR_NOMEM;
    size_t limit = 0;
    for (; rc != 0 && limit < 10000; limit++) {
        FILE *null = fopen("/dev/null", "w");
        assert_non_null(null);
        allocations_left = limit;
        rc = report_write_json(&fixture->report, null);
        (void)fclose(null);
        if (rc != 0 && rc != ERR_NOMEM) {
            break;
        }
    }
    json_set_alloc_funcs(malloc, free);
    assert_int_equal(rc, 0);
    assert_true(limit > 100);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_json_has_the_head_of_the_schema),
        CASE(test_json_has_the_comparison_of_the_schema),
        CASE(test_json_has_every_cell_with_every_sample),
        CASE(test_json_writes_null_where_there_is_no_time),
        CASE(test_json_never_writes_what_is_not_finite),
        CASE(test_json_keeps_whole_numbers_beyond_its_own_as_text),
        CASE(test_json_replaces_bytes_that_are_not_utf8),
        CASE(test_json_escapes_quotes_and_control_characters),
        CASE(test_json_has_the_hosts_and_null_for_a_round_trip_that_was_not_measured),
        CASE(test_json_of_a_disagreement),
        CASE(test_json_without_any_result),
        CASE(test_json_sees_a_full_disk),
        CASE(test_json_says_when_memory_runs_out_wherever_that_is),
    };
    return cmocka_run_group_tests_name("report_json", tests, NULL, NULL);
}
