/* The seal of a journal: a hash of everything that is in it, so that a byte that flips on a disk is
 * found where SQLite itself does not look (it has no checksums of what was checkpointed). It finds
 * accidents; it is no signature.
 *
 * Rows that come and go are sealed one by one and added up, modulo 2^64, so that the seal follows
 * them without reading the table. Pure. */
#ifndef QUARTET_COORDINATOR_JOURNAL_JOURNAL_SEAL_H
#define QUARTET_COORDINATOR_JOURNAL_JOURNAL_SEAL_H

#include "coordinator/journal/journal_progress.h"

uint64_t journal_seal_job(uint64_t job_id, const char *job, size_t len);
uint64_t journal_seal_failed(uint64_t index, uint32_t attempt, const char *reason, size_t len);
uint64_t journal_seal_place(const struct sink_place *place);

/* Of a batch that waits; `items` is the payload of exactly its items, NULL: none. */
uint64_t journal_seal_waiting(const struct sink_batch *batch, const void *items, size_t items_len);

/* The sums of the rows' seals. */
struct journal_seal_sums {
    uint64_t job;
    uint64_t failed;
    uint64_t places;
    uint64_t waiting;
};

uint64_t journal_seal(const struct journal_progress *progress,
                      const struct interval_set *done,
                      const struct journal_seal_sums *sums);

#endif
