/* One executor as its feeder sees it: connect, send chunks, read reports, and make good what a
 * crash has cost.
 *
 * Used by the feeder's thread only, but for executor_cpu_us. Never blocks, but for
 * executor_link_end. */
#ifndef QUARTET_WORKER_ENGINE_EXECUTOR_LINK_H
#define QUARTET_WORKER_ENGINE_EXECUTOR_LINK_H

#include "worker/engine/executor_wire.h"
#include "worker/engine/records_memory.h"
#include "worker/engine/strategy.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum executor_state {
    EXECUTOR_ABSENT,   /* no process */
    EXECUTOR_STARTING, /* forked, or about to be */
    EXECUTOR_RUNNING,  /* ready for chunks */
};

struct executor_link {
    struct engine_core *core;
    bool placed;
    uint32_t place; /* in the zygote */
    int fd;         /* -1: none */
    enum executor_state state;
    bool proven;           /* one of its processes has been ready */
    uint32_t false_starts; /* processes in a row that ended without having run any item */
    struct err_text error; /* how the last one ended, or why it did not start */
    bool due;              /* something is to be handed over */

    struct share share;
    struct records_memory records; /* with records: outlives the processes, one after the other */

    /* What is left of a chunk in which the process before this one has crashed. */
    bool resuming;
    struct exchange_lent lent;
    struct carry carry;
    uint64_t careful; /* items before this one are run one by one */

    /* Bytes on their way to the process. */
    char *out;
    size_t out_len;
    size_t out_sent;
    size_t out_capacity;

    /* Under `lock`, for executor_link_cpu_us. */
    pthread_mutex_t lock;
    bool clock_valid;
    clockid_t clock;
    uint64_t live_us;
    uint64_t ended_us;
};

/* `link` is all zeros. */
void executor_link_init(struct executor_link *link, struct engine_core *core);

/* Take a place and make the share known to the exchange. Returns 0, or ERR_BUSY, or with records
 * ERR_IO or ERR_NOMEM, with the text in link->error. */
int executor_link_open(struct executor_link *link);

/* Give the place back. The process has ended, the share was dropped. */
void executor_link_deinit(struct executor_link *link);

/* Have a process forked and send it its job. Returns 0, ERR_IO, ERR_GONE or ERR_NOMEM, with the
 * text in link->error. */
int executor_link_start(struct executor_link *link);

/* Ask it to end, which it does unless an item is stuck; or SIGKILL. Its end will be reported. */
void executor_link_terminate(struct executor_link *link);
void executor_link_kill(struct executor_link *link);

/* Kill it and wait for its end, which the zygote tells within milliseconds. For the case that
 * its descriptor cannot be watched. */
void executor_link_end(struct executor_link *link);

/* Are bytes waiting for room in the socket? */
bool executor_link_sending(const struct executor_link *link);

/* Can it be given a chunk and has it none? */
bool executor_link_idle(const struct executor_link *link);

/* Hand over its results, give it its next chunks, and send them. ERR_NOMEM or ERR_GONE: kill it,
 * its end will tell. */
int executor_link_feed(struct executor_link *link, uint64_t now_ns);

/* Send what is waiting. As executor_link_feed. */
int executor_link_flush(struct executor_link *link);

/* Read one report and act on it: READY changes the state; EXITED and NOT_FORKED make the link
 * ABSENT with the descriptor closed, all finished results handed over, and what was being run
 * accounted for. False: nothing more to read. */
bool executor_link_receive(struct executor_link *link);

/* Give up on the rest of a chunk that nobody will resume: it is counted as failed. */
void executor_link_abandon(struct executor_link *link);

/* CPU microseconds of all processes that this link has had. Any thread. */
uint64_t executor_link_cpu_us(struct executor_link *link);

#endif
