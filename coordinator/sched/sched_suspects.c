/* Chunks that may have taken their worker down: with whom they run from then on, until it is known
 * which one it was.
 *
 * What a worker held when it was lost is suspect, all of it, though as a rule none of it is to
 * blame. So at first it costs next to nothing: it runs again at full speed, only in no other company
 * than its own. If that takes a worker down as well, then what that one held runs alone, or where
 * that are very many first in groups. What was alone with a lost worker is to blame, or has an item
 * that is: it is split, and the pieces run alone; or it is a single item, and counted. */
#include "coordinator/sched/sched_internal.h"

/* --- losses --- */

/* Each piece is as suspect as the whole was, and has no losses of its own yet. */
static bool split(struct sched *sched, uint32_t slot, struct sched_actions *out)
{
    struct sched_chunk whole = sched->chunks.table[slot];
    uint32_t pieces = whole.count < SCHED_PIECES ? (uint32_t)whole.count : SCHED_PIECES;
    if (!sched_chunks_reserve(&sched->chunks, pieces - 1)) {
        return false;
    }
    (void)sched_say(out, SCHED_SPLIT, sched, slot);
    struct sched_chunk piece = whole;
    piece.losses = 0;
    piece.suspicion = SCHED_ALONE;
    piece.before = 0;
    for (uint32_t i = 0; i < pieces; i++) {
        piece.count = whole.count / pieces + (i < whole.count % pieces);
        slot = sched_add_part(sched, slot, i, &piece);
        sched_chunks_queue(&sched->chunks, slot);
        piece.first += piece.count;
    }
    return true;
}

/* What is known of a chunk after a loss in which it was not the only one. */
static enum sched_suspicion next_suspicion(enum sched_suspicion suspicion, uint32_t together)
{
    if (suspicion == SCHED_CLEAR) {
        return SCHED_COMPANY;
    }
    return suspicion == SCHED_COMPANY && together > SCHED_GROUP_MAX ? SCHED_GROUP : SCHED_ALONE;
}

void sched_lose(struct sched *sched, uint32_t slot, uint32_t together, struct sched_actions *out)
{
    enum sched_suspicion before = (enum sched_suspicion)sched->chunks.table[slot].suspicion;
    /* Several items that were alone by chance are not split for it. */
    bool blamed = together == 1 && (before != SCHED_CLEAR || sched->chunks.table[slot].count == 1);
    sched_take_back(sched, slot);
    if (blamed && sched->chunks.table[slot].count > 1 && split(sched, slot, out)) {
        return;
    }
    struct sched_chunk *chunk = &sched->chunks.table[slot];
    chunk->before = (1U + before) & 7U;
    chunk->counted = blamed;
    chunk->losses = (uint8_t)(chunk->losses + blamed);
    chunk->suspicion = (blamed ? SCHED_ALONE : next_suspicion(before, together)) & 3U;
    if (chunk->losses >= sched->options.crash_limit) {
        sched_chunks_spend(&sched->chunks, slot);
    } else {
        sched_chunks_queue(&sched->chunks, slot);
    }
}

void sched_unlose(struct sched_chunk *chunk)
{
    if (chunk->before > 0) {
        chunk->suspicion = (chunk->before - 1U) & 3U;
        chunk->losses = (uint8_t)(chunk->losses - chunk->counted);
        chunk->before = 0;
    }
}

/* --- who runs them --- */

bool sched_suspects_wait(const struct sched *sched)
{
    for (int suspicion = SCHED_COMPANY; suspicion <= SCHED_ALONE; suspicion++) {
        uint32_t slot = sched->chunks.suspects[suspicion].head;
        if (slot != INDEX_NONE && sched_is_available(sched, slot)) {
            return true;
        }
    }
    return false;
}

bool sched_may_serve(const struct sched *sched)
{
    uint32_t half = sched->workers.count / 2;
    return sched->workers.serving < (half > 0 ? half : 1) || !sched_others_wait(sched);
}

/* First where there is company already, so that few workers are taken from other work; and behind
 * others, where chunks may wait at all, only when no worker is empty. */
static uint32_t taker(const struct sched *sched, enum sched_suspicion suspicion, uint32_t slot)
{
    const struct sched_chunk *chunk = &sched->chunks.table[slot];
    const struct sched_workers *workers = &sched->workers;
    uint32_t worker = INDEX_NONE;
    if (suspicion != SCHED_ALONE) {
        worker = sched_workers_next(workers, sched_turn_with(suspicion, false), chunk->avoid);
    }
    if (worker == INDEX_NONE && sched_may_serve(sched)) {
        worker = sched_workers_next(workers, SCHED_TURN_EMPTY, chunk->avoid);
    }
    if (worker == INDEX_NONE && suspicion != SCHED_ALONE &&
        sched_size_may_wait(sched, chunk->count)) {
        worker = sched_workers_next(workers, sched_turn_with(suspicion, true), chunk->avoid);
    }
    return worker;
}

static bool send_next(struct sched *sched,
                      enum sched_suspicion suspicion,
                      struct sched_actions *out)
{
    uint32_t slot = sched->chunks.suspects[suspicion].head;
    if (slot == INDEX_NONE || !sched_is_available(sched, slot)) {
        return false;
    }
    uint32_t worker = taker(sched, suspicion, slot);
    if (worker == INDEX_NONE || !sched_has_room(sched, out, 1)) {
        return false;
    }
    sched_detach(sched, slot);
    sched_send(sched, slot, worker, out);
    return true;
}

/* The most suspect ones first: they come from the others, so nobody waits for ever. Under a steady
 * stream of chunks no worker is ever empty, so one at a time is set aside until it is. */
void sched_send_suspects(struct sched *sched, struct sched_actions *out)
{
    for (int suspicion = SCHED_ALONE; suspicion >= SCHED_COMPANY; suspicion--) {
        while (send_next(sched, (enum sched_suspicion)suspicion, out)) {
        }
    }
    if (!sched_suspects_wait(sched) || !sched_may_serve(sched)) {
        sched_workers_put_back(&sched->workers);
    } else if (sched->workers.turns[SCHED_TURN_ASIDE].head == INDEX_NONE) {
        sched_workers_set_aside(&sched->workers);
    }
}
