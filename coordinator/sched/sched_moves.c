/* Chunks change hands, and are divided when only a part of their items is over. */
#include "common/base/check.h"
#include "coordinator/sched/sched_internal.h"

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

void sched_take_back(struct sched *sched, uint32_t slot)
{
    struct sched_chunk *chunk = &sched->chunks.table[slot];
    uint32_t worker = chunk->worker;
    sched_detach(sched, slot);
    chunk->avoid = worker;
    chunk->was_duplicate = 0;
    sched->stats.items_queued += chunk->count;
}

void sched_return(struct sched *sched, uint32_t slot)
{
    sched_take_back(sched, slot);
    sched->chunks.table[slot].before = 0;
    sched_chunks_queue(&sched->chunks, slot);
}

uint32_t sched_add_part(struct sched *sched,
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
    part.before = 0;
    part.was_duplicate = 0;
    part.losses = 0;
    part.suspicion = SCHED_CLEAR; /* an item that fails is not one that takes its worker down */
    part.failures++;
    part.avoid = remains->worker;
    for (size_t i = 0; remains->again && i < remains->failed_count; i++) {
        part.first = whole.first + remains->failed[i].first;
        part.count = remains->failed[i].count;
        slot = sched_add_part(sched, slot, parts++, &part);
        sched_chunks_delay(&sched->chunks, slot, due_us(sched, now_us, part.failures));
        sched->stats.items_queued += part.count;
    }
    if (remains->done < whole.count) {
        part = whole;
        part.before = 0;
        part.was_duplicate = 0;
        part.first = whole.first + remains->done;
        part.count = whole.count - remains->done;
        part.avoid = INDEX_NONE;
        part.attempt--;  /* it goes on, and these were not begun */
        part.losses = 0; /* still as suspect, but these may have been for the others */
        slot = sched_add_part(sched, slot, parts++, &part);
        sched_chunks_queue_first(&sched->chunks, slot);
        sched->stats.items_queued += part.count;
    }
    if (parts == 0) {
        sched_chunks_free(&sched->chunks, slot);
    }
}
