/* The examples, loaded as plugins, with every strategy: the same counts, the same checksum. EXAMPLES is
 * where they were built. */
#include "tests/worker/contract_rig.h"
#include "worker/engine/engine.h"
#include "worker/workloads/plugin.h"
#include "worker/workloads/registry.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATH_SIZE = 128 };

struct fixture {
    struct zygote *zygote;
    char directory[64]; /* with a file of n lines for each item n */
};

static void load(struct contract_case *given, struct params *params, const char *path)
{
    struct err_text error = {""};
    if (workload_resolve(path, &error, &given->workload) != 0 ||
        params_resolve(params, given->workload->params, given->workload->param_count, &error) !=
            0) {
        fail_msg("%s", error.s);
    }
    given->params = params;
}

static void compare(const struct fixture *fixture, const char *path, const char *prefix)
{
    struct params params = {.count = 0};
    struct contract_case given = {.zygote = fixture->zygote, .prefix = prefix};
    load(&given, &params, path);
    contract_compare_strategies(&given);
    params_deinit(&params);
}

static void test_example_on_numbers_comes_to_the_same_with_every_strategy(void **state)
{
    compare(*state, EXAMPLES "/libcollatz.so", NULL);
}

static void test_examples_on_files_come_to_the_same_with_every_strategy(void **state)
{
    const struct fixture *fixture = *state;
    char prefix[PATH_SIZE];
    (void)snprintf(prefix, sizeof(prefix), "%s/", fixture->directory);
    compare(fixture, EXAMPLES "/liblinecount.so", prefix);
    compare(fixture, EXAMPLES "/libfilesize.so", prefix);
}

static void test_example_in_cxx_comes_to_the_same_with_every_strategy(void **state)
{
    if (access(EXAMPLES "/libmatches.so", R_OK) != 0) {
        skip(); /* there is no compiler for it */
    }
    compare(*state, EXAMPLES "/libmatches.so", "one two three ");
}

/* --- batches --- */

static size_t count_lines(const char *path)
{
    size_t lines = 0;
    int c = 0;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    while ((c = getc(file)) != EOF) {
        lines += c == '\n';
    }
    (void)fclose(file);
    return lines;
}

static void test_example_of_batches_comes_to_the_same_with_every_strategy(void **state)
{
    const struct fixture *fixture = *state;
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/log", fixture->directory);
    struct params params = {.count = 0};
    struct contract_case given = {.zygote = fixture->zygote, .prefix = "line "};
    assert_int_equal(params_set(&params, "file", path), 0);
    load(&given, &params, EXAMPLES "/libdurable.so");
    contract_compare_strategies(&given);
    assert_int_equal(count_lines(path), CONTRACT_ITEMS * STRATEGY_COUNT);
    params_deinit(&params);
}

/* Counts what a batch reports. */
struct count {
    struct workload_batch batch;
    size_t ok;
    size_t failed;
    uint64_t checksum;
};

static bool count_outcome(struct workload_batch *batch, const struct workload_outcome *outcome)
{
    struct count *count = (struct count *)batch; /* its first member */
    count->ok += outcome->ok;
    count->failed += !outcome->ok;
    count->checksum += outcome->checksum;
    return true;
}

static void run_batch(const struct workload_ops *workload, void *slot, struct count *count)
{
    static const struct workload_item items[] = {
        {.index = 0, .bytes = "one", .bytes_len = 3},
        {.index = 1, .bytes = "", .bytes_len = 0},
        {.index = 2, .bytes = "two", .bytes_len = 3},
    };
    *count = (struct count){.batch = {.items = items, .count = 3, .done = count_outcome}};
    workload->run_batch(slot, &count->batch);
}

static void test_example_of_batches_reports_each_item_and_writes_it(void **state)
{
    const struct fixture *fixture = *state;
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/durable", fixture->directory);
    struct params params = {.count = 0};
    struct contract_case given = {.prefix = NULL};
    assert_int_equal(params_set(&params, "file", path), 0);
    load(&given, &params, EXAMPLES "/libdurable.so");

    struct err_text error = {""};
    struct workload_host host;
    struct count count;
    void *shared = NULL;
    void *slot = NULL;
    workload_host_init(&host);
    assert_int_equal(given.workload->open(&params, &host, &error, &shared), 0);
    assert_int_equal(given.workload->slot_open(shared, &error, &slot), 0);
    run_batch(given.workload, slot, &count);
    assert_int_equal(count.ok, 3);
    uint64_t checksum = count.checksum;
    run_batch(given.workload, slot, &count);
    assert_true(count.checksum == checksum);
    given.workload->slot_close(slot);
    given.workload->close(shared);
    params_deinit(&params);

    char text[64] = "";
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(text, 1, sizeof(text), file), 18);
    (void)fclose(file);
    assert_string_equal(text, "one\n\ntwo\none\n\ntwo\n");
}

static void test_example_of_batches_says_what_it_cannot_open(void **state)
{
    (void)state;
    struct params params = {.count = 0};
    struct contract_case given = {.prefix = NULL};
    load(&given, &params, EXAMPLES "/libdurable.so");
    struct err_text error = {""};
    struct workload_host host;
    void *shared = NULL;
    void *slot = NULL;
    workload_host_init(&host);
    assert_true(given.workload->open(&params, &host, &error, &shared) < 0);
    assert_non_null(strstr(error.s, "--param file=PATH"));

    assert_int_equal(params_set(&params, "file", "/nonexistent/log"), 0);
    assert_int_equal(given.workload->open(&params, &host, &error, &shared), 0);
    assert_true(given.workload->slot_open(shared, &error, &slot) < 0);
    assert_non_null(strstr(error.s, "'/nonexistent/log': No such file or directory"));
    given.workload->close(shared);
    params_deinit(&params);
}

/* --- executors load by themselves --- */

static void on_wake(void *woken)
{
    (void)sem_post(woken);
}

static void test_plugin_that_is_gone_when_executors_start_fails_the_job_in_words(void **state)
{
    const struct fixture *fixture = *state;
    char command[2 * PATH_SIZE];
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/gone.so", fixture->directory);
    (void)snprintf(command, sizeof(command), "cp '%s' '%s'", EXAMPLES "/libcollatz.so", path);
    assert_int_equal(system(command), 0);

    struct params params = {.count = 0};
    struct contract_case given = {.prefix = NULL};
    load(&given, &params, path);
    assert_int_equal(unlink(path), 0);
    sem_t woken;
    assert_int_equal(sem_init(&woken, 0, 0), 0);
    struct engine_options options = {.workload = given.workload,
                                     .params = &params,
                                     .strategy = STRATEGY_PROCESSES,
                                     .slots = 2,
                                     .zygote = fixture->zygote,
                                     .wake = on_wake,
                                     .wake_arg = &woken};
    struct engine *engine = NULL;
    struct err_text error = {""};
    assert_int_equal(engine_new(&options, &error, &engine), 0);
    while (engine_state(engine, &error) == ENGINE_STARTING) {
        (void)sem_wait(&woken);
    }
    assert_int_equal(engine_state(engine, &error), ENGINE_FAILED);
    assert_non_null(strstr(error.s, path));
    assert_non_null(strstr(error.s, "No such file or directory"));
    engine_free(engine);
    (void)sem_destroy(&woken);
    params_deinit(&params);
}

static void make_files(struct fixture *fixture)
{
    (void)snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/quartet-contract-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    for (int i = 0; i < CONTRACT_ITEMS; i++) {
        char path[PATH_SIZE];
        (void)snprintf(path, sizeof(path), "%s/%d", fixture->directory, i);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        for (int line = 0; line < i; line++) {
            (void)fprintf(file, "line %d\n", line);
        }
        assert_int_equal(fclose(file), 0);
    }
}

static int set_up(void **state)
{
    make_files(*state);
    return 0;
}

static int tear_down(void **state)
{
    const struct fixture *fixture = *state;
    char command[PATH_SIZE];
    (void)snprintf(command, sizeof(command), "rm -r '%s'", fixture->directory);
    return system(command);
}

int main(void)
{
    /* The zygote first: nothing else exists yet, no plugin either. */
    struct fixture fixture = {.directory = ""};
    struct err_text error = {""};
    if (zygote_start(&error, &fixture.zygote) != 0) {
        (void)fprintf(stderr, "%s\n", error.s);
        return 1;
    }
    void *state = &fixture;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_example_on_numbers_comes_to_the_same_with_every_strategy,
                                  state),
        cmocka_unit_test_prestate(test_examples_on_files_come_to_the_same_with_every_strategy,
                                  state),
        cmocka_unit_test_prestate(test_example_in_cxx_comes_to_the_same_with_every_strategy, state),
        cmocka_unit_test_prestate(test_example_of_batches_comes_to_the_same_with_every_strategy,
                                  state),
        cmocka_unit_test_prestate(test_example_of_batches_reports_each_item_and_writes_it, state),
        cmocka_unit_test_prestate(test_example_of_batches_says_what_it_cannot_open, state),
        cmocka_unit_test_prestate(
            test_plugin_that_is_gone_when_executors_start_fails_the_job_in_words, state),
    };
    int rc = set_up(&state);
    rc = rc == 0 ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    rc = tear_down(&state) == 0 ? rc : 1;
    zygote_stop(fixture.zygote);
    return rc;
}
