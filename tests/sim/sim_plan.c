/* What a seed means. */
#include "tests/sim/sim_plan.h"

#include "common/base/check.h"
#include "common/base/record.h"
#include "coordinator/sched/sched.h"

#include <string.h>

uint64_t sim_plan_between(struct rng *rng, uint64_t low, uint64_t high)
{
    return low + rng_below(rng, high - low + 1);
}

bool sim_plan_chance(struct rng *rng, uint32_t per_mille)
{
    return rng_below(rng, 1000) < per_mille;
}

/* Few long items, many short ones, or a range as long as nobody could hold in memory; a few thousand chunks at most. */
static void plan_job(struct sim_job *job, struct rng *rng)
{
    memset(job, 0, sizeof(*job));
    switch (rng_below(rng, 4)) {
    case 0:
        job->items = sim_plan_between(rng, 0, 60);
        job->item_ns = sim_plan_between(rng, 1, 500) * 1000000;
        break;
    case 1:
        job->items = sim_plan_between(rng, 100, 1500);
        job->item_ns = sim_plan_between(rng, 0, 5000) * 1000;
        break;
    case 2:
        job->items = sim_plan_between(rng, 1000, 100000);
        job->item_ns = sim_plan_between(rng, 0, 100000);
        job->chunk_items = sim_plan_chance(rng, 300) ? job->items / 500 + 1 : 0;
        break;
    default:
        job->items = sim_plan_between(rng, 1000000, 1000000000);
        job->item_ns = sim_plan_between(rng, 0, 10);
        job->chunk_items = sim_plan_chance(rng, 300) ? job->items / 1000 : 0;
        break;
    }
    job->items_at_once = sim_plan_chance(rng, 250) ? job->items / sim_plan_between(rng, 1, 40) + 1
                                                   : 0;
    job->failing = sim_plan_chance(rng, 500) ? sim_plan_between(rng, 1, 1000) : 0;
    job->slots = (uint32_t)sim_plan_between(rng, 1, SIM_SLOTS_MAX);
    job->credit_fixed = sim_plan_chance(rng, 300) ? (uint32_t)sim_plan_between(rng, 1, 100) : 0;
}

struct sim_fault *sim_plan_fault(struct sim_plan *plan,
                                 enum sim_fault_type type,
                                 uint64_t at_us,
                                 uint64_t for_us)
{
    CHECK(plan->fault_count < SIM_FAULTS_MAX);
    struct sim_fault *fault = &plan->faults[plan->fault_count++];
    *fault = (struct sim_fault){.type = type, .at_us = at_us, .for_us = for_us};
    return fault;
}

static uint64_t duration_us(struct rng *rng)
{
    return sim_plan_between(rng, 100, sim_plan_chance(rng, 500) ? 50000 : 5000000);
}

static void plan_faults(struct sim_plan *plan, struct rng *rng)
{
    plan->calm_us = sim_plan_between(rng, 1000, 10000000);
    uint64_t count = rng_below(rng, 17);
    for (uint64_t i = 0; i < count; i++) {
        /* Sorts that spoil the others' fun come seldom. */
        static const uint32_t weights[SIM_FAULT_TYPES] = {30, 20, 15, 5, 8, 8, 12, 2};
        uint64_t pick = rng_below(rng, 100);
        uint32_t type = 0;
        while (pick >= weights[type]) {
            pick -= weights[type++];
        }
        uint64_t at_us = rng_below(rng, plan->calm_us);
        sim_plan_fault(plan, (enum sim_fault_type)type, at_us, duration_us(rng))->worker =
            (uint32_t)rng_below(rng, plan->workers);
    }
}

void sim_plan_retries(struct sim_job *job, struct rng *rng)
{
    job->retries_max = (uint32_t)sim_plan_between(rng, 1, 3);
    job->retry_delay_us = sim_plan_chance(rng, 800) ? sim_plan_between(rng, 1, 50000) : 0;
    job->heals = (uint32_t)sim_plan_between(rng, 0, 3);
    job->failing = job->items / sim_plan_between(rng, 1, 60) + 1;
}

void sim_plan_poison(struct sim_job *job, struct rng *rng)
{
    job->poison = job->items / sim_plan_between(rng, 1, 3) + 1;
}

/* What came later than the rest has numbers of its own, so that the others mean what they did. */
static void plan_items_that_fail(struct sim_plan *plan, struct rng *rng)
{
    for (uint32_t i = 0; i < plan->job_count; i++) {
        struct sim_job *job = &plan->jobs[i];
        if (sim_plan_chance(rng, 300)) {
            sim_plan_retries(job, rng);
        }
        if (sim_plan_chance(rng, 100)) {
            sim_plan_poison(job, rng);
        }
        job->partial_per_mille = sim_plan_chance(rng, 300) ? (uint32_t)sim_plan_between(rng, 1, 500)
                                                           : 0;
    }
    uint32_t holds = sim_plan_chance(rng, 200) ? (uint32_t)sim_plan_between(rng, 1, 3) : 0;
    uint32_t stops = sim_plan_chance(rng, 50);
    for (uint32_t i = 0; i < holds + stops; i++) {
        sim_plan_fault(plan,
                       i < holds ? SIM_HOLD : SIM_STOP_JOB,
                       rng_below(rng, plan->calm_us),
                       sim_plan_between(rng, 100, 1000000));
    }
}

/* So long that a few hundred results are full of them, at most. */
static void plan_records(struct sim_job *job, struct rng *rng)
{
    uint64_t most = RECORDS_MAX * UINT64_C(300) / (job->items + 1);
    job->record_bytes = (uint32_t)sim_plan_between(rng, 0, most < 100000 ? most : 100000);
}

/* And again. */
static void plan_machines_that_fail(struct sim_plan *plan, struct rng *rng)
{
    plan->journal = sim_plan_chance(rng, 400);
    plan->speculate = sim_plan_chance(rng, 500);
    plan->grace_us = sim_plan_chance(rng, 500) ? sim_plan_between(rng, 1, 1000000) : 0;
    plan->commit_us_max = sim_plan_between(rng, 100, sim_plan_chance(rng, 800) ? 20000 : 500000);
    plan->drift_per_mille = sim_plan_chance(rng, 300) ? (uint32_t)sim_plan_between(rng, 1, 300) : 0;
    plan->lie_per_mille = sim_plan_chance(rng, 100) ? (uint32_t)sim_plan_between(rng, 1, 300) : 0;
    for (uint32_t i = 0; i < plan->job_count; i++) {
        if (sim_plan_chance(rng, 200)) {
            plan_records(&plan->jobs[i], rng);
        }
    }

    static const enum sim_fault_type types[] = {SIM_PARTITION,
                                                SIM_PARTITION_LOSS,
                                                SIM_SLOW_LINK,
                                                SIM_SUSPEND,
                                                SIM_SUSPEND_SERVER,
                                                SIM_CRASH_SERVER,
                                                SIM_CRASH_WRITING};

    uint64_t sorts = sizeof(types) / sizeof(types[0]) - (plan->journal ? 0 : 2);
    uint64_t count = sim_plan_chance(rng, 300) ? sim_plan_between(rng, 1, 6) : 0;
    for (uint64_t i = 0; i < count; i++) {
        enum sim_fault_type type = types[rng_below(rng, sorts)];
        struct sim_fault *fault = sim_plan_fault(
            plan, type, rng_below(rng, plan->calm_us), duration_us(rng));
        fault->worker = (uint32_t)rng_below(rng, plan->workers);
        fault->count = (uint32_t)sim_plan_between(rng, 1, plan->workers);
    }
}

void sim_plan_from_seed(struct sim_plan *plan, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed);
    memset(plan, 0, sizeof(*plan));
    plan->seed = seed;
    plan->workers = (uint32_t)sim_plan_between(&rng, 1, sim_plan_chance(&rng, 200) ? 8 : 3);
    plan->peers_max = 12;
    plan->job_count = (uint32_t)sim_plan_between(&rng, 1, SIM_JOBS_MAX);
    for (uint32_t i = 0; i < plan->job_count; i++) {
        plan_job(&plan->jobs[i], &rng);
    }
    plan_faults(plan, &rng);
    plan->start_us_max = sim_plan_chance(&rng, 500) ? 0 : plan->calm_us;
    plan->doomed = sim_plan_chance(&rng, 50);
    plan->heartbeat_us = sim_plan_between(&rng, 20000, 1000000);
    plan->delay_us_max = sim_plan_between(&rng, 200, 300000);
    plan->double_per_mille = sim_plan_chance(&rng, 300) ? (uint32_t)sim_plan_between(&rng, 1, 50)
                                                        : 0;
    plan->unnoticed_per_mille = sim_plan_chance(&rng, 500)
                                    ? (uint32_t)sim_plan_between(&rng, 0, 1000)
                                    : 0;
    plan->crash_limit = sim_plan_chance(&rng, 300) ? (uint32_t)sim_plan_between(&rng, 1, 2) : 3;
    plan->sched_actions = sim_plan_chance(&rng, 500) ? SCHED_ACTIONS_MIN : SIM_ACTIONS_MAX;
    rng_init(&rng, ~seed);
    plan_items_that_fail(plan, &rng);
    rng_init(&rng, seed ^ UINT64_C(0x5555555555555555));
    plan_machines_that_fail(plan, &rng);
    rng_init(&rng, seed ^ UINT64_C(0xAAAAAAAAAAAAAAAA));
    plan->beat_each_us = sim_plan_chance(&rng, 500) ? sim_plan_between(&rng, 0, plan->heartbeat_us)
                                                    : 0;
}

/* --- what runs with a name and families are made of --- */

void sim_plan_without_faults(struct sim_plan *plan)
{
    plan->fault_count = 0;
    plan->start_us_max = 0;
    plan->doomed = false;
    plan->double_per_mille = 0;
    plan->unnoticed_per_mille = 0;
    plan->drift_per_mille = 0;
    plan->lie_per_mille = 0;
}

void sim_plan_without_losses(struct sim_plan *plan)
{
    sim_plan_without_faults(plan);
    plan->heartbeat_us = 1000000;
    plan->delay_us_max = 2000;
    plan->commit_us_max = plan->commit_us_max < 20000 ? plan->commit_us_max : 20000;
}
