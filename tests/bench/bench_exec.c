/* What it costs to run a command for each item: /bin/true through workload exec, with a slot on
 * each of T threads and asynchronously with T in flight, beside xargs -P T and beside threads that
 * do nothing but spawn and reap. Interleaved rounds, medians, ratios. A benchmark, not a test: it
 * prints and judges nothing. Usage: bench_exec [ITEMS [THREADS [ROUNDS]]] */
#include "common/base/check.h"
#include "common/io/descriptors.h"
#include "common/io/spawn.h"
#include "worker/workloads/params.h"
#include "worker/workloads/registry.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

enum { THREADS_MAX = 256, ROUNDS_MAX = 101 };

struct bench {
    const struct workload_ops *ops;
    void *state;
    uint64_t items;
    unsigned threads;
    int null;
    _Atomic uint64_t next;
    _Atomic uint64_t ok;
};

static double now_s(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* CPU time of this process and of all its children that have ended. */
static double cpu_s(void)
{
    static const int who[] = {RUSAGE_SELF, RUSAGE_CHILDREN};
    double sum = 0;
    for (size_t i = 0; i < 2; i++) {
        struct rusage used;
        CHECK(getrusage(who[i], &used) == 0);
        sum += (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
               (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    }
    return sum;
}

static bool never(const struct workload_host *host)
{
    (void)host;
    return false;
}

static void on_threads(struct bench *bench, void *(*body)(void *))
{
    pthread_t threads[THREADS_MAX];
    atomic_store(&bench->next, 0);
    for (unsigned i = 0; i < bench->threads; i++) {
        CHECK(pthread_create(&threads[i], NULL, body, bench) == 0);
    }
    for (unsigned i = 0; i < bench->threads; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
}

/* --- the least: spawn and reap --- */

static void *spawn_body(void *arg)
{
    struct bench *bench = arg;
    char program[] = "/bin/true";
    char item[] = "1"; /* true does more when it has one: as the others do */
    char *argv[] = {program, item, NULL};
    const struct spawn_options options = {
        .path = program,
        .argv = argv,
        .envp = environ,
        .in = bench->null,
        .out = bench->null,
        .err = bench->null,
        .ends_with_thread = true,
    };
    while (atomic_fetch_add(&bench->next, 1) < bench->items) {
        struct spawn_child child;
        struct spawn_end end;
        CHECK(spawn(&options, NULL, &child) == 0);
        spawn_reap(&child, &end);
        atomic_fetch_add(&bench->ok, end.exit_status == 0);
    }
    return NULL;
}

static void run_spawn(struct bench *bench)
{
    on_threads(bench, spawn_body);
}

/* --- the blocking form --- */

static void *blocking_body(void *arg)
{
    struct bench *bench = arg;
    struct err_text error;
    void *slot;
    uint64_t i;
    CHECK(bench->ops->slot_open(bench->state, &error, &slot) == 0);
    while ((i = atomic_fetch_add(&bench->next, 1)) < bench->items) {
        const struct workload_item item = {.index = i, .number = i, .attempt = 1};
        struct workload_outcome outcome;
        bench->ops->run(slot, &item, &outcome);
        atomic_fetch_add(&bench->ok, outcome.ok);
    }
    bench->ops->slot_close(slot);
    return NULL;
}

static void run_blocking(struct bench *bench)
{
    on_threads(bench, blocking_body);
}

/* --- the asynchronous form --- */

struct flight {
    struct workload_call call;
    struct bench *bench;
    void *async;
    unsigned *outstanding;
};

static bool start_next(struct flight *flight)
{
    uint64_t i = atomic_fetch_add(&flight->bench->next, 1);
    if (i >= flight->bench->items) {
        return false;
    }
    flight->call.item = (struct workload_item){.index = i, .number = i, .attempt = 1};
    flight->bench->ops->async_start(flight->async, &flight->call);
    return true;
}

static void on_done(struct workload_call *call, const struct workload_outcome *outcome)
{
    struct flight *flight = (struct flight *)call;
    atomic_fetch_add(&flight->bench->ok, outcome->ok);
    if (!start_next(flight) && --*flight->outstanding == 0) {
        flight->bench->ops->async_close(flight->async);
    }
}

static void run_async(struct bench *bench)
{
    uv_loop_t loop;
    struct err_text error;
    static struct flight flights[THREADS_MAX];
    unsigned outstanding = 0;
    void *async;
    CHECK(uv_loop_init(&loop) == 0);
    CHECK(bench->ops->async_open(bench->state, &loop, &error, &async) == 0);
    atomic_store(&bench->next, 0);
    for (unsigned i = 0; i < bench->threads; i++) {
        flights[i] = (struct flight){
            .call = {.done = on_done}, .bench = bench, .async = async, .outstanding = &outstanding};
        outstanding += start_next(&flights[i]);
    }
    CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0);
    CHECK(uv_loop_close(&loop) == 0);
}

/* --- xargs --- */

static void run_xargs(struct bench *bench)
{
    char command[128];
    (void)snprintf(command,
                   sizeof(command),
                   "seq %llu | xargs -P %u -n 1 /bin/true",
                   (unsigned long long)bench->items,
                   bench->threads);
    CHECK(system(command) == 0);
    atomic_fetch_add(&bench->ok, bench->items);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void open_exec(struct bench *bench, struct workload_host *host)
{
    struct params params = {0};
    struct err_text error = {""};
    bench->ops = workload_find("exec");
    CHECK(params_set(&params, "command", "/bin/true {}") == 0);
    CHECK(params_resolve(&params, bench->ops->params, bench->ops->param_count, &error) == 0);
    workload_host_init(host);
    host->cancelled = never;
    CHECK(bench->ops->open(&params, host, &error, &bench->state) == 0);
    params_deinit(&params);
}

static const struct {
    const char *name;
    void (*run)(struct bench *);
} ways[] = {
    {"xargs -P", run_xargs},
    {"exec, blocking", run_blocking},
    {"exec, asynchronous", run_async},
    {"spawn and reap only", run_spawn},
};

enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

int main(int argc, char **argv)
{
    struct bench bench = {
        .items = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000,
        .threads = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 8,
    };
    unsigned rounds = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 5;
    if (bench.items == 0 || bench.threads == 0 || bench.threads > THREADS_MAX || rounds == 0 ||
        rounds > ROUNDS_MAX || descriptors_prepare(NULL) != 0) {
        (void)fprintf(stderr, "usage: bench_exec [ITEMS [THREADS, 1 to 256 [ROUNDS, 1 to 101]]]\n");
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    struct workload_host host;
    double seconds[WAYS][ROUNDS_MAX];
    double cpu[WAYS][ROUNDS_MAX];
    bench.null = open("/dev/null", O_RDWR | O_CLOEXEC);
    open_exec(&bench, &host);
    for (unsigned round = 0; round < rounds; round++) {
        for (size_t way = 0; way < WAYS; way++) {
            double start_s = now_s();
            double start_cpu_s = cpu_s();
            ways[way].run(&bench);
            cpu[way][round] = cpu_s() - start_cpu_s;
            seconds[way][round] = now_s() - start_s;
        }
    }
    CHECK(atomic_load(&bench.ok) == bench.items * rounds * WAYS);
    (void)printf("%llu items, %u at once, medians of %u rounds\n",
                 (unsigned long long)bench.items,
                 bench.threads,
                 rounds);
    for (size_t way = 0; way < WAYS; way++) {
        qsort(seconds[way], rounds, sizeof(double), compare_doubles);
        qsort(cpu[way], rounds, sizeof(double), compare_doubles);
        (void)printf("%-20s %7.0f items/s, %5.2f of xargs; %4.0f us of CPU each\n",
                     ways[way].name,
                     (double)bench.items / seconds[way][rounds / 2],
                     seconds[0][rounds / 2] / seconds[way][rounds / 2],
                     cpu[way][rounds / 2] / (double)bench.items * 1e6);
    }
    bench.ops->close(bench.state);
    return 0;
}
