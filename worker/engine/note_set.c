/* Which notes were passed on already; see note_set.h. */
#include "worker/engine/note_set.h"

#include "common/base/check.h"

void note_set_init(struct note_set *set)
{
    CHECK(pthread_mutex_init(&set->lock, NULL) == 0);
    set->count = 0;
}

void note_set_deinit(struct note_set *set)
{
    CHECK(pthread_mutex_destroy(&set->lock) == 0);
}

/* FNV-1a. Among 64 texts two with one hash are not to be expected, and would cost one note. */
static uint64_t hash_of(const char *text)
{
    uint64_t hash = 14695981039346656037U;
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * 1099511628211U;
    }
    return hash;
}

static bool contains(const struct note_set *set, uint64_t hash)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->hashes[i] == hash) {
            return true;
        }
    }
    return false;
}

bool note_set_add(struct note_set *set, const char *text)
{
    uint64_t hash = hash_of(text);
    pthread_mutex_lock(&set->lock);
    bool added = set->count < NOTE_SET_MAX && !contains(set, hash);
    if (added) {
        set->hashes[set->count++] = hash;
    }
    pthread_mutex_unlock(&set->lock);
    return added;
}
