/* What a seed means: workers, jobs, faults; and the runs and families of runs that have a name. */
#ifndef QUARTET_TESTS_SIM_SIM_PLAN_H
#define QUARTET_TESTS_SIM_SIM_PLAN_H

#include "common/base/rng.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SIM_JOBS_MAX = 3,
    SIM_FAULTS_MAX = 64,
    SIM_SLOTS_MAX = 12,
    SIM_ACTIONS_MAX = 512, /* of one step of the scheduler */
};

struct sim_job {
    uint64_t items;
    uint64_t chunk_items; /* 0: automatic */
    uint64_t item_ns;
    uint64_t items_at_once; /* that become available together; 0: all from the start */
    uint64_t failing;       /* every n-th item fails; 0: none */
    uint32_t heals;         /* every second of those fails in so many attempts only; 0: no */
    uint32_t retries_max;   /* with any, the scheduler is told which items failed */
    uint64_t retry_delay_us;
    uint32_t partial_per_mille; /* chunks that end before their last item */
    uint64_t poison;            /* one in so many items kills the worker that runs it; 0: none */
    uint32_t record_bytes;      /* of each item's record; 0: none are asked for */
    uint32_t slots;
    uint32_t credit_fixed;
};

enum sim_fault_type {
    SIM_DISCONNECT = 0,
    SIM_CRASH,
    SIM_FREEZE,
    SIM_FREEZE_SERVER,
    SIM_DRAIN_SIGNAL,
    SIM_DRAIN_MESSAGE,
    SIM_SLOW,
    SIM_CANCEL_JOB,
    SIM_HOLD, /* nobody takes results for a while */
    SIM_STOP_JOB,
    SIM_CRASH_SERVER,   /* it comes back from its journal */
    SIM_CRASH_WRITING,  /* the same, while the next group of the journal is being written */
    SIM_PARTITION,      /* silence both ways, then everything arrives */
    SIM_PARTITION_LOSS, /* silence both ways, then the connections are dead */
    SIM_SLOW_LINK,
    SIM_SUSPEND, /* a machine stands still, and its clock with it */
    SIM_SUSPEND_SERVER,
    SIM_FAULT_TYPES,
};

struct sim_fault {
    enum sim_fault_type type;
    uint64_t at_us;
    uint64_t for_us;
    uint32_t worker;
    uint32_t count; /* of workers from that one on, which it strikes together; 0 is 1 */
};

struct sim_plan {
    uint64_t seed;
    uint32_t workers;
    uint32_t peers_max; /* that the coordinator takes */
    uint32_t job_count;
    struct sim_job jobs[SIM_JOBS_MAX];
    struct sim_fault faults[SIM_FAULTS_MAX];
    uint32_t fault_count;
    uint64_t calm_us;      /* when faults end */
    uint64_t start_us_max; /* when the last worker may come first */
    bool doomed;           /* when they end all workers are dead for ever */
    uint64_t heartbeat_us; /* at least */
    uint64_t beat_each_us; /* so much longer for each worker, see coordinator/tempo.h */
    uint64_t delay_us_max;
    uint32_t double_per_mille;    /* messages that arrive twice, until calm */
    uint32_t unnoticed_per_mille; /* lost connections that only silence tells */
    uint32_t crash_limit;
    bool speculate;
    size_t sched_actions;
    bool only_poison; /* no session is ever lost but through a poisonous item */
    bool journal;     /* results are acknowledged when they are durable */
    uint64_t
        grace_us; /* that a coordinator which came back waits for workers before it sends anything fresh */
    bool run_once;            /* no item is ever run again, also when the coordinator crashes */
    uint64_t commit_us_max;   /* that a group takes to become so */
    uint32_t drift_per_mille; /* how far clocks may be off, either way; under 1000 */
    uint32_t lie_per_mille;   /* of the messages of every second worker, until calm */
    uint64_t hellos_max;      /* that are heard in the run; 0: as many as there are */
    uint64_t message_us;      /* that the coordinator takes for each that comes; 0: none */
};

void sim_plan_from_seed(struct sim_plan *plan, uint64_t seed);

/* What runs with a name and families are made of. The first two are uniform in [low, high], and true so often. */
uint64_t sim_plan_between(struct rng *rng, uint64_t low, uint64_t high);
bool sim_plan_chance(struct rng *rng, uint32_t per_mille);

/* At `at_us`, for `for_us`; the worker is the first one. Returns it, to say more. */
struct sim_fault *sim_plan_fault(struct sim_plan *plan,
                                 enum sim_fault_type type,
                                 uint64_t at_us,
                                 uint64_t for_us);
void sim_plan_without_faults(struct sim_plan *plan);

/* No loss but what the job's own items bring about: links are quick, and silence is not taken for death. */
void sim_plan_without_losses(struct sim_plan *plan);

/* Items that fail and are run again: few enough that a chunk for each can be afforded. */
void sim_plan_retries(struct sim_job *job, struct rng *rng);

/* At most three items that kill. */
void sim_plan_poison(struct sim_job *job, struct rng *rng);

/* --- sim_scenarios.c --- */

/* A named run: one that once failed, or a fault worth having by itself. */
struct sim_scenario {
    const char *name;
    const char *why;
    uint64_t seed;
    void (*arrange)(struct sim_plan *plan); /* NULL: as the seed has it */
};

/* NULL: unknown; for listing, number `index`. */
const struct sim_scenario *sim_scenario_find(const char *name);
const struct sim_scenario *sim_scenario_at(size_t index);

/* --- sim_families.c --- */

/* What is done to the plans of many seeds, to see much of one thing; their `seed` means nothing. NULL: unknown. */
const struct sim_scenario *sim_family_find(const char *name);
const struct sim_scenario *sim_family_at(size_t index);

#endif
