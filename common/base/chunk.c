#include "common/base/chunk.h"

#include "common/base/err.h"

#include <stdlib.h>
#include <string.h>

static const char *const strategy_names[] = {
    [STRATEGY_SERIAL] = "serial",
    [STRATEGY_THREADS] = "threads",
    [STRATEGY_ASYNC] = "async",
    [STRATEGY_PROCESSES] = "processes",
};

const char *strategy_name(enum strategy strategy)
{
    if (strategy < STRATEGY_SERIAL || strategy > STRATEGY_PROCESSES) {
        return NULL;
    }
    return strategy_names[strategy];
}

int strategy_from_name(const char *name, enum strategy *ret_strategy)
{
    for (int i = STRATEGY_SERIAL; i <= STRATEGY_PROCESSES; i++) {
        if (strcmp(name, strategy_names[i]) == 0) {
            *ret_strategy = (enum strategy)i;
            return 0;
        }
    }
    return ERR_NOT_FOUND;
}

uint32_t strategy_default_slots(enum strategy strategy, uint32_t cores)
{
    enum { POOL_MIN = 8, IN_FLIGHT = 100 };

    switch (strategy) {
    case STRATEGY_SERIAL:
        return 1;
    case STRATEGY_ASYNC:
        return IN_FLIGHT;
    case STRATEGY_THREADS:
    case STRATEGY_PROCESSES:
        break;
    }
    return cores > POOL_MIN ? cores : POOL_MIN;
}

void chunk_result_deinit(struct chunk_result *result)
{
    free(result->error);
    blob_unref(result->records);
    result->error = NULL;
    result->error_len = 0;
    result->records = NULL;
    result->records_len = 0;
}

void tally_merge(struct tally *into, const struct tally *from)
{
    into->ok += from->ok;
    into->failed += from->failed;
    into->checksum += from->checksum;
    into->bytes_out += from->bytes_out;
}
