/* After each event: what is sent to whom, what is given up, and is it over? */
#include "coordinator/sched/sched_internal.h"

/* Chunks that are out of attempts. One of them may still be finished by a late result before
 * there is room to say so. */
static void abandon(struct sched *sched, struct sched_actions *out)
{
    while (sched->chunks.spent.head != INDEX_NONE && sched_has_room(sched, out, 1)) {
        uint32_t slot = sched->chunks.spent.head;
        struct tally tally = {.failed = sched->chunks.table[slot].count};
        (void)sched_say(out, SCHED_ABANDONED, sched, slot);
        sched->stats.chunks_abandoned++;
        sched_detach(sched, slot);
        sched_account(sched, slot, &tally);
    }
}

/* The worker that a chunk of `items` goes to, or INDEX_NONE when it has to wait. */
static uint32_t taker(const struct sched *sched, uint64_t items, uint32_t avoid)
{
    const struct sched_workers *workers = &sched->workers;
    uint32_t avoided = INDEX_NONE; /* could take it, if nobody else can */
    for (int turn = SCHED_TURN_EMPTY; turn <= SCHED_TURN_FREE; turn++) {
        uint32_t free = sched_workers_next(workers, (enum sched_turn)turn, avoid);
        if (free != INDEX_NONE && free != avoid) {
            return free;
        }
        avoided = free != INDEX_NONE ? free : avoided;
    }
    uint32_t busy = sched_workers_next(workers, SCHED_TURN_BUSY, avoid);
    if (busy == INDEX_NONE || !sched_size_may_wait(sched, items)) {
        return avoided;
    }
    return avoided != INDEX_NONE && busy == avoid ? avoided : busy;
}

static void hand_over(struct sched *sched,
                      uint32_t slot,
                      uint32_t worker,
                      struct sched_actions *out)
{
    sched->chunks.table[slot].attempt++;
    sched_workers_hold(sched, worker, slot);
    sched->stats.chunks_sent++;
    struct sched_action *action = sched_say(out, SCHED_SEND, sched, slot);
    action->worker = (struct worker_id){sched->workers.table[worker].id};
}

void sched_send(struct sched *sched, uint32_t slot, uint32_t worker, struct sched_actions *out)
{
    hand_over(sched, slot, worker, out);
    const struct sched_chunk *chunk = &sched->chunks.table[slot];
    sched->stats.items_held += chunk->count;
    sched->stats.chunks_retried += chunk->attempt > 1U + chunk->failures;
}

void sched_send_duplicate(struct sched *sched,
                          uint32_t slot,
                          uint32_t worker,
                          struct sched_actions *out)
{
    hand_over(sched, slot, worker, out);
    sched->stats.chunks_speculated++;
}

/* A worker that fails items fails them fast: it has room when no other one has, and would get back
 * all that it failed. What failed waits for another worker while there is one. */
static bool must_wait(const struct sched *sched, const struct sched_chunk *chunk, uint32_t worker)
{
    const struct sched_workers *workers = &sched->workers;
    return chunk->failures > 0 && worker == chunk->avoid &&
           workers->slots > (workers->table[worker].draining ? 0 : workers->table[worker].slots);
}

static bool send_fresh(struct sched *sched, struct sched_actions *out)
{
    if (sched->fresh == 0 || sched->holding) {
        return false;
    }
    uint64_t count = sched_size_next(sched);
    uint32_t worker = taker(sched, count, INDEX_NONE);
    if (worker == INDEX_NONE || !sched_has_room(sched, out, 1)) {
        return false;
    }
    uint32_t slot = sched_chunks_cut(&sched->chunks, sched->cut, count);
    if (slot == INDEX_NONE) {
        return false; /* fewer in flight, then: the next event tries again */
    }
    sched->cut += count;
    sched->fresh -= count;
    sched->stats.chunk_items = count;
    if (sched->cut == sched->gap_end) {
        sched_skip_ahead(sched);
    }
    sched_send(sched, slot, worker, out);
    return true;
}

/* What was cut before goes before fresh chunks. */
static bool send_next(struct sched *sched, struct sched_actions *out)
{
    uint32_t slot = sched->chunks.queued.head;
    if (slot == INDEX_NONE || !sched_is_available(sched, slot)) {
        return send_fresh(sched, out);
    }
    const struct sched_chunk *chunk = &sched->chunks.table[slot];
    uint32_t worker = taker(sched, chunk->count, chunk->avoid);
    if (worker != INDEX_NONE && must_wait(sched, chunk, worker)) {
        return send_fresh(sched, out);
    }
    if (worker == INDEX_NONE || !sched_has_room(sched, out, 1)) {
        return false;
    }
    sched_detach(sched, slot);
    sched_send(sched, slot, worker, out);
    return true;
}

static void send_all(struct sched *sched, struct sched_actions *out)
{
    const struct list *turns = sched->workers.turns;
    if (sched->chunks.suspects_count > 0 || turns[SCHED_TURN_ASIDE].head != INDEX_NONE) {
        sched_send_suspects(sched, out);
    }
    bool sent = true;
    while (sent && (turns[SCHED_TURN_BUSY].head != INDEX_NONE ||
                    turns[SCHED_TURN_FREE].head != INDEX_NONE ||
                    turns[SCHED_TURN_EMPTY].head != INDEX_NONE)) {
        sent = send_next(sched, out);
    }
    if (sched->chunks.suspects_count > 0) {
        sched_send_suspects(sched, out); /* nothing else may be left by now */
    }
}

static void conclude(struct sched *sched, struct sched_actions *out)
{
    const struct sched_stats *stats = &sched->stats;
    bool accounted = sched->fresh == 0 && sched->chunks.live == 0;
    bool stopped = sched->stopping && stats->items_held == 0 &&
                   sched->chunks.spent.head == INDEX_NONE;
    if (stopped || (accounted && stats->items_final)) {
        sched->over = true;
        sched_emit(out, (struct sched_action){.type = SCHED_DONE});
    } else if (!accounted && sched->no_more_workers && sched->workers.count == 0 &&
               !sched->stalled) {
        sched->stalled = true;
        sched_emit(out, (struct sched_action){.type = SCHED_STALLED});
    }
}

void sched_dispatch(struct sched *sched, struct sched_actions *out)
{
    abandon(sched, out);
    if (sched->chunks.due_us <= sched->now_us) {
        sched_chunks_release_due(&sched->chunks, sched->now_us);
    }
    sched->late_us = UINT64_MAX;
    if (!sched->stopping) {
        send_all(sched, out);
        if (sched->fresh == 0 && sched->options.speculate) {
            sched_speculate(sched, out);
        }
    }
    conclude(sched, out);
}
