/* How many lines a program says to people by itself: LINE_LIMIT_BURST at once, then one a second. What is left out is
 * counted, so that it can be said. Peers decide what there is to be said, and standard error may be a disk. Initialise
 * with {0}. Pure. */
#ifndef QUARTET_COMMON_BASE_LINE_LIMIT_H
#define QUARTET_COMMON_BASE_LINE_LIMIT_H

#include "common/base/bucket.h"

enum { LINE_LIMIT_BURST = 64 };

struct line_limit {
    struct bucket bucket;
    uint64_t left_out; /* since line_limit_take_left_out */
};

/* May one more be said now? Otherwise it is counted as left out. */
bool line_limit_allows(struct line_limit *limit, uint64_t now_us);

/* How many were left out, to be said before the next one; forgets them. */
uint64_t line_limit_take_left_out(struct line_limit *limit);

#endif
