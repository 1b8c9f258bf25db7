/* Workers that come with chunks in hand: of an earlier session, or of an earlier coordinator whose
 * job goes on here. What nobody else has by now they go on with. */
#include "coordinator/sched/sched_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    FOREIGN_MIN = 64,
    FOREIGN_MAX = 1 << 20, /* chunks of other epochs that are adopted in the life of a job */
    ATTEMPT_MAX = 1 << 24, /* of what is adopted: far from where the number would wrap */
};

/* --- ids of other epochs --- */

void sched_foreign_deinit(struct sched_foreign *foreign)
{
    free(foreign->table);
    *foreign = (struct sched_foreign){0};
}

/* The entry of this id, or the free one where it would be. There is one. */
static struct sched_foreign_entry *entry_of(const struct sched_foreign *foreign, uint64_t id)
{
    uint32_t mask = foreign->capacity - 1;
    uint32_t at = sched_hash(id) & mask;
    while (foreign->table[at].foreign != 0 && foreign->table[at].foreign != id) {
        at = (at + 1) & mask;
    }
    return &foreign->table[at];
}

/* Room for one more, while half of the table stays free. */
static bool reserve_entry(struct sched_foreign *foreign)
{
    if (foreign->count < foreign->capacity / 2) {
        return true;
    }
    if (foreign->count >= FOREIGN_MAX) {
        return false;
    }
    struct sched_foreign grown = {.capacity = foreign->capacity > 0 ? 2 * foreign->capacity
                                                                    : FOREIGN_MIN,
                                  .count = foreign->count};
    grown.table = calloc(grown.capacity, sizeof(*grown.table));
    if (grown.table == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < foreign->capacity; i++) {
        if (foreign->table[i].foreign != 0) {
            *entry_of(&grown, foreign->table[i].foreign) = foreign->table[i];
        }
    }
    free(foreign->table);
    *foreign = grown;
    return true;
}

static void add_entry(struct sched_foreign *foreign, uint64_t id, uint64_t own)
{
    *entry_of(foreign, id) = (struct sched_foreign_entry){id, own};
    foreign->count++;
}

uint32_t sched_foreign_find(const struct sched *sched, struct chunk_id id, bool *ret_past)
{
    /* Of an earlier coordinator, then, and of no use any more. */
    *ret_past = id.value != 0 && id.value < sched->chunks.epoch;
    if (id.value == 0 || sched->foreign.count == 0) {
        return INDEX_NONE;
    }
    const struct sched_foreign_entry *entry = entry_of(&sched->foreign, id.value);
    if (entry->foreign == 0) {
        return INDEX_NONE;
    }
    return sched_chunks_find(&sched->chunks, (struct chunk_id){entry->own}, ret_past);
}

/* --- what a worker goes on with --- */

/* The last live chunk that begins before item `first`, looked for from `near`, which is one of them
 * or INDEX_NONE: then from the end. INDEX_NONE: there is none. */
static uint32_t place_before(const struct sched_chunks *chunks, uint32_t near, uint64_t first)
{
    uint32_t place = near != INDEX_NONE ? near : chunks->order.tail;
    while (place != INDEX_NONE && chunks->table[place].first >= first) {
        place = chunks->table[place].order.previous;
    }
    for (;;) {
        uint32_t next = place != INDEX_NONE ? chunks->table[place].order.next : chunks->order.head;
        if (next == INDEX_NONE || chunks->table[next].first >= first) {
            return place;
        }
        place = next;
    }
}

/* A chunk of another epoch, whose items were neither done before nor cut since. `*near` is the
 * place of the last one. Only items that the other coordinator is known to have had are believed to
 * be the same ones. */
static bool adopt_foreign(struct sched *sched,
                          uint32_t worker,
                          const struct sched_holding *held,
                          uint32_t *near)
{
    uint64_t end = held->first + held->count;
    if (held->count == 0 || end < held->first || end > sched->known || held->first < sched->cut ||
        !reserve_entry(&sched->foreign) ||
        entry_of(&sched->foreign, held->chunk.value)->foreign != 0 ||
        !sched_chunks_reserve(&sched->chunks, 1) ||
        interval_add(&sched->ahead, held->first, end) != 0) {
        return false;
    }
    struct sched_chunk chunk = {.first = held->first,
                                .count = held->count,
                                .worker = INDEX_NONE,
                                .avoid = INDEX_NONE,
                                .attempt = held->attempt};
    uint32_t place = place_before(&sched->chunks, *near, held->first);
    *near = sched_chunks_insert(&sched->chunks, place, &chunk);
    if (sched->chunks.table[*near].order.next == sched->chunks.ahead) {
        sched->chunks.ahead = *near; /* the first of all, or the only one */
    }
    add_entry(&sched->foreign, held->chunk.value, sched->chunks.table[*near].id);
    uint64_t available = sched->stats.items_available;
    if (held->first < available) {
        sched->fresh -= (end < available ? end : available) - held->first;
    }
    sched->stats.items_held += held->count;
    sched_workers_adopt(sched, worker, *near);
    return true;
}

/* A live chunk that waits, because its worker was taken for lost, or said that it left. */
static bool adopt_waiting(struct sched *sched,
                          uint32_t worker,
                          const struct sched_holding *held,
                          uint32_t slot)
{
    struct sched_chunk *chunk = &sched->chunks.table[slot];
    bool waits = chunk->state == SCHED_CHUNK_QUEUED || chunk->state == SCHED_CHUNK_SUSPECT;
    if (!waits || chunk->first != held->first || chunk->count != held->count ||
        held->attempt > chunk->attempt) {
        return false;
    }
    sched_detach(sched, slot);
    if (held->attempt == chunk->attempt) {
        sched_unlose(chunk);
    }
    sched->stats.items_held += chunk->count;
    sched_workers_adopt(sched, worker, slot);
    return true;
}

static bool adopt_one(struct sched *sched,
                      uint32_t worker,
                      const struct sched_holding *held,
                      uint32_t *near)
{
    bool past;
    if (held->chunk.value == 0 || held->attempt == 0 || held->attempt > ATTEMPT_MAX) {
        return false;
    }
    uint32_t slot = sched_find(sched, held->chunk, &past);
    if (slot != INDEX_NONE) {
        return adopt_waiting(sched, worker, held, slot);
    }
    return !sched_chunks_are_own(&sched->chunks, held->chunk) &&
           adopt_foreign(sched, worker, held, near);
}

static int by_first_item(const void *a, const void *b)
{
    const struct sched_holding *left = a;
    const struct sched_holding *right = b;
    return (left->first > right->first) - (left->first < right->first);
}

/* In the order of their items, because the place of each in the order of all is looked for from
 * that of the one before. Without memory for that the worker goes on with nothing. */
void sched_adopt(struct sched *sched,
                 uint32_t worker,
                 const struct sched_holding *list,
                 size_t count)
{
    struct sched_holding *sorted = count > 0 ? calloc(count, sizeof(*sorted)) : NULL;
    if (sorted == NULL) {
        return;
    }
    memcpy(sorted, list, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), by_first_item);
    uint32_t near = INDEX_NONE;
    for (size_t i = 0; i < count; i++) {
        sched->stats.chunks_adopted += adopt_one(sched, worker, &sorted[i], &near);
    }
    free(sorted);
    sched_skip_ahead(sched);
}
