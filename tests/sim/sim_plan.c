/* What a seed means, and the runs that have a name. */
#include "tests/sim/sim.h"

#include <string.h>

static uint64_t between(struct rng *rng, uint64_t low, uint64_t high)
{
    return low + rng_below(rng, high - low + 1);
}

static bool chance(struct rng *rng, uint32_t per_mille)
{
    return rng_below(rng, 1000) < per_mille;
}

/* Few long items, many short ones, or a range as long as nobody could hold in memory; a few thousand chunks at most. */
static void plan_job(struct sim_job *job, struct rng *rng)
{
    memset(job, 0, sizeof(*job));
    switch (rng_below(rng, 4)) {
    case 0:
        job->items = between(rng, 0, 60);
        job->item_ns = between(rng, 1, 500) * 1000000;
        break;
    case 1:
        job->items = between(rng, 100, 1500);
        job->item_ns = between(rng, 0, 5000) * 1000;
        break;
    case 2:
        job->items = between(rng, 1000, 100000);
        job->item_ns = between(rng, 0, 100000);
        job->chunk_items = chance(rng, 300) ? job->items / 500 + 1 : 0;
        break;
    default:
        job->items = between(rng, 1000000, 1000000000);
        job->item_ns = between(rng, 0, 10);
        job->chunk_items = chance(rng, 300) ? job->items / 1000 : 0;
        break;
    }
    job->items_at_once = chance(rng, 250) ? job->items / between(rng, 1, 40) + 1 : 0;
    job->failing = chance(rng, 500) ? between(rng, 1, 1000) : 0;
    job->slots = (uint32_t)between(rng, 1, SIM_SLOTS_MAX);
    job->credit_fixed = chance(rng, 300) ? (uint32_t)between(rng, 1, 100) : 0;
}

static void plan_faults(struct sim_plan *plan, struct rng *rng)
{
    plan->calm_us = between(rng, 1000, 10000000);
    plan->fault_count = (uint32_t)rng_below(rng, SIM_FAULTS_MAX + 1);
    for (uint32_t i = 0; i < plan->fault_count; i++) {
        struct sim_fault *fault = &plan->faults[i];
        /* Sorts that spoil the others' fun come seldom. */
        static const uint32_t weights[SIM_FAULT_TYPES] = {30, 20, 15, 5, 8, 8, 12, 2};
        uint64_t pick = rng_below(rng, 100);
        uint32_t type = 0;
        while (pick >= weights[type]) {
            pick -= weights[type++];
        }
        fault->type = (enum sim_fault_type)type;
        fault->at_us = rng_below(rng, plan->calm_us);
        fault->for_us = between(rng, 100, chance(rng, 500) ? 50000 : 5000000);
        fault->worker = (uint32_t)rng_below(rng, plan->workers);
    }
}

/* Items that fail and are run again: few enough that a chunk for each can be afforded. */
static void plan_retries(struct sim_job *job, struct rng *rng)
{
    job->retries_max = (uint32_t)between(rng, 1, 3);
    job->retry_delay_us = chance(rng, 800) ? between(rng, 1, 50000) : 0;
    job->heals = (uint32_t)between(rng, 0, 3);
    job->failing = job->items / between(rng, 1, 60) + 1;
}

/* At most three items that kill. */
static void plan_poison(struct sim_job *job, struct rng *rng)
{
    job->poison = job->items / between(rng, 1, 3) + 1;
}

/* What came later than the rest has numbers of its own, so that the others mean what they did. */
static void plan_more(struct sim_plan *plan, struct rng *rng)
{
    for (uint32_t i = 0; i < plan->job_count; i++) {
        struct sim_job *job = &plan->jobs[i];
        if (chance(rng, 300)) {
            plan_retries(job, rng);
        }
        if (chance(rng, 100)) {
            plan_poison(job, rng);
        }
        job->partial_per_mille = chance(rng, 300) ? (uint32_t)between(rng, 1, 500) : 0;
    }
    uint32_t holds = chance(rng, 200) ? (uint32_t)between(rng, 1, 3) : 0;
    uint32_t stops = chance(rng, 50);
    for (uint32_t i = 0; i < holds + stops; i++) {
        plan->faults[plan->fault_count++] = (struct sim_fault){
            .type = i < holds ? SIM_HOLD : SIM_STOP_JOB,
            .at_us = rng_below(rng, plan->calm_us),
            .for_us = between(rng, 100, 1000000)};
    }
}

void sim_plan_from_seed(struct sim_plan *plan, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed);
    memset(plan, 0, sizeof(*plan));
    plan->seed = seed;
    plan->workers = (uint32_t)between(&rng, 1, chance(&rng, 200) ? SIM_WORKERS_MAX : 3);
    plan->job_count = (uint32_t)between(&rng, 1, SIM_JOBS_MAX);
    for (uint32_t i = 0; i < plan->job_count; i++) {
        plan_job(&plan->jobs[i], &rng);
    }
    plan_faults(plan, &rng);
    plan->start_us_max = chance(&rng, 500) ? 0 : plan->calm_us;
    plan->doomed = chance(&rng, 50);
    plan->heartbeat_us = between(&rng, 20000, 1000000);
    plan->delay_us_max = between(&rng, 200, 300000);
    plan->double_per_mille = chance(&rng, 300) ? (uint32_t)between(&rng, 1, 50) : 0;
    plan->unnoticed_per_mille = chance(&rng, 500) ? (uint32_t)between(&rng, 0, 1000) : 0;
    plan->crash_limit = chance(&rng, 300) ? (uint32_t)between(&rng, 1, 2) : 3;
    plan->sched_actions = chance(&rng, 500) ? SCHED_ACTIONS_MIN : 512;
    rng_init(&rng, ~seed);
    plan_more(plan, &rng);
}

/* --- runs with a name --- */

static void without_faults(struct sim_plan *plan)
{
    plan->fault_count = 0;
    plan->start_us_max = 0;
    plan->doomed = false;
    plan->double_per_mille = 0;
    plan->unnoticed_per_mille = 0;
}

/* No loss but what the job's own items bring about: links are quick, and silence is not taken for death. */
static void without_losses(struct sim_plan *plan)
{
    without_faults(plan);
    plan->heartbeat_us = 1000000;
    plan->delay_us_max = 2000;
}

/* One job of 200 items of 20 ms on two workers of four slots. */
static void steady(struct sim_plan *plan)
{
    without_faults(plan);
    plan->workers = 2;
    plan->job_count = 1;
    plan->jobs[0] = (struct sim_job){
        .items = 200, .chunk_items = 1, .item_ns = 20000000, .failing = 7, .slots = 4};
    plan->delay_us_max = 200;
    plan->heartbeat_us = 100000;
    plan->crash_limit = 3;
    plan->calm_us = 10000000;
}

static void with_fault(struct sim_plan *plan, enum sim_fault_type type, uint64_t for_us)
{
    steady(plan);
    plan->fault_count = 1;
    plan->faults[0] = (struct sim_fault){.type = type, .at_us = 150000, .for_us = for_us};
}

static void crash(struct sim_plan *plan)
{
    with_fault(plan, SIM_CRASH, 100000);
}

static void short_freeze(struct sim_plan *plan)
{
    with_fault(plan, SIM_FREEZE, 300000);
}

/* Longer than the lease: its chunks have run elsewhere when it goes on. */
static void long_freeze(struct sim_plan *plan)
{
    with_fault(plan, SIM_FREEZE, 900000);
}

static void frozen_server(struct sim_plan *plan)
{
    with_fault(plan, SIM_FREEZE_SERVER, 900000);
}

static void lost_connection(struct sim_plan *plan)
{
    with_fault(plan, SIM_DISCONNECT, 20000);
}

static void half_open_connection(struct sim_plan *plan)
{
    with_fault(plan, SIM_DISCONNECT, 20000);
    plan->unnoticed_per_mille = 1000;
}

static void drain_by_signal(struct sim_plan *plan)
{
    with_fault(plan, SIM_DRAIN_SIGNAL, 0);
}

static void drain_by_message(struct sim_plan *plan)
{
    with_fault(plan, SIM_DRAIN_MESSAGE, 0);
}

static void cancel(struct sim_plan *plan)
{
    with_fault(plan, SIM_CANCEL_JOB, 0);
    plan->job_count = 2;
    plan->jobs[1] = plan->jobs[0];
}

static void all_workers_die(struct sim_plan *plan)
{
    steady(plan);
    plan->doomed = true;
    plan->calm_us = 200000;
}

static void everything_twice(struct sim_plan *plan)
{
    steady(plan);
    plan->double_per_mille = 200;
}

static void billion_items(struct sim_plan *plan)
{
    steady(plan);
    plan->jobs[0] = (struct sim_job){.items = 1000000000, .item_ns = 10, .slots = 8};
}

/* Chunks of 50 items of 2 ms, on two workers. */
static void steady_chunks(struct sim_plan *plan)
{
    steady(plan);
    without_losses(plan);
    plan->jobs[0] = (struct sim_job){
        .items = 2000, .chunk_items = 50, .item_ns = 2000000, .slots = 4};
}

static void partial_results(struct sim_plan *plan)
{
    steady_chunks(plan);
    plan->jobs[0].partial_per_mille = 800;
}

static void retries(struct sim_plan *plan)
{
    steady_chunks(plan);
    plan->jobs[0].failing = 7;
    plan->jobs[0].heals = 2;
    plan->jobs[0].retries_max = 3;
    plan->jobs[0].retry_delay_us = 10000;
    plan->jobs[0].partial_per_mille = 100;
}

static void poison(struct sim_plan *plan)
{
    steady_chunks(plan);
    plan->only_poison = true;
    plan->jobs[0].poison = 1000;
}

static void poison_in_a_large_chunk(struct sim_plan *plan)
{
    poison(plan);
    plan->jobs[0] = (struct sim_job){
        .items = 1000000, .chunk_items = 100000, .item_ns = 100, .poison = 1000000, .slots = 4};
}

static void poison_for_ever(struct sim_plan *plan)
{
    poison(plan);
    plan->workers = 1;
    plan->jobs[0].poison = 100;
}

static void hold(struct sim_plan *plan)
{
    with_fault(plan, SIM_HOLD, 400000);
}

static void stop(struct sim_plan *plan)
{
    with_fault(plan, SIM_STOP_JOB, 0);
    plan->job_count = 2;
    plan->jobs[1] = plan->jobs[0];
}

/* The last chunks of the first job are given up when the last worker dies, and the second job begins. */
static void all_die_between_jobs(struct sim_plan *plan)
{
    all_workers_die(plan);
    plan->workers = 1;
    plan->crash_limit = 1;
    plan->jobs[0] = (struct sim_job){
        .items = 4, .chunk_items = 1, .item_ns = 20000000000, .slots = 4};
    plan->jobs[1] = plan->jobs[0];
    plan->job_count = 2;
}

static const struct sim_scenario scenarios[] = {
    {"steady", "nothing goes wrong", 1, steady},
    {"crash", "a worker dies with chunks in hand and another takes its place", 1, crash},
    {"short-freeze", "a worker stops for less than its lease", 1, short_freeze},
    {"long-freeze", "a worker stops, is given up, and comes back with results", 1, long_freeze},
    {"frozen-server", "the coordinator stops for longer than workers wait", 1, frozen_server},
    {"lost-connection", "a connection drops and comes back", 1, lost_connection},
    {"half-open", "a connection drops and only silence tells", 1, half_open_connection},
    {"drain-signal", "a worker is told to leave by a signal", 1, drain_by_signal},
    {"drain-message", "a worker is told to leave by the coordinator", 1, drain_by_message},
    {"cancel", "a job is cancelled and the next one follows", 1, cancel},
    {"all-die", "the last worker is gone for ever", 1, all_workers_die},
    {"everything-twice", "one message in five arrives twice", 1, everything_twice},
    {"all-die-between-jobs", "a job begins when no worker can come", 1, all_die_between_jobs},
    {"billion-items", "a range that nobody could hold in memory", 1, billion_items},
    {"partial-results", "most results are of a chunk's first items only", 1, partial_results},
    {"retries", "items fail and are run again, some until they succeed", 1, retries},
    {"poison", "two items kill the worker that runs them", 1, poison},
    {"poison-large-chunk", "one of 100,000 items of a chunk kills", 1, poison_in_a_large_chunk},
    {"poison-one-worker", "twenty items kill the only worker again and again", 1, poison_for_ever},
    {"hold", "nobody takes results for a while", 1, hold},
    {"stop", "a job is stopped and the next one follows", 1, stop},
};

/* --- families of seeds --- */

/* Nothing is lost: each item is run exactly as often as it has to be. */
static void family_retries(struct sim_plan *plan)
{
    struct rng rng;
    rng_init(&rng, plan->seed);
    without_losses(plan);
    for (uint32_t i = 0; i < plan->job_count; i++) {
        struct sim_job *job = &plan->jobs[i];
        job->items = job->items > 5000 ? 5000 : job->items;
        job->chunk_items = chance(&rng, 500) ? between(&rng, 1, 200) : 0;
        job->poison = 0;
        plan_retries(job, &rng);
    }
}

/* Nothing is lost but through poison. */
static void family_poison(struct sim_plan *plan)
{
    struct rng rng;
    rng_init(&rng, plan->seed);
    without_losses(plan);
    plan->only_poison = true;
    plan->crash_limit = (uint32_t)between(&rng, 2, 4);
    for (uint32_t i = 0; i < plan->job_count; i++) {
        struct sim_job *job = &plan->jobs[i];
        job->items = job->items > 200000 ? 200000 : job->items; /* split twice, which is enough */
        plan_poison(job, &rng);
    }
}

static const struct sim_scenario families[] = {
    {"any", "as the seed has it", 0, NULL},
    {"retries",
     "results of some of the items, and items that fail, without faults",
     0,
     family_retries},
    {"poison", "items that kill their worker, without other faults", 0, family_poison},
};

const struct sim_scenario *sim_family_at(size_t index)
{
    return index < sizeof(families) / sizeof(families[0]) ? &families[index] : NULL;
}

const struct sim_scenario *sim_family_find(const char *name)
{
    for (size_t i = 0; sim_family_at(i) != NULL; i++) {
        if (strcmp(families[i].name, name) == 0) {
            return &families[i];
        }
    }
    return NULL;
}

const struct sim_scenario *sim_scenario_at(size_t index)
{
    return index < sizeof(scenarios) / sizeof(scenarios[0]) ? &scenarios[index] : NULL;
}

const struct sim_scenario *sim_scenario_find(const char *name)
{
    for (size_t i = 0; sim_scenario_at(i) != NULL; i++) {
        if (strcmp(scenarios[i].name, name) == 0) {
            return &scenarios[i];
        }
    }
    return NULL;
}
