/* What must hold between the memory of a coordinator, its disk, and what workers have been told; and of what is refused. */
#include "common/base/check.h"
#include "tests/sim/sim.h"

typedef unsigned long long ull; /* for printing */

void sim_judge_acknowledged(struct sim *sim, uint64_t session, uint64_t seq)
{
    struct sim_session *from = sim_judge_session(&sim->judge, session);
    size_t kept = 0;
    for (size_t i = 0; from != NULL && i < from->receivable_count; i++) {
        struct sim_receivable item = from->receivables[i];
        if (item.seq > seq) {
            from->receivables[kept++] = item;
        } else if (!interval_covers(&sim->journal.done, item.first, item.end)) {
            sim_fail(sim, "acknowledged: items from %llu, which are not on disk", (ull)item.first);
        }
    }
    if (from != NULL) {
        from->receivable_count = kept;
    }
}

/* From now on only that is counted which is on disk; the same checks as ever then show that none of it is sent or counted again. */
void sim_judge_crash(struct sim *sim)
{
    struct sim_judge *judge = &sim->judge;
    const struct interval_set *done = &sim->journal.done;
    struct interval_set counted;
    interval_init(&counted);
    for (size_t i = 0; i < done->count; i++) {
        struct interval span = done->spans[i];
        if (!interval_covers(&judge->counted, span.first, span.end)) {
            sim_fail(sim, "durable: items from %llu, which were not counted", (ull)span.first);
        }
        CHECK(interval_add(&counted, span.first, span.end) == 0);
    }
    sim->counts.uncounted += judge->counted.members - counted.members;
    sim->counts.restarts++;
    interval_deinit(&judge->counted);
    judge->counted = counted;
    judge->tally = sim->journal.tally;
    judge->disturbed = true;
    sim_judge_forget(judge);
}

/* Nothing is refused but what some liar made up. */
void sim_judge_refused(struct sim *sim, const struct sched_event *event, int rc)
{
    char text[256];
    bool lie = sim->server.lie || (sim->server.in_hand != NULL && sim->server.in_hand->lie);
    if (!lie) {
        sim_fail(sim,
                 "honest: the scheduler refused %s: %d",
                 sched_describe_event(event, text, sizeof(text)),
                 rc);
    }
    sim->counts.refused++;
}
