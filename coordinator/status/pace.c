#include "coordinator/status/pace.h"

#include <stdbool.h>
#include <string.h>

enum { KNOWN_AFTER_US = 500 * 1000 }; /* a rate over less than this is noise */

void pace_begin(struct pace *pace, uint64_t now_us, uint64_t done)
{
    memset(pace, 0, sizeof(*pace));
    pace->begun = (struct pace_point){now_us, done};
    pace->ring[0] = pace->begun;
    pace->count = 1;
    pace->moved_us = now_us;
}

void pace_note(struct pace *pace, uint64_t now_us, uint64_t done)
{
    if (done != pace->ring[(pace->count - 1) % PACE_POINTS].done) {
        pace->moved_us = now_us;
    }
    pace->ring[pace->count % PACE_POINTS] = (struct pace_point){now_us, done};
    pace->count++;
}

uint64_t pace_still_us(const struct pace *pace, uint64_t now_us, uint64_t done)
{
    bool moved = done != pace->ring[(pace->count - 1) % PACE_POINTS].done;
    return moved ? 0 : now_us - pace->moved_us;
}

static double rate_since(struct pace_point from, uint64_t now_us, uint64_t done)
{
    uint64_t span_us = now_us - from.at_us;
    return span_us < KNOWN_AFTER_US ? -1 : (double)(done - from.done) * 1e6 / (double)span_us;
}

struct pace_rates pace_rates(const struct pace *pace,
                             uint64_t now_us,
                             uint64_t done,
                             uint64_t total)
{
    size_t oldest = pace->count < PACE_POINTS ? 0 : pace->count % PACE_POINTS;
    struct pace_rates rates = {
        .now = rate_since(pace->ring[oldest], now_us, done),
        .mean = rate_since(pace->begun, now_us, done),
        .left_s = -1,
    };
    double rate = rates.now > 0 ? rates.now : rates.mean;
    if (total >= done && total > 0 && rate > 0) {
        rates.left_s = (double)(total - done) / rate;
    }
    return rates;
}
