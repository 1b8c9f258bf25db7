/* What must hold after each step and at the end of each job, held against what the scheduler says of its state, and how much memory its
 * table takes. */
#include "common/base/check.h"
#include "coordinator/sched/sched_internal.h"
#include "tests/sim/sim.h"

typedef unsigned long long ull; /* for printing */

/* So many chunks and workers are looked at as a whole after every step; of more only every second step, and so on: a crowd must not cost
 * the square of its number. */
enum { LOOK_AT = 256 };

static bool same_tally(const struct tally *a, const struct tally *b)
{
    return a->ok == b->ok && a->failed == b->failed && a->checksum == b->checksum &&
           a->bytes_out == b->bytes_out;
}

static void add_waiting(struct sim_sums *sums,
                        uint64_t items,
                        enum sim_suspicion suspicion,
                        uint32_t failures,
                        bool due)
{
    sums->items_queued += items;
    sums->waits[suspicion] = sums->waits[suspicion] || due;
    sums->failed_waits = sums->failed_waits || (due && failures > 0);
}

static struct sim_sums add_up(const struct sim *sim)
{
    const struct sim_judge *judge = &sim->judge;
    struct sim_sums sums = {0};
    uint64_t now_us = sim_clock_read(&sim->server.clock, sim->now_us);
    for (size_t i = 0; i < judge->chunk_count; i++) {
        const struct sim_chunk *chunk = &judge->chunks[i];
        if (chunk->duplicate) {
            continue;
        }
        if (chunk->holder != 0) {
            sums.items_held += chunk->count;
        } else {
            add_waiting(&sums, chunk->count, chunk->suspicion, chunk->failures, true);
            sums.unread = sums.unread || chunk->first + chunk->count > sim->server.fed;
            sums.must_split = chunk->must_split ? chunk->id : sums.must_split;
        }
    }
    for (size_t i = 0; i < judge->part_count; i++) {
        const struct sim_part *part = &judge->parts[i];
        add_waiting(&sums, part->count, part->suspicion, part->failures, part->due_us <= now_us);
    }
    uint64_t states = sim_judge_states_below(judge, sim->server.fed);
    sums.waits[SIM_CLEAR] = sums.waits[SIM_CLEAR] || (!judge->holding && states < sim->server.fed);
    return sums;
}

static void check_spans(const struct sim *sim)
{
    const struct interval_set *counted = &sim->judge.counted;
    uint64_t first = 0;
    uint64_t end = 0;
    if (sched_done_spans(sim->server.sched, 0, &first, &end) != counted->count) {
        sim_fail(sim, "counted_once: another number of spans than %zu", counted->count);
    }
    if (counted->count > 0 && (first != counted->spans[0].first || end != counted->spans[0].end)) {
        sim_fail(sim, "counted_once: the first span is %llu to %llu", (ull)first, (ull)end);
    }
}

static void check_sums(const struct sim *sim, const struct sched_stats *stats)
{
    const struct sim_sums *sums = &sim->judge.sums;
    if (stats->items_held != sums->items_held || stats->items_queued != sums->items_queued) {
        sim_fail(sim,
                 "one_state: %llu items held and %llu queued, expected %llu and %llu",
                 (ull)stats->items_held,
                 (ull)stats->items_queued,
                 (ull)sums->items_held,
                 (ull)sums->items_queued);
    }
    if (sums->must_split != 0) {
        sim_fail(sim, "suspect_split: chunk %llu was not", (ull)sums->must_split);
    }
}

static void check_memory(const struct sim *sim)
{
    uint32_t capacity = sim->server.sched->chunks.capacity;
    if (capacity > SCHED_CHUNKS_MIN && capacity >= 2 * sim->judge.live_max) {
        sim_fail(sim,
                 "memory_bounded: room for %u chunks, of which at most %zu were live",
                 capacity,
                 sim->judge.live_max);
    }
}

void sim_judge_state(struct sim *sim)
{
    struct sim_judge *judge = &sim->judge;
    struct sched_stats stats;
    sched_get_stats(sim->server.sched, &stats);
    if (!same_tally(&stats.tally, &judge->tally) || stats.items_done != judge->counted.members) {
        sim_fail(sim,
                 "counted_once: %llu items done, %llu were counted",
                 (ull)stats.items_done,
                 (ull)judge->counted.members);
    }
    check_memory(sim);
    sim_judge_not_stale(judge, judge->answering);
    if (++judge->unlooked > (sim_judge_live(judge) + stats.workers_live) / LOOK_AT) {
        judge->unlooked = 0;
        judge->sums = add_up(sim);
        sched_check(sim->server.sched);
        check_sums(sim, &stats);
        check_spans(sim);
    }
}

/* Workers that may be sent something, now or later. */
static size_t takers(const struct sim_judge *judge)
{
    size_t count = 0;
    for (size_t i = 0; i < judge->session_count; i++) {
        count += judge->sessions[i].live && !judge->sessions[i].draining;
    }
    return count;
}

/* Nobody is idle while something waits that may join what it has: but one at a time that is made empty for suspects; and but for
 * what has failed, which may wait for another worker, and what is queued behind that. */
static void check_idle(const struct sim *sim)
{
    const struct sim_judge *judge = &sim->judge;
    const struct sim_sums *sums = &judge->sums;
    if (sums->failed_waits && takers(judge) > 1) {
        return;
    }
    bool suspects = sums->waits[SIM_COMPANY] || sums->waits[SIM_GROUP] || sums->waits[SIM_ALONE];
    size_t aside = 0;
    for (size_t i = 0; i < judge->session_count; i++) {
        const struct sim_session *session = &judge->sessions[i];
        if (!session->live || session->draining || session->credit == 0 || session->mixed ||
            session->held >= sim_company_max(session->suspicion)) {
            continue;
        }
        uint32_t busy = session->held + session->stale;
        bool idle = busy < session->slots && sums->waits[session->suspicion];
        bool empty = busy == 0 && (suspects || sums->waits[SIM_CLEAR]);
        bool may_be_aside = suspects && session->suspicion == SIM_CLEAR;
        aside += idle && may_be_aside;
        if (empty || (idle && !may_be_aside) || aside > 1) {
            sim_fail(sim,
                     "no_idle_slot: work waits, and session %llu has a free slot and credit",
                     (ull)i);
        }
    }
}

void sim_judge_settled(struct sim *sim)
{
    const struct sim_judge *judge = &sim->judge;
    if (judge->done || judge->unlooked > 0 || judge->sums.unread) {
        return;
    }
    if (!judge->stopped) {
        check_idle(sim);
    } else if (judge->sums.items_held == 0) {
        sim_fail(sim, "stop: nothing is held, and it is not done");
    }
}

/* --- the end of a job --- */

/* In a job that nothing disturbed each item was run as often as it must, and not once more. */
static void check_tries(const struct sim *sim, const struct sched_stats *stats)
{
    const struct sim_job *job = &sim->plan.jobs[sim->server.job_index];
    const uint16_t *tries = sim->tries[sim->server.job_index];
    bool disturbed = sim->judge.disturbed || stats->duplicates > 0 ||
                     stats->chunks_speculated > 0 || sim->plan.double_per_mille > 0;
    if (tries == NULL || (disturbed && !sim->plan.run_once)) {
        return;
    }
    for (uint64_t i = 0; i < job->items; i++) {
        if (tries[i] != sim_tries(job, i)) {
            sim_fail(sim,
                     "tries: item %llu was run %u times, not %u",
                     (ull)i,
                     tries[i],
                     sim_tries(job, i));
        }
    }
}

/* What a job comes to in the end when no harmless item was lost: known without a look at how it went. */
static void check_totals(const struct sim *sim)
{
    const struct sim_job *job = &sim->plan.jobs[sim->server.job_index];
    if (sim->judge.abandoned > 0 || sim->judge.was_stopped ||
        (job->heals > 0 && job->retries_max < job->heals)) {
        return; /* depends on who was lost when */
    }
    struct tally tally = sim_tally(job, 0, job->items, job->retries_max + 1);
    if (!same_tally(&sim->judge.tally, &tally)) {
        sim_fail(sim,
                 "totals: %llu items failed, expected %llu",
                 (ull)sim->judge.tally.failed,
                 (ull)tally.failed);
    }
}

/* Where nothing but poison kills, all of it is found, and nothing else; and it costs few workers. */
static void check_poison(const struct sim *sim)
{
    const struct sim_job *job = &sim->plan.jobs[sim->server.job_index];
    uint64_t poisons = sim_poison_count(job);
    if (!sim->plan.only_poison) {
        return;
    }
    if (sim->judge.abandoned != poisons) {
        sim_fail(sim,
                 "poison: %llu items lost, %llu are poisonous",
                 (ull)sim->judge.abandoned,
                 (ull)poisons);
    }
    uint64_t each = sim->plan.crash_limit + 4; /* in company twice, in a group, alone with others */
    for (uint64_t count = sim->judge.count_max; count > 256; count = count / 256 + 1) {
        each++;
    }
    if (sim->judge.poisoned > poisons * each) {
        sim_fail(
            sim, "poison: %llu workers died of %llu items", (ull)sim->judge.poisoned, (ull)poisons);
    }
}

/* What is on disk is what was counted. */
static void check_journal(const struct sim *sim)
{
    const struct sim_journal *journal = &sim->journal;
    if (sim->plan.journal && (journal->done.members != sim->judge.counted.members ||
                              !same_tally(&journal->tally, &sim->judge.tally))) {
        sim_fail(sim, "durable: %llu items are on disk", (ull)journal->done.members);
    }
}

void sim_judge_end_job(struct sim *sim)
{
    const struct sim_judge *judge = &sim->judge;
    const struct sim_server *server = &sim->server;
    uint64_t items = sim->plan.jobs[server->job_index].items;
    struct sched_stats stats;
    sched_get_stats(server->sched, &stats);
    if (server->stopped && !server->cancelled && stats.items_held > 0) {
        sim_fail(sim, "stop: done while items are held");
    }
    if (!server->cancelled && !server->stopped) {
        if (sim_judge_live(judge) > 0 || !interval_covers(&judge->counted, 0, items) ||
            judge->counted.members != items) {
            sim_fail(
                sim, "all_accounted: %llu of %llu items", (ull)judge->counted.members, (ull)items);
        }
        check_journal(sim);
        check_tries(sim, &stats);
        check_totals(sim);
        check_poison(sim);
    }
    sim->counts.duplicates += stats.duplicates;
    sim->counts.jobs_done += !server->cancelled && !server->stopped;
    sim->counts.jobs_cancelled += server->cancelled;
}
