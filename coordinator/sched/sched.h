/* The scheduler: which chunk goes to which worker, and which result counts. A pure state
 * machine.
 *
 * An event and the time go in, actions come out. It reads no clock, opens no socket, and is
 * deterministic. One scheduler lives for one job. It knows items only by index; the shell around
 * it holds their bytes.
 *
 * The life of a chunk: fresh (not yet cut from the input) -> held by a worker -> finished, or,
 * when its worker is lost or gives it back, queued again with the next attempt number. Execution
 * is at least once; accounting is exactly once: the first result for a chunk counts, whichever
 * attempt it is of, and every later one is dropped and counted as a duplicate.
 *
 * Only a part of a chunk's items may be over with it: a result may be of the first ones alone, and
 * those that failed may be run again. What is left goes on as chunks of their own, with new ids.
 * The items that were not run are sent next, and that is the same attempt going on. Failed ones
 * are the next attempt, wait for a delay that doubles with each failure, and go to another worker
 * when there is one.
 *
 * Whatever a worker held when it was lost may be what took it down. These chunks are suspects: they
 * run again at full speed, but a worker that runs suspects is sent nothing else meanwhile. What is
 * lost in such company a second time runs alone on a worker; or, where more than 16 were together,
 * in groups of 16 first. What is lost alone is to blame: it is split, into single items or into
 * 256 pieces, which run alone too; a single item is counted, and fails after `crash_limit` of these
 * losses (a single item that a worker had nothing beside of is blamed the first time already). An
 * item that takes down whoever runs it costs up to crash_limit + 3 workers, one more where a group
 * was needed and for each time that its chunk has 256 times the items, and its neighbours nothing.
 * While other work waits half of the workers serve suspects, at least one, of which one at a time
 * is sent nothing until it is empty; without other work all do. Workers that leave, or give back,
 * burn no attempt; and one that comes back with a chunk in hand was not taken down by it.
 *
 * A job may go on that another scheduler began (sched_restore). Chunk ids have the epoch, how often
 * the job was resumed, in their top 8 bits, so that none of an earlier one is mistaken for a live
 * one. A worker that joins tells what it has in hand, and goes on with what nobody else has by now.
 *
 * With `speculate`, when nothing is left to send and workers have idle slots, chunks that are late
 * run a second time, divided among these slots (sched_speculate.c says what is late). Whichever
 * result counts first decides: the late attempt's, and all duplicates are over; or a duplicate's,
 * and the late attempt is over, while the other duplicates are chunks like others from then on. A
 * chunk has one set of duplicates at a time, and two at most; suspects have none; no duplicate goes
 * to the worker that has the chunk. Workers are not told that what they run is over: their results
 * are duplicates, and until these come their slots count as taken.
 *
 * Chunk size, when automatic: the first chunks have one item; a later one is as many items as
 * take `chunk_target_us` by a moving average of the measured cost, at most twice the largest
 * that came back so far, at most `chunk_items_max`, and at most a fraction of what is left for
 * each slot so that all slots finish together (guided self-scheduling: Polychronopoulos and Kuck
 * 1987), though not so small that handing it over costs more than running it.
 *
 * Who gets a chunk: workers that run nothing, then workers with a free slot, then workers that
 * would only queue it, round robin in each class. Before the first result (nobody knows what an
 * item costs), and near the end, when less than one chunk a slot is left and chunks are long, a
 * chunk waits for a free slot rather than behind another. Suspects go before all else, then chunks
 * that are tried again (those that failed to another worker than the one that failed them, for which
 * they wait; others to another when one could take them now), then fresh ones. */
#ifndef QUARTET_COORDINATOR_SCHED_SCHED_H
#define QUARTET_COORDINATOR_SCHED_SCHED_H

#include "common/base/chunk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sched;

struct sched_options {
    uint32_t workers_max;     /* 1 to 65536 */
    uint64_t chunk_items;     /* items of every chunk; 0: automatic */
    uint64_t chunk_target_us; /* what an automatic chunk should take; 100,000 */
    uint32_t crash_limit;     /* workers that an item may take down before it fails; 1 to 255; 3 */
    uint64_t lease_us;        /* a worker silent for this long is lost; 0: never. See SCHED_LEASE */
    uint32_t retries_max;     /* how often an item that failed is tried again; 0 to 1000 */
    uint64_t retry_delay_us;  /* before the first of these; doubles with each, up to 64 times it */
    bool speculate;           /* run again what is late, beside the attempt that is under way */
    uint8_t epoch;            /* how often the job was resumed, modulo 256 */
};

enum sched_event_type {
    SCHED_ITEMS = 1,       /* items [0, available) exist; `final`: there will be no more */
    SCHED_WORKER_JOINED,   /* a worker is ready for this job */
    SCHED_CREDIT,          /* it may be sent `credit` more chunks */
    SCHED_HEARD,           /* a sign of life renews its lease, as every other event of it does */
    SCHED_RESULT,          /* one attempt at a chunk ended */
    SCHED_CHUNK_RETURNED,  /* it gives back a chunk that it has not begun; burns no attempt */
    SCHED_WORKER_DRAINING, /* nothing more is sent to it, what it holds may still finish */
    SCHED_WORKER_LEFT,     /* on purpose: what it still held is queued again, burning no attempt */
    SCHED_WORKER_LOST,     /* it is gone: what it held is queued again, burning an attempt */
    SCHED_NO_MORE_WORKERS, /* no further worker can ever join */
    SCHED_TICK,            /* time passed: leases, delays */
    SCHED_CANCEL,          /* the job ends with what is accounted for */
    SCHED_HOLD,            /* cut no fresh chunk, or do again: nobody takes the results now */
    SCHED_STOP,            /* send nothing any more; DONE as soon as nothing is held */
    SCHED_LEASE,           /* from now on workers may be silent for `lease_us` */
};

struct sched_span {
    uint64_t first;
    uint64_t count;
};

/* A chunk that a worker has still in hand from an earlier session, perhaps with a coordinator that
 * is gone: running, waiting, or finished with a result that was not acknowledged. */
struct sched_holding {
    struct chunk_id chunk;
    uint64_t first;
    uint64_t count;
    uint32_t attempt;
};

struct sched_event {
    enum sched_event_type type;
    struct worker_id worker; /* of the events that have one */

    union {
        struct {
            uint64_t available;
            uint64_t chunk_items_max; /* most items of one chunk, for their bytes; 0: no limit */
            bool final;
        } items;

        struct {
            uint32_t slots;  /* items that it runs at once, at least 1 */
            uint32_t credit; /* chunks it may be sent at once, beside what it holds */
            /* What it holds already, in any order; borrowed for the call. It goes on with those that
             * nobody else has by now: a chunk of this epoch that waits for its next attempt, the
             * same items and no others; and one of another epoch whose items are all known (see
             * sched_restore) and neither done nor cut since. Nothing of that is sent again, no
             * attempt is burnt, and its result may come under the id that the worker knows, or be
             * given back under that. The results of all others are duplicates or strays, and so is
             * all that makes no sense: never an error. */
            const struct sched_holding *holding;
            size_t holding_count;
        } joined;

        uint32_t credit;

        struct {
            struct chunk_id chunk;
            uint32_t attempt;
            uint64_t run_us;
            struct tally tally; /* of the items that were run, the first ones of the chunk */
            /* Which of these failed, if that is known: ascending and apart, `first` counted from
             * the chunk's first item. Only then may they be run again. Borrowed for the call. */
            const struct sched_span *failed;
            size_t failed_count;
        } result;

        bool hold;
        uint64_t lease_us;
        struct chunk_id returned;
    } as;
};

enum sched_action_type {
    SCHED_SEND = 1,    /* send this chunk to `worker` */
    SCHED_FINISHED,    /* `done` items are run, their result is that of the event in hand */
    SCHED_SPLIT,       /* it is over without a result: its items go on as new chunks */
    SCHED_ABANDONED,   /* it used up its attempts, its items count as failed; its bytes may go */
    SCHED_DROP_WORKER, /* it was silent for its lease: forget it, it has to register again */
    SCHED_STALLED,     /* work is left, but no worker, and none can come. Said once */
    SCHED_DONE,        /* all is accounted for, or cancelled. Said once, and nothing after it */
};

struct sched_action {
    enum sched_action_type type;
    struct worker_id worker;
    struct chunk_id chunk;
    uint32_t slot; /* dense index, reused when the chunk is over, also by what is left of it. The
                      bytes of items are needed until these are done: FINISHED and not retried, or
                      ABANDONED; chunks with the same items may come in other slots before that */
    uint32_t attempt;
    uint64_t first;
    uint64_t count;
    uint64_t done;    /* of FINISHED: items run, from the first; the others became a new chunk */
    uint64_t retried; /* of FINISHED: failed ones among them that will be run again. All that are
                         named in the event, or none of them: then they count as failed */
};

/* Where actions go; the caller's array. */
struct sched_actions {
    struct sched_action *list;
    size_t count;
    size_t capacity; /* at least SCHED_ACTIONS_MIN */
};

enum {
    SCHED_ACTIONS_MIN = 64, /* least capacity */
    SCHED_ROOM_MIN = 2,     /* least room at each sched_step */
};

struct sched_stats {
    uint64_t items_available;
    bool items_final;
    uint64_t items_done;      /* accounted for, also before a restart */
    uint64_t items_held;      /* with workers */
    uint64_t items_queued;    /* in chunks that wait for their next attempt, or its time */
    uint64_t chunks_sent;     /* attempts sent */
    uint64_t chunks_finished; /* accounted for */
    uint64_t chunks_retried;  /* sent again because a worker was lost or gave them back */
    uint64_t items_retried;   /* failed items that were tried again, each time counted */
    uint64_t chunks_abandoned;
    uint64_t duplicates;        /* results that came after the first */
    uint64_t chunks_speculated; /* duplicates that were sent because an attempt was late */
    uint64_t speculations_won;  /* of these, whose result counted */
    /* How much longer the job would have taken without, by what is known of the workers whose
     * attempts were beaten: until the last of these attempts would have ended at the pace that its
     * worker has shown. An estimate, and too low where a worker stopped without a sign. */
    uint64_t speculation_saved_us;
    uint64_t chunks_adopted; /* that workers went on with, see joined.holding */
    uint64_t strays;         /* results for chunks that never were, or of unregistered workers */
    uint64_t workers_joined;
    uint64_t workers_lost;
    uint64_t workers_left;
    uint32_t workers_live;
    uint32_t slots_live;
    double item_cost_us;  /* moving average; 0 before the first result */
    uint64_t chunk_items; /* size of the last fresh chunk */
    struct tally tally;   /* of all that is accounted for; abandoned items are in `failed` */
};

/* Returns 0 or ERR_NOMEM, ERR_INVALID (options out of range; workers_max, chunk_target_us and
 * crash_limit may not be 0). */
int sched_new(const struct sched_options *options, struct sched **ret_sched);
void sched_free(struct sched *sched);

/* Before any event: a job that was begun by another scheduler goes on, in another epoch. The items
 * of `done` (ascending, apart; copied) are accounted for, with `tally` in sum; [0, known) are all
 * that the other one had read: no chunk has items on both sides of `known`. The input has to have
 * these again (sched_wants_items says so until they are there; a final input of fewer is refused),
 * and items are done already before they are available. Chunks are cut from what lies between; the
 * first item of one may therefore lie behind the last one of the chunk before it: what lies
 * between these two was done before, or was adopted. Returns 0; ERR_INVALID when it is too late,
 * the spans are not what they should be, or the tally is of another number of items; ERR_NOMEM. */
int sched_restore(struct sched *sched,
                  const struct sched_span *done,
                  size_t done_count,
                  uint64_t known,
                  const struct tally *tally);

/* Advance by one event. `now_us` is monotonic and never decreases. Appends what the caller must
 * do, in order, to `out`, which has room for at least SCHED_ROOM_MIN more; when `out` is full,
 * sending stops early and sched_deadline_us says `now`: empty `out` and send a TICK. Never
 * blocks or reads a clock. Returns 0; or, with the state unchanged, ERR_INVALID when the event
 * makes no sense for this state (an unknown worker, one that joins twice, a shrinking input, a
 * result of no item or of more than its chunk has, or that names others as failed than it
 * counts), ERR_BUSY when a worker joins beyond workers_max, or ERR_NOMEM when there is no memory
 * for one that joins. Without memory for more chunks in flight, fewer are in flight; without it
 * for failed items to be run again, they count as failed; without it for pieces, a suspect is
 * tried again as a whole. Results that do not count are not errors. After DONE every event is
 * accepted and changes nothing. */
int sched_step(struct sched *sched,
               uint64_t now_us,
               const struct sched_event *event,
               struct sched_actions *out);

/* When the next TICK is due; UINT64_MAX: never. */
uint64_t sched_deadline_us(const struct sched *sched);

/* Does the scheduler want more items to be read than `available` so far? True while little fresh
 * input is left. */
bool sched_wants_items(const struct sched *sched);

void sched_get_stats(const struct sched *sched, struct sched_stats *ret_stats);

/* Walks the intervals that are accounted for, in ascending order, for reports of what was not
 * done. Returns how many there are; `ret_first` and `ret_end` describe number `index`, when
 * there is one. Takes as long as there are chunks in flight. */
size_t sched_done_spans(const struct sched *sched,
                        size_t index,
                        uint64_t *ret_first,
                        uint64_t *ret_end);

/* Abort when an invariant is broken; for tests and the simulator. Each has a name, which is in
 * the message:
 *   one_state         each chunk is in exactly one state; duplicates have their chunk's items among
 *                     them, one of them at least is held, and none by the worker that has the chunk
 *   credit_conserved  a worker's credit and what it was sent are what it granted; whoever may be
 *                     sent something waits for its turn
 *   counted_once      each item is fresh, in one live chunk, or done; the sums say so
 *   held_sums         the sums of workers and of lists are those of the whole
 *   attempts_bounded  losses, failures and duplicates are within their limits
 *   suspects_apart    what a worker holds is of one suspicion, and no more than that allows, unless
 *                     it joined with it; while suspects wait no worker that may serve them is
 *                     empty, and one at most is set aside
 * O(state). */
void sched_check(const struct sched *sched);

/* One line each, for logs and traces. Return `ret_text`. */
char *sched_describe_event(const struct sched_event *event, char *ret_text, size_t size);
char *sched_describe_action(const struct sched_action *action, char *ret_text, size_t size);

#endif
