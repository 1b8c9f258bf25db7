/* Chunks that the exchange has handed out to a slot without a share: what they are, so that they
 * can be named while they are away.
 *
 * A table of fixed size; each chunk has a place in it from when it is handed out until its result
 * comes. Kept by the exchange, under its lock. */
#ifndef QUARTET_WORKER_ENGINE_LOANS_H
#define QUARTET_WORKER_ENGINE_LOANS_H

#include "common/base/chunk.h"

#include <stdint.h>

/* Initialise with {0}. */
struct loans {
    struct chunk *list; /* `max` places; without payload. A `count` of 0: the place is free */
    uint32_t *free;     /* a stack of places */
    uint32_t free_count;
    uint32_t max;
};

/* Places for `max` chunks. Returns 0 or ERR_NOMEM. */
int loans_init(struct loans *loans, uint32_t max);
void loans_deinit(struct loans *loans);

/* Returns the chunk's place. There is a free one. */
uint32_t loans_add(struct loans *loans, const struct chunk *chunk);
void loans_end(struct loans *loans, uint32_t place);

#endif
