/* The table of live chunks.
 *
 * An id is (uses of the slot << SCHED_SLOT_BITS) | slot: found without a search, never used
 * twice, and it tells a chunk that is over from one that never was. */
#include "common/base/check.h"
#include "common/base/err.h"
#include "coordinator/sched_internal.h"

#include <assert.h>
#include <stdlib.h>

static_assert(sizeof(struct sched_chunk) == 64, "a chunk is one cache line");

/* A slot is used up after so many chunks: half a million years at a million a second. */
#define USES_MAX (UINT64_MAX >> SCHED_SLOT_BITS)

int sched_chunks_init(struct sched_chunks *chunks)
{
    *chunks = (struct sched_chunks){
        .free_head = INDEX_NONE, .order = LIST_EMPTY, .queued = LIST_EMPTY, .spent = LIST_EMPTY};
    chunks->table = malloc(SCHED_CHUNKS_MIN * sizeof(*chunks->table));
    if (chunks->table == NULL) {
        return ERR_NOMEM;
    }
    chunks->capacity = SCHED_CHUNKS_MIN;
    return 0;
}

void sched_chunks_deinit(struct sched_chunks *chunks)
{
    free(chunks->table);
    *chunks = (struct sched_chunks){0};
}

static bool grow(struct sched_chunks *chunks)
{
    if (chunks->capacity == SCHED_CHUNKS_MAX) {
        return false;
    }
    uint32_t capacity = chunks->capacity * 2;
    struct sched_chunk *table = realloc(chunks->table, capacity * sizeof(*table));
    if (table == NULL) {
        return false;
    }
    chunks->table = table;
    chunks->capacity = capacity;
    return true;
}

/* The last freed slot, because it is still in the cache, or one that was never used. */
static uint32_t take_slot(struct sched_chunks *chunks)
{
    uint32_t slot = chunks->free_head;
    if (slot != INDEX_NONE) {
        chunks->free_head = chunks->table[slot].place.next;
        return slot;
    }
    if (chunks->used == chunks->capacity && !grow(chunks)) {
        return INDEX_NONE;
    }
    slot = chunks->used++;
    chunks->table[slot].id = slot;
    return slot;
}

uint32_t sched_chunks_cut(struct sched_chunks *chunks, uint64_t first, uint64_t count)
{
    uint32_t slot = take_slot(chunks);
    if (slot == INDEX_NONE) {
        return INDEX_NONE;
    }
    struct sched_chunk *chunk = &chunks->table[slot];
    *chunk = (struct sched_chunk){
        .id = chunk->id + SCHED_CHUNKS_MAX, .first = first, .count = count, .worker = INDEX_NONE};
    list_append(&chunks->order, LINKS(chunks->table, order), slot);
    chunks->live++;
    return slot;
}

uint32_t sched_chunks_find(const struct sched_chunks *chunks, struct chunk_id id, bool *ret_past)
{
    uint32_t slot = (uint32_t)(id.value & (SCHED_CHUNKS_MAX - 1));
    *ret_past = false;
    if (slot >= chunks->used || id.value < SCHED_CHUNKS_MAX) {
        return INDEX_NONE;
    }
    const struct sched_chunk *chunk = &chunks->table[slot];
    if (chunk->id == id.value && chunk->state != SCHED_CHUNK_FREE) {
        return slot;
    }
    *ret_past = id.value <= chunk->id;
    return INDEX_NONE;
}

void sched_chunks_queue(struct sched_chunks *chunks, uint32_t slot)
{
    chunks->table[slot].state = SCHED_CHUNK_QUEUED;
    list_append(&chunks->queued, LINKS(chunks->table, place), slot);
    chunks->queued_count++;
}

void sched_chunks_spend(struct sched_chunks *chunks, uint32_t slot)
{
    chunks->table[slot].state = SCHED_CHUNK_SPENT;
    list_append(&chunks->spent, LINKS(chunks->table, place), slot);
}

void sched_chunks_unqueue(struct sched_chunks *chunks, uint32_t slot)
{
    if (chunks->table[slot].state == SCHED_CHUNK_QUEUED) {
        list_remove(&chunks->queued, LINKS(chunks->table, place), slot);
        chunks->queued_count--;
    } else {
        CHECK(chunks->table[slot].state == SCHED_CHUNK_SPENT);
        list_remove(&chunks->spent, LINKS(chunks->table, place), slot);
    }
}

void sched_chunks_free(struct sched_chunks *chunks, uint32_t slot)
{
    struct sched_chunk *chunk = &chunks->table[slot];
    list_remove(&chunks->order, LINKS(chunks->table, order), slot);
    chunk->state = SCHED_CHUNK_FREE;
    chunks->live--;
    if (chunk->id >> SCHED_SLOT_BITS < USES_MAX) {
        chunk->place.next = chunks->free_head;
        chunks->free_head = slot;
    }
}
