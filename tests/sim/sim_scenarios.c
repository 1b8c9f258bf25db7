/* The runs that have a name. */
#include "tests/sim/sim_plan.h"

#include <string.h>

/* One job of 200 items of 20 ms on two workers of four slots. */
static void steady(struct sim_plan *plan)
{
    sim_plan_without_faults(plan);
    plan->workers = 2;
    plan->job_count = 1;
    plan->jobs[0] = (struct sim_job){
        .items = 200, .chunk_items = 1, .item_ns = 20000000, .failing = 7, .slots = 4};
    plan->delay_us_max = 200;
    plan->heartbeat_us = 100000;
    plan->crash_limit = 3;
    plan->calm_us = 10000000;
    plan->journal = false;
}

static void with_fault(struct sim_plan *plan, enum sim_fault_type type, uint64_t for_us)
{
    steady(plan);
    sim_plan_fault(plan, type, 150000, for_us);
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
    sim_plan_without_losses(plan);
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
