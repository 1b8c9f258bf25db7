/* A worker: the real agent, a model of its engine, and the little that the shell between them does. */
#ifndef QUARTET_TESTS_SIM_SIM_WORKER_H
#define QUARTET_TESTS_SIM_SIM_WORKER_H

#include "tests/sim/sim_engine.h"
#include "worker/agent.h"

struct sim_worker {
    uint32_t index;
    struct agent *agent; /* NULL: dead */
    uint64_t life;
    uint64_t nonce;
    uint64_t connection; /* 0: none */
    uint64_t frozen_until_us;
    struct sim_clock clock;
    uint64_t slowness; /* 1: as planned */
    uint32_t credit_max;
    bool exited;
    uint32_t job_slots; /* of the job last received */
    struct sim_engine engine;
    struct sim_message *in_hand; /* the message whose event is being handled */
    struct sim_message *replay;  /* a liar's: RESULTS that it has sent */
    bool lied;                   /* nobody can say what it may hold back */
};

void sim_worker_start(struct sim *sim, uint32_t index);

/* Dies without a word. */
void sim_worker_kill(struct sim *sim, uint32_t index);
void sim_worker_happens(struct sim *sim, struct sim_entry *entry);
void sim_worker_step(struct sim *sim, struct sim_worker *worker, const struct agent_event *event);
void sim_worker_tick(struct sim *sim, uint32_t index);
void sim_worker_drain(struct sim *sim, uint32_t index);
void sim_worker_deinit(struct sim_worker *worker);

/* It does nothing for a while; `suspend`: its clock stands still meanwhile. */
void sim_worker_freeze(struct sim *sim, uint32_t index, uint64_t for_us, bool suspend);

/* Its connection breaks, and it will have another one after a while. It may notice nothing. */
void sim_worker_break_connection(struct sim *sim,
                                 uint32_t index,
                                 enum sim_rest rest,
                                 uint64_t for_us);

/* --- sim_liar.c --- */

bool sim_is_liar(const struct sim *sim, const struct sim_worker *worker);

/* A liar is about to send this: with some chance it says something else, or something more. Not what could be the truth. */
void sim_lie(struct sim *sim, struct sim_worker *worker, struct sim_message *message);

#endif
