#include "common/wire/arena.h"

#include "common/base/err.h"

#include <stdalign.h>
#include <stdlib.h>

static void *allocate(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void release(void *arena, void *bytes)
{
    (void)arena;
    (void)bytes;
}

int arena_init(struct arena *arena, size_t size)
{
    unsigned char *bytes = malloc(size);
    if (bytes == NULL) {
        return ERR_NOMEM;
    }
    *arena = (struct arena){
        .bytes = bytes,
        .size = size,
        .allocator = {.alloc = allocate, .free = release, .allocator_data = arena},
    };
    return 0;
}

void arena_deinit(struct arena *arena)
{
    free(arena->bytes);
    arena->bytes = NULL;
}

void arena_reset(struct arena *arena)
{
    arena->used = 0;
    arena->exhausted = false;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    const size_t align = alignof(max_align_t);
    if (size > arena->size - arena->used) {
        arena->exhausted = true;
        return NULL;
    }
    void *bytes = arena->bytes + arena->used;
    size_t rounded = (size + align - 1) / align * align;
    size_t left = arena->size - arena->used;
    arena->used += rounded < left ? rounded : left;
    return bytes;
}
