#include "common/doctor/echoes.h"

#include "common/base/check.h"

#include <stdlib.h>
#include <string.h>

/* Two clocks may be far apart, but not by as much as 64 bits have: RFC 3339 ends with the year 9999. */
static int64_t difference(uint64_t later, uint64_t earlier)
{
    const uint64_t far = UINT64_C(1) << 61;
    if (later >= earlier) {
        return (int64_t)(later - earlier < far ? later - earlier : far);
    }
    return -(int64_t)(earlier - later < far ? earlier - later : far);
}

void echoes_add(struct echoes *echoes, const struct echo_times *times)
{
    uint64_t whole_us = times->back_us - times->asked_us;
    uint64_t there_us = times->sent_us - times->received_us;
    uint64_t round_us = whole_us > there_us ? whole_us - there_us : 0;
    if (echoes->count == ECHOES_MAX) {
        return;
    }
    if (echoes->count == 0 || round_us < echoes_least_us(echoes)) {
        echoes->offset_us = difference(times->received_us, times->asked_us) / 2 +
                            difference(times->sent_us, times->back_us) / 2;
        echoes->offset_error_us = round_us / 2 + 1;
    }
    echoes->round_us[echoes->count++] = round_us;
}

uint64_t echoes_least_us(const struct echoes *echoes)
{
    CHECK(echoes->count > 0);
    uint64_t least_us = echoes->round_us[0];
    for (size_t i = 1; i < echoes->count; i++) {
        least_us = echoes->round_us[i] < least_us ? echoes->round_us[i] : least_us;
    }
    return least_us;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

uint64_t echoes_median_us(const struct echoes *echoes)
{
    uint64_t sorted[ECHOES_MAX];
    CHECK(echoes->count > 0);
    memcpy(sorted, echoes->round_us, echoes->count * sizeof(sorted[0]));
    qsort(sorted, echoes->count, sizeof(sorted[0]), compare);
    uint64_t upper = sorted[echoes->count / 2];
    uint64_t lower = sorted[(echoes->count - 1) / 2];
    return lower + (upper - lower) / 2;
}

uint64_t load_next_bytes(uint64_t last_bytes, uint64_t took_us, uint64_t max_bytes)
{
    if (last_bytes == 0) {
        return LOAD_FIRST_BYTES < max_bytes ? LOAD_FIRST_BYTES : max_bytes;
    }
    if (took_us >= LOAD_LONG_ENOUGH_US || last_bytes >= max_bytes) {
        return 0;
    }
    return last_bytes < max_bytes / 2 ? 2 * last_bytes : max_bytes;
}

double load_bytes_per_s(uint64_t bytes, uint64_t took_us, uint64_t round_us)
{
    uint64_t moving_us = took_us > round_us ? took_us - round_us : 1;
    return (double)bytes * 1e6 / (double)moving_us;
}
