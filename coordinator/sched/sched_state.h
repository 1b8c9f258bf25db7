/* The scheduler's state: what its files know of chunks and workers. Part of sched_internal.h.
 *
 * A chunk that is cut and not yet accounted for is live. Live chunks sit in a dense table; each
 * is in exactly one state, and each state has its list. Another list has all of them in the
 * order of their items: what is done is what has been cut and is not in that list, so the set of
 * done items costs nothing to keep and its memory is that of what is in flight. A job that goes on
 * after a restart begins with done items ahead of the cut; cutting skips them. */
#ifndef QUARTET_COORDINATOR_SCHED_SCHED_STATE_H
#define QUARTET_COORDINATOR_SCHED_SCHED_STATE_H

#include "common/base/interval.h"
#include "coordinator/sched/sched.h"
#include "coordinator/sched/sched_list.h"

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

/* How many chunks of a suspicion one worker may have. */
static inline uint32_t sched_company_max(enum sched_suspicion suspicion)
{
    if (suspicion < SCHED_GROUP) {
        return UINT32_MAX;
    }
    return suspicion == SCHED_GROUP ? SCHED_GROUP_MAX : 1;
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

#endif
