/* The simulator: the real scheduler and real agents, with everything between and around them modelled: time, connections, engines, the
 * shell of the coordinator, its journal, and what goes wrong. One thread, no clock: a seed gives the same run everywhere.
 *
 *   sim_run       the run as a whole: its loop, its trace, its end
 *   sim_time      what happens when, timers, clocks that disagree
 *   sim_faults    what goes wrong
 *   sim_plan      what a seed means: workers, jobs, faults (sim_scenarios: runs with a name; sim_families: families of seeds)
 *   sim_items     what items come to: which fail, and which kill
 *   sim_network   messages, connections: order kept within one, delays, loss with the connection, doubles; links that are cut or slow
 *   sim_worker    an agent and the little that the shell around it does (sim_engine: a model of its engine; sim_liar: made-up messages)
 *   sim_server    a model of the coordinator's shell around the scheduler (sim_server_send: what it says; sim_server_job: jobs, restarts;
 *                 sim_peers: its table)
 *   sim_journal   a model of the coordinator's journal and of the disk under it
 *   sim_judge     what must hold, worked out independently: sessions and who has what (sim_judge_table: chunks and items;
 *                 sim_judge_adopt: what workers come with; sim_judge_twins: what is run in two places), each action (sim_judge_action), what
 *                 they add up to (sim_judge_state), what is durable (sim_judge_disk) */
#ifndef QUARTET_TESTS_SIM_SIM_H
#define QUARTET_TESTS_SIM_SIM_H

#include "common/base/rng.h"
#include "tests/sim/sim_items.h"
#include "tests/sim/sim_journal.h"
#include "tests/sim/sim_judge.h"
#include "tests/sim/sim_network.h"
#include "tests/sim/sim_plan.h"
#include "tests/sim/sim_server.h"
#include "tests/sim/sim_time.h"
#include "tests/sim/sim_worker.h"

enum { SIM_SILENT_BEATS = 5 }; /* so many heartbeats, and the coordinator gives a worker up */

/* For the last line of a run. */
struct sim_counts {
    uint32_t jobs_done;
    uint32_t jobs_cancelled;
    uint64_t duplicates;
    uint64_t abandoned;
    uint64_t retried;
    uint64_t splits;
    uint64_t lost;
    uint64_t hellos;
    uint64_t restarts;
    uint64_t uncounted; /* items that were counted, and lost with the coordinator's memory */
    uint64_t adopted;   /* chunks that workers came with */
    uint64_t refused;   /* events that the scheduler refused */
    uint64_t lies;
};

struct sim {
    struct sim_plan plan;
    struct rng rng;
    bool verbose;
    uint64_t now_us;
    bool calm;
    bool ending;     /* all jobs are over */
    bool no_restart; /* whoever dies now stays dead */
    uint64_t steps;
    struct sim_queue queue;
    struct sim_queue inbox;   /* what came for the server while it was frozen or busy */
    struct sim_timers timers; /* of the workers */
    struct sim_network network;
    struct sim_worker *workers; /* as many as the plan has */
    struct sim_server server;
    struct sim_journal journal;
    struct sim_judge judge;
    struct sim_counts counts;
    struct blob *records;          /* what all records of items are made of */
    uint16_t *tries[SIM_JOBS_MAX]; /* how often each item was run to its end, where items are few */
};

/* Run a plan to its end, or print what was broken and abort. */
void sim_run(const struct sim_plan *plan, bool verbose);

/* The rule that is broken, with values; aborts. */
_Noreturn void sim_fail(const struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void sim_trace(const struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Uniform in [low, high]. */
uint64_t sim_between(struct sim *sim, uint64_t low, uint64_t high);
bool sim_chance(struct sim *sim, uint32_t per_mille);

/* The speed of some machine's clock, in thousandths. */
uint64_t sim_drifting(struct sim *sim);

/* malloc and realloc that cannot fail here. */
void *sim_realloc(void *old, size_t size);

/* --- sim_faults.c --- */

void sim_fault_happens(struct sim *sim, const struct sim_fault *fault);

/* The other end of a cut link notices that a connection is dead. */
void sim_link_healed(struct sim *sim, const struct sim_entry *entry);

/* Faults are over: all workers live and none lies, or, in a doomed run, none ever again. */
void sim_become_calm(struct sim *sim);

#endif
