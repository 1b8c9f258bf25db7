/* What the files of the scheduler share. Nobody else includes this, but its own tests.
 *
 * A chunk that is cut and not yet accounted for is live. Live chunks sit in a dense table; each
 * is in exactly one state, and each state has its list. Another list has all of them in the
 * order of their items: what is done is what has been cut and is not in that list, so the set of
 * done items costs nothing to keep and its memory is that of what is in flight. A job that goes on
 * after a restart begins with done items ahead of the cut; cutting skips them. */
#ifndef QUARTET_COORDINATOR_SCHED_INTERNAL_H
#define QUARTET_COORDINATOR_SCHED_INTERNAL_H

#include "common/base/interval.h"
#include "coordinator/sched.h"
#include "coordinator/sched_list.h"

enum {
    SCHED_SLOT_BITS = 24, /* of a chunk id: the low ones */
    SCHED_USES_BITS = 32, /* how often the slot was used; above these is the epoch */
    SCHED_CHUNKS_MIN = 64,
    SCHED_CHUNKS_MAX = 1 << SCHED_SLOT_BITS, /* in flight at once; cutting waits beyond */
    SCHED_WORKERS_MIN = 16,
    SCHED_WORKERS_MAX = 65536,
    SCHED_SLOTS_MAX = 65536, /* of one worker */

    SCHED_TAIL_US = 10000, /* near the end a chunk this long does not wait behind another */
    SCHED_GRAIN_US = 100,  /* an automatic chunk is not cut shorter: about two thread hand-overs */
    SCHED_SHARES = 2,      /* a chunk is at most one of so many shares a slot of what is left */

    SCHED_ATTEMPTS_MAX = 255,
    SCHED_RETRIES_MAX = 1000,
    SCHED_DELAYS = 7,     /* different delays of retries: 1, 2, 4 ... 64 times the first */
    SCHED_PIECES = 256,   /* most pieces that a suspect is split into */
    SCHED_GROUP_MAX = 16, /* chunks of one group of suspects */

    SCHED_SPECULATED_MAX = 2, /* sets of duplicates of a chunk, one after the other */
    SCHED_SINCE_BITS = 10,    /* of chunks' `since`: microseconds shifted by so many */
};

/* How much speaks for it that a chunk takes down whoever runs it, and therefore whom it runs with:
 * with none but its like, and of these with so many. */
enum sched_suspicion {
    SCHED_CLEAR = 0,
    SCHED_COMPANY, /* its worker was lost: as many as a worker takes */
    SCHED_GROUP,   /* so was the next one, with many in company: SCHED_GROUP_MAX */
    SCHED_ALONE,   /* so was the next one, with few: none */
    SCHED_SUSPICIONS,
};

/* Fibonacci hashing: the high bits of a product with 2^64 / golden ratio are well mixed also for
 * numbers that count up. */
static inline uint32_t sched_hash(uint64_t value)
{
    return (uint32_t)((value * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

enum sched_chunk_state {
    SCHED_CHUNK_FREE = 0, /* the slot has no chunk; its id is that of the last one it had */
    SCHED_CHUNK_HELD,     /* by a worker */
    SCHED_CHUNK_QUEUED,   /* waits for its next attempt */
    SCHED_CHUNK_SUSPECT,  /* as queued, but with a suspicion */
    SCHED_CHUNK_DELAYED,  /* its items failed; is not queued before its time */
    SCHED_CHUNK_SPENT,    /* out of attempts; waits for room to say so */
    SCHED_CHUNK_IDLE, /* a duplicate that nobody holds any more; it waits for what becomes of the
                             chunk that it is of */
};

/* One cache line. */
struct sched_chunk {
    uint64_t id;
    uint64_t first;
    uint64_t count;

    union {
        struct {
            uint32_t worker; /* held: index of the holder */
            uint32_t twin;   /* held: the first of its duplicates, INDEX_NONE: it has none; of a
                                duplicate: the chunk that it is of */
        };

        uint64_t due_us; /* delayed: until then */
    };

    struct link place; /* in the list of its state */
    struct link
        order; /* among the live ones, by first item; of a duplicate: among those of one chunk */
    uint32_t attempt; /* last one sent */

    union {
        uint32_t avoid; /* waiting: index of the worker that another one is better than */
        uint32_t since; /* held: since when, in SCHED_SINCE units of a clock that wraps */
    };

    uint16_t failures;          /* how often its items were run and failed */
    uint16_t behind;            /* held: how many chunks its holder had before it; or more */
    uint8_t losses;             /* of workers that ran nothing else */
    uint8_t state;              /* enum sched_chunk_state */
    unsigned suspicion : 2;     /* enum sched_suspicion */
    unsigned before : 3;        /* 1 + the suspicion before the last attempt's loss; 0: no loss */
    unsigned counted : 1;       /* that loss is among `losses` */
    unsigned duplicate : 1;     /* its items are those of another live chunk, its twin */
    unsigned was_duplicate : 1; /* until that one was over */
    unsigned speculated : 2;    /* how often it had duplicates, up to SCHED_SPECULATED_MAX */
};

struct sched_chunks {
    struct sched_chunk *table;
    uint64_t epoch; /* as it stands in ids */
    uint32_t capacity;
    uint32_t used;       /* slots that ever had a chunk */
    uint32_t live;       /* also duplicates */
    uint32_t duplicates; /* of live chunks; they are not in `order` */
    uint32_t retired;    /* slots that will have no further chunk */
    uint32_t free_head;  /* linked by place.next, last freed first */
    uint32_t queued_count;
    struct list order;
    uint32_t ahead; /* the first in that order of those that were adopted ahead of the cut */
    struct list queued;
    struct list suspects[SCHED_SUSPICIONS]; /* that of SCHED_CLEAR is empty */
    uint32_t suspects_count;
    struct list delayed[SCHED_DELAYS]; /* by delay: in each the first to come is the first due */
    uint64_t due_us;                   /* when the first of them is; UINT64_MAX: there are none */
    struct list spent;
};

/* Which list of workers waiting for their turn a worker is in. Those that hold something wait for
 * more of the same suspicion: FREE and BUSY for clear chunks, and so on. */
enum sched_turn {
    SCHED_TURN_EMPTY = 0, /* has credit and runs nothing */
    SCHED_TURN_FREE,      /* has credit and a free slot */
    SCHED_TURN_BUSY,      /* has credit; a chunk would wait behind others */
    SCHED_TURN_FREE_COMPANY,
    SCHED_TURN_BUSY_COMPANY,
    SCHED_TURN_FREE_GROUP,
    SCHED_TURN_BUSY_GROUP,
    SCHED_TURN_ASIDE, /* gets nothing more until it is empty, and then suspects */
    SCHED_TURN_NONE,  /* has no credit, or is draining, or may not have more of what it has */
};

/* The list of those with a free slot, or without, that hold chunks of a suspicion below ALONE. */
static inline enum sched_turn sched_turn_with(enum sched_suspicion suspicion, bool busy)
{
    return (enum sched_turn)(SCHED_TURN_FREE + 2 * (int)suspicion + busy);
}

enum { SCHED_TURNS = SCHED_TURN_NONE }; /* lists of them */

struct sched_worker {
    uint64_t id; /* 0: the entry is free */
    uint64_t heard_us;
    uint64_t granted; /* credit, ever */
    uint64_t sent;    /* chunks, ever */
    uint64_t adopted; /* chunks that it had when it joined */
    uint64_t run_us;  /* that the items took which it finished */
    uint64_t items;
    uint64_t result_us; /* when its last result came */
    uint32_t slots;
    uint32_t credit;
    uint32_t held_count;
    uint32_t stale_count; /* chunks that it still runs though others' results counted */
    struct list held;     /* chunks, oldest first */
    struct link turn;     /* in the list of `waits`; of a free entry: next free one */
    struct link lease;    /* among all, by heard_us */
    enum sched_turn waits;
    enum sched_suspicion suspicion; /* the highest among what it holds */
    bool draining;
    bool mixed;  /* joined with chunks that would not have been sent to it together */
    bool serves; /* is counted among those that run suspects */
};

struct sched_workers {
    struct sched_worker *table;
    uint32_t capacity;
    uint32_t count;
    uint32_t free_head;
    uint32_t last_found;
    uint32_t *buckets; /* indices by hash of the id, linear probing; twice the capacity */
    uint64_t slots;    /* of those that are not draining */
    uint32_t serving;  /* those that hold suspects and are not draining */
    struct list turns[SCHED_TURNS];
    struct list leases; /* all leases are equally long: the head is the first to run out */
};

/* What items cost, from results; older ones fade. */
struct sched_cost {
    double us;
    double items;          /* 0: nothing measured yet */
    uint64_t measured_max; /* most items of a chunk that came back */
    bool doubted;          /* the last result was an outlier and was cut down */
};

/* Chunks of an earlier epoch that go on in this one: open addressing by the id that their workers
 * know them under. Nothing is removed: an entry means the chunk for as long as that has its id. */
struct sched_foreign {
    struct sched_foreign_entry {
        uint64_t foreign; /* 0: the entry is free */
        uint64_t own;
    } * table;

    uint32_t capacity; /* a power of two, or 0 */
    uint32_t count;
};

struct sched {
    struct sched_options options;
    struct sched_chunks chunks;
    struct sched_workers workers;
    struct sched_cost cost;
    struct sched_foreign foreign;
    struct sched_stats
        stats; /* the members that are kept as they change; sched_get_stats fills in the others */
    uint64_t now_us;
    uint64_t cut;              /* items [0, cut) are or were in chunks, or were done before */
    uint64_t gap_end;          /* the next fresh chunk may not reach beyond this item */
    uint64_t fresh;            /* items that are available and may be cut */
    uint64_t known;            /* see sched_restore */
    struct interval_set ahead; /* done before or adopted, so that they must not be cut; those behind
                                  the cut mean nothing any more */
    size_t ahead_next;         /* the first span of it that ends behind the cut */
    uint64_t chunk_items_max;
    uint64_t looked_us;   /* when what is late was last looked for; see sched_speculate.c */
    uint64_t look_us;     /* when to look again, if nothing else happens */
    uint64_t look_sent;   /* chunks sent when that was found */
    uint64_t late_us;     /* when to look for what is late; UINT64_MAX: nobody could take it */
    uint64_t late_end_us; /* when the last of the attempts that were beaten would have ended */
    bool no_more_workers;
    bool holding;  /* no fresh chunks */
    bool stopping; /* no chunks at all */
    bool stalled;
    bool over;
    bool hurry; /* something could not be said for lack of room */
};

/* --- sched_chunks.c: the table of live chunks --- */

int sched_chunks_init(struct sched_chunks *chunks, uint8_t epoch);
void sched_chunks_deinit(struct sched_chunks *chunks);

/* A new chunk of items [first, first + count), which lie behind all that were cut before and before
 * those ahead. It is in no state's list yet. Returns its slot, or INDEX_NONE when there is no memory for more in
 * flight, or as many as can be. */
uint32_t sched_chunks_cut(struct sched_chunks *chunks, uint64_t first, uint64_t count);

/* Is there room for `count` chunks more? Grows the table if need be. */
bool sched_chunks_reserve(struct sched_chunks *chunks, uint32_t count);

/* A chunk that is in no state's list is over, and parts of its items go on as chunks of their own:
 * the first one in its slot, with a new id; each other one in a slot that was reserved, behind the
 * chunk in slot `last` (INDEX_NONE: before all). `part` has everything but ids and links. The
 * second returns the slot. */
void sched_chunks_renew(struct sched_chunks *chunks, uint32_t slot, const struct sched_chunk *part);
uint32_t sched_chunks_insert(struct sched_chunks *chunks,
                             uint32_t last,
                             const struct sched_chunk *part);

/* Is the id of this epoch? */
static inline bool sched_chunks_are_own(const struct sched_chunks *chunks, struct chunk_id id)
{
    return (id.value ^ chunks->epoch) >> (SCHED_SLOT_BITS + SCHED_USES_BITS) == 0;
}

/* A chunk of its own, in a slot that was reserved, for some of the items of the held chunk in slot
 * `twin`: those that end where the duplicate made last begins, or where the chunk ends. Returns its
 * slot. It is in no state's list. */
uint32_t sched_chunks_duplicate(struct sched_chunks *chunks, uint32_t twin, uint64_t count);

/* A duplicate takes its place among the live chunks, behind chunk `last`. */
void sched_chunks_promote(struct sched_chunks *chunks, uint32_t last, uint32_t slot);

/* The slot of a live chunk by an id of this epoch; INDEX_NONE otherwise, and then `*ret_past` says
 * whether there has been one of this id. */
uint32_t sched_chunks_find(const struct sched_chunks *chunks, struct chunk_id id, bool *ret_past);

/* Put a chunk that is in no list among those of its suspicion that wait for their next attempt,
 * behind or before the others. */
void sched_chunks_queue(struct sched_chunks *chunks, uint32_t slot);
void sched_chunks_queue_first(struct sched_chunks *chunks, uint32_t slot);

/* Put it among those that wait for a time. Of those with as many failures none was put there with a
 * later one. */
void sched_chunks_delay(struct sched_chunks *chunks, uint32_t slot, uint64_t due_us);

/* Put it among those that are out of attempts. */
void sched_chunks_spend(struct sched_chunks *chunks, uint32_t slot);

/* Queue those whose time has come. */
void sched_chunks_release_due(struct sched_chunks *chunks, uint64_t now_us);

/* Take a chunk that is not held out of the list of its state. */
void sched_chunks_unqueue(struct sched_chunks *chunks, uint32_t slot);

/* Which of the delays a chunk with `failures`, at least 1, waits: 2 to the power of this times the
 * first. */
static inline uint32_t sched_delay_of(uint32_t failures)
{
    return failures < SCHED_DELAYS ? failures - 1 : SCHED_DELAYS - 1;
}

/* A chunk in no state's list is accounted for: its slot may have another. */
void sched_chunks_free(struct sched_chunks *chunks, uint32_t slot);

/* --- sched_workers.c: who is there, whose turn it is, whose lease runs out first --- */

int sched_workers_init(struct sched_workers *workers);
void sched_workers_deinit(struct sched_workers *workers);

/* Index of a worker, or INDEX_NONE. */
uint32_t sched_workers_find(struct sched_workers *workers, struct worker_id id);

/* Returns 0 or ERR_NOMEM. The id is not registered yet. */
int sched_workers_add(struct sched_workers *workers, const struct sched_worker *worker);

/* Forget a worker that holds nothing. */
void sched_workers_remove(struct sched_workers *workers, uint32_t index);

void sched_workers_renew(struct sched_workers *workers, uint32_t index, uint64_t now_us);
void sched_workers_grant(struct sched_workers *workers, uint32_t index, uint32_t credit);
void sched_workers_drain(struct sched_workers *workers, uint32_t index);

/* Hand a chunk that is in no state's list to a worker, against credit. */
void sched_workers_hold(struct sched *sched, uint32_t index, uint32_t slot);

/* The same with one that the worker has already. */
void sched_workers_adopt(struct sched *sched, uint32_t index, uint32_t slot);

/* Take a held chunk from its worker; it is in no state's list then. */
void sched_workers_release(struct sched *sched, uint32_t slot);

/* A worker runs one chunk more, or less, of which the result will not count. */
void sched_workers_stale(struct sched_workers *workers, uint32_t index);
void sched_workers_not_stale(struct sched_workers *workers, uint32_t index);

/* Chunks in its slots, or before them. */
static inline uint32_t sched_occupied(const struct sched_worker *worker)
{
    return worker->held_count + worker->stale_count;
}

/* Nothing more is sent to a worker that is next among those with a free slot, or else among the
 * others, until it is empty; if there is one. And undo this for whoever is set aside. */
void sched_workers_set_aside(struct sched_workers *workers);
void sched_workers_put_back(struct sched_workers *workers);

/* The worker whose turn it is in a class; not the one at index `avoid` while the class has
 * another. INDEX_NONE: nobody waits. */
uint32_t sched_workers_next(const struct sched_workers *workers,
                            enum sched_turn turn,
                            uint32_t avoid);

/* --- sched_moves.c: chunks change hands, and are divided --- */

/* Room for `count` more actions, and one more kept for DONE or STALLED. What finds no room is said
 * at the next TICK. */
static inline bool sched_has_room(struct sched *sched,
                                  const struct sched_actions *out,
                                  size_t count)
{
    if (out->capacity - out->count > count) {
        return true;
    }
    sched->hurry = true;
    return false;
}

static inline void sched_emit(struct sched_actions *out, struct sched_action action)
{
    out->list[out->count++] = action;
}

/* Say something about the chunk in this slot. Returns what is said, to add to it. */
static inline struct sched_action *sched_say(struct sched_actions *out,
                                             enum sched_action_type type,
                                             const struct sched *sched,
                                             uint32_t slot)
{
    const struct sched_chunk *chunk = &sched->chunks.table[slot];
    struct sched_action *action = &out->list[out->count++];
    *action = (struct sched_action){.type = type,
                                    .chunk = {chunk->id},
                                    .slot = slot,
                                    .attempt = chunk->attempt,
                                    .first = chunk->first,
                                    .count = chunk->count};
    return action;
}

/* Take a live chunk from wherever it is; it is in no state's list then. */
void sched_detach(struct sched *sched, uint32_t slot);

/* A detached chunk is over, and so are its items. */
void sched_account(struct sched *sched, uint32_t slot, const struct tally *tally);

/* A held chunk is taken from its worker, to wait for another attempt; it is in no list yet. */
void sched_take_back(struct sched *sched, uint32_t slot);

/* A held chunk waits for another attempt: its worker gives it back. */
void sched_return(struct sched *sched, uint32_t slot);

/* The next part of a chunk that is over; it is the first one when `last` is the chunk itself.
 * Returns its slot. For each but the first room was reserved. */
uint32_t sched_add_part(struct sched *sched,
                        uint32_t last,
                        uint32_t number,
                        const struct sched_chunk *part);

/* A detached chunk is over, of which the first `done` items were run. Those that `failed` names
 * wait to be run again by another worker than `worker`, when `again`, for which room was reserved;
 * those that were not run are next. */
struct sched_remains {
    uint64_t done;
    const struct sched_span *failed;
    size_t failed_count;
    uint32_t worker; /* index */
    bool again;
};

void sched_divide(struct sched *sched,
                  uint64_t now_us,
                  uint32_t slot,
                  const struct sched_remains *remains);

/* --- sched_suspects.c: chunks that may have taken their worker down --- */

/* The worker of a held chunk is lost, with `together` chunks in hand: it waits for another attempt,
 * as a suspect; or it is split; or it is out of attempts. Says one thing at most. */
void sched_lose(struct sched *sched, uint32_t slot, uint32_t together, struct sched_actions *out);

/* Its worker is not lost after all. */
void sched_unlose(struct sched_chunk *chunk);

/* How many chunks of a suspicion one worker may have. */
uint32_t sched_company_max(enum sched_suspicion suspicion);

/* Does a suspect wait that can be sent? */
bool sched_suspects_wait(const struct sched *sched);

/* May a further worker be given suspects? Half of them, but one at least, serve others meanwhile, if
 * there is something to do. */
bool sched_may_serve(const struct sched *sched);

/* Send them to workers that may have them, and see to it that there will be one. */
void sched_send_suspects(struct sched *sched, struct sched_actions *out);

/* --- sched_duplicates.c: chunks that run in two places --- */

/* Has it duplicates? */
static inline bool sched_is_doubled(const struct sched_chunk *chunk)
{
    return chunk->state == SCHED_CHUNK_HELD && !chunk->duplicate && chunk->twin != INDEX_NONE;
}

/* The result of the chunk in this slot counts: if it has duplicates they are over; if it is one, the
 * chunk that it is of is over, and its siblings go on as chunks like others. */
void sched_decide(struct sched *sched, uint32_t slot);

/* The holder of a chunk that has duplicates, or that is one, holds it no more: it is lost, or it
 * gives it back. */
void sched_lose_doubled(struct sched *sched, uint32_t slot, bool lost);

/* --- sched_speculate.c: what is late, and who runs it as well --- */

/* Send out again what is late, if nothing else is left to send. */
void sched_speculate(struct sched *sched, struct sched_actions *out);

/* When the chunk in this slot, which is held, will be finished by what is known of its holder. */
uint64_t sched_expected_end_us(const struct sched *sched, uint32_t slot);

/* --- sched_restore.c: what was done before, and where fresh chunks are cut --- */

/* Follow the cut: over spans that are not to be cut, to the next gap. */
void sched_skip_ahead(struct sched *sched);

/* How many items of [first, end) were done before, or adopted. */
uint64_t sched_count_ahead(const struct sched *sched, uint64_t first, uint64_t end);

/* --- sched_adopt.c: what workers still hold from before --- */

/* A worker that has just joined goes on with what it can of what it has in hand. */
void sched_adopt(struct sched *sched,
                 uint32_t worker,
                 const struct sched_holding *list,
                 size_t count);

void sched_foreign_deinit(struct sched_foreign *foreign);

/* As sched_chunks_find, by the id of a chunk of another epoch. */
uint32_t sched_foreign_find(const struct sched *sched, struct chunk_id id, bool *ret_past);

/* The slot of a live chunk, of whichever epoch its id is; INDEX_NONE otherwise, and then `*ret_past`
 * says whether there has been one of this id. */
static inline uint32_t sched_find(const struct sched *sched, struct chunk_id id, bool *ret_past)
{
    return sched_chunks_are_own(&sched->chunks, id)
               ? sched_chunks_find(&sched->chunks, id, ret_past)
               : sched_foreign_find(sched, id, ret_past);
}

/* --- sched_dispatch.c: who is sent what --- */

/* Whatever can be sent, or said, after an event. */
void sched_dispatch(struct sched *sched, struct sched_actions *out);

/* A chunk that is in no state's list goes to a worker, for which there is room to say. The second is
 * for a duplicate, whose items are counted with the chunk that it is of. */
void sched_send(struct sched *sched, uint32_t slot, uint32_t worker, struct sched_actions *out);
void sched_send_duplicate(struct sched *sched,
                          uint32_t slot,
                          uint32_t worker,
                          struct sched_actions *out);

/* Are its items there? Those of an adopted chunk may not have been read again yet. */
static inline bool sched_is_available(const struct sched *sched, uint32_t slot)
{
    const struct sched_chunk *chunk = &sched->chunks.table[slot];
    return chunk->first + chunk->count <= sched->stats.items_available;
}

/* Is there something to send that is under no suspicion? */
static inline bool sched_others_wait(const struct sched *sched)
{
    uint32_t queued = sched->chunks.queued.head;
    return (queued != INDEX_NONE && sched_is_available(sched, queued)) ||
           (sched->fresh > 0 && !sched->holding);
}

/* --- sched_size.c: how many items a chunk gets --- */

void sched_size_learn(struct sched_cost *cost, uint64_t items, uint64_t run_us);

/* Items of the next fresh chunk, which lie in one gap. There are fresh ones. */
uint64_t sched_size_next(const struct sched *sched);

/* As above, but as if the input had no end. */
uint64_t sched_size_wanted(const struct sched *sched);

/* What `items` take by the average, in microseconds. Something was measured. */
static inline double sched_size_cost_us(const struct sched *sched, uint64_t items)
{
    return sched->cost.us / sched->cost.items * (double)items;
}

/* May a chunk of `items` wait behind another at its worker? */
bool sched_size_may_wait(const struct sched *sched, uint64_t items);

#endif
