/* What is done to the plans of many seeds, to see much of one thing. */
#include "coordinator/status/tempo.h"
#include "tests/sim/sim_plan.h"

#include <string.h>

/* Numbers for a family: others than those that made the plan. */
static struct rng family_rng(const struct sim_plan *plan)
{
    struct rng rng;
    rng_init(&rng, plan->seed ^ UINT64_C(0xaaaaaaaaaaaaaaaa));
    return rng;
}

/* Faults of these types, each somewhere before calm, on some of the workers. */
static void add_faults(struct sim_plan *plan,
                       struct rng *rng,
                       const enum sim_fault_type *types,
                       size_t type_count,
                       uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        enum sim_fault_type type = types[rng_below(rng, type_count)];
        uint64_t for_us = sim_plan_between(rng, 100, sim_plan_chance(rng, 500) ? 300000 : 5000000);
        struct sim_fault *fault = sim_plan_fault(plan, type, rng_below(rng, plan->calm_us), for_us);
        fault->worker = (uint32_t)rng_below(rng, plan->workers);
        fault->count = (uint32_t)sim_plan_between(rng, 1, plan->workers);
    }
}

/* Nothing is lost: each item is run exactly as often as it has to be. */
static void retries(struct sim_plan *plan)
{
    struct rng rng = family_rng(plan);
    sim_plan_without_losses(plan);
    for (uint32_t i = 0; i < plan->job_count; i++) {
        struct sim_job *job = &plan->jobs[i];
        job->items = job->items > 5000 ? 5000 : job->items;
        job->chunk_items = sim_plan_chance(&rng, 500) ? sim_plan_between(&rng, 1, 200) : 0;
        job->poison = 0;
        sim_plan_retries(job, &rng);
    }
}

/* Nothing is lost but through poison. */
static void poison(struct sim_plan *plan)
{
    struct rng rng = family_rng(plan);
    sim_plan_without_losses(plan);
    plan->only_poison = true;
    plan->crash_limit = (uint32_t)sim_plan_between(&rng, 2, 4);
    for (uint32_t i = 0; i < plan->job_count; i++) {
        struct sim_job *job = &plan->jobs[i];
        job->items = job->items > 200000 ? 200000 : job->items; /* split twice, which is enough */
        sim_plan_poison(job, &rng);
    }
}

/* The coordinator dies again and again, mostly while it writes, also while workers come back. */
static void restart(struct sim_plan *plan)
{
    static const enum sim_fault_type types[] = {
        SIM_CRASH_WRITING, SIM_CRASH_WRITING, SIM_CRASH_SERVER, SIM_CRASH, SIM_PARTITION};
    struct rng rng = family_rng(plan);
    if (sim_plan_chance(&rng, 500)) {
        sim_plan_without_faults(plan);
    }
    plan->journal = true;
    plan->calm_us = sim_plan_between(&rng, 100000, 4000000);
    plan->commit_us_max = sim_plan_between(&rng, 100, 200000);
    for (uint32_t i = 0; i < plan->fault_count; i++) {
        plan->faults[i].at_us = rng_below(&rng, plan->calm_us);
    }
    add_faults(plan, &rng, types, sizeof(types) / sizeof(types[0]), sim_plan_between(&rng, 1, 16));
}

/* Several workers, or all of them, are cut off at once. */
static void partitions(struct sim_plan *plan)
{
    static const enum sim_fault_type types[] = {
        SIM_PARTITION, SIM_PARTITION_LOSS, SIM_SLOW_LINK, SIM_SUSPEND, SIM_SUSPEND_SERVER};
    struct rng rng = family_rng(plan);
    sim_plan_without_faults(plan);
    plan->workers = (uint32_t)sim_plan_between(&rng, 2, 8);
    plan->drift_per_mille = sim_plan_chance(&rng, 500) ? (uint32_t)sim_plan_between(&rng, 1, 500)
                                                       : 0;
    plan->unnoticed_per_mille = sim_plan_chance(&rng, 500) ? 500 : 0;
    add_faults(plan, &rng, types, sizeof(types) / sizeof(types[0]), sim_plan_between(&rng, 1, 12));
}

/* Every second worker lies, and there is one more that does not. */
static void liars(struct sim_plan *plan)
{
    struct rng rng = family_rng(plan);
    plan->workers = (uint32_t)sim_plan_between(&rng, 1, 3) * 2 + 1;
    plan->lie_per_mille = (uint32_t)sim_plan_between(&rng, 10, 500);
}

/* Some workers are much slower than others, from early on, and some stand still with what they have. */
static void stragglers(struct sim_plan *plan)
{
    static const enum sim_fault_type types[] = {SIM_SLOW, SIM_SLOW, SIM_FREEZE, SIM_SLOW_LINK};
    struct rng rng = family_rng(plan);
    sim_plan_without_faults(plan);
    plan->workers = (uint32_t)sim_plan_between(&rng, 2, 8);
    plan->speculate = true;
    add_faults(plan, &rng, types, sizeof(types) / sizeof(types[0]), sim_plan_between(&rng, 1, 6));
    for (uint32_t i = 0; i < plan->fault_count; i++) {
        plan->faults[i].at_us /= 4;
        plan->faults[i].count = (plan->faults[i].count + 1) / 2;
    }
}

/* Thousands of workers that come at once; hundreds of them are struck together. One short job, and a coordinator that takes its time. */
static void crowd(struct sim_plan *plan)
{
    static const enum sim_fault_type types[] = {SIM_CRASH,
                                                SIM_DISCONNECT,
                                                SIM_PARTITION,
                                                SIM_PARTITION_LOSS,
                                                SIM_SUSPEND,
                                                SIM_SLOW,
                                                SIM_CRASH_SERVER};
    struct rng rng = family_rng(plan);
    sim_plan_without_faults(plan);
    plan->workers = (uint32_t)sim_plan_between(&rng, 1000, 3000);
    plan->peers_max = plan->workers * 2;
    plan->heartbeat_us = 1000000;
    plan->beat_each_us = TEMPO_EACH_US;
    plan->delay_us_max = 100000;
    plan->calm_us = 2000000;
    plan->message_us = sim_plan_between(&rng, 1, 30);
    plan->journal = sim_plan_chance(&rng, 700);
    plan->job_count = 1;
    plan->jobs[0] = (struct sim_job){
        .items = plan->workers * sim_plan_between(&rng, 3, 8),
        .chunk_items = sim_plan_chance(&rng, 500) ? sim_plan_between(&rng, 1, 2) : 0,
        .item_ns = sim_plan_between(&rng, 100, 800) * 1000000,
        .slots = (uint32_t)sim_plan_between(&rng, 1, 2)};
    add_faults(plan, &rng, types, sizeof(types) / sizeof(types[0]), sim_plan_between(&rng, 0, 4));
}

static const struct sim_scenario families[] = {
    {"mixed", "as the seed has it", 0, NULL},
    {"retries", "results of some of the items, and items that fail, without faults", 0, retries},
    {"poison", "items that kill their worker, without other faults", 0, poison},
    {"restart", "the coordinator dies and goes on from its journal", 0, restart},
    {"partitions", "links are cut or slow, machines suspended, clocks disagree", 0, partitions},
    {"liars", "every second worker makes things up", 0, liars},
    {"stragglers", "workers of very different speed", 0, stragglers},
    {"crowd", "thousands of workers", 0, crowd},
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
