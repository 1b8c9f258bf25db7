/* What must hold, worked out independently: from the scheduler's events and actions, and from what is on disk. */
#ifndef QUARTET_TESTS_SIM_SIM_JUDGE_H
#define QUARTET_TESTS_SIM_SIM_JUDGE_H

#include "common/base/interval.h"
#include "coordinator/sched.h"
#include "tests/sim/sim_time.h"

/* What the judge knows of a chunk, by the slot that the actions name. */
struct sim_chunk {
    uint64_t id; /* 0: none is live in this slot */
    uint64_t last_id;
    uint64_t first;
    uint64_t count;
    uint32_t attempt;
    uint32_t losses;     /* with any it is a suspect */
    uint32_t own_losses; /* a piece of a suspect has losses, but none of its own */
    uint32_t failures;
    bool must_split;
    uint64_t holder; /* session; 0: queued */
};

/* What is left of a chunk that is over, and has not been sent yet. */
struct sim_part {
    uint64_t first;
    uint64_t count;
    uint32_t attempt; /* that it must be sent as */
    uint32_t losses;
    uint32_t failures;
    uint64_t due_us; /* by the server's clock */
};

/* Items that are counted by a message which is not acknowledged yet. */
struct sim_receivable {
    uint64_t seq;
    uint64_t first;
    uint64_t end;
};

struct sim_session {
    uint64_t credit;
    uint32_t slots;
    uint32_t held;     /* chunks */
    uint32_t suspects; /* among them */
    bool live;
    bool draining;
    struct sim_receivable *receivables;
    size_t receivable_count;
    size_t receivable_capacity;
};

/* What the chunks and parts of a judge add up to. */
struct sim_sums {
    uint64_t items_held;
    uint64_t items_queued;
    bool suspects_wait;
    bool others_wait;    /* and may be sent now */
    uint64_t must_split; /* id of a chunk; 0: none */
};

struct sim_judge {
    struct interval_set counted;
    struct tally tally;
    struct sim_chunk *chunks;
    size_t chunk_capacity;
    size_t live; /* chunks and parts */
    size_t live_max;
    struct sim_part *parts;
    size_t part_count;
    size_t part_capacity;
    uint64_t cut;        /* no item from here on has been in a chunk */
    uint64_t fresh_from; /* the next fresh chunk begins here or later */
    uint64_t count_max;  /* items of the largest chunk */
    uint64_t abandoned;  /* items */
    uint64_t poisoned;   /* workers that died of an item of the job */
    bool disturbed;      /* a session ended, a chunk was given back, or the server crashed */
    bool holding;
    bool stopped;
    bool done;
    bool stalled;
    struct sim_sums sums;         /* after the last step that was looked at as a whole */
    uint64_t unlooked;            /* steps since then */
    struct sim_session *sessions; /* by number */
    size_t session_count;
};

void sim_judge_begin_job(struct sim *sim);
void sim_judge_deinit(struct sim_judge *judge);
void sim_judge_event(struct sim *sim, const struct sched_event *event);
void sim_judge_action(struct sim *sim,
                      const struct sched_event *event,
                      const struct sched_action *action);

/* Nobody has anything in hand, as far as the scheduler knows. */
void sim_judge_forget(struct sim_judge *judge);

/* The session of this number, if it is known to the scheduler; otherwise NULL. */
struct sim_session *sim_judge_session(struct sim_judge *judge, uint64_t number);

/* --- sim_judge_state.c --- */

/* After each step of the scheduler. */
void sim_judge_state(struct sim *sim);

/* When it has nothing more to say for now. */
void sim_judge_settled(struct sim *sim);

/* The job is over: everything is accounted for exactly once, or it was cancelled or stopped. */
void sim_judge_end_job(struct sim *sim);

/* --- sim_judge_disk.c --- */

/* Everything up to this message of a session is acknowledged. */
void sim_judge_acknowledged(struct sim *sim, uint64_t session, uint64_t seq);

/* The scheduler has refused an event. */
void sim_judge_refused(struct sim *sim, const struct sched_event *event, int rc);

#endif
