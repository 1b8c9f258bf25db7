/* What one slot shares with whoever feeds it: which of its chunks it has begun, how far it is,
 * and what came out.
 *
 * The slot is a thread or a process; for a process the record lies in memory shared with it, so
 * everything is plain values and lock-free atomics, and whatever a crashing process may have
 * left in it is checked by the reader. One slot writes, one feeder (whoever holds the exchange's
 * lock) issues, revokes and reads results.
 *
 * Chunks given to a slot are numbered from 0, modulo 2^32: the `seq`. The slot begins them in
 * this order, each by moving `next`; what lies between `next` and `limit` is given but not
 * begun, and can be revoked as long as it is so. */
#ifndef QUARTET_WORKER_ENGINE_SLOT_RECORD_H
#define QUARTET_WORKER_ENGINE_SLOT_RECORD_H

#include "common/base/chunk.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { SLOT_RING = 128 }; /* chunks that a slot may hold, begun or not */

struct slot_result {
    struct tally tally;
    uint64_t run_ns;
    uint64_t error_index; /* of the first item that failed */
    uint32_t error_len;   /* bytes in slot_record.errors */
    uint32_t records_len; /* of an executor: bytes in the memory for records */
};

/* Where the slot is within a chunk: items before `done` are in the tally, the `block` items from
 * there are being run. */
struct slot_progress {
    uint64_t done;
    uint64_t block;
    uint64_t start_ns;
    uint64_t item_ns; /* with records: when the item at `done` began */
    struct tally tally;
    uint64_t error_index;
    uint32_t error_len;
    uint32_t seq;
    uint32_t records_len; /* bytes of the records of what is in the tally */
};

struct slot_record {
    _Alignas(64) _Atomic uint64_t
        range; /* next << 32 | limit, together so that begin and revoke cannot both win */
    _Alignas(64) _Atomic uint32_t
        published;            /* results of every chunk begun with a smaller seq are in `results` */
    _Atomic uint32_t told;    /* the feeder was told and has not looked since */
    _Atomic uint32_t current; /* which progress is whole; the other one is being written */
    /* CPU time that items say other processes have spent on them, since the record is used. */
    _Atomic uint64_t elsewhere_us;
    struct slot_progress progress[2];
    struct slot_result results[SLOT_RING]; /* [seq % SLOT_RING] */
    char errors[SLOT_RING][CHUNK_ERROR_SIZE];
};

struct slot_range {
    uint32_t next;
    uint32_t limit;
};

/* As new: nothing given, the first seq will be `seq`. Only while no slot uses the record. */
void slot_record_reset(struct slot_record *record, uint32_t seq);

struct slot_range slot_record_range(const struct slot_record *record);

/* Slot: begin chunk `seq`. False when it was revoked. */
bool slot_record_begin(struct slot_record *record, uint32_t seq);

/* Feeder: give the chunks [seq, seq + count). What was given before must join them without a
 * gap, or be begun or revoked, all of it. */
void slot_record_issue(struct slot_record *record, uint32_t seq, uint32_t count);

/* Feeder: take back all that is not begun; the range as it was before, `next == limit` when
 * nothing was. */
struct slot_range slot_record_revoke(struct slot_record *record);

/* Slot: note how far it is, so that a crash in what follows costs only that. */
void slot_record_note(struct slot_record *record, const struct slot_progress *progress);

/* Feeder, after the slot's process has ended: the last note that was written whole. */
struct slot_progress slot_record_progress(const struct slot_record *record);

/* Slot: the place of the result and of the error text of `seq`, to be written before
 * slot_record_publish. */
struct slot_result *slot_record_result(struct slot_record *record, uint32_t seq);
char *slot_record_error(struct slot_record *record, uint32_t seq);

/* Slot: the result of `seq` is written. */
void slot_record_publish(struct slot_record *record, uint32_t seq);

#endif
