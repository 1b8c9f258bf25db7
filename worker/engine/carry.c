/* What came of the first items of a chunk; see carry.h. */
#include "worker/engine/carry.h"

#include "common/base/err.h"
#include "worker/engine/chunk_run.h"
#include "worker/engine/clock.h"

#include <stdlib.h>
#include <string.h>

void carry_begin(struct carry *carry, struct blob *spare)
{
    record_buffer_deinit(&carry->records);
    *carry = (struct carry){.spare = spare};
}

uint64_t carry_count(const struct carry *carry)
{
    return carry->tally.ok + carry->tally.failed;
}

bool carry_enough(const struct carry *carry)
{
    return carry->spare != NULL && record_buffer_enough(&carry->records);
}

static void keep_error(struct carry *carry, uint64_t index, const char *error, size_t len)
{
    if (carry->tally.failed > 0) {
        return;
    }
    carry->error_index = index;
    carry->error_len = (uint32_t)len;
    if (len > 0) {
        memcpy(carry->error, error, len);
    }
}

void carry_add(struct carry *carry, const struct chunk *chunk, const struct carry_part *part)
{
    uint64_t count = part->tally.ok + part->tally.failed;
    int rc = carry->spare == NULL
                 ? 0
                 : record_buffer_append(&carry->records, part->records, part->records_len, count);
    if (rc != 0) {
        struct record record = carry_failure(
            RECORD_FAILED,
            rc == ERR_NOMEM ? "no memory for the items' records"
                            : "its executor left records that are none of these items'");
        carry_fail(carry, chunk, count, &record);
        return;
    }
    if (part->tally.failed > 0) {
        keep_error(carry, part->error_index, part->error, part->error_len);
    }
    tally_merge(&carry->tally, &part->tally);
}

struct record carry_failure(enum record_status status, const char *reason)
{
    return (struct record){
        .status = (uint8_t)status,
        .start_us = clock_wall_us(clock_now_ns()),
        .reason = reason,
        .reason_len = (uint32_t)strnlen(reason, CHUNK_ERROR_SIZE),
    };
}

void carry_fail(struct carry *carry,
                const struct chunk *chunk,
                uint64_t count,
                const struct record *record)
{
    if (carry->spare != NULL) {
        count = record_buffer_repeat(&carry->records, record, count);
    }
    if (count > 0) {
        keep_error(carry, chunk->first + carry_count(carry), record->reason, record->reason_len);
    }
    carry->tally.failed += count;
}

/* There is no memory for the records, and no result without: it becomes that of the first item. */
static void lose_records(struct carry *carry, const struct chunk *chunk)
{
    carry->tally = (struct tally){.ok = 0};
    keep_error(carry, chunk->first, record_spare_reason, strlen(record_spare_reason));
    carry->tally.failed = 1;
}

struct chunk_result carry_result(struct carry *carry, const struct chunk *chunk)
{
    struct chunk_result result = {
        .id = chunk->id, .attempt = chunk->attempt, .first = chunk->first};
    if (carry->spare != NULL) {
        result.records = record_buffer_take(&carry->records);
        if (result.records == NULL) {
            lose_records(carry, chunk);
            result.records = blob_ref(carry->spare);
        }
        result.records_len = (uint32_t)blob_len(result.records);
    }
    result.run_us = carry->run_ns / NS_PER_US;
    result.tally = carry->tally;
    result.error_index = carry->error_index;
    result.error = carry->error_len > 0 ? malloc(carry->error_len) : NULL;
    if (result.error != NULL) {
        memcpy(result.error, carry->error, carry->error_len);
        result.error_len = carry->error_len;
    }
    return result;
}
