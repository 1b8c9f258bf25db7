/* What a hand-over through the engine costs: chunks of one item that does nothing, per second, and the round trip of one chunk on an
 * idle engine. A benchmark, not a test: it prints and judges nothing. Usage: bench_engine [CHUNKS [IN_FLIGHT]] */
#include "worker/engine/clock.h"
#include "worker/engine/engine.h"
#include "worker/engine/zygote.h"

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROUND_TRIPS = 2000, BATCH_MAX = 4096 };

static int open_nothing(const struct params *params,
                        const struct workload_host *host,
                        struct err_text *ret_error,
                        void **ret_state)
{
    (void)params;
    (void)host;
    (void)ret_error;
    *ret_state = NULL;
    return 0;
}

static int open_no_slot(void *state, struct err_text *ret_error, void **ret_slot)
{
    (void)state;
    (void)ret_error;
    *ret_slot = NULL;
    return 0;
}

static void close_nothing(void *nothing)
{
    (void)nothing;
}

static void run_nothing(void *slot,
                        const struct workload_item *item,
                        struct workload_outcome *ret_outcome)
{
    (void)slot;
    ret_outcome->ok = true;
    ret_outcome->checksum = item->number;
}

static const struct workload_ops nothing = {
    WORKLOAD_ABI,
    .name = "nothing",
    .summary = "no work",
    .traits = WORKLOAD_NUMBERS,
    .open = open_nothing,
    .close = close_nothing,
    .slot_open = open_no_slot,
    .slot_close = close_nothing,
    .run = run_nothing,
};

static void on_wake(void *arg)
{
    (void)sem_post(arg);
}

static void await(sem_t *woken)
{
    while (sem_wait(woken) != 0 && errno == EINTR) {
    }
}

static void submit(struct engine *engine, uint64_t first, size_t count)
{
    static struct chunk chunks[BATCH_MAX];
    for (size_t i = 0; i < count; i++) {
        chunks[i] = (struct chunk){
            .id = {first + i + 1}, .first = first + i, .count = 1, .attempt = 1};
    }
    if (engine_submit(engine, chunks, count) != 0) {
        (void)fprintf(stderr, "no memory\n");
        exit(1);
    }
}

/* Keep `in_flight` chunks with the engine until `total` are done: every result is replaced as it is taken. */
static double seconds_for(struct engine *engine, sem_t *woken, uint64_t total, size_t in_flight)
{
    static struct chunk_result results[BATCH_MAX];
    uint64_t submitted = in_flight < total ? in_flight : total;
    uint64_t done = 0;
    uint64_t start_ns = clock_now_ns();
    submit(engine, 0, submitted);
    while (done < total) {
        size_t taken = engine_take(engine, results, BATCH_MAX);
        if (taken == 0) {
            await(woken);
            continue;
        }
        done += taken;
        size_t more = taken < total - submitted ? taken : total - submitted;
        submit(engine, submitted, more);
        submitted += more;
    }
    return (double)(clock_now_ns() - start_ns) / NS_PER_S;
}

static int bench(struct zygote *zygote,
                 enum strategy strategy,
                 uint32_t slots,
                 uint64_t total,
                 size_t in_flight)
{
    sem_t woken;
    struct err_text error;
    struct engine *engine;
    (void)sem_init(&woken, 0, 0);
    struct engine_options options = {
        .workload = &nothing,
        .strategy = strategy,
        .slots = slots,
        .zygote = zygote,
        .wake = on_wake,
        .wake_arg = &woken,
    };
    uint64_t start_ns = clock_now_ns();
    if (engine_new(&options, &error, &engine) != 0) {
        (void)fprintf(stderr, "%s\n", error.s);
        return 1;
    }
    while (engine_state(engine, NULL) == ENGINE_STARTING) {
        await(&woken);
    }
    double ready_ms = (double)(clock_now_ns() - start_ns) / NS_PER_MS;
    double round_trips_s = 0;
    for (int i = 0; i < ROUND_TRIPS; i++) {
        round_trips_s += seconds_for(engine, &woken, 1, 1);
    }
    double flood_s = seconds_for(engine, &woken, total, in_flight);
    (void)printf(
        "%-10s %3u slots: ready in %6.2f ms, %7.1f us a round trip, %5.2f million chunks/s "
        "(%.0f ns CPU of slots each)\n",
        strategy_name(strategy),
        slots,
        ready_ms,
        round_trips_s / ROUND_TRIPS * 1e6,
        (double)total / flood_s / 1e6,
        (double)engine_cpu_us(engine) * 1e3 / (double)total);
    engine_free(engine);
    (void)sem_destroy(&woken);
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t total = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    size_t in_flight = argc > 2 ? strtoull(argv[2], NULL, 10) : 512;
    struct zygote *zygote;
    struct err_text error;
    if (in_flight == 0 || in_flight > BATCH_MAX || zygote_start(&error, &zygote) != 0) {
        (void)fprintf(stderr, "usage: bench_engine [CHUNKS [IN_FLIGHT, 1 to %d]]\n", BATCH_MAX);
        return 2;
    }
    (void)printf("%llu chunks of one item, %zu in flight\n", (unsigned long long)total, in_flight);
    int rc = bench(zygote, STRATEGY_SERIAL, 1, total, in_flight) |
             bench(zygote, STRATEGY_THREADS, 2, total, in_flight) |
             bench(zygote, STRATEGY_THREADS, 8, total, in_flight) |
             bench(zygote, STRATEGY_ASYNC, 100, total, in_flight) |
             bench(zygote, STRATEGY_PROCESSES, 2, total, in_flight) |
             bench(zygote, STRATEGY_PROCESSES, 8, total, in_flight);
    zygote_stop(zygote);
    return rc;
}
