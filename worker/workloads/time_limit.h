/* How long an item may take: a fixed time, or a percentage of the median of the items that
 * succeeded so far, as GNU Parallel's --timeout has it. The median is of this process, and there
 * is none before three have succeeded. Thread-safe but for init and deinit. */
#ifndef QUARTET_WORKER_WORKLOADS_TIME_LIMIT_H
#define QUARTET_WORKER_WORKLOADS_TIME_LIMIT_H

#include "common/base/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    TIME_LIMIT_STEPS = 32, /* parts of a doubling: the median is known to 3 % */
    TIME_LIMIT_BUCKETS = 60 * TIME_LIMIT_STEPS,
    TIME_LIMIT_AT_LEAST = 3, /* items for a median */
};

struct time_limit {
    double of_median; /* 1.5 for "150%"; 0: a fixed time */
    _Atomic uint64_t limit_ns;
    pthread_mutex_t lock; /* guards what is below */
    uint64_t finished;
    uint64_t counts[TIME_LIMIT_BUCKETS]; /* of how long they took, by its logarithm */
};

/* `text`: seconds ("2.5", "500ms"; 0: no limit), a percentage ("150%"), or NULL: no limit. Returns
 * 0, or ERR_INVALID with the text quoted: nothing is to be deinitialised then. */
int time_limit_init(struct time_limit *limit, const char *text, struct err_text *ret_error);
void time_limit_deinit(struct time_limit *limit);

/* The limit as it is now; UINT64_MAX: none (yet). */
uint64_t time_limit_ns(const struct time_limit *limit);

/* Does it follow the median? Then it is to be asked for again, and told what items took. */
bool time_limit_moves(const struct time_limit *limit);

/* An item has succeeded after this time. */
void time_limit_finished(struct time_limit *limit, uint64_t took_ns);

#endif
