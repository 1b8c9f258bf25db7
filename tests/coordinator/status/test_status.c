/* How a command is doing: as JSON, as text, and as text made from what is no such JSON. */
#include "coordinator/status/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WORKERS = 45 };

struct scene {
    struct status status;
    struct status_worker workers[WORKERS];
    char *command[4];
};

static int setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    assert_non_null(scene);
    scene->command[0] = (char *)(uintptr_t) "run";
    scene->command[1] = (char *)(uintptr_t) "noop";
    for (size_t i = 0; i < WORKERS; i++) {
        scene->workers[i] = (struct status_worker){.name = "ada",
                                                   .host = "vm",
                                                   .state = "running",
                                                   .slots = 8,
                                                   .chunks_held = 16,
                                                   .items_done = 12345,
                                                   .heard_s = 0.25,
                                                   .cores = 2};
    }
    scene->status = (struct status){
        .pid = 4711,
        .host = "vm",
        .command = scene->command,
        .started = "2026-01-02T03:04:05Z",
        .elapsed_s = 12.5,
        .phase = STATUS_RUNNING,
        .has_job = true,
        .job = {.label = "noop",
                .workload = "noop",
                .strategy = "threads",
                .placement = PLACEMENT_DISTRIBUTED,
                .begun = true,
                .elapsed_s = 12,
                .total = 1000,
                .stats = {.items_available = 1000,
                          .items_done = 600,
                          .items_held = 30,
                          .items_queued = 20,
                          .chunks_sent = 70,
                          .chunks_retried = 4,
                          .workers_lost = 1,
                          .tally = {.ok = 598, .failed = 2}},
                .rates = {.now = 50, .mean = 40, .left_s = 8},
                .late = 5,
                .durable_s = -1},
        .workers_expected = 2,
        .workers = scene->workers,
        .worker_count = 2,
    };
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static char *print(const json_t *json)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    status_print(json, stream);
    status_print_line(json, stream);
    assert_int_equal(fclose(stream), 0);
    return text;
}

static void assert_prints(const json_t *json, const char *part)
{
    char *text = print(json);
    if (strstr(text, part) == NULL) {
        fail_msg("'%s' is not in:\n%s", part, text);
    }
    free(text);
}

static void test_status_has_the_schema_and_the_numbers(void **state)
{
    struct scene *scene = *state;
    json_t *json = status_json(&scene->status);
    json_t *job = json_object_get(json, "job");
    json_t *items = json_object_get(job, "items");
    assert_string_equal(json_string_value(json_object_get(json, "schema")), "quartet.status/1");
    assert_int_equal(json_integer_value(json_object_get(json, "pid")), 4711);
    assert_string_equal(json_string_value(json_object_get(json, "phase")), "running");
    assert_true(json_is_null(json_object_get(json, "waiting")));
    assert_int_equal(json_integer_value(json_object_get(items, "total")), 1000);
    assert_int_equal(json_integer_value(json_object_get(items, "fresh")), 350);
    assert_int_equal(json_integer_value(json_object_get(items, "failed")), 2);
    assert_string_equal(json_string_value(json_object_get(job, "outcome")), "items_failed");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(job, "chunks"), "late")),
                     5);
    assert_true(json_is_null(json_object_get(job, "journal")));
    assert_int_equal(json_array_size(json_object_get(json, "workers")), 2);
    json_decref(json);
}

static void test_status_writes_null_for_what_is_not_known(void **state)
{
    struct scene *scene = *state;
    scene->status.job.total = 0;
    scene->status.job.begun = false;
    scene->status.job.rates = (struct pace_rates){-1, -1, -1};
    scene->workers[0].slots = 0;
    json_t *json = status_json(&scene->status);
    json_t *job = json_object_get(json, "job");
    assert_true(json_is_null(json_object_get(json_object_get(job, "items"), "total")));
    assert_true(json_is_null(json_object_get(json_object_get(job, "rate"), "now")));
    assert_true(json_is_null(json_object_get(job, "left_s")));
    assert_true(json_is_null(json_object_get(job, "elapsed_s")));
    json_t *worker = json_array_get(json_object_get(json, "workers"), 0);
    assert_true(json_is_null(json_object_get(worker, "slots")));
    assert_prints(json, "600 of an unknown number done, 2 of them failed");
    assert_prints(json, "time left: unknown");
    json_decref(json);
    scene->status.has_job = false;
    json = status_json(&scene->status);
    assert_true(json_is_null(json_object_get(json, "job")));
    json_decref(json);
}

static void test_status_shows_what_it_waits_for_and_how_durable_it_is(void **state)
{
    struct scene *scene = *state;
    scene->status.stall = STALL_INPUT;
    scene->status.still_s = 7;
    (void)strcpy(scene->status.stall_text, "input (standard input) has nothing to read");
    scene->status.job.durable_s = 0.5;
    json_t *json = status_json(&scene->status);
    json_t *waiting = json_object_get(json, "waiting");
    assert_string_equal(json_string_value(json_object_get(waiting, "reason")), "input");
    assert_prints(json, "waiting    input (standard input) has nothing to read\n");
    assert_prints(json, "journal    durable 0.500 s ago\n");
    json_decref(json);
}

static void test_status_is_readable(void **state)
{
    struct scene *scene = *state;
    json_t *json = status_json(&scene->status);
    assert_prints(json, "command    quartet run noop\n");
    assert_prints(json, "process    4711, since 2026-01-02T03:04:05Z (12.5 s), running\n");
    assert_prints(json,
                  "items      600 of 1,000 done, 2 of them failed; 30 with workers, 20 to be sent "
                  "again, 350 not sent yet\n");
    assert_prints(
        json, "chunks     70 sent, 4 sent again, 5 results that came too late, 1 worker lost\n");
    assert_prints(json, "rate       50 items/s now, 40 items/s on average; time left: 8.00 s\n");
    assert_prints(
        json,
        "  ada@vm                       running      8      16       12,345    0.250 s     2\n");
    assert_prints(json, "   4711  quartet run noop, since 2026-01-02T03:04:05Z\n");
    json_decref(json);
}

static void test_status_lists_only_so_many_workers_for_people(void **state)
{
    struct scene *scene = *state;
    scene->status.worker_count = WORKERS;
    json_t *json = status_json(&scene->status);
    assert_int_equal(json_array_size(json_object_get(json, "workers")), WORKERS);
    assert_prints(json, "workers    45\n");
    assert_prints(json, "  ... and 5 more: --json lists all\n");
    json_decref(json);
}

/* What a terminal would obey is not printed: arguments may have any bytes. */
static void test_status_prints_no_control_characters(void **state)
{
    struct scene *scene = *state;
    scene->command[1] = (char *)(uintptr_t) "a\x1b[2Jb\n\xff";
    json_t *json = status_json(&scene->status);
    char *text = print(json);
    assert_null(strchr(text, '\x1b'));
    free(text);
    json_decref(json);
}

static void test_status_prints_whatever_came_instead(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "[1]",
        "{\"job\":{},\"waiting\":{},\"workers\":[1,{}],\"command\":[1,{}]}",
        "{\"job\":{\"items\":[],\"chunks\":7,\"rate\":\"x\",\"journal\":{}},\"pid\":-5}",
        "{\"pid\":\"1\",\"started\":{},\"phase\":[],\"workers\":{}}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        json_t *json = json_loads(texts[i], 0, NULL);
        assert_non_null(json);
        free(print(json));
        json_decref(json);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_status_has_the_schema_and_the_numbers),
        TEST(test_status_writes_null_for_what_is_not_known),
        TEST(test_status_shows_what_it_waits_for_and_how_durable_it_is),
        TEST(test_status_is_readable),
        TEST(test_status_lists_only_so_many_workers_for_people),
        TEST(test_status_prints_no_control_characters),
        TEST(test_status_prints_whatever_came_instead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
