/* Answers that wait: one heap for all, no thread and no timer for each.
 *
 * libmicrohttpd does not watch a suspended connection, so that a client that leaves would hold
 * its place until the answer is due, and for ever at /stall. Each waiter is therefore looked at
 * every few seconds. */
#include "common/base/check.h"
#include "common/base/err.h"
#include "coordinator/origin/origin_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

static const uint64_t look_interval_ns = 5ULL * 1000 * 1000 * 1000;

uint64_t origin_now_ns(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

int waiters_init(struct waiters *waiters, size_t size)
{
    *waiters = (struct waiters){.heap = calloc(size, sizeof(struct waiter *)), .size = size};
    return waiters->heap == NULL ? ERR_NOMEM : 0;
}

void waiters_deinit(struct waiters *waiters)
{
    CHECK(waiters->count == 0);
    free(waiters->heap);
    waiters->heap = NULL;
}

static void push(struct waiters *waiters, struct waiter *waiter)
{
    CHECK(waiters->count < waiters->size);
    size_t at = waiters->count++;
    while (at > 0 && waiter->wake_ns < waiters->heap[(at - 1) / 2]->wake_ns) {
        waiters->heap[at] = waiters->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    waiters->heap[at] = waiter;
}

static struct waiter *pop(struct waiters *waiters)
{
    struct waiter *first = waiters->heap[0];
    struct waiter *last = waiters->heap[--waiters->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= waiters->count) {
            break;
        }
        if (child + 1 < waiters->count &&
            waiters->heap[child + 1]->wake_ns < waiters->heap[child]->wake_ns) {
            child++;
        }
        if (last->wake_ns <= waiters->heap[child]->wake_ns) {
            break;
        }
        waiters->heap[at] = waiters->heap[child];
        at = child;
    }
    waiters->heap[at] = last;
    return first;
}

static void sleep_on(struct waiters *waiters, struct waiter *waiter, uint64_t now_ns)
{
    uint64_t look_ns = now_ns + look_interval_ns;
    waiter->wake_ns = waiter->due_ns < look_ns ? waiter->due_ns : look_ns;
    push(waiters, waiter);
}

void waiters_suspend(struct waiters *waiters, struct waiter *waiter)
{
    MHD_suspend_connection(waiter->connection);
    sleep_on(waiters, waiter, origin_now_ns());
}

static bool client_gone(const struct waiter *waiter)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        waiter->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    char byte = 0;
    ssize_t rc = recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return rc == 0 || (rc < 0 && errno != EAGAIN && errno != EINTR);
}

bool waiters_resume_due(struct waiters *waiters, uint64_t now_ns)
{
    bool any = false;
    while (waiters->count > 0 && waiters->heap[0]->wake_ns <= now_ns) {
        struct waiter *waiter = pop(waiters);
        bool due = waiter->due_ns <= now_ns;
        waiter->gone = !due && client_gone(waiter);
        if (due || waiter->gone) {
            MHD_resume_connection(waiter->connection);
            any = true;
        } else {
            sleep_on(waiters, waiter, now_ns);
        }
    }
    return any;
}

void waiters_resume_all(struct waiters *waiters)
{
    for (size_t i = 0; i < waiters->count; i++) {
        waiters->heap[i]->gone = true;
        MHD_resume_connection(waiters->heap[i]->connection);
    }
    waiters->count = 0;
}

uint64_t waiters_next_ns(const struct waiters *waiters)
{
    return waiters->count > 0 ? waiters->heap[0]->wake_ns : UINT64_MAX;
}
