#include "coordinator/status/restart.h"

void restart_init(struct restart *restart, uint32_t limit)
{
    *restart = (struct restart){.limit = limit};
}

uint64_t restart_after(struct restart *restart, uint64_t registered, uint64_t items_done)
{
    if (registered != restart->registered && items_done != restart->items_done) {
        restart->in_a_row = 0;
    }
    restart->registered = registered;
    restart->items_done = items_done;
    restart->in_a_row++;
    if (restart->in_a_row > restart->limit) {
        return RESTART_NEVER;
    }
    uint64_t delay_us = RESTART_FIRST_US;
    for (uint32_t i = 1; i < restart->in_a_row && delay_us < RESTART_LONGEST_US; i++) {
        delay_us *= 2;
    }
    return delay_us < RESTART_LONGEST_US ? delay_us : RESTART_LONGEST_US;
}
