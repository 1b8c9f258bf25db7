/* Speculation: when nothing is left to send and slots are idle, what is late is given out again, to
 * run beside the attempt that is under way (backup tasks: J. Dean and S. Ghemawat, "MapReduce:
 * Simplified data processing on large clusters", OSDI 2004).
 *
 * A chunk should be finished after the time that its items take by the average, times one more than
 * the rounds of chunks that its worker had before it. It is late
 *   - when it was held for twice that, and a tenth of a second which hides delays of messages;
 *   - when it waits for a slot at a worker in which each slot has a late one;
 *   - when its worker has been so slow until now that it will be busy with it for so much longer than
 *     another one would;
 *   - at once, when its worker is to leave.
 * Of what is late at a worker the newest goes first, which is probably not begun. One that has many
 * items is divided among the slots that are idle. */
#include "common/base/check.h"
#include "coordinator/sched/sched_internal.h"

enum {
    LATE_FACTOR = 2,       /* times the expected time is late */
    LATE_US = 100000,      /* and so much */
    PIECE_US = 10000,      /* a duplicate is not made smaller */
    LOOK_EVERY_US = 10000, /* all that is held is not gone through more often */
};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* --- what is late --- */

static uint64_t held_for_us(const struct sched *sched, const struct sched_chunk *chunk)
{
    uint32_t now = (uint32_t)(sched->now_us >> SCHED_SINCE_BITS);
    return (uint64_t)(uint32_t)(now - chunk->since) << SCHED_SINCE_BITS;
}

/* From when it was sent to its end, at a worker as fast as all are on average. */
static double expected_us(const struct sched *sched, const struct sched_chunk *chunk)
{
    const struct sched_worker *worker = &sched->workers.table[chunk->worker];
    double rounds = 1.0 + (double)(chunk->behind / worker->slots);
    return sched_size_cost_us(sched, chunk->count) * rounds;
}

/* How many times as long as the average a worker takes. */
static double slowness(const struct sched *sched, const struct sched_worker *worker)
{
    double expected = worker->items > 0 ? sched_size_cost_us(sched, worker->items) : 0;
    return expected > 0 ? (double)worker->run_us / expected : 1.0;
}

static double allowance_us(double us)
{
    return LATE_FACTOR * us + LATE_US;
}

/* How long it is still until a chunk is late; 0: it is. */
static double late_in_us(const struct sched *sched, const struct sched_chunk *chunk)
{
    const struct sched_worker *worker = &sched->workers.table[chunk->worker];
    double expected = expected_us(sched, chunk);
    double held = (double)held_for_us(sched, chunk);
    double still = slowness(sched, worker) * expected - held;
    if (worker->draining || still > allowance_us(sched_size_cost_us(sched, chunk->count))) {
        return 0;
    }
    double left = allowance_us(expected) - held;
    return left > 0 ? left : 0;
}

uint64_t sched_expected_end_us(const struct sched *sched, uint32_t slot)
{
    const struct sched_chunk *chunk = &sched->chunks.table[slot];
    const struct sched_worker *worker = &sched->workers.table[chunk->worker];
    double still = slowness(sched, worker) * expected_us(sched, chunk) -
                   (double)held_for_us(sched, chunk);
    return sched->now_us + (still > 0 && still < 1e15 ? (uint64_t)still : 0);
}

/* Does each slot of a worker have a chunk that is late? The oldest ones are in the slots. */
static bool is_stuck(const struct sched *sched, const struct sched_worker *worker)
{
    uint32_t slot = worker->held.head;
    uint32_t seen = 0;
    while (slot != INDEX_NONE && seen < worker->slots &&
           late_in_us(sched, &sched->chunks.table[slot]) <= 0) {
        slot = sched->chunks.table[slot].place.next;
        seen++;
    }
    return seen == worker->slots;
}

static bool may_be_doubled(const struct sched *sched, uint32_t slot)
{
    const struct sched_chunk *chunk = &sched->chunks.table[slot];
    return sched_is_available(sched, slot) && !chunk->duplicate && chunk->twin == INDEX_NONE &&
           chunk->suspicion == SCHED_CLEAR && chunk->speculated < SCHED_SPECULATED_MAX;
}

/* --- who takes it --- */

/* One that is slow itself, or from which nothing comes though its oldest chunk is late, is no
 * help. */
static uint32_t idle_slots(const struct sched *sched, uint32_t index)
{
    const struct sched_worker *worker = &sched->workers.table[index];
    bool may = worker->waits == SCHED_TURN_EMPTY || worker->waits == SCHED_TURN_FREE;
    if (!may || slowness(sched, worker) > LATE_FACTOR) {
        return 0;
    }
    if (worker->held.head != INDEX_NONE) {
        const struct sched_chunk *oldest = &sched->chunks.table[worker->held.head];
        double silent_us = (double)(sched->now_us - worker->result_us);
        if (late_in_us(sched, oldest) <= 0 &&
            silent_us > allowance_us(sched_size_cost_us(sched, oldest->count))) {
            return 0;
        }
    }
    uint32_t idle = worker->slots - sched_occupied(worker);
    return idle < worker->credit ? idle : worker->credit;
}

static uint64_t all_idle_slots(const struct sched *sched)
{
    uint64_t idle = 0;
    for (int turn = SCHED_TURN_EMPTY; turn <= SCHED_TURN_FREE; turn++) {
        uint32_t index = sched->workers.turns[turn].head;
        for (; index != INDEX_NONE; index = sched->workers.table[index].turn.next) {
            idle += idle_slots(sched, index);
        }
    }
    return idle;
}

static uint32_t taker(const struct sched *sched, uint32_t holder)
{
    for (int turn = SCHED_TURN_EMPTY; turn <= SCHED_TURN_FREE; turn++) {
        uint32_t index = sched->workers.turns[turn].head;
        for (; index != INDEX_NONE; index = sched->workers.table[index].turn.next) {
            if (index != holder && idle_slots(sched, index) > 0) {
                return index;
            }
        }
    }
    return INDEX_NONE;
}

/* --- looking for it --- */

/* What a look at all that is held comes to. */
struct look {
    uint64_t late;  /* chunks that may get duplicates now */
    uint64_t idle;  /* slots for these */
    double next_us; /* until one more is late */
};

/* A worker of which the oldest chunk is not late has no other that is. */
static bool is_behind(const struct sched *sched, uint32_t index)
{
    const struct sched_worker *worker = &sched->workers.table[index];
    return worker->held.head != INDEX_NONE && worker->suspicion == SCHED_CLEAR &&
           late_in_us(sched, &sched->chunks.table[worker->held.head]) <= 0;
}

static void look_at(const struct sched *sched, uint32_t index, struct look *look)
{
    const struct sched_worker *worker = &sched->workers.table[index];
    bool behind = is_behind(sched, index);
    bool stuck = behind && is_stuck(sched, worker);
    uint32_t place = 0;
    for (uint32_t slot = worker->held.head; slot != INDEX_NONE; place++) {
        const struct sched_chunk *chunk = &sched->chunks.table[slot];
        if (may_be_doubled(sched, slot)) {
            double left_us = stuck && place >= worker->slots ? 0 : late_in_us(sched, chunk);
            look->late += left_us <= 0;
            look->next_us = left_us > 0 && left_us < look->next_us ? left_us : look->next_us;
        }
        slot = behind ? chunk->place.next : INDEX_NONE;
    }
}

/* --- duplicates --- */

/* How many duplicates a late chunk gets: its share of the idle slots, in pieces that are worth it. */
static uint64_t pieces_of(const struct sched *sched,
                          const struct sched_chunk *chunk,
                          const struct look *look)
{
    uint64_t idle = look->idle - idle_slots(sched, chunk->worker);
    uint64_t share = look->idle / look->late;
    double worth = sched_size_cost_us(sched, chunk->count) / PIECE_US;
    uint64_t most = least(chunk->count, worth < SCHED_PIECES ? (uint64_t)worth : SCHED_PIECES);
    share = least(share, most);
    return least(share > 0 ? share : 1, idle);
}

/* Returns false when no more can be sent now. */
static bool give_out(struct sched *sched,
                     uint32_t slot,
                     struct look *look,
                     struct sched_actions *out)
{
    uint64_t pieces = pieces_of(sched, &sched->chunks.table[slot], look);
    if (!sched_has_room(sched, out, 1)) {
        return false;
    }
    pieces = least(pieces, out->capacity - out->count - 1);
    if (!sched_chunks_reserve(&sched->chunks, (uint32_t)pieces)) {
        return false;
    }
    const uint64_t count = sched->chunks.table[slot].count;
    for (uint64_t i = 0; i < pieces; i++) {
        uint32_t worker = taker(sched, sched->chunks.table[slot].worker);
        CHECK(worker != INDEX_NONE);
        uint64_t items = count / pieces + (i < count % pieces);
        uint32_t duplicate = sched_chunks_duplicate(&sched->chunks, slot, items);
        sched_send_duplicate(sched, duplicate, worker, out);
    }
    if (pieces > 0) {
        sched->chunks.table[slot].speculated = (sched->chunks.table[slot].speculated + 1U) & 3U;
        look->late--;
        look->idle -= pieces;
    }
    return look->late > 0 && look->idle > 0;
}

/* The newest first. Returns false when no more can be sent now. */
static bool give_out_of(struct sched *sched,
                        uint32_t index,
                        struct look *look,
                        struct sched_actions *out)
{
    const struct sched_worker *worker = &sched->workers.table[index];
    bool stuck = is_stuck(sched, worker);
    uint32_t place = worker->held_count;
    for (uint32_t slot = worker->held.tail; slot != INDEX_NONE;) {
        const struct sched_chunk *chunk = &sched->chunks.table[slot];
        uint32_t previous = chunk->place.previous;
        place--;
        bool late = (stuck && place >= worker->slots) || late_in_us(sched, chunk) <= 0;
        if (may_be_doubled(sched, slot) && late && !give_out(sched, slot, look, out)) {
            return false;
        }
        slot = previous;
    }
    return true;
}

/* Is nothing left to send but what is under way already? */
static bool is_all_out(const struct sched *sched)
{
    return !sched->holding && sched->chunks.queued.head == INDEX_NONE &&
           sched->chunks.suspects_count == 0 && sched->stats.items_held > 0 &&
           sched->cost.items > 0;
}

static void look(struct sched *sched, struct sched_actions *out)
{
    const struct sched_workers *workers = &sched->workers;
    struct look look = {.next_us = 1e15, .idle = all_idle_slots(sched)};
    for (uint32_t i = workers->leases.head; i != INDEX_NONE; i = workers->table[i].lease.next) {
        look_at(sched, i, &look);
    }
    bool more = look.late > 0 && look.idle > 0;
    for (uint32_t i = workers->leases.head; more && i != INDEX_NONE;) {
        more = !is_behind(sched, i) || give_out_of(sched, i, &look, out);
        i = workers->table[i].lease.next;
    }
    /* The clock of chunks would not show less. */
    uint64_t next_us = (uint64_t)look.next_us + (1U << SCHED_SINCE_BITS);
    sched->looked_us = sched->now_us;
    sched->look_us = sched->now_us + (look.late > 0 ? LOOK_EVERY_US : next_us);
    sched->look_sent = sched->stats.chunks_sent;
}

void sched_speculate(struct sched *sched, struct sched_actions *out)
{
    const struct list *turns = sched->workers.turns;
    if (!is_all_out(sched) ||
        (turns[SCHED_TURN_EMPTY].head == INDEX_NONE && turns[SCHED_TURN_FREE].head == INDEX_NONE)) {
        return;
    }
    if (sched->look_sent != sched->stats.chunks_sent) {
        /* What was sent since is late after that time at the earliest. */
        sched->look_us = least(sched->look_us, sched->now_us + LATE_US);
        sched->look_sent = sched->stats.chunks_sent;
    }
    if (sched->look_us <= sched->now_us || sched->now_us - sched->looked_us >= LOOK_EVERY_US) {
        look(sched, out);
    }
    sched->late_us = sched->look_us;
}
