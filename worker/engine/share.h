/* A share: the chunks that one slot holds, begun or not, on the feeder's side of its slot
 * record.
 *
 * Kept by the exchange, under its lock; see exchange.h. The record may be in memory that a
 * process which has crashed has written to: share_range brings what it says within what was
 * given. */
#ifndef QUARTET_WORKER_ENGINE_SHARE_H
#define QUARTET_WORKER_ENGINE_SHARE_H

#include "worker/engine/carry.h"
#include "worker/engine/slot_record.h"

#include <stddef.h>

/* How much a slot may hold. A share is a bet that its chunks are short; when the bet is lost,
 * the rest is taken back. */
struct share_policy {
    uint32_t chunks_max;  /* at once in hand; at most SLOT_RING */
    uint64_t expected_ns; /* work in hand at most, as far as recent chunks tell */
    uint64_t ahead_ns;    /* chunks shorter than this: one may wait behind another; 0: none */
};

struct share {
    struct slot_record *record;
    struct share_policy policy;
    uint32_t issued; /* seq of the next chunk to be given */
    /* seq behind the last one given; less than `issued` after a revocation. Changes under the
     * lock, but the feeder of a process may look at any time. */
    _Atomic uint32_t limit;
    uint32_t expected;              /* seq of the next result */
    uint64_t touched_ns;            /* when something was last given or came back */
    struct carry *carry;            /* to be added to the result `expected`, once; NULL: nothing */
    struct chunk chunks[SLOT_RING]; /* [seq % SLOT_RING], valid from `expected` to `issued` */

    /* With records (see share_want_records). */
    struct blob *spare;              /* NULL: without records */
    const char *shared;              /* where an executor writes them; NULL: a thread's slot */
    struct blob *records[SLOT_RING]; /* a thread's, [seq % SLOT_RING], from its publication on */
};

void share_init(struct share *share, struct slot_record *record, struct share_policy policy);

/* Results are to have records: those in share->records, or with `shared` those that an executor
 * has written to these RECORDS_MAX bytes; then the share may hold one chunk only. `spare` is the
 * record of one failed item, to be used when there is no memory for others; borrowed. */
void share_want_records(struct share *share, struct blob *spare, const char *shared);

/* What the slot has begun and what not; `limit` is ours, `next` the slot's, brought within
 * [expected, limit]. */
struct slot_range share_range(const struct share *share);

/* Chunks given whose result was not collected, without those that were revoked. */
uint32_t share_outstanding(const struct share *share);

/* Results that are there to be collected. */
uint32_t share_ready(const struct share *share);

/* May more be given? After a revocation only when the slot has come to its end: seqs are never
 * used twice. */
bool share_open(const struct share *share);

struct chunk *share_chunk(struct share *share, uint32_t seq);

/* Turn the result `expected` into one for the owner and give the chunk's payload back. */
void share_collect(struct share *share, struct chunk_result *ret_result);

/* Give back what the chunk `seq`, begun and not collected, has: payload and records. */
void share_drop(struct share *share, uint32_t seq);

#endif
