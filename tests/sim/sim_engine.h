/* A model of a worker's engine: slots that run chunks, each for as long as its items take. */
#ifndef QUARTET_TESTS_SIM_SIM_ENGINE_H
#define QUARTET_TESTS_SIM_SIM_ENGINE_H

#include "common/base/chunk.h"
#include "tests/sim/sim_network.h"
#include "tests/sim/sim_plan.h"

struct sim_worker;

struct sim_run_slot {
    bool busy;
    struct chunk chunk;
    uint64_t done; /* items that it will have run when it ends */
};

struct sim_engine {
    bool ready;
    uint64_t job;
    uint64_t generation; /* entries of an earlier engine mean nothing */
    uint32_t slots;
    struct sim_run_slot running[SIM_SLOTS_MAX];
    struct chunk *queue;
    size_t queued;
    size_t queue_capacity;
    struct chunk_result *done;
    size_t done_count;
    size_t done_capacity;
    uint64_t records_max; /* bytes of the longest records of one result so far */
    bool waking;
};

void sim_engine_start(struct sim *sim, struct sim_worker *worker, uint64_t job);
void sim_engine_stop(struct sim *sim, struct sim_worker *worker);
void sim_engine_submit(struct sim *sim,
                       struct sim_worker *worker,
                       const struct sim_message *message);

/* Give back what is unbegun, at once. */
void sim_engine_take_back(struct sim *sim, struct sim_worker *worker);

/* Say what is in hand, at once. */
void sim_engine_say_holding(struct sim *sim, struct sim_worker *worker);

void sim_engine_happens(struct sim *sim, struct sim_worker *worker, const struct sim_entry *entry);

/* Everything is lost. */
void sim_engine_clear(struct sim_engine *engine);
void sim_engine_deinit(struct sim_engine *engine);

#endif
