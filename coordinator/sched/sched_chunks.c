/* The table of live chunks.
 *
 * An id is the epoch, how often the slot was used, and the slot: found without a search, never used
 * twice, and it tells a chunk that is over from one that never was. */
#include "common/base/check.h"
#include "common/base/err.h"
#include "coordinator/sched/sched_internal.h"

#include <assert.h>
#include <stdlib.h>

static_assert(sizeof(struct sched_chunk) == 64, "a chunk is one cache line");

/* A slot is retired after so many chunks, which takes one slot that has all chunks half an hour at a
 * million a second; the next one goes on. As many are left for the parts of its last one. */
#define USES_MAX (UINT32_MAX / 2)

static uint32_t uses_of(uint64_t id)
{
    return (uint32_t)(id >> SCHED_SLOT_BITS);
}

int sched_chunks_init(struct sched_chunks *chunks, uint8_t epoch)
{
    *chunks = (struct sched_chunks){.epoch = (uint64_t)epoch << (SCHED_SLOT_BITS + SCHED_USES_BITS),
                                    .free_head = INDEX_NONE,
                                    .order = LIST_EMPTY,
                                    .ahead = INDEX_NONE,
                                    .queued = LIST_EMPTY,
                                    .due_us = UINT64_MAX,
                                    .spent = LIST_EMPTY};
    for (uint32_t i = 0; i < SCHED_SUSPICIONS; i++) {
        chunks->suspects[i] = LIST_EMPTY;
    }
    for (uint32_t i = 0; i < SCHED_DELAYS; i++) {
        chunks->delayed[i] = LIST_EMPTY;
    }
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

/* Twice the room, or more, until `needed` slots are there. */
static bool grow(struct sched_chunks *chunks, uint64_t needed)
{
    uint32_t capacity = chunks->capacity;
    if (needed > SCHED_CHUNKS_MAX) {
        return false;
    }
    while (capacity < needed) {
        capacity *= 2;
    }
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
    if (chunks->used == chunks->capacity && !grow(chunks, (uint64_t)chunks->capacity + 1)) {
        return INDEX_NONE;
    }
    slot = chunks->used++;
    chunks->table[slot].id = chunks->epoch | slot;
    return slot;
}

/* Behind chunk `last`; INDEX_NONE: before all. */
static void put_in_order(struct sched_chunks *chunks, uint32_t last, uint32_t slot)
{
    if (last != INDEX_NONE) {
        list_insert(&chunks->order, LINKS(chunks->table, order), last, slot);
    } else {
        list_prepend(&chunks->order, LINKS(chunks->table, order), slot);
    }
    chunks->live++;
}

uint32_t sched_chunks_cut(struct sched_chunks *chunks, uint64_t first, uint64_t count)
{
    uint32_t slot = take_slot(chunks);
    if (slot == INDEX_NONE) {
        return INDEX_NONE;
    }
    struct sched_chunk *chunk = &chunks->table[slot];
    *chunk = (struct sched_chunk){.id = chunk->id + SCHED_CHUNKS_MAX,
                                  .first = first,
                                  .count = count,
                                  .worker = INDEX_NONE,
                                  .avoid = INDEX_NONE};
    put_in_order(chunks,
                 chunks->ahead == INDEX_NONE ? chunks->order.tail
                                             : chunks->table[chunks->ahead].order.previous,
                 slot);
    return slot;
}

/* --- chunks made of parts of others --- */

bool sched_chunks_reserve(struct sched_chunks *chunks, uint32_t count)
{
    uint64_t needed = (uint64_t)chunks->live + chunks->retired + count;
    return needed <= chunks->capacity || grow(chunks, needed);
}

/* What `part` says, in a slot with a new id and with the links that it has. */
static void put_part(struct sched_chunks *chunks, uint32_t slot, const struct sched_chunk *part)
{
    struct sched_chunk *chunk = &chunks->table[slot];
    uint64_t id = chunk->id + SCHED_CHUNKS_MAX;
    struct link order = chunk->order;
    CHECK(uses_of(id) > uses_of(chunk->id));
    *chunk = *part;
    chunk->id = id;
    chunk->order = order;
}

void sched_chunks_renew(struct sched_chunks *chunks, uint32_t slot, const struct sched_chunk *part)
{
    put_part(chunks, slot, part);
}

uint32_t sched_chunks_insert(struct sched_chunks *chunks,
                             uint32_t last,
                             const struct sched_chunk *part)
{
    uint32_t slot = take_slot(chunks);
    CHECK(slot != INDEX_NONE);
    put_part(chunks, slot, part);
    put_in_order(chunks, last, slot);
    return slot;
}

uint32_t sched_chunks_duplicate(struct sched_chunks *chunks, uint32_t twin, uint64_t count)
{
    uint32_t slot = take_slot(chunks);
    CHECK(slot != INDEX_NONE);
    struct sched_chunk *of = &chunks->table[twin];
    uint32_t behind = of->twin;
    uint64_t end = behind == INDEX_NONE ? of->first + of->count : chunks->table[behind].first;
    struct sched_chunk part = {.first = end - count,
                               .count = count,
                               .attempt = of->attempt,
                               .failures = of->failures,
                               .duplicate = 1};
    put_part(chunks, slot, &part);
    chunks->table[slot].order = (struct link){INDEX_NONE, behind};
    chunks->table[slot].twin = twin;
    if (behind != INDEX_NONE) {
        chunks->table[behind].order.previous = slot;
    }
    of->twin = slot;
    chunks->live++;
    chunks->duplicates++;
    return slot;
}

void sched_chunks_promote(struct sched_chunks *chunks, uint32_t last, uint32_t slot)
{
    struct sched_chunk *chunk = &chunks->table[slot];
    list_insert(&chunks->order, LINKS(chunks->table, order), last, slot);
    chunk->duplicate = 0;
    chunk->was_duplicate = 1;
    chunk->twin = INDEX_NONE;
    chunks->duplicates--;
}

/* --- where they are --- */

uint32_t sched_chunks_find(const struct sched_chunks *chunks, struct chunk_id id, bool *ret_past)
{
    uint32_t slot = (uint32_t)(id.value & (SCHED_CHUNKS_MAX - 1));
    *ret_past = false;
    if (slot >= chunks->used || uses_of(id.value) == 0) {
        return INDEX_NONE;
    }
    const struct sched_chunk *chunk = &chunks->table[slot];
    if (chunk->id == id.value && chunk->state != SCHED_CHUNK_FREE) {
        return slot;
    }
    *ret_past = id.value <= chunk->id;
    return INDEX_NONE;
}

static struct list *list_of(struct sched_chunks *chunks, const struct sched_chunk *chunk)
{
    switch (chunk->state) {
    case SCHED_CHUNK_QUEUED:
        return &chunks->queued;
    case SCHED_CHUNK_SUSPECT:
        return &chunks->suspects[chunk->suspicion];
    case SCHED_CHUNK_DELAYED:
        return &chunks->delayed[sched_delay_of(chunk->failures)];
    default:
        CHECK(chunk->state == SCHED_CHUNK_SPENT);
        return &chunks->spent;
    }
}

static void enter_state(struct sched_chunks *chunks, uint32_t slot, enum sched_chunk_state state)
{
    chunks->table[slot].state = (uint8_t)state;
    chunks->queued_count += state == SCHED_CHUNK_QUEUED;
    chunks->suspects_count += state == SCHED_CHUNK_SUSPECT;
}

/* Put a chunk at the end of the list of this state. */
static void append(struct sched_chunks *chunks, uint32_t slot, enum sched_chunk_state state)
{
    enter_state(chunks, slot, state);
    list_append(list_of(chunks, &chunks->table[slot]), LINKS(chunks->table, place), slot);
}

static enum sched_chunk_state waiting(const struct sched_chunk *chunk)
{
    return chunk->suspicion != SCHED_CLEAR ? SCHED_CHUNK_SUSPECT : SCHED_CHUNK_QUEUED;
}

void sched_chunks_queue(struct sched_chunks *chunks, uint32_t slot)
{
    append(chunks, slot, waiting(&chunks->table[slot]));
}

void sched_chunks_queue_first(struct sched_chunks *chunks, uint32_t slot)
{
    enter_state(chunks, slot, waiting(&chunks->table[slot]));
    list_prepend(list_of(chunks, &chunks->table[slot]), LINKS(chunks->table, place), slot);
}

void sched_chunks_spend(struct sched_chunks *chunks, uint32_t slot)
{
    append(chunks, slot, SCHED_CHUNK_SPENT);
}

/* Chunks of one delay fall due in the order in which they came. */
static void find_due(struct sched_chunks *chunks)
{
    chunks->due_us = UINT64_MAX;
    for (uint32_t i = 0; i < SCHED_DELAYS; i++) {
        uint32_t slot = chunks->delayed[i].head;
        if (slot != INDEX_NONE && chunks->table[slot].due_us < chunks->due_us) {
            chunks->due_us = chunks->table[slot].due_us;
        }
    }
}

void sched_chunks_delay(struct sched_chunks *chunks, uint32_t slot, uint64_t due_us)
{
    chunks->table[slot].due_us = due_us;
    append(chunks, slot, SCHED_CHUNK_DELAYED);
    find_due(chunks);
}

void sched_chunks_unqueue(struct sched_chunks *chunks, uint32_t slot)
{
    struct sched_chunk *chunk = &chunks->table[slot];
    list_remove(list_of(chunks, chunk), LINKS(chunks->table, place), slot);
    if (chunk->state == SCHED_CHUNK_QUEUED) {
        chunks->queued_count--;
    } else if (chunk->state == SCHED_CHUNK_SUSPECT) {
        chunks->suspects_count--;
    } else if (chunk->state == SCHED_CHUNK_DELAYED) {
        find_due(chunks);
    }
}

void sched_chunks_release_due(struct sched_chunks *chunks, uint64_t now_us)
{
    for (uint32_t i = 0; i < SCHED_DELAYS; i++) {
        uint32_t slot = chunks->delayed[i].head;
        while (slot != INDEX_NONE && chunks->table[slot].due_us <= now_us) {
            list_remove(&chunks->delayed[i], LINKS(chunks->table, place), slot);
            sched_chunks_queue(chunks, slot);
            slot = chunks->delayed[i].head;
        }
    }
    find_due(chunks);
}

void sched_chunks_free(struct sched_chunks *chunks, uint32_t slot)
{
    struct sched_chunk *chunk = &chunks->table[slot];
    if (chunk->duplicate) {
        chunks->duplicates--;
    } else {
        if (chunks->ahead == slot) {
            chunks->ahead = chunk->order.next;
        }
        list_remove(&chunks->order, LINKS(chunks->table, order), slot);
    }
    chunk->state = SCHED_CHUNK_FREE;
    chunks->live--;
    if (uses_of(chunk->id) < USES_MAX) {
        chunk->place.next = chunks->free_head;
        chunks->free_head = slot;
    } else {
        chunks->retired++;
    }
}
