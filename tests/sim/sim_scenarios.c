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
    plan->speculate = false;
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

/* One of two workers is slow from the start; the other one ends the job. */
static void straggler(struct sim_plan *plan)
{
    with_fault(plan, SIM_SLOW, 0);
    plan->faults[0].at_us = 1;
    plan->speculate = true;
}

static void with_journal(struct sim_plan *plan)
{
    steady(plan);
    plan->journal = true;
    plan->commit_us_max = 50000;
}

static void server_crash(struct sim_plan *plan)
{
    with_journal(plan);
    sim_plan_fault(plan, SIM_CRASH_SERVER, 150000, 300000);
}

static void server_crashes_writing(struct sim_plan *plan)
{
    with_journal(plan);
    for (uint64_t i = 0; i < 8; i++) {
        sim_plan_fault(plan, SIM_CRASH_WRITING, 50000 + i * 60000, 20000);
    }
}

/* Whatever was in hand is gone on with, and results that were not on disk are sent again. */
static void server_crashes_patiently(struct sim_plan *plan)
{
    with_journal(plan);
    plan->run_once = true;
    plan->grace_us = 1000000;
    plan->jobs[0].item_ns = 100000000;
    for (uint64_t i = 0; i < 5; i++) {
        sim_plan_fault(plan, SIM_CRASH_WRITING, 150000 + i * 1500000, 100000);
    }
}

/* The last results are counted, and not on disk. */
static void server_crashes_last(struct sim_plan *plan)
{
    with_journal(plan);
    plan->jobs[0] = (struct sim_job){.items = 1, .item_ns = 1000, .slots = 1};
    sim_plan_fault(plan, SIM_CRASH_WRITING, 1, 20000);
}

static void all_crash(struct sim_plan *plan)
{
    server_crash(plan);
    sim_plan_fault(plan, SIM_CRASH, 200000, 100000)->count = 2;
}

/* Longer than the lease. */
static void partition(struct sim_plan *plan)
{
    with_fault(plan, SIM_PARTITION, 900000);
    plan->faults[0].count = 2;
}

static void partition_with_loss(struct sim_plan *plan)
{
    with_fault(plan, SIM_PARTITION_LOSS, 900000);
    plan->faults[0].count = 2;
}

static void slow_link(struct sim_plan *plan)
{
    with_fault(plan, SIM_SLOW_LINK, 3000000);
    plan->jobs[0].record_bytes = 2000;
}

static void suspended(struct sim_plan *plan)
{
    with_fault(plan, SIM_SUSPEND, 5000000);
    sim_plan_fault(plan, SIM_SUSPEND_SERVER, 300000, 5000000);
}

static void clocks_disagree(struct sim_plan *plan)
{
    steady(plan);
    plan->drift_per_mille = 500;
}

static void liar(struct sim_plan *plan)
{
    steady(plan);
    plan->lie_per_mille = 300;
}

/* 1,000 workers come at once, to a coordinator that takes a millisecond for each message. */
static void crowd_comes(struct sim_plan *plan)
{
    steady(plan);
    plan->workers = 1000;
    plan->peers_max = 1000;
    plan->heartbeat_us = 1000000;
    plan->message_us = 1000;
    plan->hellos_max = plan->workers;
    plan->jobs[0] = (struct sim_job){
        .items = 4000, .chunk_items = 1, .item_ns = 1000000000, .slots = 1};
}

/* And again, when it has been away: each says HELLO once more, and few a second time. */
static void crowd_comes_back(struct sim_plan *plan)
{
    crowd_comes(plan);
    plan->journal = true;
    plan->commit_us_max = 20000;
    plan->message_us = 100;
    plan->hellos_max = 2 * plan->workers;
    sim_plan_fault(plan, SIM_CRASH_SERVER, 1500000, 1000000);
}

/* Life signs are a second apart with eight workers, and less with fewer: six of them are away for a while, one freezes and is given up, and
 * nobody else is. */
static void tempo_changes(struct sim_plan *plan)
{
    steady(plan);
    plan->workers = 8;
    plan->beat_each_us = 125000;
    plan->jobs[0].items = 4000;
    struct sim_fault *away = sim_plan_fault(plan, SIM_CRASH, 1000000, 4000000);
    away->worker = 2;
    away->count = 6;
    sim_plan_fault(plan, SIM_FREEZE, 2000000, 3000000);
    plan->hellos_max = plan->workers + away->count + 1;
}

/* The crowd is there, and nothing happens for long: as many life signs as are due, and all stay. */
static void crowd_works(struct sim_plan *plan)
{
    crowd_comes(plan);
    plan->message_us = 0;
    plan->beat_each_us = 5000;
    plan->jobs[0].item_ns = UINT64_C(20000000000);
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
    {"straggler", "what a slow worker has runs a second time", 1, straggler},
    {"server-crash", "the coordinator dies and comes back", 1, server_crash},
    {"server-crash-writing",
     "the coordinator dies again and again while it writes",
     1,
     server_crashes_writing},
    {"server-crash-patient",
     "it waits for its workers each time, and nothing is run again",
     1,
     server_crashes_patiently},
    {"server-crash-last", "it dies when all is counted and not on disk", 1, server_crashes_last},
    {"all-crash", "everybody dies, and only the disk remains", 1, all_crash},
    {"partition", "all workers are cut off for longer than their lease", 1, partition},
    {"partition-loss", "the same, and the connections are dead", 1, partition_with_loss},
    {"slow-link", "results take longer on the way than silence may last", 1, slow_link},
    {"suspended", "a worker's machine sleeps, then the coordinator's", 1, suspended},
    {"clocks-disagree", "clocks run up to three times as fast as others", 1, clocks_disagree},
    {"liar", "one of two workers makes things up", 1, liar},
    {"crowd-comes", "1,000 workers come at once, and each says HELLO once", 1, crowd_comes},
    {"crowd-comes-back", "1,000 workers come back at once", 1, crowd_comes_back},
    {"tempo-changes", "workers come and go, and life signs with them", 1, tempo_changes},
    {"crowd-works", "1,000 workers with long items and few life signs", 1, crowd_works},
    {"mixed-company", "a worker comes back with what it was blamed for and what not", 35, NULL},
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
