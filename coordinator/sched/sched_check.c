/* The invariants of the scheduler, by name. */
#include "common/base/check.h"
#include "coordinator/sched/sched_internal.h"

/* The message starts with the name. */
#define INVARIANT(name, condition)                                                                 \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            check_failed(__FILE__, __LINE__, #name ": " #condition);                               \
        }                                                                                          \
    } while (0)

struct sums {
    uint64_t chunks;
    uint64_t items;
};

/* Chunks wait among those of their suspicion; only one that was alone has losses, and only one that
 * is out of attempts as many as it may. */
static void check_losses(const struct sched *sched, const struct sched_chunk *chunk)
{
    bool clear = chunk->suspicion == SCHED_CLEAR;
    switch (chunk->state) {
    case SCHED_CHUNK_QUEUED:
    case SCHED_CHUNK_DELAYED:
        INVARIANT(suspects_apart, clear);
        break;
    case SCHED_CHUNK_SPENT:
    case SCHED_CHUNK_SUSPECT:
        INVARIANT(suspects_apart, !clear);
        break;
    default: /* held; in what company is looked at with the worker */
        break;
    }
    INVARIANT(attempts_bounded, chunk->losses == 0 || chunk->suspicion == SCHED_ALONE);
    INVARIANT(attempts_bounded,
              (chunk->losses >= sched->options.crash_limit) == (chunk->state == SCHED_CHUNK_SPENT));
}

static void check_chunk(const struct sched *sched, uint32_t slot, enum sched_chunk_state state)
{
    const struct sched_chunk *chunk = &sched->chunks.table[slot];
    INVARIANT(one_state, slot < sched->chunks.used);
    INVARIANT(one_state, chunk->state == state);
    INVARIANT(one_state, chunk->id % SCHED_CHUNKS_MAX == slot && chunk->count > 0);
    INVARIANT(one_state, sched_chunks_are_own(&sched->chunks, (struct chunk_id){chunk->id}));
    INVARIANT(attempts_bounded,
              chunk->attempt > 0 || state == SCHED_CHUNK_QUEUED || state == SCHED_CHUNK_SUSPECT);
    INVARIANT(attempts_bounded, chunk->failures <= sched->options.retries_max);
    check_losses(sched, chunk);
}

static struct sums sum_list(const struct sched *sched,
                            const struct list *list,
                            enum sched_chunk_state state)
{
    struct sums sums = {0};
    uint32_t previous = INDEX_NONE;
    for (uint32_t slot = list->head; slot != INDEX_NONE;) {
        const struct sched_chunk *chunk = &sched->chunks.table[slot];
        check_chunk(sched, slot, state);
        INVARIANT(one_state, chunk->place.previous == previous);
        sums.chunks++;
        sums.items += chunk->count;
        previous = slot;
        slot = chunk->place.next;
    }
    INVARIANT(one_state, list->tail == previous);
    return sums;
}

static void check_turn(const struct sched_worker *worker)
{
    enum sched_turn turn = SCHED_TURN_NONE;
    bool full = worker->held_count >= sched_company_max(worker->suspicion);
    if (!worker->draining && worker->credit > 0 && sched_occupied(worker) == 0) {
        turn = SCHED_TURN_EMPTY;
    } else if (!worker->draining && worker->credit > 0 && !full && !worker->mixed) {
        turn = sched_turn_with(worker->suspicion, sched_occupied(worker) >= worker->slots);
    }
    bool aside = worker->waits == SCHED_TURN_ASIDE &&
                 (turn == SCHED_TURN_FREE || turn == SCHED_TURN_BUSY);
    INVARIANT(credit_conserved, worker->waits == turn || aside);
}

static struct sums check_worker(const struct sched *sched, uint32_t index)
{
    const struct sched_worker *worker = &sched->workers.table[index];
    struct sums held = sum_list(sched, &worker->held, SCHED_CHUNK_HELD);
    struct sums alone = held; /* without duplicates, which stand for no items */
    enum sched_suspicion highest = SCHED_CLEAR;
    for (uint32_t slot = worker->held.head; slot != INDEX_NONE;) {
        const struct sched_chunk *chunk = &sched->chunks.table[slot];
        INVARIANT(one_state, chunk->worker == index);
        INVARIANT(suspects_apart, chunk->suspicion == worker->suspicion || worker->mixed);
        highest = chunk->suspicion > highest ? (enum sched_suspicion)chunk->suspicion : highest;
        alone.chunks -= chunk->duplicate;
        alone.items -= chunk->duplicate ? chunk->count : 0;
        slot = chunk->place.next;
    }
    INVARIANT(suspects_apart,
              worker->suspicion == highest || (worker->mixed && worker->suspicion > highest));
    INVARIANT(suspects_apart, held.chunks <= sched_company_max(worker->suspicion) || worker->mixed);
    INVARIANT(suspects_apart, !worker->mixed || (worker->adopted > 0 && held.chunks > 0));
    INVARIANT(suspects_apart,
              worker->serves == (worker->suspicion != SCHED_CLEAR && !worker->draining));
    INVARIANT(held_sums, worker->held_count == held.chunks);
    INVARIANT(credit_conserved, worker->granted == worker->credit + worker->sent);
    INVARIANT(credit_conserved, worker->held_count <= worker->sent + worker->adopted);
    check_turn(worker);
    return alone;
}

static uint64_t count_turn(const struct sched_workers *workers, enum sched_turn turn)
{
    uint64_t count = 0;
    for (uint32_t i = workers->turns[turn].head; i != INDEX_NONE; i = workers->table[i].turn.next) {
        INVARIANT(credit_conserved, workers->table[i].waits == turn);
        count++;
    }
    return count;
}

/* Sums over all workers, who are all in the list of leases. */
static struct sums check_workers(const struct sched *sched)
{
    const struct sched_workers *workers = &sched->workers;
    struct sums held = {0};
    uint64_t slots = 0;
    uint64_t count = 0;
    uint64_t waiting = 0;
    uint64_t serving = 0;
    uint64_t heard_us = 0;
    for (uint32_t i = workers->leases.head; i != INDEX_NONE; i = workers->table[i].lease.next) {
        const struct sched_worker *worker = &workers->table[i];
        struct sums sums = check_worker(sched, i);
        held.chunks += sums.chunks;
        held.items += sums.items;
        slots += worker->draining ? 0 : worker->slots;
        waiting += worker->waits != SCHED_TURN_NONE;
        serving += worker->serves;
        count++;
        INVARIANT(held_sums, worker->id != 0 && worker->heard_us >= heard_us);
        heard_us = worker->heard_us;
    }
    INVARIANT(held_sums, count == workers->count && slots == workers->slots);
    INVARIANT(suspects_apart, serving == workers->serving);
    uint64_t listed = 0;
    for (int turn = 0; turn < SCHED_TURNS; turn++) {
        listed += count_turn(workers, (enum sched_turn)turn);
    }
    INVARIANT(credit_conserved, waiting == listed);
    return held;
}

/* Chunks whose items failed, by when they are due. */
static struct sums check_delayed(const struct sched *sched)
{
    const struct sched_chunks *chunks = &sched->chunks;
    struct sums delayed = {0};
    uint64_t first_us = UINT64_MAX;
    for (uint32_t i = 0; i < SCHED_DELAYS; i++) {
        struct sums sums = sum_list(sched, &chunks->delayed[i], SCHED_CHUNK_DELAYED);
        /* Those that were due are queued, unless it was over before. */
        uint64_t due_us = sched->over ? 0 : sched->now_us + 1;
        for (uint32_t slot = chunks->delayed[i].head; slot != INDEX_NONE;) {
            const struct sched_chunk *chunk = &chunks->table[slot];
            INVARIANT(attempts_bounded,
                      chunk->failures > 0 && sched_delay_of(chunk->failures) == i);
            INVARIANT(one_state, chunk->due_us >= due_us);
            due_us = chunk->due_us;
            first_us = due_us < first_us ? due_us : first_us;
            slot = chunk->place.next;
        }
        delayed.chunks += sums.chunks;
        delayed.items += sums.items;
    }
    INVARIANT(one_state, chunks->due_us == first_us);
    return delayed;
}

static struct sums check_suspects(const struct sched *sched)
{
    struct sums suspects = {0};
    for (int suspicion = SCHED_CLEAR; suspicion < SCHED_SUSPICIONS; suspicion++) {
        const struct list *list = &sched->chunks.suspects[suspicion];
        struct sums sums = sum_list(sched, list, SCHED_CHUNK_SUSPECT);
        for (uint32_t slot = list->head; slot != INDEX_NONE;) {
            INVARIANT(suspects_apart, sched->chunks.table[slot].suspicion == suspicion);
            slot = sched->chunks.table[slot].place.next;
        }
        suspects.chunks += sums.chunks;
        suspects.items += sums.items;
    }
    return suspects;
}

/* While a suspect waits nobody is empty, unless enough others serve suspects (and there is no memory
 * for something else); and one worker at most is set aside to become so. */
static void check_suspects_wait(const struct sched *sched)
{
    const struct list *turns = sched->workers.turns;
    if (sched->over || sched->stopping || sched->hurry) {
        return; /* nothing more is sent, or not yet */
    }
    bool suspects = sched_suspects_wait(sched) && sched_may_serve(sched);
    uint64_t aside = count_turn(&sched->workers, SCHED_TURN_ASIDE);
    INVARIANT(suspects_apart, !suspects || turns[SCHED_TURN_EMPTY].head == INDEX_NONE);
    INVARIANT(suspects_apart, aside <= 1 && (aside == 0 || sched->chunks.suspects_count > 0));
    INVARIANT(suspects_apart,
              !suspects || aside > 0 ||
                  (turns[SCHED_TURN_FREE].head == INDEX_NONE &&
                   turns[SCHED_TURN_BUSY].head == INDEX_NONE));
}

/* The duplicates of a chunk have its items among them, each in one; one at least is held, and none
 * by the worker that has the chunk. Returns how many they are. */
static uint64_t check_duplicates(const struct sched *sched, uint32_t of)
{
    const struct sched_chunk *chunk = &sched->chunks.table[of];
    uint64_t count = 0;
    uint64_t held = 0;
    uint64_t first = chunk->first;
    uint32_t previous = INDEX_NONE;
    INVARIANT(one_state, !chunk->duplicate);
    if (!sched_is_doubled(chunk)) {
        return 0;
    }
    INVARIANT(attempts_bounded, chunk->speculated > 0 && chunk->suspicion == SCHED_CLEAR);
    for (uint32_t slot = chunk->twin; slot != INDEX_NONE; count++) {
        const struct sched_chunk *duplicate = &sched->chunks.table[slot];
        bool is_held = duplicate->state == SCHED_CHUNK_HELD;
        INVARIANT(one_state, duplicate->duplicate && duplicate->twin == of);
        INVARIANT(one_state, is_held || duplicate->state == SCHED_CHUNK_IDLE);
        INVARIANT(one_state, !is_held || duplicate->worker != chunk->worker);
        INVARIANT(counted_once, duplicate->count > 0 && duplicate->first == first);
        INVARIANT(counted_once, duplicate->order.previous == previous);
        held += is_held;
        first = duplicate->first + duplicate->count;
        previous = slot;
        slot = duplicate->order.next;
    }
    INVARIANT(counted_once, first == chunk->first + chunk->count);
    INVARIANT(one_state, held > 0);
    return count;
}

/* Live chunks in the order of their items: apart from each other, and of items that were cut, or
 * adopted ahead of the cut; and none has items on both sides of what was known before. */
static struct sums check_order(const struct sched *sched)
{
    struct sums live = {0};
    uint64_t duplicates = 0;
    uint64_t end = 0;
    uint32_t previous = INDEX_NONE;
    uint32_t ahead = INDEX_NONE;
    for (uint32_t slot = sched->chunks.order.head; slot != INDEX_NONE;) {
        const struct sched_chunk *chunk = &sched->chunks.table[slot];
        INVARIANT(counted_once, chunk->order.previous == previous);
        INVARIANT(counted_once, chunk->first >= end);
        live.chunks++;
        live.items += chunk->count;
        duplicates += check_duplicates(sched, slot);
        end = chunk->first + chunk->count;
        INVARIANT(counted_once,
                  end <= sched->cut || interval_covers(&sched->ahead, chunk->first, end));
        INVARIANT(counted_once, chunk->first >= sched->known || end <= sched->known);
        ahead = ahead == INDEX_NONE && chunk->first >= sched->cut ? slot : ahead;
        previous = slot;
        slot = chunk->order.next;
    }
    INVARIANT(counted_once, sched->chunks.order.tail == previous);
    INVARIANT(counted_once, sched->chunks.ahead == ahead);
    INVARIANT(one_state, sched->chunks.duplicates == duplicates);
    INVARIANT(one_state, sched->chunks.live == live.chunks + duplicates);
    return live;
}

/* Every item is fresh, in a live chunk, done, or not available yet. Returns how many are in live
 * chunks or done. */
static uint64_t check_cut(const struct sched *sched)
{
    uint64_t available = sched->stats.items_available;
    uint64_t cut = sched->cut < available ? sched->cut : available;
    uint64_t fresh = available - cut - sched_count_ahead(sched, cut, available);
    INVARIANT(counted_once, sched->fresh == fresh);
    INVARIANT(counted_once, sched->cut <= available || sched->cut <= sched->known);
    INVARIANT(counted_once, sched->cut < sched->gap_end || sched->cut == UINT64_MAX);
    return sched->cut + sched_count_ahead(sched, sched->cut, UINT64_MAX);
}

void sched_check(const struct sched *sched)
{
    const struct sched_stats *stats = &sched->stats;
    struct sums held = check_workers(sched);
    struct sums queued = sum_list(sched, &sched->chunks.queued, SCHED_CHUNK_QUEUED);
    struct sums suspects = check_suspects(sched);
    struct sums delayed = check_delayed(sched);
    struct sums spent = sum_list(sched, &sched->chunks.spent, SCHED_CHUNK_SPENT);
    struct sums live = check_order(sched);

    INVARIANT(one_state,
              live.chunks ==
                  held.chunks + queued.chunks + suspects.chunks + delayed.chunks + spent.chunks);
    INVARIANT(held_sums, stats->items_held == held.items);
    INVARIANT(held_sums,
              stats->items_queued == queued.items + suspects.items + delayed.items + spent.items);
    INVARIANT(held_sums, queued.chunks == sched->chunks.queued_count);
    INVARIANT(held_sums, suspects.chunks == sched->chunks.suspects_count);
    INVARIANT(counted_once, stats->items_done + live.items == check_cut(sched));
    INVARIANT(counted_once, stats->tally.ok + stats->tally.failed == stats->items_done);
    check_suspects_wait(sched);
}
