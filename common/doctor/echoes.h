/* The arithmetic of questions and answers: how long they take, how far two clocks are apart, how much goes through.
 * Pure. */
#ifndef QUARTET_COMMON_DOCTOR_ECHOES_H
#define QUARTET_COMMON_DOCTOR_ECHOES_H

#include <stddef.h>
#include <stdint.h>

enum { ECHOES_MAX = 32 };

/* The four times of one question: the two in the middle by the other side's clock, the others by ours. Microseconds
 * since 1970; `back_us` is not before `asked_us`, nor `sent_us` before `received_us`. */
struct echo_times {
    uint64_t asked_us, received_us, sent_us, back_us;
};

struct echoes {
    uint64_t round_us[ECHOES_MAX]; /* there and back, without the other side's own time */
    size_t count;
    /* By how much the other clock is ahead, and how wrong that may be (NTP, RFC 5905, section 8): of the
     * quickest answer, which has the least room for a difference between the two ways. */
    int64_t offset_us;
    uint64_t offset_error_us;
};

/* Those beyond ECHOES_MAX are left out. */
void echoes_add(struct echoes *echoes, const struct echo_times *times);

/* Of at least one. */
uint64_t echoes_least_us(const struct echoes *echoes);
uint64_t echoes_median_us(const struct echoes *echoes);

/* --- how much goes through --- */

enum { LOAD_FIRST_BYTES = 32 * 1024, LOAD_LONG_ENOUGH_US = 250 * 1000 };

/* One load that was sent: twice as much is, until one takes long enough to be measured or `max_bytes` were sent.
 * Returns the bytes of the next one (`last_bytes` 0: of the first); 0: it is enough. */
uint64_t load_next_bytes(uint64_t last_bytes, uint64_t took_us, uint64_t max_bytes);

/* Bytes a second, of a load whose answer came back after `took_us`, `round_us` of which an empty one takes, too. */
double load_bytes_per_s(uint64_t bytes, uint64_t took_us, uint64_t round_us);

#endif
