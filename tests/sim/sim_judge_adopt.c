/* What workers come with: of an earlier session, or of an earlier coordinator. What nobody else has by then they go on with, and of that
 * nothing is sent again; the judge works out which that is by itself. */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

enum { EPOCH_SHIFT = 56, ATTEMPT_MAX = 1 << 24 };

static bool is_of_this_epoch(const struct sim *sim, uint64_t id)
{
    return id >> EPOCH_SHIFT == (sim->server.life & UINT8_MAX);
}

static bool was_adopted(const struct sim_judge *judge, uint64_t id)
{
    for (size_t i = 0; i < judge->adopted_count; i++) {
        if (judge->adopted[i] == id) {
            return true;
        }
    }
    return false;
}

static void note_adopted(struct sim_judge *judge, uint64_t id)
{
    if (judge->adopted_count == judge->adopted_capacity) {
        judge->adopted_capacity = judge->adopted_capacity > 0 ? judge->adopted_capacity * 2 : 64;
        judge->adopted = sim_realloc(judge->adopted,
                                     judge->adopted_capacity * sizeof(*judge->adopted));
    }
    judge->adopted[judge->adopted_count++] = id;
}

/* It waits for its next attempt, because this worker was taken for lost or said that it left. */
static bool take_back(const struct sim *sim,
                      struct sim_chunk *chunk,
                      const struct sched_holding *held)
{
    if (chunk->duplicate || chunk->holder != 0 || chunk->first != held->first ||
        chunk->count != held->count || held->attempt > chunk->attempt ||
        chunk->losses >= sim->plan.crash_limit) {
        return false;
    }
    if (held->attempt == chunk->attempt && chunk->lost) {
        chunk->suspicion = chunk->suspicion_before; /* it did not take its worker down */
        chunk->losses = chunk->losses_before;
    }
    return true;
}

/* Of an earlier coordinator: nobody has had any of these items since, and all were known then. */
static struct sim_chunk *take_over(struct sim *sim, const struct sched_holding *held)
{
    struct sim_judge *judge = &sim->judge;
    uint64_t end = held->first + held->count;
    bool exists = held->count > 0 && end > held->first && end <= sim->server.known;
    if (!exists || is_of_this_epoch(sim, held->chunk.value) || held->first < judge->fresh_from ||
        was_adopted(judge, held->chunk.value) || sim_judge_has_state(judge, held->first, end)) {
        return NULL;
    }
    note_adopted(judge, held->chunk.value);
    judge->cut = end > judge->cut ? end : judge->cut;
    struct sim_chunk chunk = {.slot = SIM_NO_SLOT,
                              .foreign = held->chunk.value,
                              .first = held->first,
                              .count = held->count,
                              .attempt = held->attempt};
    return sim_judge_add_chunk(sim, &chunk);
}

static void adopt(struct sim *sim, uint64_t number, const struct sched_holding *held)
{
    uint64_t id = held->chunk.value;
    if (id == 0 || held->attempt == 0 || held->attempt > ATTEMPT_MAX) {
        return;
    }
    struct sim_chunk *chunk = sim_judge_chunk_of_id(&sim->judge, id);
    if (chunk == NULL) {
        chunk = take_over(sim, held);
    } else if (!take_back(sim, chunk, held)) {
        chunk = NULL;
    }
    if (chunk != NULL) {
        sim_judge_take(&sim->judge, chunk, number);
        sim->counts.adopted++;
    }
}

static int by_first_item(const void *a, const void *b)
{
    const struct sched_holding *left = a;
    const struct sched_holding *right = b;
    return (left->first > right->first) - (left->first < right->first);
}

/* Where two claims overlap the one that begins first is taken; of those that begin together the one that was named first. */
void sim_judge_adopt(struct sim *sim, const struct sched_event *event)
{
    size_t count = event->as.joined.holding_count;
    if (count == 0) {
        return;
    }
    struct sched_holding *sorted = sim_realloc(NULL, count * sizeof(*sorted));
    memcpy(sorted, event->as.joined.holding, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), by_first_item);
    for (size_t i = 0; i < count; i++) {
        adopt(sim, event->worker.value, &sorted[i]);
    }
    free(sorted);
}
