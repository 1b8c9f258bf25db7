/* A ring of chunks; see ring.h. */
#include "worker/engine/ring.h"

#include "common/base/check.h"
#include "common/base/err.h"

#include <stdint.h>
#include <stdlib.h>

enum { RING_CAPACITY_MIN = 64 };

static struct chunk *place(const struct chunk_ring *ring, size_t position)
{
    return &ring->chunks[position & (ring->capacity - 1)];
}

int chunk_ring_reserve(struct chunk_ring *ring, size_t capacity)
{
    if (capacity <= ring->capacity) {
        return 0;
    }
    size_t grown = ring->capacity > 0 ? ring->capacity : RING_CAPACITY_MIN;
    while (grown < capacity) {
        if (grown > SIZE_MAX / 2 / sizeof(struct chunk)) {
            return ERR_NOMEM;
        }
        grown *= 2;
    }
    struct chunk *chunks = malloc(grown * sizeof(*chunks));
    if (chunks == NULL) {
        return ERR_NOMEM;
    }
    size_t count = chunk_ring_count(ring);
    for (size_t i = 0; i < count; i++) {
        chunks[i] = *place(ring, ring->head + i);
    }
    free(ring->chunks);
    *ring = (struct chunk_ring){.chunks = chunks, .capacity = grown, .head = 0, .tail = count};
    return 0;
}

void chunk_ring_deinit(struct chunk_ring *ring)
{
    free(ring->chunks);
    *ring = (struct chunk_ring){.chunks = NULL};
}

size_t chunk_ring_count(const struct chunk_ring *ring)
{
    return ring->tail - ring->head;
}

void chunk_ring_push_back(struct chunk_ring *ring, const struct chunk *chunk)
{
    CHECK(chunk_ring_count(ring) < ring->capacity);
    *place(ring, ring->tail++) = *chunk;
}

void chunk_ring_push_front(struct chunk_ring *ring, const struct chunk *chunk)
{
    CHECK(chunk_ring_count(ring) < ring->capacity);
    *place(ring, --ring->head) = *chunk;
}

const struct chunk *chunk_ring_at(const struct chunk_ring *ring, size_t index)
{
    CHECK(index < chunk_ring_count(ring));
    return place(ring, ring->head + index);
}

const struct chunk *chunk_ring_front(const struct chunk_ring *ring)
{
    return chunk_ring_at(ring, 0);
}

struct chunk chunk_ring_pop_front(struct chunk_ring *ring)
{
    CHECK(chunk_ring_count(ring) > 0);
    return *place(ring, ring->head++);
}

struct chunk chunk_ring_pop_back(struct chunk_ring *ring)
{
    CHECK(chunk_ring_count(ring) > 0);
    return *place(ring, --ring->tail);
}
