/* A set of uint64_t, kept as sorted disjoint half-open intervals: which items are done. Its
 * memory follows the number of gaps (what is in flight), never the number of members. Pure. */
#ifndef QUARTET_COMMON_BASE_INTERVAL_H
#define QUARTET_COMMON_BASE_INTERVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct interval {
    uint64_t first;
    uint64_t end; /* one past the last; end > first */
};

struct interval_set {
    struct interval *spans; /* ascending, disjoint, never touching */
    size_t count;
    size_t capacity;
    size_t hint;      /* where the last addition went; additions beside it need no search */
    uint64_t members; /* sum of the spans' lengths */
};

void interval_init(struct interval_set *set);
void interval_deinit(struct interval_set *set);

/* Room for `spans` intervals without allocating later. Returns 0 or ERR_NOMEM; unchanged then. */
int interval_reserve(struct interval_set *set, size_t spans);

/* Add [first, end). Returns 0; ERR_INVALID when empty or when it overlaps a member (each item is
 * added once: an overlap is the double count that this set exists to refuse); ERR_NOMEM. On
 * error the set is unchanged. */
int interval_add(struct interval_set *set, uint64_t first, uint64_t end);

bool interval_contains(const struct interval_set *set, uint64_t value);

/* Is the whole of [first, end) in the set? True for an empty range. */
bool interval_covers(const struct interval_set *set, uint64_t first, uint64_t end);

#endif
