/* A job that was begun before: which items were done then, where fresh chunks may be cut, and which
 * items are done in all. */
#include "common/base/err.h"
#include "coordinator/sched/sched_internal.h"

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Ascending, apart, and within what was known. `ret_sum` is how many items they are. */
static bool are_spans(const struct sched_span *spans,
                      size_t count,
                      uint64_t known,
                      uint64_t *ret_sum)
{
    uint64_t end = 0;
    *ret_sum = 0;
    for (size_t i = 0; i < count; i++) {
        if (spans[i].count == 0 || spans[i].first < end || spans[i].first >= known ||
            spans[i].count > known - spans[i].first) {
            return false;
        }
        end = spans[i].first + spans[i].count;
        *ret_sum += spans[i].count;
    }
    return true;
}

static bool has_begun(const struct sched *sched)
{
    const struct sched_stats *stats = &sched->stats;
    return sched->over || sched->known > 0 || stats->items_available > 0 || stats->items_final ||
           stats->workers_joined > 0;
}

int sched_restore(struct sched *sched,
                  const struct sched_span *done,
                  size_t done_count,
                  uint64_t known,
                  const struct tally *tally)
{
    uint64_t sum;
    if (has_begun(sched) || !are_spans(done, done_count, known, &sum) || tally->ok > sum ||
        tally->failed != sum - tally->ok) {
        return ERR_INVALID;
    }
    int rc = interval_reserve(&sched->ahead, done_count);
    for (size_t i = 0; rc == 0 && i < done_count; i++) {
        rc = interval_add(&sched->ahead, done[i].first, done[i].first + done[i].count);
    }
    if (rc != 0) {
        return rc;
    }
    sched->known = known;
    sched->stats.items_done = sum;
    sched->stats.tally = *tally;
    sched_skip_ahead(sched);
    return 0;
}

void sched_skip_ahead(struct sched *sched)
{
    const struct interval_set *ahead = &sched->ahead;
    size_t next = sched->ahead_next;
    while (next > 0 && ahead->spans[next - 1].end > sched->cut) {
        next--; /* what was adopted since continues one that was passed */
    }
    for (; next < ahead->count && ahead->spans[next].first <= sched->cut; next++) {
        sched->cut = ahead->spans[next].end;
    }
    sched->ahead_next = next;
    struct sched_chunks *chunks = &sched->chunks;
    while (chunks->ahead != INDEX_NONE && chunks->table[chunks->ahead].first < sched->cut) {
        chunks->ahead = chunks->table[chunks->ahead].order.next;
    }
    sched->gap_end = next < ahead->count ? ahead->spans[next].first : UINT64_MAX;
    if (sched->cut < sched->known) {
        sched->gap_end = least(sched->gap_end, sched->known);
    }
}

uint64_t sched_count_ahead(const struct sched *sched, uint64_t first, uint64_t end)
{
    const struct interval_set *ahead = &sched->ahead;
    uint64_t count = 0;
    size_t low = 0;
    for (size_t high = ahead->count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (ahead->spans[middle].end <= first) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < ahead->count && ahead->spans[low].first < end; low++) {
        uint64_t from = ahead->spans[low].first > first ? ahead->spans[low].first : first;
        count += least(ahead->spans[low].end, end) - from;
    }
    return count;
}

/* --- what is done --- */

/* Items that are done or in live chunks: number 0 is what lies behind the cut, then those ahead. */
static struct interval taken_span(const struct sched *sched, size_t number)
{
    return number == 0 ? (struct interval){0, sched->cut}
                       : sched->ahead.spans[sched->ahead_next + number - 1];
}

/* What is done is what lies between the live chunks. */
size_t sched_done_spans(const struct sched *sched,
                        size_t index,
                        uint64_t *ret_first,
                        uint64_t *ret_end)
{
    size_t count = 0;
    uint32_t slot = sched->chunks.order.head;
    for (size_t number = 0; number <= sched->ahead.count - sched->ahead_next; number++) {
        struct interval taken = taken_span(sched, number);
        uint64_t from = taken.first;
        for (bool last = false; !last;) {
            const struct sched_chunk *chunk = slot == INDEX_NONE ? NULL
                                                                 : &sched->chunks.table[slot];
            last = chunk == NULL || chunk->first >= taken.end;
            uint64_t to = last ? taken.end : chunk->first;
            if (from < to && count++ == index) {
                *ret_first = from;
                *ret_end = to;
            }
            if (!last) {
                from = chunk->first + chunk->count;
                slot = chunk->order.next;
            }
        }
    }
    return count;
}
