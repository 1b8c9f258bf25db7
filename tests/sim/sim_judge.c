/* What must hold of each action, worked out from the scheduler's events and actions alone, without a look at its state. Each rule has a
 * name; a broken one is printed with it. */
#include "tests/sim/sim_judge.h"

#include "common/base/check.h"
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

typedef unsigned long long ull; /* for printing */

void sim_judge_forget(struct sim_judge *judge)
{
    for (size_t i = 0; i < judge->chunk_capacity; i++) {
        judge->chunks[i] = (struct sim_chunk){0};
    }
    for (size_t i = 0; i < judge->session_count; i++) {
        judge->sessions[i].live = false; /* everybody joins anew */
    }
    judge->live = 0;
    judge->live_max = 0;
    judge->part_count = 0;
    judge->fresh_from = 0;
    judge->holding = false;
    judge->stopped = false;
    judge->done = false;
    judge->stalled = false;
}

void sim_judge_begin_job(struct sim *sim)
{
    struct sim_judge *judge = &sim->judge;
    sim_judge_forget(judge);
    interval_deinit(&judge->counted);
    memset(&judge->tally, 0, sizeof(judge->tally));
    judge->cut = 0;
    judge->count_max = 0;
    judge->abandoned = 0;
    judge->poisoned = 0;
    judge->disturbed = false;
}

void sim_judge_deinit(struct sim_judge *judge)
{
    interval_deinit(&judge->counted);
    free(judge->chunks);
    free(judge->parts);
    for (size_t i = 0; i < judge->session_count; i++) {
        free(judge->sessions[i].receivables);
    }
    free(judge->sessions);
}

struct sim_session *sim_judge_session(struct sim_judge *judge, uint64_t number)
{
    bool live = number < judge->session_count && judge->sessions[number].live;
    return live ? &judge->sessions[number] : NULL;
}

/* --- events --- */

static void session_joins(struct sim *sim, const struct sched_event *event)
{
    struct sim_judge *judge = &sim->judge;
    uint64_t number = event->worker.value;
    if (number >= judge->session_count) {
        size_t count = (size_t)number * 2 + 16;
        judge->sessions = sim_realloc(judge->sessions, count * sizeof(*judge->sessions));
        memset(judge->sessions + judge->session_count,
               0,
               (count - judge->session_count) * sizeof(*judge->sessions));
        judge->session_count = count;
    }
    struct sim_session *session = &judge->sessions[number];
    *session = (struct sim_session){.slots = event->as.joined.slots,
                                    .credit = event->as.joined.credit,
                                    .live = true,
                                    .receivables = session->receivables,
                                    .receivable_capacity = session->receivable_capacity};
}

/* Whoever holds it does so no more. */
static void let_go(struct sim_judge *judge, struct sim_chunk *chunk)
{
    struct sim_session *session = sim_judge_session(judge, chunk->holder);
    if (session != NULL) {
        session->held--;
        session->suspects -= chunk->losses > 0;
    }
    chunk->holder = 0;
}

/* A chunk that its holder lost. What was alone with it, and has several items, has to be split. */
static void chunk_lost(struct sim_chunk *chunk)
{
    if (chunk->losses > 0 && chunk->count > 1) {
        chunk->must_split = true;
    } else {
        chunk->losses++;
        chunk->own_losses++;
    }
}

static void session_ends(struct sim *sim, uint64_t id, bool lost)
{
    struct sim_judge *judge = &sim->judge;
    struct sim_session *session = sim_judge_session(judge, id);
    if (session == NULL) {
        return;
    }
    for (size_t i = 0; i < judge->chunk_capacity; i++) {
        struct sim_chunk *chunk = &judge->chunks[i];
        if (chunk->id == 0 || chunk->holder != id) {
            continue;
        }
        let_go(judge, chunk);
        if (lost) {
            chunk_lost(chunk);
        }
    }
    session->live = false;
    judge->disturbed = true;
    sim->counts.lost += lost;
}

void sim_judge_event(struct sim *sim, const struct sched_event *event)
{
    struct sim_judge *judge = &sim->judge;
    struct sim_session *session = sim_judge_session(judge, event->worker.value);
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
                let_go(judge, chunk);
            }
        }
        judge->disturbed = true;
        break;
    case SCHED_WORKER_LEFT:
    case SCHED_WORKER_LOST:
        session_ends(sim, event->worker.value, event->type == SCHED_WORKER_LOST);
        break;
    case SCHED_HOLD:
        judge->holding = event->as.hold;
        break;
    case SCHED_STOP:
        judge->stopped = true;
        break;
    default:
        break;
    }
}

/* --- chunks --- */

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

static void count_live(struct sim_judge *judge)
{
    judge->live++;
    judge->live_max = judge->live > judge->live_max ? judge->live : judge->live_max;
}

static void add_part(struct sim_judge *judge, struct sim_part part)
{
    if (judge->part_count == judge->part_capacity) {
        judge->part_capacity = judge->part_capacity > 0 ? judge->part_capacity * 2 : 64;
        judge->parts = sim_realloc(judge->parts, judge->part_capacity * sizeof(*judge->parts));
    }
    judge->parts[judge->part_count++] = part;
    count_live(judge);
}

/* The chunk in `slot` is over; what is left of it was added as parts before. */
static void end_chunk(struct sim_judge *judge, uint32_t slot)
{
    struct sim_chunk *chunk = chunk_at(judge, slot);
    let_go(judge, chunk);
    *chunk = (struct sim_chunk){.last_id = chunk->id};
    judge->live--;
}

static bool overlap(uint64_t first, uint64_t end, uint64_t other_first, uint64_t other_end)
{
    return first < other_end && other_first < end;
}

/* Is one of these items counted, in a chunk, or left over from one? */
static bool has_state(const struct sim_judge *judge, uint64_t first, uint64_t end)
{
    bool found = false;
    if (first >= judge->cut) {
        return false;
    }
    for (size_t i = 0; i < judge->counted.count; i++) {
        const struct interval *span = &judge->counted.spans[i];
        found = found || overlap(first, end, span->first, span->end);
    }
    for (size_t i = 0; i < judge->chunk_capacity; i++) {
        const struct sim_chunk *chunk = &judge->chunks[i];
        found = found ||
                (chunk->id != 0 && overlap(first, end, chunk->first, chunk->first + chunk->count));
    }
    for (size_t i = 0; i < judge->part_count; i++) {
        const struct sim_part *part = &judge->parts[i];
        found = found || overlap(first, end, part->first, part->first + part->count);
    }
    return found;
}

/* Fresh chunks ascend. After a restart they fill the gaps between what was done before. */
static void check_fresh(struct sim *sim, const struct sched_action *action)
{
    struct sim_judge *judge = &sim->judge;
    uint64_t end = action->first + action->count;
    if (action->attempt != 1 || action->count == 0) {
        sim_fail(sim, "attempts_count_up: fresh chunk with attempt %u", action->attempt);
    }
    if (action->first < judge->fresh_from || end > sim->server.fed ||
        has_state(judge, action->first, end)) {
        sim_fail(sim, "one_state: items from %llu are not fresh", (ull)action->first);
    }
    if (judge->holding) {
        sim_fail(sim, "hold: fresh items from %llu", (ull)action->first);
    }
    judge->fresh_from = end;
    judge->cut = end > judge->cut ? end : judge->cut;
    if (action->count > judge->count_max) {
        judge->count_max = action->count;
    }
    count_live(judge);
}

/* A chunk that is sent for the first time: what is left of another one, or fresh. */
static void check_new(struct sim *sim, struct sim_chunk *chunk, const struct sched_action *action)
{
    struct sim_judge *judge = &sim->judge;
    uint64_t now_us = sim_clock_read(&sim->server.clock, sim->now_us);
    if (action->chunk.value <= chunk->last_id) {
        sim_fail(sim, "ids_are_new: chunk %llu again", (ull)action->chunk.value);
    }
    *chunk = (struct sim_chunk){.id = action->chunk.value,
                                .last_id = action->chunk.value,
                                .first = action->first,
                                .count = action->count};
    for (size_t i = 0; i < judge->part_count; i++) {
        struct sim_part part = judge->parts[i];
        if (part.first != action->first) {
            continue;
        }
        if (part.count != action->count || part.attempt != action->attempt) {
            sim_fail(sim, "one_state: part from %llu is another one", (ull)part.first);
        }
        if (part.due_us > now_us) {
            sim_fail(sim, "delay: items from %llu are not due yet", (ull)part.first);
        }
        chunk->losses = part.losses;
        chunk->failures = part.failures;
        judge->parts[i] = judge->parts[--judge->part_count];
        return;
    }
    check_fresh(sim, action);
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
    if (chunk->count == 1 && chunk->own_losses > 0 && chunk->losses >= sim->plan.crash_limit) {
        sim_fail(
            sim, "attempts_bounded: chunk %llu was lost %u times", (ull)chunk->id, chunk->losses);
    }
}

static void on_send(struct sim *sim, const struct sched_action *action)
{
    struct sim_session *session = sim_judge_session(&sim->judge, action->worker.value);
    if (session == NULL || session->draining) {
        sim_fail(sim, "no_stale_session: sent to session %llu", (ull)action->worker.value);
    }
    if (session->credit == 0) {
        sim_fail(sim, "credit_conserved: session %llu has none", (ull)action->worker.value);
    }
    if (sim->judge.stopped) {
        sim_fail(sim, "stop: chunk %llu is sent", (ull)action->chunk.value);
    }
    session->credit--;
    struct sim_chunk *chunk = chunk_at(&sim->judge, action->slot);
    if (chunk->id == 0) {
        check_new(sim, chunk, action);
    } else {
        check_retry(sim, chunk, action);
    }
    session->held++;
    session->suspects += chunk->losses > 0;
    if (session->suspects > 0 && session->held > 1) {
        sim_fail(sim, "suspect_alone: not in session %llu", (ull)action->worker.value);
    }
    chunk->attempt = action->attempt;
    chunk->holder = action->worker.value;
}

static struct sim_chunk *live_chunk(struct sim *sim, const struct sched_action *action)
{
    struct sim_chunk *chunk = chunk_at(&sim->judge, action->slot);
    if (chunk->id == 0 || chunk->id != action->chunk.value || chunk->first != action->first ||
        chunk->count != action->count) {
        sim_fail(sim, "one_state: chunk %llu ended, which is not live", (ull)action->chunk.value);
    }
    return chunk;
}

/* Items of the message in hand, which is not acknowledged yet. */
static void add_receivable(struct sim *sim, uint64_t number, uint64_t first, uint64_t end)
{
    struct sim_session *session = sim_judge_session(&sim->judge, number);
    if (session->receivable_count == session->receivable_capacity) {
        size_t capacity = session->receivable_capacity * 2 + 16;
        session->receivables = sim_realloc(session->receivables,
                                           capacity * sizeof(*session->receivables));
        session->receivable_capacity = capacity;
    }
    session->receivables[session->receivable_count++] = (struct sim_receivable){
        sim->server.in_hand->seq, first, end};
}

/* Items are counted, which must be for the first time. `event`: the result that they are of; NULL: of none. */
static void count(struct sim *sim, const struct sched_event *event, uint64_t first, uint64_t end)
{
    if (first >= end) {
        return;
    }
    if (interval_add(&sim->judge.counted, first, end) != 0) {
        sim_fail(sim, "counted_once: items from %llu again", (ull)first);
    }
    if (sim->plan.journal && event != NULL) {
        add_receivable(sim, event->worker.value, first, end);
    }
}

/* By hand: what the scheduler adds with is under test as well. */
static void add_tally(struct tally *into, const struct tally *from)
{
    into->ok += from->ok;
    into->failed += from->failed;
    into->checksum += from->checksum;
    into->bytes_out += from->bytes_out;
}

/* Those of a result that failed will be run again; the others are counted. */
static void retry_failed(struct sim *sim,
                         const struct sched_event *event,
                         const struct sim_chunk *chunk,
                         uint64_t done)
{
    const struct sim_job *job = &sim->plan.jobs[sim->server.job_index];
    uint64_t delay_us = job->retry_delay_us << (chunk->failures < 6 ? chunk->failures : 6);
    uint64_t now_us = sim_clock_read(&sim->server.clock, sim->now_us);
    uint64_t from = chunk->first;
    for (size_t i = 0; i < event->as.result.failed_count; i++) {
        struct sched_span failed = event->as.result.failed[i];
        struct sim_part part = {.first = chunk->first + failed.first,
                                .count = failed.count,
                                .attempt = chunk->attempt + 1,
                                .failures = chunk->failures + 1,
                                .due_us = now_us + delay_us};
        count(sim, event, from, part.first);
        from = part.first + part.count;
        add_part(&sim->judge, part);
    }
    count(sim, event, from, chunk->first + done);
}

/* A result of `done` items, which are counted but for those that will be run again. */
static void check_finished(struct sim *sim,
                           const struct sched_event *event,
                           const struct sched_action *action)
{
    struct sim_judge *judge = &sim->judge;
    const struct sim_job *job = &sim->plan.jobs[sim->server.job_index];
    const struct sim_chunk chunk = *live_chunk(sim, action);
    struct tally tally = sim_tally(job, action->first, action->done, event->as.result.attempt);
    uint64_t retried = chunk.failures < job->retries_max && !judge->stopped ? tally.failed : 0;
    if (action->done == 0 || action->done > chunk.count || action->retried != retried) {
        sim_fail(sim,
                 "retries: %llu of %llu items done, %llu of %llu failed again",
                 (ull)action->done,
                 (ull)chunk.count,
                 (ull)action->retried,
                 (ull)retried);
    }
    if (retried > 0) {
        retry_failed(sim, event, &chunk, action->done);
        tally.failed = 0;
        sim->counts.retried += retried;
    } else {
        count(sim, event, chunk.first, chunk.first + action->done);
    }
    if (action->done < chunk.count) {
        add_part(judge,
                 (struct sim_part){.first = chunk.first + action->done,
                                   .count = chunk.count - action->done,
                                   .attempt = chunk.attempt,
                                   .losses = chunk.losses > 0,
                                   .failures = chunk.failures});
    }
    add_tally(&judge->tally, &tally);
    end_chunk(judge, action->slot);
}

static void on_finished(struct sim *sim,
                        const struct sched_event *event,
                        const struct sched_action *action)
{
    if (event->type != SCHED_RESULT || event->as.result.chunk.value != action->chunk.value) {
        sim_fail(sim, "counted_once: chunk %llu ended without a result", (ull)action->chunk.value);
    }
    if (sim_judge_session(&sim->judge, event->worker.value) == NULL) {
        sim_fail(sim, "no_stale_session: result of session %llu counts", (ull)event->worker.value);
    }
    if (sim->server.lie) {
        sim_fail(sim, "lie: what session %llu made up counts", (ull)event->worker.value);
    }
    check_finished(sim, event, action);
}

/* Into single items, or into pieces of about equal size. */
static void on_split(struct sim *sim, const struct sched_action *action)
{
    const struct sim_chunk chunk = *live_chunk(sim, action);
    if (!chunk.must_split) {
        sim_fail(sim, "suspect_split: chunk %llu without need", (ull)chunk.id);
    }
    uint64_t pieces = chunk.count < 256 ? chunk.count : 256;
    uint64_t first = chunk.first;
    for (uint64_t i = 0; i < pieces; i++) {
        uint64_t items = chunk.count / pieces + (i < chunk.count % pieces);
        add_part(&sim->judge,
                 (struct sim_part){.first = first,
                                   .count = items,
                                   .attempt = chunk.attempt + 1,
                                   .losses = 1,
                                   .failures = chunk.failures});
        first += items;
    }
    end_chunk(&sim->judge, action->slot);
    sim->counts.splits++;
}

static void on_abandoned(struct sim *sim, const struct sched_action *action)
{
    const struct sim_job *job = &sim->plan.jobs[sim->server.job_index];
    const struct sim_chunk chunk = *live_chunk(sim, action);
    if (chunk.losses < sim->plan.crash_limit || chunk.own_losses == 0 || chunk.holder != 0 ||
        chunk.count != 1) {
        sim_fail(sim,
                 "attempts_bounded: chunk %llu abandoned after %u losses",
                 (ull)chunk.id,
                 chunk.losses);
    }
    if (sim->plan.only_poison && sim_poison(job, chunk.first, 1) != chunk.first) {
        sim_fail(sim, "poison: item %llu is lost, which is harmless", (ull)chunk.first);
    }
    count(sim, NULL, chunk.first, chunk.first + 1);
    sim->judge.tally.failed++;
    sim->judge.abandoned++;
    end_chunk(&sim->judge, action->slot);
    sim->counts.abandoned++;
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
    case SCHED_SPLIT:
        on_split(sim, action);
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
