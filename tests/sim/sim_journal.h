/* A model of the journal and the disk under it (coordinator/journal/journal.h): results are noted into the open group, one group at a time is
 * written, and a crash leaves of it a part that is no group. */
#ifndef QUARTET_TESTS_SIM_SIM_JOURNAL_H
#define QUARTET_TESTS_SIM_SIM_JOURNAL_H

#include "common/base/chunk.h"
#include "common/base/interval.h"
#include "tests/sim/sim_time.h"

/* What a group, when it is whole, adds to what is on disk. */
struct sim_group {
    struct interval *spans; /* of items that are accounted for */
    size_t count;
    size_t capacity;
    struct tally tally; /* of all that is accounted for with it */
    uint64_t known;     /* items that had been read */
};

struct sim_journal {
    bool on; /* or else nothing is noted, and all of it counts as durable */
    /* On disk. */
    struct interval_set done;
    struct tally tally;
    uint64_t known;
    /* In the memory of the coordinator. */
    uint64_t open_number; /* of the open group, from 1 */
    struct sim_group open;
    struct sim_group written; /* the one that is being written */
    bool busy;                /* there is one */
};

/* A new job's; `on`: it has one. */
void sim_journal_begin(struct sim_journal *journal, bool on);
void sim_journal_deinit(struct sim_journal *journal);

/* Items [first, end) are accounted for. */
void sim_journal_note(struct sim_journal *journal, uint64_t first, uint64_t end);

/* The group whose end makes everything durable that has been noted; it may be so already. */
uint64_t sim_journal_last(const struct sim_journal *journal);
uint64_t sim_journal_durable(const struct sim_journal *journal);

/* Has the open group something, and is no other being written? Then it may be closed: SIM_COMMITTED comes when it is durable. */
bool sim_journal_can_close(const struct sim_journal *journal);
void sim_journal_close(struct sim *sim, const struct tally *tally, uint64_t known);
void sim_journal_committed(struct sim *sim);

/* The memory is gone, and the group that was being written with it: unless all of it was on disk, and only nobody had been told. */
void sim_journal_crash(struct sim *sim);

#endif
