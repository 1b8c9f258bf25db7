/* What workloads have to say to the person who runs them, from the engine's threads to the loop:
 * a few lines, each said once by the engine. */
#ifndef QUARTET_COORDINATOR_STATUS_NOTES_H
#define QUARTET_COORDINATOR_STATUS_NOTES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum { NOTES_MAX = 16, NOTE_SIZE = 256 };

struct notes {
    pthread_mutex_t lock;
    char list[NOTES_MAX][NOTE_SIZE];
    size_t count;
};

void notes_init(struct notes *notes);
void notes_deinit(struct notes *notes);

/* From any thread. What finds no room is dropped. */
void notes_add(struct notes *notes, const char *text);

/* The oldest one, and forget it; false: there is none. */
bool notes_take(struct notes *notes, char ret_text[NOTE_SIZE]);

#endif
