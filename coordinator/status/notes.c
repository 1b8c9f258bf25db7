/* Lines from workloads to people; see notes.h. */
#include "coordinator/status/notes.h"

#include "common/base/check.h"

#include <stdio.h>
#include <string.h>

void notes_init(struct notes *notes)
{
    CHECK(pthread_mutex_init(&notes->lock, NULL) == 0);
    notes->count = 0;
}

void notes_deinit(struct notes *notes)
{
    CHECK(pthread_mutex_destroy(&notes->lock) == 0);
}

void notes_add(struct notes *notes, const char *text)
{
    pthread_mutex_lock(&notes->lock);
    if (notes->count < NOTES_MAX) {
        (void)snprintf(notes->list[notes->count++], NOTE_SIZE, "%s", text);
    }
    pthread_mutex_unlock(&notes->lock);
}

bool notes_take(struct notes *notes, char ret_text[NOTE_SIZE])
{
    pthread_mutex_lock(&notes->lock);
    bool any = notes->count > 0;
    if (any) {
        memcpy(ret_text, notes->list[0], NOTE_SIZE);
        memmove(notes->list[0], notes->list[1], --notes->count * NOTE_SIZE);
    }
    pthread_mutex_unlock(&notes->lock);
    return any;
}
