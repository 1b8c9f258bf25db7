/* The contract test: every registered workload with every strategy comes to the same counts and the same checksum. A new workload or strategy is covered
 * the moment it is registered. */
#include "common/base/items.h"
#include "coordinator/origin.h"
#include "worker/engine/engine.h"
#include "worker/engine/zygote.h"
#include "worker/workloads/params.h"
#include "worker/workloads/registry.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { ITEMS = 40, CHUNKS = 10, SLOTS = 3, LIMIT_MS = 60000 };

struct fixture {
    struct zygote *zygote;
    struct origin *origin;
    char url[128];
};

/* The owner's side of the engine: sleeps until it is woken. */
struct owner {
    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool news;
};

static void wake(void *arg)
{
    struct owner *owner = arg;
    pthread_mutex_lock(&owner->lock);
    owner->news = true;
    pthread_cond_signal(&owner->woken);
    pthread_mutex_unlock(&owner->lock);
}

static void wait_for_news(struct owner *owner)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LIMIT_MS / 1000;
    pthread_mutex_lock(&owner->lock);
    while (!owner->news) {
        assert_int_equal(pthread_cond_timedwait(&owner->woken, &owner->lock, &until), 0);
    }
    owner->news = false;
    pthread_mutex_unlock(&owner->lock);
}

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

static struct blob *payload_of(uint64_t first, uint64_t count, const char *prefix)
{
    char item[128];
    size_t bytes = 0;
    for (uint64_t i = 0; i < count; i++) {
        bytes += (size_t)snprintf(
            item, sizeof(item), "%s%llu", prefix, (unsigned long long)(first + i));
    }
    size_t size = items_payload_size(count, bytes);
    unsigned char *payload = calloc(1, size);
    assert_non_null(payload);
    unsigned char *at = payload + count * sizeof(uint32_t);
    for (uint64_t i = 0; i < count; i++) {
        int len = snprintf(item, sizeof(item), "%s%llu", prefix, (unsigned long long)(first + i));
        payload[i * 4] = (unsigned char)len;
        memcpy(at, item, (size_t)len + 1);
        at += len + 1;
    }
    return blob_new(payload, size, NULL, NULL);
}

static struct tally run(const struct fixture *fixture,
                        const struct workload_ops *workload,
                        enum strategy strategy,
                        const char *prefix)
{
    struct owner owner = {.lock = PTHREAD_MUTEX_INITIALIZER, .woken = PTHREAD_COND_INITIALIZER};
    struct params params = {0};
    set_params(&params, workload, fixture);
    struct engine_options options = {
        .workload = workload,
        .params = &params,
        .strategy = strategy,
        .slots = strategy == STRATEGY_SERIAL ? 1 : SLOTS,
        .range_first = 1,
        .zygote = fixture->zygote,
        .wake = wake,
        .wake_arg = &owner,
    };
    struct err_text error = {{0}};
    struct engine *engine = NULL;
    assert_int_equal(engine_new(&options, &error, &engine), 0);
    for (uint64_t i = 0; i < CHUNKS; i++) {
        struct chunk chunk = {
            .id = {i + 1}, .first = i * (ITEMS / CHUNKS), .count = ITEMS / CHUNKS, .attempt = 1};
        if (prefix != NULL) {
            chunk.payload = payload_of(chunk.first, chunk.count, prefix);
            chunk.payload_len = (uint32_t)blob_len(chunk.payload);
        }
        assert_int_equal(engine_submit(engine, &chunk, 1), 0);
    }
    struct tally tally = {0};
    size_t done = 0;
    while (done < CHUNKS) {
        struct chunk_result results[CHUNKS];
        size_t count = engine_take(engine, results, CHUNKS);
        for (size_t i = 0; i < count; i++) {
            tally_merge(&tally, &results[i].tally);
            if (results[i].error != NULL) {
                print_message("%s %s: %.*s\n",
                              workload->name,
                              strategy_name(strategy),
                              (int)results[i].error_len,
                              results[i].error);
            }
            free(results[i].error);
        }
        done += count;
        if (count == 0) {
            assert_int_not_equal(engine_state(engine, &error), ENGINE_FAILED);
            wait_for_news(&owner);
        }
    }
    engine_free(engine);
    params_deinit(&params);
    return tally;
}

static void compare_strategies(const struct fixture *fixture,
                               const struct workload_ops *workload,
                               const char *prefix)
{
    struct tally serial = run(fixture, workload, STRATEGY_SERIAL, prefix);
    assert_int_equal(serial.ok, ITEMS);
    assert_int_equal(serial.failed, 0);
    for (int s = STRATEGY_THREADS; s <= STRATEGY_PROCESSES; s++) {
        struct tally tally = run(fixture, workload, (enum strategy)s, prefix);
        print_message("%s %s: ok %llu checksum %016llx\n",
                      workload->name,
                      strategy_name((enum strategy)s),
                      (unsigned long long)tally.ok,
                      (unsigned long long)tally.checksum);
        assert_memory_equal(&tally, &serial, sizeof(tally));
    }
    if (prefix == NULL && workload->expected_checksum != NULL) {
        assert_true(serial.checksum == workload->expected_checksum(1, ITEMS));
    }
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
