/* The chunks that one slot holds; see share.h. */
#include "worker/engine/share.h"

#include "common/base/check.h"
#include "worker/engine/clock.h"

#include <stdlib.h>
#include <string.h>

void share_init(struct share *share, struct slot_record *record, struct share_policy policy)
{
    share->record = record;
    share->policy = policy;
    share->issued = 0;
    share->limit = 0;
    share->expected = 0;
    share->touched_ns = 0;
    share->carry = NULL;
    share->spare = NULL;
    share->shared = NULL;
    memset(share->records, 0, sizeof(share->records));
    slot_record_reset(record, 0);
}

void share_want_records(struct share *share, struct blob *spare, const char *shared)
{
    CHECK(shared == NULL || share->policy.chunks_max == 1);
    share->spare = spare;
    share->shared = shared;
}

struct slot_range share_range(const struct share *share)
{
    struct slot_range range = slot_record_range(share->record);
    range.limit = share->limit;
    if (range.next - share->expected > range.limit - share->expected) {
        range.next = range.limit;
    }
    return range;
}

uint32_t share_outstanding(const struct share *share)
{
    return share->limit - share->expected;
}

uint32_t share_ready(const struct share *share)
{
    uint32_t published = atomic_load_explicit(&share->record->published, memory_order_acquire);
    uint32_t ready = published - share->expected;
    uint32_t begun = share_range(share).next - share->expected;
    /* Behind `expected` after a revocation: nothing was run since, and the difference is a huge
     * number. */
    return ready <= begun ? ready : 0;
}

bool share_open(const struct share *share)
{
    return share->limit == share->issued || share->limit == share->expected;
}

struct chunk *share_chunk(struct share *share, uint32_t seq)
{
    return &share->chunks[seq % SLOT_RING];
}

/* Can `tally` be of `count` items? With records it may be of fewer: the others are not begun. */
static bool possible(const struct share *share, const struct tally *tally, uint64_t count)
{
    if (tally->ok > count || tally->failed > count - tally->ok) {
        return false;
    }
    uint64_t run = tally->ok + tally->failed;
    /* None at all is enough only behind some that were carried. */
    return run == count || (share->spare != NULL && (run > 0 || share->carry != NULL));
}

/* What an executor wrote is brought within what is possible, so that one that went wild harms its
 * own chunk only. */
static const char no_sense[] = "its executor left a result that makes no sense";

static uint32_t error_len_of(const struct slot_result *written)
{
    uint32_t len = written->error_len;
    return len <= CHUNK_ERROR_SIZE ? len : 0;
}

static void set_error(struct chunk_result *result, uint64_t index, const char *error, uint32_t len)
{
    result->error_index = index;
    result->error = len > 0 ? malloc(len) : NULL;
    if (result->error != NULL) {
        memcpy(result->error, error, len);
        result->error_len = len;
    }
}

/* The result as the slot wrote it. */
static void written_result(struct share *share, uint32_t seq, struct chunk_result *result)
{
    const struct chunk *chunk = share_chunk(share, seq);
    const struct slot_result *written = slot_record_result(share->record, seq);
    result->tally = written->tally;
    result->run_us = written->run_ns / NS_PER_US;
    if (!possible(share, &result->tally, chunk->count)) {
        result->tally = (struct tally){.failed = chunk->count};
        set_error(result, chunk->first, no_sense, sizeof(no_sense) - 1);
    } else if (result->tally.failed > 0) {
        set_error(result,
                  written->error_index,
                  slot_record_error(share->record, seq),
                  error_len_of(written));
    }
    if (share->spare != NULL) {
        struct blob **records = &share->records[seq % SLOT_RING];
        result->records = *records;
        result->records_len = (uint32_t)blob_len(*records);
        *records = NULL;
    }
}

/* Add to `carry` what an executor wrote. */
static void carry_written(struct share *share, uint32_t seq, struct carry *carry)
{
    const struct chunk *chunk = share_chunk(share, seq);
    const struct slot_result written = *slot_record_result(share->record, seq);
    uint64_t left = chunk->count - carry_count(carry);
    if (!possible(share, &written.tally, left)) {
        struct record record = carry_failure(RECORD_FAILED, no_sense);
        carry_fail(carry, chunk, left, &record);
        return;
    }
    struct carry_part part = {
        .tally = written.tally,
        .error_index = written.error_index,
        .error = slot_record_error(share->record, seq),
        .error_len = error_len_of(&written),
        .records = share->shared,
        .records_len = written.records_len,
    };
    carry->run_ns += written.run_ns;
    carry_add(carry, chunk, &part);
}

/* What the slot wrote behind what there is of the chunk already, in memory of our own. */
static void carried_result(struct share *share, uint32_t seq, struct chunk_result *result)
{
    struct carry fresh = {.spare = share->spare};
    struct carry *carry = share->carry != NULL ? share->carry : &fresh;
    carry_written(share, seq, carry);
    *result = carry_result(carry, share_chunk(share, seq));
    carry_begin(&fresh, NULL);
    share->carry = NULL;
}

void share_collect(struct share *share, struct chunk_result *ret_result)
{
    uint32_t seq = share->expected++;
    struct chunk *chunk = share_chunk(share, seq);
    memset(ret_result, 0, sizeof(*ret_result));
    ret_result->id = chunk->id;
    ret_result->attempt = chunk->attempt;
    ret_result->first = chunk->first;
    if (share->shared == NULL && share->carry == NULL) {
        written_result(share, seq, ret_result);
    } else {
        carried_result(share, seq, ret_result);
    }
    blob_unref(chunk->payload);
    chunk->payload = NULL;
}

void share_drop(struct share *share, uint32_t seq)
{
    struct chunk *chunk = share_chunk(share, seq);
    blob_unref(chunk->payload);
    chunk->payload = NULL;
    blob_unref(share->records[seq % SLOT_RING]);
    share->records[seq % SLOT_RING] = NULL;
}
