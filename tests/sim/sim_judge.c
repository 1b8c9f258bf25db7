/* What must hold, worked out from the scheduler's events and actions alone, without a look at its state (but for how much memory its
 * table takes). Each rule has a name; a broken one is printed with it. */
#include "common/base/check.h"
#include "coordinator/sched_internal.h"
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

typedef unsigned long long ull; /* for printing */

void sim_judge_begin_job(struct sim *sim)
{
    struct sim_judge *judge = &sim->judge;
    interval_deinit(&judge->counted);
    memset(&judge->tally, 0, sizeof(judge->tally));
    for (size_t i = 0; i < judge->chunk_capacity; i++) {
        judge->chunks[i] = (struct sim_chunk){0};
    }
    judge->live = 0;
    judge->live_max = 0;
    judge->session_count = 0; /* everybody joins anew */
    judge->done = false;
    judge->stalled = false;
}

void sim_judge_deinit(struct sim_judge *judge)
{
    interval_deinit(&judge->counted);
    free(judge->chunks);
    free(judge->sessions);
}

static struct sim_session *session_of(struct sim_judge *judge, uint64_t id)
{
    for (size_t i = 0; i < judge->session_count; i++) {
        if (judge->sessions[i].id == id && judge->sessions[i].live) {
            return &judge->sessions[i];
        }
    }
    return NULL;
}

/* --- events --- */

static void session_joins(struct sim *sim, const struct sched_event *event)
{
    struct sim_judge *judge = &sim->judge;
    if (judge->session_count == judge->session_capacity) {
        judge->session_capacity = judge->session_capacity > 0 ? judge->session_capacity * 2 : 16;
        judge->sessions = sim_realloc(judge->sessions,
                                      judge->session_capacity * sizeof(*judge->sessions));
    }
    judge->sessions[judge->session_count++] = (struct sim_session){
        .id = event->worker.value,
        .slots = event->as.joined.slots,
        .credit = event->as.joined.credit,
        .live = true};
}

/* A chunk that its holder gave back or lost. */
static void chunk_waits(struct sim_chunk *chunk, bool lost)
{
    chunk->holder = 0;
    chunk->losses += lost;
}

static void session_ends(struct sim *sim, uint64_t id, bool lost)
{
    struct sim_judge *judge = &sim->judge;
    struct sim_session *session = session_of(judge, id);
    if (session == NULL) {
        return;
    }
    session->live = false;
    for (size_t i = 0; i < judge->chunk_capacity; i++) {
        if (judge->chunks[i].id != 0 && judge->chunks[i].holder == id) {
            chunk_waits(&judge->chunks[i], lost);
        }
    }
    sim->lost += lost;
}

void sim_judge_event(struct sim *sim, const struct sched_event *event)
{
    struct sim_judge *judge = &sim->judge;
    struct sim_session *session = session_of(judge, event->worker.value);
    switch (event->type) {
    case SCHED_WORKER_JOINED:
        session_joins(sim, event);
        break;
    case SCHED_CREDIT:
        CHECK(session != NULL);
        session->credit += event->as.credit;
        break;
    case SCHED_WORKER_DRAINING:
        CHECK(session != NULL);
        session->draining = true;
        break;
    case SCHED_CHUNK_RETURNED:
        for (size_t i = 0; i < judge->chunk_capacity; i++) {
            struct sim_chunk *chunk = &judge->chunks[i];
            if (chunk->id == event->as.returned.value && chunk->holder == event->worker.value) {
                chunk_waits(chunk, false);
            }
        }
        break;
    case SCHED_WORKER_LEFT:
    case SCHED_WORKER_LOST:
        session_ends(sim, event->worker.value, event->type == SCHED_WORKER_LOST);
        break;
    default:
        break;
    }
}

/* --- actions --- */

static struct sim_chunk *chunk_at(struct sim_judge *judge, uint32_t slot)
{
    if (slot >= judge->chunk_capacity) {
        size_t capacity = 64;
        while (capacity <= slot) {
            capacity *= 2;
        }
        judge->chunks = sim_realloc(judge->chunks, capacity * sizeof(*judge->chunks));
        memset(judge->chunks + judge->chunk_capacity,
               0,
               (capacity - judge->chunk_capacity) * sizeof(*judge->chunks));
        judge->chunk_capacity = capacity;
    }
    return &judge->chunks[slot];
}

static bool overlaps_live(const struct sim_judge *judge, uint64_t first, uint64_t count)
{
    for (size_t i = 0; i < judge->chunk_capacity; i++) {
        const struct sim_chunk *chunk = &judge->chunks[i];
        if (chunk->id != 0 && first < chunk->first + chunk->count && chunk->first < first + count) {
            return true;
        }
    }
    return false;
}

static void check_fresh(struct sim *sim, struct sim_chunk *chunk, const struct sched_action *action)
{
    struct sim_judge *judge = &sim->judge;
    if (action->chunk.value <= chunk->last_id) {
        sim_fail(sim, "ids_are_new: chunk %llu again", (ull)action->chunk.value);
    }
    if (action->attempt != 1 || action->count == 0) {
        sim_fail(sim, "attempts_count_up: fresh chunk with attempt %u", action->attempt);
    }
    if (overlaps_live(judge, action->first, action->count)) {
        sim_fail(sim, "one_state: item %llu is in two chunks", (ull)action->first);
    }
    *chunk = (struct sim_chunk){.id = action->chunk.value,
                                .last_id = action->chunk.value,
                                .first = action->first,
                                .count = action->count};
    judge->live++;
    judge->live_max = judge->live > judge->live_max ? judge->live : judge->live_max;
}

static void check_retry(const struct sim *sim,
                        const struct sim_chunk *chunk,
                        const struct sched_action *action)
{
    if (chunk->id != action->chunk.value || chunk->first != action->first ||
        chunk->count != action->count) {
        sim_fail(sim, "one_state: slot %u has another chunk", action->slot);
    }
    if (chunk->holder != 0) {
        sim_fail(sim, "one_state: chunk %llu is held and sent", (ull)chunk->id);
    }
    if (action->attempt != chunk->attempt + 1) {
        sim_fail(sim, "attempts_count_up: %u after %u", action->attempt, chunk->attempt);
    }
    if (chunk->losses >= sim->plan.attempts_max) {
        sim_fail(
            sim, "attempts_bounded: chunk %llu was lost %u times", (ull)chunk->id, chunk->losses);
    }
}

static void on_send(struct sim *sim, const struct sched_action *action)
{
    struct sim_session *session = session_of(&sim->judge, action->worker.value);
    if (session == NULL || session->draining) {
        sim_fail(sim, "no_stale_session: sent to session %llu", (ull)action->worker.value);
    }
    if (session->credit == 0) {
        sim_fail(sim, "credit_conserved: session %llu has none", (ull)session->id);
    }
    session->credit--;
    struct sim_chunk *chunk = chunk_at(&sim->judge, action->slot);
    if (chunk->id == 0) {
        check_fresh(sim, chunk, action);
    } else {
        check_retry(sim, chunk, action);
    }
    chunk->attempt = action->attempt;
    chunk->holder = action->worker.value;
}

/* A chunk ends: its items are counted, which must be for the first time. */
static void count(struct sim *sim, const struct sched_action *action, const struct tally *tally)
{
    struct sim_judge *judge = &sim->judge;
    struct sim_chunk *chunk = chunk_at(judge, action->slot);
    if (chunk->id == 0 || chunk->id != action->chunk.value || chunk->first != action->first ||
        chunk->count != action->count) {
        sim_fail(sim, "one_state: chunk %llu ended, which is not live", (ull)action->chunk.value);
    }
    if (interval_add(&judge->counted, action->first, action->first + action->count) != 0) {
        sim_fail(sim, "counted_once: items from %llu again", (ull)action->first);
    }
    /* By hand: what the scheduler adds with is under test as well. */
    judge->tally.ok += tally->ok;
    judge->tally.failed += tally->failed;
    judge->tally.checksum += tally->checksum;
    judge->tally.bytes_out += tally->bytes_out;
    *chunk = (struct sim_chunk){.last_id = chunk->id};
    judge->live--;
}

static void on_finished(struct sim *sim,
                        const struct sched_event *event,
                        const struct sched_action *action)
{
    const struct sim_job *job = &sim->plan.jobs[sim->server.job_index];
    if (event->type != SCHED_RESULT || event->as.result.chunk.value != action->chunk.value) {
        sim_fail(sim, "counted_once: chunk %llu ended without a result", (ull)action->chunk.value);
    }
    if (session_of(&sim->judge, event->worker.value) == NULL) {
        sim_fail(sim, "no_stale_session: result of session %llu counts", (ull)event->worker.value);
    }
    struct tally tally = sim_tally(job, action->first, action->count);
    count(sim, action, &tally);
}

static void on_abandoned(struct sim *sim, const struct sched_action *action)
{
    const struct sim_chunk *chunk = chunk_at(&sim->judge, action->slot);
    if (chunk->losses < sim->plan.attempts_max || chunk->holder != 0) {
        sim_fail(sim,
                 "attempts_bounded: chunk %llu abandoned after %u losses",
                 (ull)chunk->id,
                 chunk->losses);
    }
    struct tally tally = {.failed = action->count};
    count(sim, action, &tally);
    sim->abandoned++;
}

void sim_judge_action(struct sim *sim,
                      const struct sched_event *event,
                      const struct sched_action *action)
{
    struct sim_judge *judge = &sim->judge;
    if (judge->done) {
        sim_fail(sim, "nothing_after_done: action %d", (int)action->type);
    }
    switch (action->type) {
    case SCHED_SEND:
        on_send(sim, action);
        break;
    case SCHED_FINISHED:
        on_finished(sim, event, action);
        break;
    case SCHED_ABANDONED:
        on_abandoned(sim, action);
        break;
    case SCHED_DROP_WORKER:
        session_ends(sim, action->worker.value, true);
        break;
    case SCHED_STALLED:
        if (judge->stalled || !sim->server.no_more_workers) {
            sim_fail(sim, "stalled_once: said without need");
        }
        judge->stalled = true;
        break;
    case SCHED_DONE:
        judge->done = true;
        break;
    }
}

/* --- the whole --- */

static bool same_tally(const struct tally *a, const struct tally *b)
{
    return a->ok == b->ok && a->failed == b->failed && a->checksum == b->checksum &&
           a->bytes_out == b->bytes_out;
}

static uint64_t items_of(const struct sim_judge *judge, bool held)
{
    uint64_t items = 0;
    for (size_t i = 0; i < judge->chunk_capacity; i++) {
        if (judge->chunks[i].id != 0 && (judge->chunks[i].holder != 0) == held) {
            items += judge->chunks[i].count;
        }
    }
    return items;
}

void sim_judge_state(struct sim *sim)
{
    const struct sim_judge *judge = &sim->judge;
    const struct sched *sched = sim->server.sched;
    struct sched_stats stats;
    sched_get_stats(sched, &stats);
    if (!same_tally(&stats.tally, &judge->tally) || stats.items_done != judge->counted.members) {
        sim_fail(sim,
                 "counted_once: %llu items done, %llu were counted",
                 (ull)stats.items_done,
                 (ull)judge->counted.members);
    }
    if (stats.items_held != items_of(judge, true) || stats.items_queued != items_of(judge, false)) {
        sim_fail(sim,
                 "one_state: %llu items held and %llu queued, expected %llu and %llu",
                 (ull)stats.items_held,
                 (ull)stats.items_queued,
                 (ull)items_of(judge, true),
                 (ull)items_of(judge, false));
    }
    uint64_t first = 0;
    uint64_t end = 0;
    if (sched_done_spans(sched, 0, &first, &end) != judge->counted.count) {
        sim_fail(sim, "counted_once: another number of spans than %zu", judge->counted.count);
    }
    if (judge->counted.count > 0 &&
        (first != judge->counted.spans[0].first || end != judge->counted.spans[0].end)) {
        sim_fail(sim, "counted_once: the first span is %llu to %llu", (ull)first, (ull)end);
    }
    if (sched->chunks.capacity > SCHED_CHUNKS_MIN &&
        sched->chunks.capacity >= 2 * judge->live_max) {
        sim_fail(sim,
                 "memory_bounded: room for %u chunks, of which at most %zu were live",
                 sched->chunks.capacity,
                 judge->live_max);
    }
}

static uint64_t chunks_held_by(const struct sim_judge *judge, uint64_t session)
{
    uint64_t count = 0;
    for (size_t i = 0; i < judge->chunk_capacity; i++) {
        count += judge->chunks[i].id != 0 && judge->chunks[i].holder == session;
    }
    return count;
}

void sim_judge_settled(struct sim *sim)
{
    const struct sim_judge *judge = &sim->judge;
    uint64_t known = judge->counted.members + items_of(judge, true);
    if (judge->done || known == sim->server.fed) {
        return;
    }
    for (size_t i = 0; i < judge->session_count; i++) {
        const struct sim_session *session = &judge->sessions[i];
        if (session->live && !session->draining && session->credit > 0 &&
            chunks_held_by(judge, session->id) < session->slots) {
            sim_fail(sim,
                     "no_idle_slot: work waits, and session %llu has a free slot and credit",
                     (ull)session->id);
        }
    }
}

void sim_judge_end_job(struct sim *sim, bool cancelled)
{
    const struct sim_judge *judge = &sim->judge;
    uint64_t items = sim->plan.jobs[sim->server.job_index].items;
    if (!cancelled && (judge->live > 0 || !interval_covers(&judge->counted, 0, items) ||
                       judge->counted.members != items)) {
        sim_fail(sim, "all_accounted: %llu of %llu items", (ull)judge->counted.members, (ull)items);
    }
    struct sched_stats stats;
    sched_get_stats(sim->server.sched, &stats);
    sim->duplicates += stats.duplicates;
    sim->jobs_done += !cancelled;
    sim->jobs_cancelled += cancelled;
}
