/* An engine fed with one small job; see contract_rig.h. */
#include "tests/worker/contract_rig.h"

#include "common/base/items.h"
#include "worker/engine/engine.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { CHUNKS = 10, SLOTS = 3, LIMIT_MS = 60000 };

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

static struct tally run(const struct contract_case *given, enum strategy strategy)
{
    struct owner owner = {.lock = PTHREAD_MUTEX_INITIALIZER, .woken = PTHREAD_COND_INITIALIZER};
    struct engine_options options = {
        .workload = given->workload,
        .params = given->params,
        .strategy = strategy,
        .slots = strategy == STRATEGY_SERIAL ? 1 : SLOTS,
        .range_first = 1,
        .zygote = given->zygote,
        .wake = wake,
        .wake_arg = &owner,
    };
    struct err_text error = {{0}};
    struct engine *engine = NULL;
    assert_int_equal(engine_new(&options, &error, &engine), 0);
    for (uint64_t i = 0; i < CHUNKS; i++) {
        struct chunk chunk = {.id = {i + 1},
                              .first = i * (CONTRACT_ITEMS / CHUNKS),
                              .count = CONTRACT_ITEMS / CHUNKS,
                              .attempt = 1};
        if (given->prefix != NULL) {
            chunk.payload = payload_of(chunk.first, chunk.count, given->prefix);
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
                              given->workload->name,
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
    return tally;
}

void contract_compare_strategies(const struct contract_case *given)
{
    const struct workload_ops *workload = given->workload;
    struct tally serial = run(given, STRATEGY_SERIAL);
    assert_int_equal(serial.ok, CONTRACT_ITEMS);
    assert_int_equal(serial.failed, 0);
    for (int s = STRATEGY_THREADS; s <= STRATEGY_PROCESSES; s++) {
        struct tally tally = run(given, (enum strategy)s);
        print_message("%s %s: ok %llu checksum %016llx\n",
                      workload->name,
                      strategy_name((enum strategy)s),
                      (unsigned long long)tally.ok,
                      (unsigned long long)tally.checksum);
        assert_memory_equal(&tally, &serial, sizeof(tally));
    }
    if (given->prefix == NULL && workload->expected_checksum != NULL) {
        assert_true(serial.checksum == workload->expected_checksum(1, CONTRACT_ITEMS));
    }
}
