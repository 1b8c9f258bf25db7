/* What the scheduler costs for each chunk: its result, the credit that comes with it, and sending the next one. Prints nanoseconds a
 * chunk, by workers and credit. Not a test: nothing here passes or fails.
 *
 * Workers answer as real ones do: one message with all they finished, and credit for as many. */
#include "common/base/check.h"
#include "coordinator/sched/sched.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ACTIONS = 4096, MESSAGE_MAX = 1024, SLOTS = 8 };

/* Chunks a worker holds, first in, first out. */
struct holding {
    uint64_t *ids;
    uint32_t head;
    uint32_t count;
};

struct bench {
    struct sched *sched;
    struct holding *workers;
    uint32_t worker_count;
    uint32_t credit;
    uint64_t now_us;
    uint64_t chunks;
    struct sched_action list[ACTIONS];
    struct sched_actions actions;
};

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static void step(struct bench *bench, const struct sched_event *event)
{
    bench->actions.count = 0;
    CHECK(sched_step(bench->sched, bench->now_us, event, &bench->actions) == 0);
    for (size_t i = 0; i < bench->actions.count; i++) {
        const struct sched_action *action = &bench->list[i];
        if (action->type == SCHED_SEND) {
            struct holding *worker = &bench->workers[action->worker.value - 1];
            worker->ids[(worker->head + worker->count++) % bench->credit] = action->chunk.value;
        }
    }
}

static void settle(struct bench *bench)
{
    const struct sched_event tick = {.type = SCHED_TICK};
    while (sched_deadline_us(bench->sched) <= bench->now_us) {
        step(bench, &tick);
    }
}

/* One message of a worker: up to MESSAGE_MAX results, then credit for as many. */
static void answer(struct bench *bench, uint32_t index)
{
    struct holding *worker = &bench->workers[index];
    struct sched_event event = {.type = SCHED_RESULT, .worker = {index + 1}};
    event.as.result.attempt = 1;
    event.as.result.run_us = 1;
    event.as.result.tally.ok = 1;
    uint32_t count = worker->count < MESSAGE_MAX ? worker->count : MESSAGE_MAX;
    for (uint32_t i = 0; i < count; i++) {
        event.as.result.chunk.value = worker->ids[worker->head];
        worker->head = (worker->head + 1) % bench->credit;
        worker->count--;
        step(bench, &event);
    }
    struct sched_event grant = {.type = SCHED_CREDIT, .worker = {index + 1}, .as.credit = count};
    step(bench, &grant);
    settle(bench);
    bench->chunks += count;
}

static void start(struct bench *bench, uint32_t workers, uint32_t credit)
{
    struct sched_options options = {.workers_max = workers,
                                    .chunk_items = 1,
                                    .chunk_target_us = 100000,
                                    .crash_limit = 3,
                                    .lease_us = 10000000,
                                    .speculate = true};
    CHECK(sched_new(&options, &bench->sched) == 0);
    bench->worker_count = workers;
    bench->credit = credit;
    bench->workers = calloc(workers, sizeof(*bench->workers));
    CHECK(bench->workers != NULL);
    bench->actions = (struct sched_actions){.list = bench->list, .capacity = ACTIONS};
    struct sched_event items = {.type = SCHED_ITEMS};
    items.as.items.available = UINT64_MAX;
    step(bench, &items);
    for (uint32_t i = 0; i < workers; i++) {
        bench->workers[i].ids = calloc(credit, sizeof(uint64_t));
        CHECK(bench->workers[i].ids != NULL);
        struct sched_event joined = {.type = SCHED_WORKER_JOINED, .worker = {i + 1}};
        joined.as.joined.slots = SLOTS;
        joined.as.joined.credit = credit;
        step(bench, &joined);
        settle(bench);
    }
}

static void stop(struct bench *bench)
{
    sched_free(bench->sched);
    for (uint32_t i = 0; i < bench->worker_count; i++) {
        free(bench->workers[i].ids);
    }
    free(bench->workers);
}

static void measure(uint32_t workers, uint32_t credit)
{
    struct bench bench = {0};
    start(&bench, workers, credit);
    /* Once round, so that every worker holds what it may and the tables have grown. */
    for (uint32_t i = 0; i < workers; i++) {
        answer(&bench, i);
    }
    bench.chunks = 0;
    uint64_t begin_ns = clock_ns();
    uint64_t taken_ns = 0;
    for (uint32_t i = 0; taken_ns < 200000000; i = (i + 1) % workers) {
        bench.now_us += 10;
        answer(&bench, i);
        taken_ns = clock_ns() - begin_ns;
    }
    printf("%8u %8u %12.1f\n", workers, credit, (double)taken_ns / (double)bench.chunks);
    stop(&bench);
}

int main(void)
{
    static const uint32_t workers[] = {1, 2, 100, 10000};
    static const uint32_t credits[] = {16, 256, 4096};
    printf("%8s %8s %12s\n", "workers", "credit", "ns a chunk");
    for (size_t w = 0; w < sizeof(workers) / sizeof(workers[0]); w++) {
        for (size_t c = 0; c < sizeof(credits) / sizeof(credits[0]); c++) {
            if ((uint64_t)workers[w] * credits[c] <=
                4000000) { /* half a gigabyte for the chunks and their ids */
                measure(workers[w], credits[c]);
            }
        }
    }
    return 0;
}
