/* A scheduler under test with a clock of its own and a memory of what it sent. Every step checks the scheduler's invariants. */
#ifndef QUARTET_TESTS_COORDINATOR_SCHED_SCHED_FIXTURE_H
#define QUARTET_TESTS_COORDINATOR_SCHED_SCHED_FIXTURE_H

#include "coordinator/sched/sched.h"

enum { FIXTURE_ACTIONS = 256, FIXTURE_SENT = 8192 };

struct fixture {
    struct sched *sched;
    uint64_t now_us;
    size_t capacity; /* of the actions of each step; FIXTURE_ACTIONS unless a test sets it */
    struct sched_action list[FIXTURE_ACTIONS];
    struct sched_actions actions; /* of the last step */
    struct sched_action
        sent[FIXTURE_SENT]; /* attempts sent so far; count is 0 when it was answered */
    size_t sent_count;
};

/* Options as the program has them, but without leases; `chunk_items` 0: automatic. */
struct sched_options fixture_options(uint64_t chunk_items);

/* For cmocka: a fixture with fixed chunks of one item, and its end. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* A new scheduler in place of the one there is. */
void fixture_restart(struct fixture *fixture, const struct sched_options *options);

/* One event. Returns what sched_step returned. */
int fixture_step(struct fixture *fixture, const struct sched_event *event);

int fixture_items(struct fixture *fixture, uint64_t available, bool final);
int fixture_join(struct fixture *fixture, uint64_t worker, uint32_t slots, uint32_t credit);

/* It has `count` chunks in hand. */
int fixture_join_holding(struct fixture *fixture,
                         uint64_t worker,
                         uint32_t credit,
                         const struct sched_holding *holding,
                         size_t count);
int fixture_credit(struct fixture *fixture, uint64_t worker, uint32_t credit);
int fixture_returned(struct fixture *fixture, uint64_t worker, struct chunk_id chunk);

/* An event that has a worker at most. */
int fixture_event(struct fixture *fixture, enum sched_event_type type, uint64_t worker);

/* Every item of the chunk succeeded. */
int fixture_result(struct fixture *fixture,
                   uint64_t worker,
                   const struct sched_action *send,
                   uint64_t run_us);

/* Its first `done` items were run, of which those failed that `failed` names. */
int fixture_part(struct fixture *fixture,
                 uint64_t worker,
                 const struct sched_action *send,
                 uint64_t done,
                 const struct sched_span *failed,
                 size_t failed_count);

/* The same as fixture_result for the oldest attempt that was sent to `worker` and is not answered, and credit for one more. Returns its items, 0: none. */
uint64_t fixture_finish(struct fixture *fixture, uint64_t worker, uint64_t run_us);

/* The oldest attempt sent to `worker` that is not answered, or NULL. Borrowed. */
struct sched_action *fixture_oldest(struct fixture *fixture, uint64_t worker);

/* The attempt that was sent last. Borrowed. */
struct sched_action *fixture_last(struct fixture *fixture);

/* Actions of this type in the last step; of `worker` only, unless that is 0. */
size_t fixture_said(const struct fixture *fixture, enum sched_action_type type, uint64_t worker);

/* Attempts sent to `worker` so far; 0: to all. */
size_t fixture_sent(const struct fixture *fixture, uint64_t worker);

struct sched_stats fixture_stats(const struct fixture *fixture);

#endif
