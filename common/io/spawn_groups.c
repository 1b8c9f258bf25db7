#include "common/io/spawn_groups.h"

#include "common/base/err.h"

#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>

struct spawn_groups {
    _Atomic uint32_t next; /* where to look for a free place */
    spawn_note notes[SPAWN_GROUPS_MAX];
};

/* Of the process as a whole, as its children are; inherited by what it forks. Never unmapped: a child may
 * be waited for as long as the program runs. */
static struct spawn_groups *groups;

int spawn_groups_init(void)
{
    if (groups != NULL) {
        return 0;
    }
    void *memory = mmap(
        NULL, sizeof(*groups), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return ERR_NOMEM;
    }
    groups = memory;
    return 0;
}

static uint64_t note_of(pid_t owner, pid_t group)
{
    return (uint64_t)owner << 32 | (uint32_t)group;
}

spawn_note *spawn_groups_claim(pid_t owner)
{
    for (uint32_t tries = 0; groups != NULL && tries < SPAWN_GROUPS_MAX; tries++) {
        spawn_note *note = &groups->notes[atomic_fetch_add(&groups->next, 1) % SPAWN_GROUPS_MAX];
        uint64_t free_note = 0;
        if (atomic_compare_exchange_strong(note, &free_note, note_of(owner, 0))) {
            return note;
        }
    }
    return NULL;
}

void spawn_groups_release(spawn_note *note)
{
    if (note != NULL) {
        atomic_store(note, 0);
    }
}

void spawn_groups_kill(pid_t owner)
{
    if (owner <= 0) {
        return;
    }
    for (uint32_t i = 0; groups != NULL && i < SPAWN_GROUPS_MAX; i++) {
        uint64_t note = atomic_load(&groups->notes[i]);
        pid_t group = (pid_t)(note & UINT32_MAX);
        if (note >> 32 != (uint64_t)owner) {
            continue;
        }
        if (group > 1) {
            (void)kill(-group, SIGKILL);
        }
        atomic_store(&groups->notes[i], 0);
    }
}
