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

static void check_chunk(const struct sched *sched, uint32_t slot, enum sched_chunk_state state)
{
    const struct sched_chunk *chunk = &sched->chunks.table[slot];
    uint32_t attempts_max = sched->options.attempts_max;
    INVARIANT(one_state, slot < sched->chunks.used);
    INVARIANT(one_state, chunk->state == state);
    INVARIANT(one_state, chunk->id % SCHED_CHUNKS_MAX == slot && chunk->count > 0);
    INVARIANT(attempts_bounded, chunk->attempt > 0 && chunk->losses <= chunk->attempt);
    INVARIANT(attempts_bounded, (chunk->losses >= attempts_max) == (state == SCHED_CHUNK_SPENT));
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
    if (!worker->draining && worker->credit > 0) {
        turn = worker->held_count < worker->slots ? SCHED_TURN_FREE : SCHED_TURN_BUSY;
    }
    INVARIANT(credit_conserved, worker->waits == turn);
}

static struct sums check_worker(const struct sched *sched, uint32_t index)
{
    const struct sched_worker *worker = &sched->workers.table[index];
    struct sums held = sum_list(sched, &worker->held, SCHED_CHUNK_HELD);
    for (uint32_t slot = worker->held.head; slot != INDEX_NONE;) {
        INVARIANT(one_state, sched->chunks.table[slot].worker == index);
        slot = sched->chunks.table[slot].place.next;
    }
    INVARIANT(held_sums, worker->held_count == held.chunks);
    INVARIANT(credit_conserved, worker->granted == worker->credit + worker->sent);
    INVARIANT(credit_conserved, worker->held_count <= worker->sent);
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
    INVARIANT(credit_conserved,
              waiting ==
                  count_turn(workers, SCHED_TURN_FREE) + count_turn(workers, SCHED_TURN_BUSY));
    return held;
}

/* Live chunks in the order of their items: apart from each other, and within what was cut. */
static struct sums check_order(const struct sched *sched)
{
    struct sums live = {0};
    uint64_t end = 0;
    for (uint32_t slot = sched->chunks.order.head; slot != INDEX_NONE;) {
        const struct sched_chunk *chunk = &sched->chunks.table[slot];
        INVARIANT(counted_once, chunk->first >= end);
        live.chunks++;
        live.items += chunk->count;
        end = chunk->first + chunk->count;
        slot = chunk->order.next;
    }
    INVARIANT(counted_once, end <= sched->cut && sched->cut <= sched->stats.items_available);
    return live;
}

void sched_check(const struct sched *sched)
{
    const struct sched_stats *stats = &sched->stats;
    struct sums held = check_workers(sched);
    struct sums queued = sum_list(sched, &sched->chunks.queued, SCHED_CHUNK_QUEUED);
    struct sums spent = sum_list(sched, &sched->chunks.spent, SCHED_CHUNK_SPENT);
    struct sums live = check_order(sched);

    INVARIANT(one_state, live.chunks == sched->chunks.live);
    INVARIANT(one_state, live.chunks == held.chunks + queued.chunks + spent.chunks);
    INVARIANT(held_sums, stats->items_held == held.items);
    INVARIANT(held_sums, stats->items_queued == queued.items + spent.items);
    INVARIANT(held_sums, queued.chunks == sched->chunks.queued_count);
    INVARIANT(counted_once, stats->items_done + live.items == sched->cut);
    INVARIANT(counted_once, stats->tally.ok + stats->tally.failed == stats->items_done);
}
