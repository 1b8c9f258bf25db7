/* Chunks that run in two places: one that is late, and its duplicates, which have its items among them. Until the first result decides,
 * the chunk alone stands for its items. */
#include "tests/sim/sim.h"

typedef unsigned long long ull; /* for printing */

enum { DOUBLED_MAX = 3 }; /* how often a chunk may get duplicates */

static bool is_duplicate_of(const struct sim_chunk *chunk, uint64_t first)
{
    return chunk->duplicate && chunk->of == first;
}

static struct sim_chunk *original_at(struct sim_judge *judge, uint64_t first)
{
    for (size_t i = 0; i < judge->chunk_count; i++) {
        if (!judge->chunks[i].duplicate && judge->chunks[i].first == first) {
            return &judge->chunks[i];
        }
    }
    return NULL;
}

static void check_original(const struct sim *sim,
                           const struct sim_chunk *of,
                           const struct sched_action *action)
{
    bool may = sim->plan.speculate && of->suspicion == SIM_CLEAR && !of->once_only &&
               (of->doubled || of->doublings < DOUBLED_MAX);
    if (!may || of->holder == action->worker.value || of->holder == 0) {
        sim_fail(sim, "speculation: chunk from %llu gets a duplicate", (ull)of->first);
    }
    if (action->attempt != of->attempt + 1) {
        sim_fail(sim, "attempts_count_up: %u after %u", action->attempt, of->attempt);
    }
}

struct sim_chunk *sim_judge_original(struct sim *sim, const struct sched_action *action)
{
    struct sim_judge *judge = &sim->judge;
    uint64_t end = action->first + action->count;
    for (size_t i = 0; i < judge->chunk_count; i++) {
        struct sim_chunk *of = &judge->chunks[i];
        if (!of->duplicate && of->first <= action->first && end <= of->first + of->count) {
            check_original(sim, of, action);
            return of;
        }
    }
    return NULL;
}

/* Its duplicates stand for the items of a chunk that is over. */
static void promote(struct sim *sim, const struct sim_chunk *of, bool lost)
{
    struct sim_judge *judge = &sim->judge;
    uint64_t items = 0;
    for (size_t i = 0; i < judge->chunk_count; i++) {
        struct sim_chunk *chunk = &judge->chunks[i];
        if (is_duplicate_of(chunk, of->first)) {
            chunk->duplicate = false;
            items += chunk->count;
            if (lost && chunk->holder == 0) {
                chunk->suspicion = SIM_COMPANY;
            }
        }
    }
    if (items != of->count) {
        sim_fail(sim,
                 "one_state: duplicates of the chunk from %llu have %llu of %llu items",
                 (ull)of->first,
                 (ull)items,
                 (ull)of->count);
    }
}

/* Those who run its duplicates run them for nothing. */
static void discard(struct sim_judge *judge, uint64_t first)
{
    for (size_t i = 0; i < judge->chunk_count;) {
        struct sim_chunk *chunk = &judge->chunks[i];
        if (!is_duplicate_of(chunk, first)) {
            i++;
            continue;
        }
        struct sim_session *session = sim_judge_session(judge, chunk->holder);
        if (session != NULL) {
            session->stale++;
        }
        sim_judge_remove_chunk(judge, chunk);
    }
    original_at(judge, first)->doubled = false;
}

void sim_judge_decide(struct sim *sim, const struct sched_action *action)
{
    struct sim_judge *judge = &sim->judge;
    struct sim_chunk *chunk = sim_judge_chunk(sim, action);
    if (chunk->duplicate) {
        struct sim_chunk *original = original_at(judge, chunk->of);
        struct sim_chunk of = *original;
        struct sim_session *session = sim_judge_session(judge, of.holder);
        if (session != NULL) {
            session->stale++;
        }
        sim_judge_remove_chunk(judge, original);
        promote(sim, &of, false);
    } else if (chunk->doubled) {
        discard(judge, chunk->first);
    }
}

static bool has_held(const struct sim_judge *judge, uint64_t first)
{
    for (size_t i = 0; i < judge->chunk_count; i++) {
        if (is_duplicate_of(&judge->chunks[i], first) && judge->chunks[i].holder != 0) {
            return true;
        }
    }
    return false;
}

void sim_judge_lose_twin(struct sim *sim, struct sim_chunk *chunk, bool lost)
{
    struct sim_judge *judge = &sim->judge;
    sim_judge_let_go(judge, chunk);
    if (!chunk->duplicate) {
        struct sim_chunk of = *chunk;
        sim_judge_remove_chunk(judge, chunk);
        promote(sim, &of, lost);
        return;
    }
    uint64_t first = chunk->of;
    if (lost) {
        chunk->suspicion = SIM_COMPANY;
        original_at(judge, first)->once_only = true;
    }
    if (!has_held(judge, first)) {
        discard(judge, first);
    }
}
