/* What is noted between two commits of the journal. Its memory follows what is in flight: the spans
 * that do not touch, and the items that failed. Plain data; one thread at a time. */
#ifndef QUARTET_COORDINATOR_JOURNAL_JOURNAL_GROUP_H
#define QUARTET_COORDINATOR_JOURNAL_JOURNAL_GROUP_H

#include "coordinator/journal/journal.h"

struct journal_failed {
    uint64_t index;
    uint32_t attempt;
    uint32_t reason_len;
    size_t reason_offset; /* in `reasons` */
};

/* All zeros is an empty one. */
struct journal_group {
    struct interval_set done;
    struct journal_failed *failed;
    size_t failed_count;
    size_t failed_size;
    char *reasons; /* of all, one behind the other */
    size_t reasons_len;
    size_t reasons_size;
    struct journal_counts counts; /* these as they are when the group is closed */
    struct journal_input input;
    bool last;
};

/* The reason is cut to JOURNAL_REASON_MAX - 1 bytes of one line. Returns 0 or ERR_NOMEM: unchanged. */
int journal_group_add_failed(struct journal_group *group,
                             uint64_t index,
                             uint32_t attempt,
                             const char *reason,
                             size_t reason_len);

bool journal_group_is_empty(const struct journal_group *group);

/* Forget what was noted, keep the memory for the next. */
void journal_group_clear(struct journal_group *group);
void journal_group_deinit(struct journal_group *group);

#endif
