/* What the judge knows of sessions, and of who has what in hand: from events alone. */
#include "tests/sim/sim_judge.h"

#include "common/base/check.h"
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

typedef unsigned long long ull; /* for printing */

void sim_judge_forget(struct sim_judge *judge)
{
    sim_judge_clear_table(judge);
    for (size_t i = 0; i < judge->session_count; i++) {
        judge->sessions[i].live = false; /* everybody joins anew */
    }
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
    judge->was_stopped = false;
    judge->disturbed = false;
}

void sim_judge_deinit(struct sim_judge *judge)
{
    interval_deinit(&judge->counted);
    sim_judge_free_table(judge);
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

void sim_judge_take(struct sim_judge *judge, struct sim_chunk *chunk, uint64_t number)
{
    struct sim_session *session = sim_judge_session(judge, number);
    if (session->held > 0 && (session->suspicion != chunk->suspicion ||
                              session->held >= sim_company_max(session->suspicion))) {
        session->mixed = true;
    }
    session->held++;
    session->suspicion = chunk->suspicion > session->suspicion ? chunk->suspicion
                                                               : session->suspicion;
    chunk->holder = number;
}

void sim_judge_let_go(struct sim_judge *judge, struct sim_chunk *chunk)
{
    struct sim_session *session = sim_judge_session(judge, chunk->holder);
    if (session != NULL) {
        session->held--;
        session->suspicion = session->held > 0 ? session->suspicion : SIM_CLEAR;
        session->mixed = session->held > 0 && session->mixed;
    }
    chunk->holder = 0;
    chunk->lost = false;
}

uint32_t sim_company_max(enum sim_suspicion suspicion)
{
    static const uint32_t max[SIM_SUSPICIONS] = {UINT32_MAX, UINT32_MAX, 16, 1};
    return max[suspicion];
}

/* A chunk whose holder was lost, with `together` of them. A suspect that was alone, and has several items, has to be split. */
static void chunk_lost(struct sim_chunk *chunk, uint32_t together)
{
    chunk->lost = true;
    chunk->suspicion_before = chunk->suspicion;
    chunk->losses_before = chunk->losses;
    bool blamed = together == 1 && (chunk->suspicion != SIM_CLEAR || chunk->count == 1);
    if (blamed && chunk->count > 1) {
        chunk->must_split = true;
    } else if (blamed) {
        chunk->losses++;
        chunk->suspicion = SIM_ALONE;
    } else if (chunk->suspicion == SIM_CLEAR) {
        chunk->suspicion = SIM_COMPANY;
    } else if (chunk->suspicion == SIM_COMPANY && together > sim_company_max(SIM_GROUP)) {
        chunk->suspicion = SIM_GROUP;
    } else {
        chunk->suspicion = SIM_ALONE;
    }
}

void sim_judge_session_ends(struct sim *sim, uint64_t id, bool lost)
{
    struct sim_judge *judge = &sim->judge;
    struct sim_session *session = sim_judge_session(judge, id);
    if (session == NULL) {
        return;
    }
    uint32_t together = session->held;
    for (size_t i = 0; i < judge->chunk_count;) {
        struct sim_chunk *chunk = &judge->chunks[i];
        if (chunk->holder != id) {
            i++;
        } else if (chunk->duplicate || chunk->doubled) {
            sim_judge_lose_twin(sim, chunk, lost);
            i = 0; /* others may be in its place */
        } else {
            sim_judge_let_go(judge, chunk);
            if (lost) {
                chunk_lost(chunk, together);
            }
        }
    }
    session->live = false;
    judge->disturbed = true;
    sim->counts.lost += lost;
}

void sim_judge_not_stale(struct sim_judge *judge, uint64_t number)
{
    struct sim_session *session = sim_judge_session(judge, number);
    if (session != NULL && session->stale > 0) {
        session->stale--;
    }
}

static void chunk_returned(struct sim *sim, const struct sched_event *event)
{
    struct sim_judge *judge = &sim->judge;
    struct sim_chunk *chunk = sim_judge_chunk_of_id(judge, event->as.returned.value);
    if (chunk == NULL) {
        sim_judge_not_stale(judge, event->worker.value);
    } else if (chunk->holder == event->worker.value && (chunk->duplicate || chunk->doubled)) {
        sim_judge_lose_twin(sim, chunk, false);
    } else if (chunk->holder == event->worker.value) {
        sim_judge_let_go(judge, chunk);
    }
    judge->disturbed = true;
}

void sim_judge_event(struct sim *sim, const struct sched_event *event)
{
    struct sim_judge *judge = &sim->judge;
    struct sim_session *session = sim_judge_session(judge, event->worker.value);
    judge->answering = event->type == SCHED_RESULT ? event->worker.value : 0;
    switch (event->type) {
    case SCHED_WORKER_JOINED:
        session_joins(sim, event);
        sim_judge_adopt(sim, event);
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
        chunk_returned(sim, event);
        break;
    case SCHED_WORKER_LEFT:
    case SCHED_WORKER_LOST:
        sim_judge_session_ends(sim, event->worker.value, event->type == SCHED_WORKER_LOST);
        break;
    case SCHED_HOLD:
        judge->holding = event->as.hold;
        break;
    case SCHED_STOP:
        judge->stopped = true;
        judge->was_stopped = true;
        break;
    default:
        break;
    }
}
