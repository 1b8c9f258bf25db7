/* How fast a run is: the rate over the last seconds and on average, and when it will end. Pure. */
#ifndef QUARTET_COORDINATOR_STATUS_PACE_H
#define QUARTET_COORDINATOR_STATUS_PACE_H

#include <stddef.h>
#include <stdint.h>

enum { PACE_POINTS = 11 }; /* with one a second: the last ten seconds */

struct pace_point {
    uint64_t at_us;
    uint64_t done;
};

struct pace {
    struct pace_point begun;
    struct pace_point ring[PACE_POINTS];
    size_t count;      /* points ever */
    uint64_t moved_us; /* since when `done` is what it is */
};

/* Items a second; below 0: not known yet. `left_s`: until the end; below 0: not known. */
struct pace_rates {
    double now;
    double mean;
    double left_s;
};

/* A run begins with `done` items accounted for. */
void pace_begin(struct pace *pace, uint64_t now_us, uint64_t done);

/* Note where it is; about once a second. */
void pace_note(struct pace *pace, uint64_t now_us, uint64_t done);

/* For how long nothing was done, in microseconds. */
uint64_t pace_still_us(const struct pace *pace, uint64_t now_us, uint64_t done);

/* `total`: items in all; 0: not known, and then neither is the end. The estimate goes by the last
 * seconds: what comes is more like what was just now than like the beginning. Only when nothing was
 * done in these, as with items that take minutes, it goes by the average. */
struct pace_rates pace_rates(const struct pace *pace,
                             uint64_t now_us,
                             uint64_t done,
                             uint64_t total);

#endif
