/* What the parts of the origin share: origin.c (life, socket, thread), origin_routes.c (which
 * path gets which answer), origin_wait.c (answers that wait). Everything here belongs to the
 * origin's thread. */
#ifndef QUARTET_COORDINATOR_ORIGIN_ORIGIN_INTERNAL_H
#define QUARTET_COORDINATOR_ORIGIN_ORIGIN_INTERNAL_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A suspended connection. */
struct waiter {
    struct MHD_Connection *connection;
    uint64_t due_ns; /* when it goes on; UINT64_MAX: never */
    uint64_t
        wake_ns; /* when to look at it next: due, or time to see whether the client is still there */
    bool gone;   /* resumed because the client left or the origin stops: end the connection */
};

/* The waiters by wake_ns, the next one first: a binary heap with room for every connection. */
struct waiters {
    struct waiter **heap;
    size_t count;
    size_t size;
};

int waiters_init(struct waiters *waiters, size_t size);
void waiters_deinit(struct waiters *waiters);

/* Suspend the waiter's connection until its due_ns. Only from a callback of libmicrohttpd for
 * that connection. */
void waiters_suspend(struct waiters *waiters, struct waiter *waiter);

/* Resume those that are due at `now_ns`, or whose client has gone. Returns whether there were
 * any. */
bool waiters_resume_due(struct waiters *waiters, uint64_t now_ns);

/* Resume all as gone. */
void waiters_resume_all(struct waiters *waiters);

/* When waiters_resume_due has something to do next; UINT64_MAX: never. */
uint64_t waiters_next_ns(const struct waiters *waiters);

enum { PATTERN_SIZE = 1024 * 1024 };

struct routes {
    struct waiters waiters;
    unsigned char *pattern; /* PATTERN_SIZE bytes: the content of /bytes, again and again */
    struct MHD_Response *delay_answer;
    struct MHD_Response
        *bytes_answer; /* the one asked for last, for the next who asks; NULL: none yet */
    uint64_t bytes_answer_size;
};

int routes_init(struct routes *routes, size_t connections_max);
void routes_deinit(struct routes *routes);

/* libmicrohttpd's access handler and its end-of-request callback; `arg` is the routes. */
enum MHD_Result routes_answer(void *arg,
                              struct MHD_Connection *connection,
                              const char *path,
                              const char *method,
                              const char *version,
                              const char *upload,
                              size_t *upload_size,
                              void **request);
void routes_completed(void *arg,
                      struct MHD_Connection *connection,
                      void **request,
                      enum MHD_RequestTerminationCode why);

uint64_t origin_now_ns(void);

#endif
