/* What must hold, worked out independently: from the scheduler's events and actions, and from what is on disk. */
#ifndef QUARTET_TESTS_SIM_SIM_JUDGE_H
#define QUARTET_TESTS_SIM_SIM_JUDGE_H

#include "common/base/interval.h"
#include "coordinator/sched/sched.h"
#include "tests/sim/sim_time.h"

/* How suspect a chunk is, and so how many of its like one worker may have. */
enum sim_suspicion { SIM_CLEAR = 0, SIM_COMPANY, SIM_GROUP, SIM_ALONE, SIM_SUSPICIONS };

/* What the judge knows of a chunk that some worker has, had, or came with. */
struct sim_chunk {
    uint32_t slot;    /* that the actions name; SIM_NO_SLOT: none has yet */
    uint64_t id;      /* 0 until then */
    uint64_t foreign; /* the id of an earlier coordinator that its worker knows it under; 0: none */
    uint64_t first;
    uint64_t count;
    uint32_t attempt;
    enum sim_suspicion suspicion;
    uint32_t losses; /* while it was alone */
    bool lost;       /* at its last attempt, before which it was suspect like this: */
    enum sim_suspicion suspicion_before;
    uint32_t losses_before;
    uint32_t failures;
    bool must_split;
    uint64_t holder; /* session; 0: queued */
    bool duplicate;  /* of a chunk that alone stands for its items, */
    uint64_t of;     /* and begins with this one */
    bool doubled;    /* it has duplicates */
    bool once_only;  /* a duplicate was lost, and it gets no further ones */
    uint32_t doublings;
};

#define SIM_NO_SLOT UINT32_MAX

struct sim_slot {
    uint32_t chunk; /* its place in the judge's list; SIM_NO_SLOT: none is live there */
    uint64_t last_id;
};

/* What is left of a chunk that is over, and has not been sent yet. */
struct sim_part {
    uint64_t first;
    uint64_t count;
    uint32_t attempt; /* that it must be sent as */
    enum sim_suspicion suspicion;
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
    uint32_t held;                /* chunks */
    enum sim_suspicion suspicion; /* of the most suspect one */
    uint32_t stale;               /* chunks that it runs for nothing: another's result counted */
    bool mixed;                   /* it came with some that may not be together */
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
    bool waits[SIM_SUSPICIONS]; /* something of this suspicion, that may be sent now */
    bool failed_waits;          /* something of these has failed, and waits for another worker */
    bool unread;                /* something waits for its items to be read again */
    uint64_t must_split;        /* id of a chunk; 0: none */
};

struct sim_judge {
    struct interval_set counted;
    struct tally tally;
    struct sim_chunk *chunks; /* live ones, in no order */
    size_t chunk_count;
    size_t chunk_capacity;
    struct sim_slot *slots;
    size_t slot_count;
    size_t homeless;   /* chunks without a slot */
    size_t live_max;   /* chunks and parts */
    uint64_t *adopted; /* ids of earlier coordinators */
    size_t adopted_count;
    size_t adopted_capacity;
    struct sim_part *parts;
    size_t part_count;
    size_t part_capacity;
    uint64_t cut;        /* no item from here on has been in a chunk */
    uint64_t fresh_from; /* the next fresh chunk begins here or later */
    uint64_t count_max;  /* items of the largest chunk */
    uint64_t abandoned;  /* items */
    uint64_t poisoned;   /* workers that died of an item of the job */
    bool was_stopped;    /* also before a crash: what failed then was not tried again */
    bool disturbed;      /* a session ended, a chunk was given back, or the server crashed */
    uint64_t answering;  /* session whose result is in hand, and has not counted */
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

/* Nobody has anything in hand, as far as the scheduler knows. */
void sim_judge_forget(struct sim_judge *judge);

/* The session of this number, if it is known to the scheduler; otherwise NULL. */
struct sim_session *sim_judge_session(struct sim_judge *judge, uint64_t number);
void sim_judge_session_ends(struct sim *sim, uint64_t number, bool lost);

/* A session has ended one that it ran for nothing, if it had any. */
void sim_judge_not_stale(struct sim_judge *judge, uint64_t number);

/* Most chunks of one suspicion that a worker may have. */
uint32_t sim_company_max(enum sim_suspicion suspicion);

/* A session has it from now on. */
void sim_judge_take(struct sim_judge *judge, struct sim_chunk *chunk, uint64_t number);

/* Whoever holds it does so no more. */
void sim_judge_let_go(struct sim_judge *judge, struct sim_chunk *chunk);

/* --- sim_judge_action.c --- */

void sim_judge_action(struct sim *sim,
                      const struct sched_event *event,
                      const struct sched_action *action);

/* --- sim_judge_adopt.c --- */

/* A worker has joined with something in hand, and goes on with what nobody else has. */
void sim_judge_adopt(struct sim *sim, const struct sched_event *event);

/* --- sim_judge_twins.c --- */

/* The live chunk that has the items of one which is sent for the first time: that is a duplicate, then. NULL: there is none. */
struct sim_chunk *sim_judge_original(struct sim *sim, const struct sched_action *action);

/* A chunk is finished: its duplicates are over; or what it is a duplicate of is, and the others stand for their items. */
void sim_judge_decide(struct sim *sim, const struct sched_action *action);

/* The holder of a chunk that is or has a duplicate goes, or gives it back. Pointers to chunks are not good any more. */
void sim_judge_lose_twin(struct sim *sim, struct sim_chunk *chunk, bool lost);

/* --- sim_judge_table.c --- */

/* The chunk that an action is about, or NULL: there is none in its slot. Pointers are good until the next chunk is added or ends. */
struct sim_chunk *sim_judge_chunk(struct sim *sim, const struct sched_action *action);
/* The live one that a worker knows under this id. */
struct sim_chunk *sim_judge_chunk_of_id(struct sim_judge *judge, uint64_t id);
struct sim_chunk *sim_judge_add_chunk(struct sim *sim, const struct sim_chunk *chunk);

/* The chunk in a slot is over; what is left of it was added as parts before. */
void sim_judge_end_chunk(struct sim_judge *judge, uint32_t slot);

/* The same, by itself; it may have no slot. */
void sim_judge_remove_chunk(struct sim_judge *judge, struct sim_chunk *chunk);

/* The part that begins with this item, or NULL. */
struct sim_part *sim_judge_part(struct sim_judge *judge, uint64_t first);
void sim_judge_add_part(struct sim_judge *judge, struct sim_part part);
void sim_judge_remove_part(struct sim_judge *judge, struct sim_part *part);

/* Is one of these items counted, in a chunk, or left over from one? And how many are, of [0, end)? */
bool sim_judge_has_state(const struct sim_judge *judge, uint64_t first, uint64_t end);
uint64_t sim_judge_states_below(const struct sim_judge *judge, uint64_t end);

/* Chunks and parts. */
size_t sim_judge_live(const struct sim_judge *judge);
void sim_judge_clear_table(struct sim_judge *judge);
void sim_judge_free_table(struct sim_judge *judge);

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

/* The coordinator is gone: what is on disk is all that counts. */
void sim_judge_crash(struct sim *sim);

/* The scheduler has refused an event. */
void sim_judge_refused(struct sim *sim, const struct sched_event *event, int rc);

#endif
