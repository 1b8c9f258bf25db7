/* The simulator's time: what will happen and when, whose timer is due first, and the clock of each machine, none of which agrees with
 * another. */
#ifndef QUARTET_TESTS_SIM_SIM_TIME_H
#define QUARTET_TESTS_SIM_SIM_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim;
struct sim_message;

enum sim_kind {
    SIM_TO_SERVER,
    SIM_TO_WORKER,
    SIM_CONNECTED,
    SIM_DISCONNECTED,
    SIM_ENGINE_READY,
    SIM_ENGINE_STOPPED,
    SIM_CHUNK_ENDED,
    SIM_POISONED,
    SIM_ENGINE_WAKES,
    SIM_START,
    SIM_FAULT,
    SIM_HEALED, /* a link that was cut */
    SIM_FEED,
    SIM_PROBE,
    SIM_GO_ON, /* after SIM_HOLD */
    SIM_COMMITTED,
    SIM_CRASHES, /* of the server */
    SIM_RESTART,
    SIM_CALM,
};

/* Something that will happen. */
struct sim_entry {
    uint64_t time_us;
    uint64_t order; /* entries of one time happen in the order they were made */
    enum sim_kind kind;
    uint32_t worker;
    uint64_t life; /* of the worker, or of the server; an entry of an earlier life means nothing */
    uint64_t connection;
    uint64_t value;
    struct sim_message *message; /* owned */
};

/* A binary heap. */
struct sim_queue {
    struct sim_entry *list;
    size_t count;
    size_t capacity;
    uint64_t next_order;
};

/* `entry` at `time_us`; takes over its message. */
void sim_at(struct sim *sim, uint64_t time_us, struct sim_entry entry);

/* The first one, which is taken out. There must be one. */
struct sim_entry sim_queue_pop(struct sim_queue *queue);

/* Put it back for later; its order stays, and with it the order of messages. */
void sim_queue_put_back(struct sim_queue *queue, struct sim_entry entry);

/* When each of `count` timers is due: a heap of their numbers; of equals the smallest is first. */
struct sim_timers {
    uint64_t *due_us;
    uint32_t *heap;
    uint32_t *place; /* in the heap, by number */
    uint32_t count;
};

/* All are never due (UINT64_MAX). `count` is at least 1. */
void sim_timers_init(struct sim_timers *timers, uint32_t count);
void sim_timers_deinit(struct sim_timers *timers);
void sim_timers_set(struct sim_timers *timers, uint32_t number, uint64_t due_us);

/* The number of the one that is due first, and when. */
uint32_t sim_timers_first(const struct sim_timers *timers, uint64_t *ret_due_us);

/* A machine's monotonic clock: runs faster or slower than the run's own time, and stands still while the machine is suspended. */
struct sim_clock {
    uint64_t since_us;  /* from then on, in the run's time, */
    uint64_t shown_us;  /* it counts on from this, */
    uint64_t per_mille; /* at this many thousandths of the right speed; at least 1 */
};

uint64_t sim_clock_read(const struct sim_clock *clock, uint64_t now_us);

/* When it shows `shown_us` or more; UINT64_MAX stays that. */
uint64_t sim_clock_when(const struct sim_clock *clock, uint64_t shown_us);
void sim_clock_set_speed(struct sim_clock *clock, uint64_t now_us, uint64_t per_mille);
void sim_clock_stop(struct sim_clock *clock, uint64_t now_us, uint64_t for_us);

#endif
