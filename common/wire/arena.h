/* A capped bump allocator for unpacking hostile bytes: giving memory out is an addition, giving
 * it back is nothing, and what does not fit is refused, so that a frame can never cost more than
 * the cap. Reset before each frame. */
#ifndef QUARTET_COMMON_WIRE_ARENA_H
#define QUARTET_COMMON_WIRE_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

struct arena {
    unsigned char *bytes;
    size_t size;
    size_t used;
    bool exhausted;               /* something was refused since the last reset */
    ProtobufCAllocator allocator; /* this arena as protobuf-c wants it */
};

/* Returns 0 or ERR_NOMEM. The arena must not move afterwards: its allocator points to it. */
int arena_init(struct arena *arena, size_t size);
void arena_deinit(struct arena *arena);
void arena_reset(struct arena *arena);

/* `size` bytes, aligned for anything and not cleared; NULL when they do not fit. Valid until the
 * next reset. */
void *arena_alloc(struct arena *arena, size_t size);

#endif
