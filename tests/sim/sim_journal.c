#include "tests/sim/sim_journal.h"

#include "common/base/check.h"
#include "tests/sim/sim.h"

#include <stdlib.h>

void sim_journal_begin(struct sim_journal *journal, bool on)
{
    sim_journal_deinit(journal);
    *journal = (struct sim_journal){.on = on, .open_number = 1};
}

void sim_journal_deinit(struct sim_journal *journal)
{
    interval_deinit(&journal->done);
    free(journal->open.spans);
    free(journal->written.spans);
}

void sim_journal_note(struct sim_journal *journal, uint64_t first, uint64_t end)
{
    struct sim_group *group = &journal->open;
    if (!journal->on) {
        return;
    }
    if (group->count == group->capacity) {
        group->capacity = group->capacity > 0 ? group->capacity * 2 : 64;
        group->spans = sim_realloc(group->spans, group->capacity * sizeof(*group->spans));
    }
    group->spans[group->count++] = (struct interval){first, end};
}

uint64_t sim_journal_last(const struct sim_journal *journal)
{
    return journal->open.count > 0 ? journal->open_number : journal->open_number - 1;
}

uint64_t sim_journal_durable(const struct sim_journal *journal)
{
    return journal->open_number - 1 - journal->busy;
}

bool sim_journal_can_close(const struct sim_journal *journal)
{
    return !journal->busy && journal->open.count > 0;
}

/* Mostly as quick as a good disk, sometimes as slow as a bad one. */
static uint64_t commit_us(struct sim *sim)
{
    uint64_t most_us = sim->plan.commit_us_max;
    return sim_chance(sim, 900) ? sim_between(sim, 20, 20 + most_us / 10)
                                : sim_between(sim, 20, 20 + most_us);
}

void sim_journal_close(struct sim *sim, const struct tally *tally, uint64_t known)
{
    struct sim_journal *journal = &sim->journal;
    CHECK(sim_journal_can_close(journal));
    struct sim_group emptied = journal->written;
    journal->written = journal->open;
    journal->written.tally = *tally;
    journal->written.known = known;
    journal->open = emptied;
    journal->open.count = 0;
    journal->open_number++;
    journal->busy = true;
    uint64_t takes_us = commit_us(sim);
    sim_at(sim, sim->now_us + takes_us, sim_server_entry(sim, SIM_COMMITTED, sim->server.job));
    uint64_t down_us = sim->server.crash_writing_us;
    if (down_us > 0) {
        uint64_t at_us = sim->now_us + sim_between(sim, 0, takes_us);
        sim_at(sim, at_us, sim_server_entry(sim, SIM_CRASHES, down_us));
        sim->server.crash_writing_us = 0;
    }
}

/* All of the group that was being written is on disk. */
static void become_durable(struct sim *sim)
{
    struct sim_journal *journal = &sim->journal;
    for (size_t i = 0; i < journal->written.count; i++) {
        struct interval span = journal->written.spans[i];
        if (interval_add(&journal->done, span.first, span.end) != 0) {
            sim_fail(sim,
                     "counted_once: items from %llu are journaled twice",
                     (unsigned long long)span.first);
        }
    }
    journal->tally = journal->written.tally;
    journal->known = journal->written.known;
    journal->busy = false;
}

void sim_journal_committed(struct sim *sim)
{
    become_durable(sim);
}

/* A group is its rows and a mark behind them; without the mark the rows are none. */
void sim_journal_crash(struct sim *sim)
{
    struct sim_journal *journal = &sim->journal;
    if (journal->busy) {
        uint64_t rows = journal->written.count;
        uint64_t written = sim_between(sim, 0, rows + 1);
        bool whole = written == rows + 1;
        sim_trace(sim,
                  "journal: %llu of %llu rows of group %llu were written%s",
                  (unsigned long long)(written - whole),
                  (unsigned long long)rows,
                  (unsigned long long)(journal->open_number - 1),
                  whole ? ", and its mark" : "");
        if (whole) {
            become_durable(sim);
        }
    }
    journal->busy = false;
    journal->open.count = 0;
    journal->open_number = 1;
}
