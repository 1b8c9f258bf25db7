/* The owner's side of the zygote, for the processes strategy: have executors forked and killed.
 * Thread-safe.
 *
 * Each executor has a place, 0 to ENGINE_PROCESSES_MAX - 1, with a slot record in memory shared
 * with it, and a SOCK_SEQPACKET connection of its own. The end of an executor is told on that
 * connection, by the zygote, behind everything that the executor itself has sent; see
 * executor_wire.h. */
#ifndef QUARTET_WORKER_ENGINE_ZYGOTE_SPAWN_H
#define QUARTET_WORKER_ENGINE_ZYGOTE_SPAWN_H

#include "worker/engine/slot_record.h"
#include "worker/engine/zygote.h"

#include <stdint.h>

/* Take a place. Returns 0 or ERR_BUSY (all are taken). */
int zygote_take_place(struct zygote *zygote, struct err_text *ret_error, uint32_t *ret_place);
void zygote_give_place(struct zygote *zygote, uint32_t place);

struct slot_record *zygote_record(struct zygote *zygote, uint32_t place);

/* Fork an executor at `place`, where none runs. It writes records to the memory `records_fd` of
 * RECORDS_MAX bytes, which stays the caller's; -1: none are wanted. Returns 0, ERR_IO (no
 * descriptors) or ERR_GONE (no zygote); whether the fork succeeded is told on `*ret_fd`, which is
 * non-blocking and the caller's to close. */
int zygote_spawn(struct zygote *zygote,
                 uint32_t place,
                 int records_fd,
                 struct err_text *ret_error,
                 int *ret_fd);

/* Ask the executor at `place` to end (SIGTERM), if it still runs: what it runs is cancelled first.
 * zygote_kill: at once (SIGKILL). */
void zygote_terminate(struct zygote *zygote, uint32_t place);
void zygote_kill(struct zygote *zygote, uint32_t place);

#endif
