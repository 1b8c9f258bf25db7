/* The seal of a journal; see journal_seal.h. Numbers are hashed as they lie in memory, little-endian
 * on every machine that quartet runs on. */
#include "coordinator/journal/journal_seal.h"

#include <endian.h>
#include <string.h>
#include <xxhash.h>

_Static_assert(BYTE_ORDER == LITTLE_ENDIAN, "numbers are hashed as they lie in memory");

static uint64_t hash(const void *bytes, size_t len)
{
    return len > 0 ? XXH3_64bits(bytes, len) : 0;
}

uint64_t journal_seal_job(uint64_t job_id, const char *job, size_t len)
{
    const uint64_t row[] = {job_id, hash(job, len)};
    return hash(row, sizeof(row));
}

uint64_t journal_seal_failed(uint64_t index, uint32_t attempt, const char *reason, size_t len)
{
    const uint64_t row[] = {index, attempt, hash(reason, len)};
    return hash(row, sizeof(row));
}

uint64_t journal_seal_place(const struct sink_place *place)
{
    const uint64_t row[] = {hash(place->path, strlen(place->path)), place->length};
    return hash(row, sizeof(row));
}

uint64_t journal_seal_waiting(const struct sink_batch *batch, const void *items, size_t items_len)
{
    const char *records = batch->records == NULL
                              ? NULL
                              : (const char *)blob_bytes(batch->records) + batch->records_offset;
    const uint64_t row[] = {
        batch->first,
        batch->count,
        batch->attempt,
        batch->withhold_failed,
        hash(batch->worker, strlen(batch->worker)),
        hash(batch->lost, strlen(batch->lost)),
        items != NULL,
        hash(items, items_len),
        records != NULL,
        hash(records, batch->records_len),
    };
    return hash(row, sizeof(row));
}

uint64_t journal_seal(const struct journal_progress *progress,
                      const struct interval_set *done,
                      const struct journal_seal_sums *sums)
{
    uint64_t all[JOURNAL_NUMBERS + 5];
    journal_progress_to_numbers(progress, all);
    uint64_t *at = all + JOURNAL_NUMBERS;
    *at++ = hash(done->spans, done->count * sizeof(done->spans[0]));
    *at++ = sums->job;
    *at++ = sums->failed;
    *at++ = sums->places;
    *at++ = sums->waiting;
    return hash(all, sizeof(all));
}
