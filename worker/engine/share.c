/* The chunks that one slot holds; see share.h. */
#include "worker/engine/share.h"

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
    slot_record_reset(record, 0);
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

/* Bring what an executor wrote within what is possible, so that one that went wild harms its own
 * chunk only. */
static struct slot_result checked(const struct slot_result *written,
                                  const struct chunk *chunk,
                                  uint64_t count)
{
    struct slot_result result = *written;
    if (result.tally.ok > count || result.tally.failed != count - result.tally.ok) {
        result.tally = (struct tally){.failed = count};
        result.error_index = chunk->first;
        result.error_len = 0;
    }
    if (result.error_len > CHUNK_ERROR_SIZE) {
        result.error_len = 0;
    }
    return result;
}

static void take_error(struct chunk_result *result, uint64_t index, const char *error, uint32_t len)
{
    result->error_index = index;
    result->error = len > 0 ? malloc(len) : NULL;
    if (result->error != NULL) {
        memcpy(result->error, error, len);
        result->error_len = len;
    }
}

struct chunk_result share_collect(struct share *share)
{
    static const struct carry nothing = {.run_ns = 0};

    uint32_t seq = share->expected++;
    struct chunk *chunk = share_chunk(share, seq);
    const struct carry *carry = share->carry != NULL ? share->carry : &nothing;
    uint64_t counted = carry->tally.ok + carry->tally.failed;
    struct slot_result written = checked(
        slot_record_result(share->record, seq), chunk, chunk->count - counted);

    struct chunk_result result = {.id = chunk->id, .attempt = chunk->attempt};
    result.tally = written.tally;
    tally_merge(&result.tally, &carry->tally);
    result.run_us = (written.run_ns + carry->run_ns) / NS_PER_US;
    if (carry->tally.failed > 0) {
        take_error(&result, carry->error_index, carry->error, carry->error_len);
    } else if (written.tally.failed > 0) {
        take_error(
            &result, written.error_index, slot_record_error(share->record, seq), written.error_len);
    }
    blob_unref(chunk->payload);
    chunk->payload = NULL;
    share->carry = NULL;
    return result;
}
