/* A growable ring of chunks that never allocates while it is used: room is made beforehand,
 * where a refusal can be told. */
#ifndef QUARTET_WORKER_ENGINE_RING_H
#define QUARTET_WORKER_ENGINE_RING_H

#include "common/base/chunk.h"

#include <stddef.h>

/* Initialise with {0}. */
struct chunk_ring {
    struct chunk *chunks;
    size_t capacity; /* 0 or a power of two */
    size_t head;     /* of the oldest; counts on for ever, as `tail` */
    size_t tail;
};

/* Room for `capacity` chunks in all. Returns 0 or ERR_NOMEM (unchanged). */
int chunk_ring_reserve(struct chunk_ring *ring, size_t capacity);
void chunk_ring_deinit(struct chunk_ring *ring);

size_t chunk_ring_count(const struct chunk_ring *ring);

/* The caller has reserved the room, and knows that there is one. */
void chunk_ring_push_back(struct chunk_ring *ring, const struct chunk *chunk);
void chunk_ring_push_front(struct chunk_ring *ring, const struct chunk *chunk);
/* The one that `index` others are in front of. */
const struct chunk *chunk_ring_at(const struct chunk_ring *ring, size_t index);
const struct chunk *chunk_ring_front(const struct chunk_ring *ring);
struct chunk chunk_ring_pop_front(struct chunk_ring *ring);
struct chunk chunk_ring_pop_back(struct chunk_ring *ring);

#endif
