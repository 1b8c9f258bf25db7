/* A run: its loop from one thing that happens to the next, its trace, and the end. */
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

uint64_t sim_drifting(struct sim *sim)
{
    uint64_t drift = sim->plan.drift_per_mille;
    return 1000 - drift + (drift > 0 ? sim_between(sim, 0, 2 * drift) : 0);
}

void *sim_realloc(void *old, size_t size)
{
    void *grown = realloc(old, size);
    CHECK(grown != NULL);
    return grown;
}

/* --- the run --- */

static void happen(struct sim *sim, struct sim_entry *entry)
{
    switch (entry->kind) {
    case SIM_TO_SERVER:
    case SIM_PROBE:
    case SIM_FEED:
    case SIM_GO_ON:
    case SIM_COMMITTED:
    case SIM_CRASHES:
    case SIM_RESTART:
        sim_server_happens(sim, entry);
        break;
    case SIM_START:
        if (!sim->no_restart) {
            sim_worker_start(sim, entry->worker);
        }
        break;
    case SIM_FAULT:
        sim_fault_happens(sim, &sim->plan.faults[entry->value]);
        break;
    case SIM_HEALED:
        sim_link_healed(sim, entry);
        break;
    case SIM_CALM:
        sim_become_calm(sim);
        break;
    default:
        sim_worker_happens(sim, entry);
        break;
    }
}

static bool is_for_server(const struct sim_entry *entry)
{
    switch (entry->kind) {
    case SIM_TO_SERVER:
    case SIM_PROBE:
    case SIM_FEED:
    case SIM_GO_ON:
    case SIM_COMMITTED:
        return true;
    default:
        return false;
    }
}

/* Until when the worker that this concerns is frozen, or the link that it comes on is cut. */
static uint64_t waits_until_us(const struct sim *sim, const struct sim_entry *entry)
{
    uint64_t cut_us = 0;
    if (entry->kind == SIM_TO_SERVER || entry->kind == SIM_TO_WORKER) {
        cut_us = sim_link_cut_until_us(sim, entry->worker);
    }
    bool outside = entry->kind == SIM_START || entry->kind == SIM_FAULT ||
                   entry->kind == SIM_HEALED || entry->kind == SIM_CALM ||
                   entry->kind == SIM_RESTART;
    uint64_t frozen_us = outside || is_for_server(entry)
                             ? 0
                             : sim->workers[entry->worker].frozen_until_us;
    return cut_us > frozen_us ? cut_us : frozen_us;
}

static void happen_now(struct sim *sim, struct sim_entry entry)
{
    happen(sim, &entry);
    sim_message_free(entry.message);
}

static void happen_next(struct sim *sim)
{
    struct sim_entry entry = sim_queue_pop(&sim->queue);
    uint64_t from_us = waits_until_us(sim, &entry);
    bool busy = sim->inbox.count > 0 || sim->server.frozen_until_us > sim->now_us;
    if (from_us > sim->now_us) {
        entry.time_us = from_us;
        sim_queue_put_back(&sim->queue, entry);
    } else if (is_for_server(&entry) && busy) {
        entry.time_us = 0; /* in the order in which they came */
        entry.order = sim->inbox.next_order++;
        sim_queue_put_back(&sim->inbox, entry);
    } else {
        happen_now(sim, entry);
    }
}

/* The four things of which one comes next. */
struct next {
    uint64_t entry_us;
    uint64_t inbox_us; /* what waits for the server */
    uint64_t server_us;
    uint64_t worker_us;
    uint32_t worker;
    uint64_t first_us;
};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static struct next look_ahead(const struct sim *sim)
{
    struct next next = {.server_us = sim_server_deadline_us(sim)};
    next.worker = sim_timers_first(&sim->timers, &next.worker_us);
    next.entry_us = sim->queue.count > 0 ? sim->queue.list[0].time_us : UINT64_MAX;
    next.inbox_us = sim->inbox.count > 0 ? sim->server.frozen_until_us : UINT64_MAX;
    next.first_us = least(least(next.entry_us, next.inbox_us),
                          least(next.server_us, next.worker_us));
    return next;
}

/* Of things that are due together the queue comes first, then what waits for the server, then its timer, then the workers'. */
static void advance(struct sim *sim)
{
    struct next next = look_ahead(sim);
    if (next.first_us == UINT64_MAX) {
        sim_fail(sim, "progress: nothing will ever happen again");
    }
    sim->now_us = next.first_us > sim->now_us ? next.first_us : sim->now_us;
    if (sim->now_us > sim->plan.calm_us + patience_us || ++sim->steps > STEPS_MAX) {
        sim_fail(sim, "progress: not done long after faults ended, %" PRIu64 " steps", sim->steps);
    }
    if (next.entry_us == next.first_us) {
        happen_next(sim);
    } else if (next.inbox_us == next.first_us) {
        happen_now(sim, sim_queue_pop(&sim->inbox));
    } else if (next.server_us == next.first_us) {
        sim_server_tick(sim);
    } else {
        sim_worker_tick(sim, next.worker);
    }
}

static void blob_is_static(void *arg)
{
    (void)arg;
}

static void begin_jobs(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->plan.job_count; i++) {
        const struct sim_job *job = &sim->plan.jobs[i];
        if (sim_counts_tries(job)) {
            size_t size = (job->items + 1) * sizeof(*sim->tries[i]);
            sim->tries[i] = memset(sim_realloc(NULL, size), 0, size);
        }
    }
    sim->records = blob_new("", 1, blob_is_static, NULL);
    CHECK(sim->records != NULL);
}

static void begin(struct sim *sim, const struct sim_plan *plan)
{
    sim->plan = *plan;
    rng_init(&sim->rng, plan->seed + 1);
    begin_jobs(sim);
    sim_network_init(&sim->network, plan->workers);
    sim_timers_init(&sim->timers, plan->workers);
    size_t size = plan->workers * sizeof(*sim->workers);
    sim->workers = memset(sim_realloc(NULL, size), 0, size);
    sim_server_init(sim);
    for (uint32_t i = 0; i < plan->workers; i++) {
        uint64_t start_us = sim_between(sim, 0, plan->start_us_max);
        sim->workers[i].index = i;
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

static void empty_queue(struct sim_queue *queue)
{
    while (queue->count > 0) {
        struct sim_entry entry = sim_queue_pop(queue);
        sim_message_free(entry.message);
    }
    free(queue->list);
}

static void end(struct sim *sim)
{
    empty_queue(&sim->queue);
    empty_queue(&sim->inbox);
    for (uint32_t i = 0; i < sim->plan.workers; i++) {
        sim_worker_deinit(&sim->workers[i]);
    }
    free(sim->workers);
    sim_server_deinit(sim);
    sim_journal_deinit(&sim->journal);
    sim_judge_deinit(&sim->judge);
    for (uint32_t i = 0; i < SIM_JOBS_MAX; i++) {
        free(sim->tries[i]);
    }
    blob_unref(sim->records);
    sim_network_deinit(&sim->network);
    sim_timers_deinit(&sim->timers);
}

static void say_end(const struct sim *sim)
{
    const struct sim_counts *counts = &sim->counts;
    sim_trace(sim,
              "end: %u jobs done, %u cancelled, %" PRIu64 " sessions lost, %" PRIu64
              " duplicates, %" PRIu64 " chunks abandoned, %" PRIu64 " split, %" PRIu64
              " items retried, %" PRIu64 " restarts, %" PRIu64 " items uncounted, %" PRIu64
              " chunks adopted, %" PRIu64 " lies, %" PRIu64 " refused, %" PRIu64 " steps",
              counts->jobs_done,
              counts->jobs_cancelled,
              counts->lost,
              counts->duplicates,
              counts->abandoned,
              counts->splits,
              counts->retried,
              counts->restarts,
              counts->uncounted,
              counts->adopted,
              counts->lies,
              counts->refused,
              sim->steps);
}

void sim_run(const struct sim_plan *plan, bool verbose)
{
    struct sim sim = {.verbose = verbose};
    begin(&sim, plan);
    while (!all_jobs_over(&sim) && !(plan->doomed && sim.server.stalled)) {
        advance(&sim);
    }
    say_end(&sim);
    end(&sim);
}
