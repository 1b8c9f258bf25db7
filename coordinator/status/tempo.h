/* How often life signs are given: the more workers, the less often. Pure.
 *
 * A life sign each way costs the coordinator about 17 us, nearly all of them system calls of libzmq's thread. Three of
 * them missing is how a worker is noticed that is frozen or cut off, so one a second is good; from 10,000 workers that
 * would take 17 % of a core for nothing but knowing that nothing has happened. So each worker adds TEMPO_EACH_US to the
 * time between two of any: up to 500 workers have a second, 10,000 have 20 s, and all together never give more than 500
 * a second each way. A worker that is killed is noticed as soon as ever, by its connection.
 *
 * The time changes with the number of workers, and each is told with the next life sign that is due to it anyway. Until
 * it is heard again it may still keep to what it was told before. */
#ifndef QUARTET_COORDINATOR_STATUS_TEMPO_H
#define QUARTET_COORDINATOR_STATUS_TEMPO_H

#include <stdint.h>

enum { TEMPO_EACH_US = 2000 };

/* Between two life signs of one of so many workers; never less than `least_us`. */
uint64_t tempo_us(uint64_t least_us, uint64_t each_us, uint32_t workers);

/* Of one worker. Begins with tempo_tell, and what it is told first counts at once. */
struct tempo {
    uint64_t told_us;    /* between its life signs, as it was last told */
    uint64_t slowest_us; /* it may still keep to: how long the wait for one may be */
};

void tempo_tell(struct tempo *tempo, uint64_t us);
void tempo_heard(struct tempo *tempo);

#endif
