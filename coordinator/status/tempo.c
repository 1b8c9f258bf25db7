#include "coordinator/status/tempo.h"

uint64_t tempo_us(uint64_t least_us, uint64_t each_us, uint32_t workers)
{
    uint64_t us = each_us * workers;
    return us > least_us ? us : least_us;
}

void tempo_tell(struct tempo *tempo, uint64_t us)
{
    tempo->told_us = us;
    tempo->slowest_us = us > tempo->slowest_us ? us : tempo->slowest_us;
}

/* What it says now it may have said before it was told. That does no harm: what it was told is on its way, and when it
 * comes the worker says something as soon as that is due. */
void tempo_heard(struct tempo *tempo)
{
    tempo->slowest_us = tempo->told_us;
}
