/* Chunks that run in two places: a held chunk, and its duplicates, which have the same items among
 * them. Until one of them is decided upon, the chunk alone stands for its items in all sums; its
 * duplicates are not among the live chunks in the order of their items. The first result decides:
 *
 *   the chunk's own   its duplicates are over, and what their holders say of them is a duplicate
 *   a duplicate's     the chunk is over instead; all of its duplicates are chunks like others now
 *
 * So no item is counted twice, though sums of items cannot be taken back. The same happens when a
 * holder goes: a chunk that is lost is over in favour of its duplicates; a duplicate that is lost
 * waits until it is known whether it is needed. */
#include "coordinator/sched/sched_internal.h"

/* The chunk in slot `of`, which nobody holds any more, is over, and its duplicates stand for its
 * items from now on. Those that nobody holds are as suspect as it would be. */
static void promote_all(struct sched *sched, uint32_t of, bool lost)
{
    struct sched_chunks *chunks = &sched->chunks;
    uint32_t last = of;
    for (uint32_t slot = chunks->table[of].twin; slot != INDEX_NONE;) {
        struct sched_chunk *chunk = &chunks->table[slot];
        uint32_t next = chunk->order.next;
        sched_chunks_promote(chunks, last, slot);
        last = slot;
        if (chunk->state == SCHED_CHUNK_HELD) {
            sched->stats.items_held += chunk->count;
        } else {
            sched->stats.items_queued += chunk->count;
            chunk->was_duplicate = 0;
            if (lost) {
                chunk->suspicion = SCHED_COMPANY;
            }
            sched_chunks_queue(chunks, slot);
        }
        slot = next;
    }
    sched_chunks_free(chunks, of);
}

/* All duplicates of the chunk in slot `of` are over; those who have them run them for nothing. */
static void discard_all(struct sched *sched, uint32_t of)
{
    struct sched_chunks *chunks = &sched->chunks;
    for (uint32_t slot = chunks->table[of].twin; slot != INDEX_NONE;) {
        uint32_t next = chunks->table[slot].order.next;
        if (chunks->table[slot].state == SCHED_CHUNK_HELD) {
            sched_workers_stale(&sched->workers, chunks->table[slot].worker);
            sched_workers_release(sched, slot);
        }
        sched_chunks_free(chunks, slot);
        slot = next;
    }
    chunks->table[of].twin = INDEX_NONE;
}

static void beat(struct sched *sched, uint32_t of)
{
    uint64_t end_us = sched_expected_end_us(sched, of);
    sched->late_end_us = end_us > sched->late_end_us ? end_us : sched->late_end_us;
    sched_workers_stale(&sched->workers, sched->chunks.table[of].worker);
    sched->stats.items_held -= sched->chunks.table[of].count;
    sched_workers_release(sched, of);
    promote_all(sched, of, false);
}

void sched_decide(struct sched *sched, uint32_t slot)
{
    const struct sched_chunk *chunk = &sched->chunks.table[slot];
    if (chunk->duplicate) {
        beat(sched, chunk->twin);
    } else if (sched_is_doubled(chunk)) {
        discard_all(sched, slot);
    }
}

static bool has_held(const struct sched_chunks *chunks, uint32_t of)
{
    uint32_t slot = chunks->table[of].twin;
    while (slot != INDEX_NONE && chunks->table[slot].state != SCHED_CHUNK_HELD) {
        slot = chunks->table[slot].order.next;
    }
    return slot != INDEX_NONE;
}

/* A duplicate that took its worker down, perhaps, is enough: its chunk gets no further ones. */
static void lose_duplicate(struct sched *sched, uint32_t slot, bool lost)
{
    struct sched_chunk *chunk = &sched->chunks.table[slot];
    struct sched_chunk *of = &sched->chunks.table[chunk->twin];
    uint32_t worker = chunk->worker;
    sched_workers_release(sched, slot);
    chunk->state = SCHED_CHUNK_IDLE;
    chunk->avoid = worker;
    if (lost) {
        chunk->suspicion = SCHED_COMPANY;
        of->speculated = SCHED_SPECULATED_MAX;
    }
    if (!has_held(&sched->chunks, chunk->twin)) {
        discard_all(sched, chunk->twin);
        sched->look_us = 0; /* it is as late as before */
    }
}

void sched_lose_doubled(struct sched *sched, uint32_t slot, bool lost)
{
    const struct sched_chunk *chunk = &sched->chunks.table[slot];
    if (chunk->duplicate) {
        lose_duplicate(sched, slot, lost);
    } else {
        sched_detach(sched, slot);
        promote_all(sched, slot, lost);
    }
}
