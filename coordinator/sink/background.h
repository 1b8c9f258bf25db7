/* Threads beside the loop: the sink's, the journal's. */
#ifndef QUARTET_COORDINATOR_SINK_BACKGROUND_H
#define QUARTET_COORDINATOR_SINK_BACKGROUND_H

#include <pthread.h>

/* pthread_create with all signals blocked in the new thread: they are the loop's. That goes for
 * SIGPIPE and SIGXFSZ too, which a failed write would end the program with; the thread gets EPIPE
 * and EFBIG instead. Returns 0 or what pthread_create did. */
int background_start(pthread_t *ret_thread, void *(*run)(void *arg), void *arg);

#endif
