/* Chunks change hands, and are divided when only a part of their items is over. */
#include "common/base/check.h"
#include "coordinator/sched_internal.h"

void sched_detach(struct sched *sched, uint32_t slot)
{
    uint64_t count = sched->chunks.table[slot].count;
    if (sched->chunks.table[slot].state == SCHED_CHUNK_HELD) {
        sched_workers_release(sched, slot);
        sched->stats.items_held -= count;
    } else {
        sched_chunks_unqueue(&sched->chunks, slot);
        sched->stats.items_queued -= count;
    }
}

void sched_account(struct sched *sched, uint32_t slot, const struct tally *tally)
{
    sched->stats.items_done += sched->chunks.table[slot].count;
    tally_merge(&sched->stats.tally, tally);
    sched_chunks_free(&sched->chunks, slot);
}

/* --- workers that go, or give back --- */

static void take_back(struct sched *sched, uint32_t slot)
{
    struct sched_chunk *chunk = &sched->chunks.table[slot];
    chunk->avoid = sched->workers.table[chunk->worker].id;
    sched_detach(sched, slot);
    sched->stats.items_queued += chunk->count;
}

void sched_return(struct sched *sched, uint32_t slot)
{
    take_back(sched, slot);
    sched_chunks_queue(&sched->chunks, slot);
}

/* The next part of a chunk; it is the first one when `last` is the chunk itself. */
static uint32_t add_part(struct sched *sched,
                         uint32_t last,
                         uint32_t number,
                         const struct sched_chunk *part)
{
    if (number > 0) {
        return sched_chunks_insert(&sched->chunks, last, part);
    }
    sched_chunks_renew(&sched->chunks, last, part);
    return last;
}

/* A suspect of several items took its worker down while it was alone: one of them is the culprit.
 * Each piece is as suspect as the whole was, and has no losses of its own yet. */
static bool split(struct sched *sched, uint32_t slot, struct sched_actions *out)
{
    struct sched_chunk whole = sched->chunks.table[slot];
    uint32_t pieces = whole.count < SCHED_PIECES ? (uint32_t)whole.count : SCHED_PIECES;
    if (!sched_chunks_reserve(&sched->chunks, pieces - 1)) {
        return false;
    }
    (void)sched_say(out, SCHED_SPLIT, sched, slot);
    struct sched_chunk piece = whole;
    piece.losses = 1;
    for (uint32_t i = 0; i < pieces; i++) {
        piece.count = whole.count / pieces + (i < whole.count % pieces);
        slot = add_part(sched, slot, i, &piece);
        sched_chunks_queue(&sched->chunks, slot);
        piece.first += piece.count;
    }
    return true;
}

/* What was lost in company may be innocent, and one loss is all that company can bring. When it is
 * lost alone then it is the culprit, or has it among its items; and a single item is always
 * counted as one that may be. */
void sched_lose(struct sched *sched, uint32_t slot, struct sched_actions *out)
{
    bool alone = sched->chunks.table[slot].losses > 0;
    take_back(sched, slot);
    if (alone && sched->chunks.table[slot].count > 1 && split(sched, slot, out)) {
        return;
    }
    struct sched_chunk *chunk = &sched->chunks.table[slot];
    chunk->losses++;
    if (chunk->losses >= sched->options.crash_limit && (alone || chunk->count == 1)) {
        sched_chunks_spend(&sched->chunks, slot);
    } else {
        sched_chunks_queue(&sched->chunks, slot);
    }
}

/* --- results of some of the items --- */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When items that have failed `failures` times may be run again. */
static uint64_t due_us(const struct sched *sched, uint64_t now_us, uint32_t failures)
{
    uint64_t delay_us = sched->options.retry_delay_us;
    uint64_t factor = UINT64_C(1) << sched_delay_of(failures);
    delay_us = delay_us <= UINT64_MAX / factor ? delay_us * factor : UINT64_MAX;
    return now_us + least(delay_us, UINT64_MAX - now_us);
}

void sched_divide(struct sched *sched,
                  uint64_t now_us,
                  uint32_t slot,
                  const struct sched_remains *remains)
{
    const struct sched_chunk whole = sched->chunks.table[slot];
    struct sched_chunk part = whole;
    uint32_t parts = 0;
    part.losses = 0; /* an item that fails is not one that takes its worker down */
    part.failures++;
    part.avoid = remains->worker.value;
    for (size_t i = 0; remains->again && i < remains->failed_count; i++) {
        part.first = whole.first + remains->failed[i].first;
        part.count = remains->failed[i].count;
        slot = add_part(sched, slot, parts++, &part);
        sched_chunks_delay(&sched->chunks, slot, due_us(sched, now_us, part.failures));
        sched->stats.items_queued += part.count;
    }
    if (remains->done < whole.count) {
        part = whole;
        part.first = whole.first + remains->done;
        part.count = whole.count - remains->done;
        part.avoid = 0;
        part.attempt--; /* it goes on, and these were not begun */
        part.losses = whole.losses >
                      0; /* still a suspect; its losses may have been for the others */
        slot = add_part(sched, slot, parts++, &part);
        sched_chunks_queue_first(&sched->chunks, slot);
        sched->stats.items_queued += part.count;
    }
    if (parts == 0) {
        sched_chunks_free(&sched->chunks, slot);
    }
}
