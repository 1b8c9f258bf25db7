/* Which notes were passed on already: a workload may say the same with every item, a person wants
 * to read it once. */
#ifndef QUARTET_WORKER_ENGINE_NOTE_SET_H
#define QUARTET_WORKER_ENGINE_NOTE_SET_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NOTE_SET_MAX = 64 }; /* different texts; whatever comes after these is dropped */

struct note_set {
    pthread_mutex_t lock;
    size_t count;
    uint64_t hashes[NOTE_SET_MAX];
};

void note_set_init(struct note_set *set);
void note_set_deinit(struct note_set *set);

/* True: `text` is new, and there was room to remember it. Any thread. */
bool note_set_add(struct note_set *set, const char *text);

#endif
