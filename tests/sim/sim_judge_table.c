/* The judge's table of chunks that are live, by the slots that the actions name, and of what is left of others. */
#include "common/base/check.h"
#include "tests/sim/sim.h"

#include <stdlib.h>

typedef unsigned long long ull; /* for printing */

size_t sim_judge_live(const struct sim_judge *judge)
{
    return judge->chunk_count + judge->part_count;
}

static void note_live(struct sim_judge *judge)
{
    size_t live = sim_judge_live(judge);
    judge->live_max = live > judge->live_max ? live : judge->live_max;
}

void sim_judge_clear_table(struct sim_judge *judge)
{
    judge->chunk_count = 0;
    judge->slot_count = 0;
    judge->homeless = 0;
    judge->live_max = 0;
    judge->part_count = 0;
    judge->adopted_count = 0;
}

void sim_judge_free_table(struct sim_judge *judge)
{
    free(judge->chunks);
    free(judge->slots);
    free(judge->parts);
    free(judge->adopted);
}

/* --- chunks --- */

static struct sim_slot *slot_at(struct sim_judge *judge, uint32_t slot)
{
    if (slot >= judge->slot_count) {
        size_t count = 2 * (size_t)slot + 64;
        judge->slots = sim_realloc(judge->slots, count * sizeof(*judge->slots));
        for (size_t i = judge->slot_count; i < count; i++) {
            judge->slots[i] = (struct sim_slot){.chunk = SIM_NO_SLOT};
        }
        judge->slot_count = count;
    }
    return &judge->slots[slot];
}

static void settle_in(struct sim *sim, uint32_t place, uint32_t slot, uint64_t id)
{
    struct sim_slot *home = slot_at(&sim->judge, slot);
    if (id <= home->last_id) {
        sim_fail(sim, "ids_are_new: chunk %llu again", (ull)id);
    }
    *home = (struct sim_slot){place, id};
    sim->judge.chunks[place].slot = slot;
    sim->judge.chunks[place].id = id;
}

/* One that a worker came with, which no action has been about. */
static bool find_home(struct sim *sim, const struct sched_action *action)
{
    struct sim_judge *judge = &sim->judge;
    for (uint32_t i = 0; judge->homeless > 0 && i < judge->chunk_count; i++) {
        const struct sim_chunk *chunk = &judge->chunks[i];
        bool may = action->type != SCHED_SEND || chunk->holder == 0; /* or else it is a duplicate */
        if (may && chunk->slot == SIM_NO_SLOT && chunk->first == action->first &&
            chunk->count == action->count) {
            settle_in(sim, i, action->slot, action->chunk.value);
            judge->homeless--;
            return true;
        }
    }
    return false;
}

struct sim_chunk *sim_judge_chunk(struct sim *sim, const struct sched_action *action)
{
    struct sim_judge *judge = &sim->judge;
    const struct sim_slot *home = slot_at(judge, action->slot);
    if (home->chunk == SIM_NO_SLOT && !find_home(sim, action)) {
        return NULL;
    }
    return &judge->chunks[slot_at(judge, action->slot)->chunk];
}

struct sim_chunk *sim_judge_add_chunk(struct sim *sim, const struct sim_chunk *chunk)
{
    struct sim_judge *judge = &sim->judge;
    if (judge->chunk_count == judge->chunk_capacity) {
        judge->chunk_capacity = judge->chunk_capacity > 0 ? judge->chunk_capacity * 2 : 64;
        judge->chunks = sim_realloc(judge->chunks, judge->chunk_capacity * sizeof(*judge->chunks));
    }
    uint32_t place = (uint32_t)judge->chunk_count++;
    judge->chunks[place] = *chunk;
    if (chunk->slot == SIM_NO_SLOT) {
        judge->homeless++;
    } else {
        settle_in(sim, place, chunk->slot, chunk->id);
    }
    note_live(judge);
    return &judge->chunks[place];
}

void sim_judge_remove_chunk(struct sim_judge *judge, struct sim_chunk *chunk)
{
    sim_judge_let_go(judge, chunk);
    if (chunk->slot == SIM_NO_SLOT) {
        judge->homeless--;
    } else {
        judge->slots[chunk->slot].chunk = SIM_NO_SLOT;
    }
    *chunk = judge->chunks[--judge->chunk_count];
    if (chunk->slot != SIM_NO_SLOT && chunk != &judge->chunks[judge->chunk_count]) {
        judge->slots[chunk->slot].chunk = (uint32_t)(chunk - judge->chunks);
    }
}

void sim_judge_end_chunk(struct sim_judge *judge, uint32_t slot)
{
    uint32_t place = slot_at(judge, slot)->chunk;
    CHECK(place < judge->chunk_count);
    sim_judge_remove_chunk(judge, &judge->chunks[place]);
}

struct sim_chunk *sim_judge_chunk_of_id(struct sim_judge *judge, uint64_t id)
{
    for (size_t i = 0; i < judge->chunk_count; i++) {
        struct sim_chunk *chunk = &judge->chunks[i];
        if (chunk->id == id || chunk->foreign == id) {
            return chunk;
        }
    }
    return NULL;
}

/* --- parts --- */

struct sim_part *sim_judge_part(struct sim_judge *judge, uint64_t first)
{
    for (size_t i = 0; i < judge->part_count; i++) {
        if (judge->parts[i].first == first) {
            return &judge->parts[i];
        }
    }
    return NULL;
}

void sim_judge_add_part(struct sim_judge *judge, struct sim_part part)
{
    if (judge->part_count == judge->part_capacity) {
        judge->part_capacity = judge->part_capacity > 0 ? judge->part_capacity * 2 : 64;
        judge->parts = sim_realloc(judge->parts, judge->part_capacity * sizeof(*judge->parts));
    }
    judge->parts[judge->part_count++] = part;
    note_live(judge);
}

void sim_judge_remove_part(struct sim_judge *judge, struct sim_part *part)
{
    *part = judge->parts[--judge->part_count];
}

/* --- where items are --- */

static uint64_t common(uint64_t first, uint64_t end, uint64_t other_first, uint64_t other_end)
{
    uint64_t from = first > other_first ? first : other_first;
    uint64_t to = end < other_end ? end : other_end;
    return from < to ? to - from : 0;
}

/* How many of [first, end) are somewhere. */
static uint64_t states_within(const struct sim_judge *judge, uint64_t first, uint64_t end)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < judge->counted.count; i++) {
        sum += common(first, end, judge->counted.spans[i].first, judge->counted.spans[i].end);
    }
    for (size_t i = 0; i < judge->chunk_count; i++) {
        const struct sim_chunk *chunk = &judge->chunks[i];
        if (!chunk->duplicate) {
            sum += common(first, end, chunk->first, chunk->first + chunk->count);
        }
    }
    for (size_t i = 0; i < judge->part_count; i++) {
        const struct sim_part *part = &judge->parts[i];
        sum += common(first, end, part->first, part->first + part->count);
    }
    return sum;
}

bool sim_judge_has_state(const struct sim_judge *judge, uint64_t first, uint64_t end)
{
    return first < judge->cut && states_within(judge, first, end) > 0;
}

uint64_t sim_judge_states_below(const struct sim_judge *judge, uint64_t end)
{
    return states_within(judge, 0, end);
}
