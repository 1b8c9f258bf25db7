#include "coordinator/server/peers_index.h"

#include "common/base/err.h"

#include <stddef.h>
#include <stdlib.h>

enum { SIZE_FIRST = 16 }; /* a power of two */

int peers_index_init(struct peers_index *index)
{
    *index = (struct peers_index){.mask = SIZE_FIRST - 1};
    index->table = calloc(SIZE_FIRST, sizeof(*index->table));
    return index->table == NULL ? ERR_NOMEM : 0;
}

void peers_index_deinit(struct peers_index *index)
{
    free(index->table);
    index->table = NULL;
}

/* Numbers may be chosen by others, who could make them collide; there are never more than workers, so that the worst of it
 * is a search as long as the list would be. The upper half of the product depends on all bits (Knuth, 6.4). */
static uint32_t home_of(const struct peers_index *index, uint64_t number)
{
    return (uint32_t)((number * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & index->mask;
}

/* Where it is, or the free place where it would be. */
static uint32_t place_of(const struct peers_index *index, uint64_t number)
{
    uint32_t place = home_of(index, number);
    while (index->table[place].number != 0 && index->table[place].number != number) {
        place = (place + 1) & index->mask;
    }
    return place;
}

void peers_index_put(struct peers_index *index, uint64_t number, uint32_t at)
{
    if (number != 0) {
        struct peers_index_entry *entry = &index->table[place_of(index, number)];
        index->count += entry->number == 0;
        *entry = (struct peers_index_entry){number, at};
    }
}

int peers_index_reserve(struct peers_index *index)
{
    struct peers_index larger = {.mask = index->mask * 2 + 1};
    if (2 * (index->count + 1) <= index->mask + 1) {
        return 0;
    }
    larger.table = calloc((size_t)larger.mask + 1, sizeof(*larger.table));
    if (larger.table == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i <= index->mask; i++) {
        peers_index_put(&larger, index->table[i].number, index->table[i].index);
    }
    free(index->table);
    *index = larger;
    return 0;
}

/* Knuth's algorithm 6.4R: close the gap with later entries of the run that may stand there. */
static void close_gap(struct peers_index *index, uint32_t gap)
{
    uint32_t mask = index->mask;
    for (uint32_t i = (gap + 1) & mask; index->table[i].number != 0; i = (i + 1) & mask) {
        uint32_t home = home_of(index, index->table[i].number);
        if (((i - home) & mask) >= ((i - gap) & mask)) {
            index->table[gap] = index->table[i];
            gap = i;
        }
    }
    index->table[gap].number = 0;
}

void peers_index_remove(struct peers_index *index, uint64_t number, uint32_t at)
{
    uint32_t place = place_of(index, number);
    if (number != 0 && index->table[place].number == number && index->table[place].index == at) {
        close_gap(index, place);
        index->count--;
    }
}

bool peers_index_find(const struct peers_index *index, uint64_t number, uint32_t *ret_at)
{
    uint32_t place = place_of(index, number);
    if (number == 0 || index->table[place].number != number) {
        return false;
    }
    *ret_at = index->table[place].index;
    return true;
}
