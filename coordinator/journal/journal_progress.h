/* How a run stands, as the one row of the table `progress` has it: the numbers in one order, for
 * whoever writes, reads and seals them. Pure. */
#ifndef QUARTET_COORDINATOR_JOURNAL_JOURNAL_PROGRESS_H
#define QUARTET_COORDINATOR_JOURNAL_JOURNAL_PROGRESS_H

#include "coordinator/journal/journal.h"

struct journal_progress {
    uint32_t resumed;
    bool complete;
    struct journal_counts counts;
    struct journal_input input;
    uint64_t next;
};

enum { JOURNAL_NUMBERS = 15 };

/* In the order of the columns. */
void journal_progress_to_numbers(const struct journal_progress *progress,
                                 uint64_t ret_numbers[JOURNAL_NUMBERS]);

/* The other way. Returns 0, or ERR_INVALID when one is out of range. */
int journal_progress_from_numbers(const uint64_t numbers[JOURNAL_NUMBERS],
                                  struct journal_progress *ret_progress);

#endif
