/* What each message type is called and needs: the table that decoder, validator and describer
 * share. Private to common/wire. */
#ifndef QUARTET_COMMON_WIRE_TYPES_H
#define QUARTET_COMMON_WIRE_TYPES_H

#include "common/base/chunk.h"
#include "common/wire/wire.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    WIRE_TYPE_FIRST = WIRE_HELLO,
    WIRE_TYPE_LAST = WIRE_ECHO,
    WIRE_STRATEGIES_KNOWN = 1 << STRATEGY_SERIAL | 1 << STRATEGY_THREADS | 1 << STRATEGY_ASYNC |
                            1 << STRATEGY_PROCESSES, /* bits of a HELLO's strategies */
};

struct wire_type_info {
    const char *name;
    size_t body; /* offset of the pointer to its body in the generated Header; 0: it has none */
    bool needs_session;
    bool needs_job;
};

/* NULL for an unknown type. */
const struct wire_type_info *wire_type_info(uint32_t type);

#endif
