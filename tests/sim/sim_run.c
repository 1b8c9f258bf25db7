/* A run: the queue of what will happen, the clock that jumps from one to the next, and the end. */
#include "common/base/check.h"
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS_MAX = 3000000 };

/* Once faults have ended, everything must be done within this. */
static const uint64_t patience_us = UINT64_C(3600000000);

void sim_trace(const struct sim *sim, const char *format, ...)
{
    if (!sim->verbose) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)printf("%12.6f  ", (double)sim->now_us / 1e6);
    (void)vprintf(format, arguments);
    (void)putchar('\n');
    va_end(arguments);
}

void sim_fail(const struct sim *sim, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fflush(stdout);
    (void)fprintf(stderr, "broken at %.6f s: ", (double)sim->now_us / 1e6);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    abort();
}

uint64_t sim_between(struct sim *sim, uint64_t low, uint64_t high)
{
    return low + rng_below(&sim->rng, high - low + 1);
}

bool sim_chance(struct sim *sim, uint32_t per_mille)
{
    return rng_below(&sim->rng, 1000) < per_mille;
}

void *sim_realloc(void *old, size_t size)
{
    void *grown = realloc(old, size);
    CHECK(grown != NULL);
    return grown;
}

/* --- the queue --- */

static bool earlier(const struct sim_entry *a, const struct sim_entry *b)
{
    return a->time_us != b->time_us ? a->time_us < b->time_us : a->order < b->order;
}

static void push(struct sim_queue *queue, struct sim_entry entry)
{
    if (queue->count == queue->capacity) {
        queue->capacity = queue->capacity > 0 ? queue->capacity * 2 : 256;
        queue->list = sim_realloc(queue->list, queue->capacity * sizeof(*queue->list));
    }
    size_t at = queue->count++;
    while (at > 0 && earlier(&entry, &queue->list[(at - 1) / 2])) {
        queue->list[at] = queue->list[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    queue->list[at] = entry;
}

static struct sim_entry pop(struct sim_queue *queue)
{
    struct sim_entry top = queue->list[0];
    struct sim_entry last = queue->list[--queue->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= queue->count) {
            break;
        }
        if (child + 1 < queue->count && earlier(&queue->list[child + 1], &queue->list[child])) {
            child++;
        }
        if (!earlier(&queue->list[child], &last)) {
            break;
        }
        queue->list[at] = queue->list[child];
        at = child;
    }
    queue->list[at] = last;
    return top;
}

void sim_at(struct sim *sim, uint64_t time_us, struct sim_entry entry)
{
    entry.time_us = time_us;
    entry.order = sim->queue.next_order++;
    push(&sim->queue, entry);
}

/* --- what goes wrong --- */

static const char *const fault_names[SIM_FAULT_TYPES] = {
    [SIM_DISCONNECT] = "the connection breaks",
    [SIM_CRASH] = "crash",
    [SIM_FREEZE] = "freeze",
    [SIM_FREEZE_SERVER] = "the server freezes",
    [SIM_DRAIN_SIGNAL] = "drain by signal",
    [SIM_DRAIN_MESSAGE] = "drain by message",
    [SIM_SLOW] = "is slow from now on",
    [SIM_CANCEL_JOB] = "the job is cancelled",
    [SIM_HOLD] = "results are not taken",
    [SIM_STOP_JOB] = "the job is stopped",
};

static void crash(struct sim *sim, const struct sim_fault *fault)
{
    sim_worker_kill(sim, fault->worker);
    sim_at(sim,
           sim->now_us + fault->for_us,
           (struct sim_entry){.kind = SIM_START, .worker = fault->worker});
}

static void happen_fault(struct sim *sim, const struct sim_fault *fault)
{
    struct sim_worker *worker = &sim->workers[fault->worker];
    sim_trace(sim,
              "fault: worker %u: %s, %.6f s",
              fault->worker,
              fault_names[fault->type],
              (double)fault->for_us / 1e6);
    switch (fault->type) {
    case SIM_DISCONNECT:
        sim_worker_break_connection(sim, fault->worker, fault->for_us);
        break;
    case SIM_CRASH:
        crash(sim, fault);
        break;
    case SIM_FREEZE:
        worker->frozen_until_us = sim->now_us + fault->for_us;
        break;
    case SIM_FREEZE_SERVER:
        sim->server.frozen_until_us = sim->now_us + fault->for_us;
        break;
    case SIM_DRAIN_SIGNAL:
        sim_worker_drain(sim, fault->worker);
        break;
    case SIM_DRAIN_MESSAGE:
        sim_server_drain(sim, fault->worker);
        break;
    case SIM_SLOW:
        worker->slowness = sim_between(sim, 2, 50);
        break;
    case SIM_CANCEL_JOB:
        sim_server_cancel(sim);
        break;
    case SIM_HOLD:
        sim_server_hold(sim, fault->for_us);
        break;
    case SIM_STOP_JOB:
        sim_server_stop(sim);
        break;
    case SIM_FAULT_TYPES:
        break;
    }
}

/* Faults are over: all workers live, or, in a doomed run, none ever again. */
static void become_calm(struct sim *sim)
{
    sim->calm = true;
    sim->no_restart = sim->no_restart || sim->plan.doomed;
    sim_trace(sim, "calm%s", sim->plan.doomed ? ": all workers die" : "");
    for (uint32_t i = 0; i < sim->plan.workers; i++) {
        sim->workers[i].slowness = 1;
        if (sim->plan.doomed) {
            sim_worker_kill(sim, i);
        } else {
            sim_worker_start(sim, i);
        }
    }
    if (sim->plan.doomed) {
        sim_server_no_more_workers(sim);
    }
}

/* --- the run --- */

static void happen(struct sim *sim, struct sim_entry *entry)
{
    switch (entry->kind) {
    case SIM_TO_SERVER:
    case SIM_PROBE:
    case SIM_FEED:
    case SIM_GO_ON:
        sim_server_happens(sim, entry);
        break;
    case SIM_START:
        if (!sim->no_restart) {
            sim_worker_start(sim, entry->worker);
        }
        break;
    case SIM_FAULT:
        happen_fault(sim, &sim->plan.faults[entry->value]);
        break;
    case SIM_CALM:
        become_calm(sim);
        break;
    default:
        sim_worker_happens(sim, entry);
        break;
    }
}

/* Until when whoever this concerns is frozen. */
static uint64_t frozen_until_us(const struct sim *sim, const struct sim_entry *entry)
{
    switch (entry->kind) {
    case SIM_TO_SERVER:
    case SIM_PROBE:
    case SIM_FEED:
    case SIM_GO_ON:
        return sim->server.frozen_until_us;
    case SIM_START:
    case SIM_FAULT:
    case SIM_CALM:
        return 0;
    default:
        return sim->workers[entry->worker].frozen_until_us;
    }
}

static void happen_next(struct sim *sim)
{
    struct sim_entry entry = pop(&sim->queue);
    uint64_t thaw_us = frozen_until_us(sim, &entry);
    if (thaw_us > sim->now_us) {
        entry.time_us = thaw_us; /* its order stays, and with it the order of messages */
        push(&sim->queue, entry);
        return;
    }
    happen(sim, &entry);
    sim_message_free(entry.message);
}

/* Whoever's timer is due first; SIM_WORKERS_MAX: the server's. */
static uint64_t first_timer(const struct sim *sim, uint32_t *ret_who)
{
    uint64_t due_us = sim_server_deadline_us(sim);
    *ret_who = SIM_WORKERS_MAX;
    for (uint32_t i = 0; i < sim->plan.workers; i++) {
        uint64_t worker_us = sim_worker_deadline_us(sim, i);
        if (worker_us < due_us) {
            due_us = worker_us;
            *ret_who = i;
        }
    }
    return due_us;
}

static void advance(struct sim *sim)
{
    uint32_t who = 0;
    uint64_t timer_us = first_timer(sim, &who);
    uint64_t entry_us = sim->queue.count > 0 ? sim->queue.list[0].time_us : UINT64_MAX;
    uint64_t next_us = timer_us < entry_us ? timer_us : entry_us;
    if (next_us == UINT64_MAX) {
        sim_fail(sim, "progress: nothing will ever happen again");
    }
    sim->now_us = next_us > sim->now_us ? next_us : sim->now_us;
    if (sim->now_us > sim->plan.calm_us + patience_us || ++sim->steps > STEPS_MAX) {
        sim_fail(sim, "progress: not done long after faults ended, %" PRIu64 " steps", sim->steps);
    }
    if (entry_us <= timer_us) {
        happen_next(sim);
    } else if (who == SIM_WORKERS_MAX) {
        sim_server_tick(sim);
    } else {
        sim_worker_tick(sim, who);
    }
}

static void begin(struct sim *sim, const struct sim_plan *plan)
{
    sim->plan = *plan;
    rng_init(&sim->rng, plan->seed + 1);
    for (uint32_t i = 0; i < plan->job_count; i++) {
        if (sim_counts_tries(&plan->jobs[i])) {
            size_t size = (plan->jobs[i].items + 1) * sizeof(*sim->tries[i]);
            sim->tries[i] = memset(sim_realloc(NULL, size), 0, size);
        }
    }
    sim_server_init(sim);
    for (uint32_t i = 0; i < plan->workers; i++) {
        uint64_t start_us = sim_between(sim, 0, plan->start_us_max);
        sim_at(sim, start_us, (struct sim_entry){.kind = SIM_START, .worker = i});
    }
    for (uint32_t i = 0; i < plan->fault_count; i++) {
        sim_at(sim, plan->faults[i].at_us, (struct sim_entry){.kind = SIM_FAULT, .value = i});
    }
    sim_at(sim, plan->calm_us, (struct sim_entry){.kind = SIM_CALM});
}

static bool all_jobs_over(const struct sim *sim)
{
    return sim->server.job_index == sim->plan.job_count;
}

static void end(struct sim *sim)
{
    while (sim->queue.count > 0) {
        struct sim_entry entry = pop(&sim->queue);
        sim_message_free(entry.message);
    }
    for (uint32_t i = 0; i < SIM_WORKERS_MAX; i++) {
        sim_worker_deinit(&sim->workers[i]);
    }
    sim_server_deinit(sim);
    sim_judge_deinit(&sim->judge);
    for (uint32_t i = 0; i < SIM_JOBS_MAX; i++) {
        free(sim->tries[i]);
    }
    free(sim->network.connections);
    free(sim->queue.list);
}

void sim_run(const struct sim_plan *plan, bool verbose)
{
    struct sim sim = {.verbose = verbose};
    begin(&sim, plan);
    while (!all_jobs_over(&sim) && !(plan->doomed && sim.server.stalled)) {
        advance(&sim);
    }
    sim_trace(&sim,
              "end: %u jobs done, %u cancelled, %" PRIu64 " sessions lost, %" PRIu64
              " duplicates, %" PRIu64 " chunks abandoned, %" PRIu64 " split, %" PRIu64
              " items retried, %" PRIu64 " steps",
              sim.jobs_done,
              sim.jobs_cancelled,
              sim.lost,
              sim.duplicates,
              sim.abandoned,
              sim.splits,
              sim.retried,
              sim.steps);
    end(&sim);
}
