/* The invariants of the scheduler, by name. */
#include "common/base/check.h"
#include "coordinator/sched_internal.h"

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

/* A suspect has losses, and no other chunk has. One that is out of attempts has as many as it may,
 * and no other single item has: but for pieces, each of which is tried once. */
static void check_losses(const struct sched *sched, const struct sched_chunk *chunk)
{
    uint32_t crash_limit = sched->options.crash_limit;
    switch (chunk->state) {
    case SCHED_CHUNK_SPENT:
        INVARIANT(attempts_bounded, chunk->losses >= crash_limit);
        break;
    case SCHED_CHUNK_QUEUED:
    case SCHED_CHUNK_DELAYED:
        INVARIANT(suspect_alone, chunk->losses == 0);
        break;
    case SCHED_CHUNK_SUSPECT:
        INVARIANT(suspect_alone, chunk->losses > 0);
        break;
    default: /* held; whether alone is looked at with the worker */
        break;
    }
    INVARIANT(attempts_bounded,
              chunk->state == SCHED_CHUNK_SPENT || chunk->losses <= 1 ||
                  chunk->losses < crash_limit);
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
    if (!worker->draining && worker->credit > 0 && !worker->alone) {
        turn = worker->held_count < worker->slots ? SCHED_TURN_FREE : SCHED_TURN_BUSY;
        turn = worker->held_count == 0 ? SCHED_TURN_EMPTY : turn;
    }
    bool aside = worker->waits == SCHED_TURN_ASIDE &&
                 (turn == SCHED_TURN_FREE || turn == SCHED_TURN_BUSY);
    INVARIANT(credit_conserved, worker->waits == turn || aside);
}

static struct sums check_worker(const struct sched *sched, uint32_t index)
{
    const struct sched_worker *worker = &sched->workers.table[index];
    struct sums held = sum_list(sched, &worker->held, SCHED_CHUNK_HELD);
    uint64_t suspects = 0;
    for (uint32_t slot = worker->held.head; slot != INDEX_NONE;) {
        INVARIANT(one_state, sched->chunks.table[slot].worker == index);
        suspects += sched->chunks.table[slot].losses > 0;
        slot = sched->chunks.table[slot].place.next;
    }
    INVARIANT(suspect_alone, worker->alone == (suspects > 0));
    INVARIANT(suspect_alone, suspects == 0 || held.chunks == 1);
    INVARIANT(held_sums, worker->held_count == held.chunks);
    INVARIANT(credit_conserved, worker->granted == worker->credit + worker->sent);
    INVARIANT(credit_conserved, worker->held_count <= worker->sent + worker->adopted);
    check_turn(worker);
    return held;
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
    uint64_t heard_us = 0;
    for (uint32_t i = workers->leases.head; i != INDEX_NONE; i = workers->table[i].lease.next) {
        const struct sched_worker *worker = &workers->table[i];
        struct sums sums = check_worker(sched, i);
        held.chunks += sums.chunks;
        held.items += sums.items;
        slots += worker->draining ? 0 : worker->slots;
        waiting += worker->waits != SCHED_TURN_NONE;
        count++;
        INVARIANT(held_sums, worker->id != 0 && worker->heard_us >= heard_us);
        heard_us = worker->heard_us;
    }
    INVARIANT(held_sums, count == workers->count && slots == workers->slots);
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

/* While a suspect waits nobody is empty, and one worker at most is set aside to become so. */
static void check_suspects_wait(const struct sched *sched)
{
    const struct list *turns = sched->workers.turns;
    if (sched->over || sched->stopping || sched->hurry) {
        return; /* nothing more is sent, or not yet */
    }
    bool suspects = sched->chunks.suspects.head != INDEX_NONE;
    uint64_t aside = count_turn(&sched->workers, SCHED_TURN_ASIDE);
    INVARIANT(suspect_alone, !suspects || turns[SCHED_TURN_EMPTY].head == INDEX_NONE);
    INVARIANT(suspect_alone, aside <= suspects);
    INVARIANT(suspect_alone,
              !suspects || aside > 0 ||
                  (turns[SCHED_TURN_FREE].head == INDEX_NONE &&
                   turns[SCHED_TURN_BUSY].head == INDEX_NONE));
}

/* Live chunks in the order of their items: apart from each other, and of items that were cut, or
 * adopted ahead of the cut; and none has items on both sides of what was known before. */
static struct sums check_order(const struct sched *sched)
{
    struct sums live = {0};
    uint64_t end = 0;
    uint32_t previous = INDEX_NONE;
    uint32_t ahead = INDEX_NONE;
    for (uint32_t slot = sched->chunks.order.head; slot != INDEX_NONE;) {
        const struct sched_chunk *chunk = &sched->chunks.table[slot];
        INVARIANT(counted_once, chunk->order.previous == previous);
        INVARIANT(counted_once, chunk->first >= end);
        live.chunks++;
        live.items += chunk->count;
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
    struct sums suspects = sum_list(sched, &sched->chunks.suspects, SCHED_CHUNK_SUSPECT);
    struct sums delayed = check_delayed(sched);
    struct sums spent = sum_list(sched, &sched->chunks.spent, SCHED_CHUNK_SPENT);
    struct sums live = check_order(sched);

    INVARIANT(one_state, live.chunks == sched->chunks.live);
    INVARIANT(one_state,
              live.chunks ==
                  held.chunks + queued.chunks + suspects.chunks + delayed.chunks + spent.chunks);
    INVARIANT(held_sums, stats->items_held == held.items);
    INVARIANT(held_sums,
              stats->items_queued == queued.items + suspects.items + delayed.items + spent.items);
    INVARIANT(held_sums, queued.chunks == sched->chunks.queued_count);
    INVARIANT(counted_once, stats->items_done + live.items == check_cut(sched));
    INVARIANT(counted_once, stats->tally.ok + stats->tally.failed == stats->items_done);
    check_suspects_wait(sched);
}
