/* What must hold of each action, worked out from the scheduler's events and actions alone, without a look at its state. Each rule has a
 * name; a broken one is printed with it. */
#include "tests/sim/sim.h"

typedef unsigned long long ull; /* for printing */

/* Fresh chunks ascend. After a restart they fill the gaps between what was done before. */
static void check_fresh(struct sim *sim, const struct sched_action *action)
{
    struct sim_judge *judge = &sim->judge;
    uint64_t end = action->first + action->count;
    if (action->attempt != 1 || action->count == 0) {
        sim_fail(sim, "attempts_count_up: fresh chunk with attempt %u", action->attempt);
    }
    if (action->first < judge->fresh_from || end > sim->server.fed ||
        sim_judge_has_state(judge, action->first, end)) {
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
}

/* What is left of another chunk is sent as a new one. */
static void check_part(const struct sim *sim,
                       const struct sim_part *part,
                       const struct sched_action *action)
{
    uint64_t now_us = sim_clock_read(&sim->server.clock, sim->now_us);
    if (part->count != action->count || part->attempt != action->attempt) {
        sim_fail(sim, "one_state: part from %llu is another one", (ull)part->first);
    }
    if (part->due_us > now_us) {
        sim_fail(sim, "delay: items from %llu are not due yet", (ull)part->first);
    }
}

/* A chunk that is sent for the first time. */
static struct sim_chunk *check_new(struct sim *sim, const struct sched_action *action)
{
    struct sim_chunk chunk = {.slot = action->slot,
                              .id = action->chunk.value,
                              .first = action->first,
                              .count = action->count};
    struct sim_part *part = sim_judge_part(&sim->judge, action->first);
    struct sim_chunk *of;
    if (part != NULL) {
        check_part(sim, part, action);
        chunk.suspicion = part->suspicion;
        chunk.failures = part->failures;
        sim_judge_remove_part(&sim->judge, part);
    } else if ((of = sim_judge_original(sim, action)) != NULL) {
        chunk.duplicate = true;
        chunk.of = of->first;
        chunk.failures = of->failures;
        of->doublings += !of->doubled;
        of->doubled = true;
    } else {
        check_fresh(sim, action);
    }
    return sim_judge_add_chunk(sim, &chunk);
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
    if (chunk->losses >= sim->plan.crash_limit) {
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
    struct sim_chunk *chunk = sim_judge_chunk(sim, action);
    if (chunk == NULL) {
        chunk = check_new(sim, action);
    } else {
        check_retry(sim, chunk, action);
    }
    sim_judge_take(&sim->judge, chunk, action->worker.value);
    if (session->mixed) {
        sim_fail(sim, "suspects_apart: not in session %llu", (ull)action->worker.value);
    }
    chunk->attempt = action->attempt;
}

static struct sim_chunk *live_chunk(struct sim *sim, const struct sched_action *action)
{
    struct sim_chunk *chunk = sim_judge_chunk(sim, action);
    if (chunk == NULL || chunk->id != action->chunk.value || chunk->first != action->first ||
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
        sim_judge_add_part(&sim->judge, part);
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
        sim_judge_add_part(judge,
                           (struct sim_part){.first = chunk.first + action->done,
                                             .count = chunk.count - action->done,
                                             .attempt = chunk.attempt,
                                             .suspicion = chunk.suspicion,
                                             .failures = chunk.failures});
    }
    add_tally(&judge->tally, &tally);
    sim_judge_end_chunk(judge, action->slot);
}

static void on_finished(struct sim *sim,
                        const struct sched_event *event,
                        const struct sched_action *action)
{
    const struct sim_chunk *chunk = live_chunk(sim, action);
    uint64_t id = event->type == SCHED_RESULT ? event->as.result.chunk.value : 0;
    if (id == 0 || (id != chunk->id && id != chunk->foreign)) {
        sim_fail(sim, "counted_once: chunk %llu ended without a result", (ull)action->chunk.value);
    }
    if (sim_judge_session(&sim->judge, event->worker.value) == NULL) {
        sim_fail(sim, "no_stale_session: result of session %llu counts", (ull)event->worker.value);
    }
    if (sim->server.lie) {
        sim_fail(sim, "lie: what session %llu made up counts", (ull)event->worker.value);
    }
    sim_judge_decide(sim, action);
    chunk = live_chunk(sim, action);
    struct sim_session *holder = sim_judge_session(&sim->judge, chunk->holder);
    if (holder != NULL && chunk->holder != event->worker.value) {
        holder->stale++;
    }
    sim->judge.answering = 0;
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
        sim_judge_add_part(&sim->judge,
                           (struct sim_part){.first = first,
                                             .count = items,
                                             .attempt = chunk.attempt + 1,
                                             .suspicion = SIM_ALONE,
                                             .failures = chunk.failures});
        first += items;
    }
    sim_judge_end_chunk(&sim->judge, action->slot);
    sim->counts.splits++;
}

static void on_abandoned(struct sim *sim, const struct sched_action *action)
{
    const struct sim_job *job = &sim->plan.jobs[sim->server.job_index];
    const struct sim_chunk chunk = *live_chunk(sim, action);
    if (chunk.losses < sim->plan.crash_limit || chunk.holder != 0 || chunk.count != 1) {
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
    sim_judge_end_chunk(&sim->judge, action->slot);
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
        sim_judge_session_ends(sim, action->worker.value, true);
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
