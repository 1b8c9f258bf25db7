/* What items come to: worked out from their numbers and the attempt alone, so that the judge and the workers agree without a word
 * between them. */
#include "tests/sim/sim_items.h"

#include "tests/sim/sim.h"

enum { TRIES_MAX = 20000, POISON_AT = 2 };

/* Sum of the squares of the numbers below n, modulo 2^64, which no wrong split of the items repeats by chance; thirds by the inverse
 * of 3. */
static uint64_t squares_below(uint64_t n)
{
    uint64_t half = n % 2 == 0 ? n / 2 * (n - 1) : n * ((n - 1) / 2);
    return n == 0 ? 0 : half * (2 * n - 1) * UINT64_C(0xaaaaaaaaaaaaaaab);
}

/* Every n-th item fails in this attempt; 0: none. */
static uint64_t failing_in(const struct sim_job *job, uint32_t attempt)
{
    return job->heals > 0 && attempt > job->heals ? 2 * job->failing : job->failing;
}

static uint64_t multiples_below(uint64_t n, uint64_t of)
{
    return n / of + (n % of != 0);
}

struct tally sim_tally(const struct sim_job *job, uint64_t first, uint64_t count, uint32_t attempt)
{
    uint64_t end = first + count;
    uint64_t n = failing_in(job, attempt);
    struct tally tally = {.checksum = squares_below(end) - squares_below(first)};
    if (n > 0) {
        uint64_t from = multiples_below(first, n);
        uint64_t to = multiples_below(end, n);
        tally.failed = to - from;
        tally.checksum -= n * n * (squares_below(to) - squares_below(from));
    }
    tally.ok = count - tally.failed;
    tally.bytes_out = tally.ok * 3;
    return tally;
}

size_t sim_failed(const struct sim_job *job,
                  uint64_t first,
                  uint64_t count,
                  uint32_t attempt,
                  struct sched_span **ret_spans)
{
    uint64_t n = failing_in(job, attempt);
    struct tally tally = sim_tally(job, first, count, attempt);
    struct sched_span *spans = sim_realloc(NULL, (tally.failed + 1) * sizeof(*spans));
    size_t spans_count = 0;
    for (uint64_t i = 0; i < tally.failed; i++) {
        uint64_t at = (multiples_below(first, n) + i) * n - first;
        struct sched_span *last = &spans[spans_count > 0 ? spans_count - 1 : 0];
        if (spans_count > 0 && last->first + last->count == at) {
            last->count++;
        } else {
            spans[spans_count++] = (struct sched_span){at, 1};
        }
    }
    *ret_spans = spans;
    return spans_count;
}

uint32_t sim_tries(const struct sim_job *job, uint64_t item)
{
    if (job->failing == 0 || item % job->failing != 0) {
        return 1;
    }
    bool heals = job->heals > 0 && item / job->failing % 2 == 1;
    return 1 + (heals && job->heals < job->retries_max ? job->heals : job->retries_max);
}

/* In the middle of each stretch. */
uint64_t sim_poison(const struct sim_job *job, uint64_t first, uint64_t count)
{
    if (job->poison == 0) {
        return first + count;
    }
    uint64_t at = job->poison / POISON_AT;
    uint64_t next = first + (at + job->poison - first % job->poison) % job->poison;
    return next < first + count ? next : first + count;
}

uint64_t sim_poison_count(const struct sim_job *job)
{
    if (job->poison == 0) {
        return 0;
    }
    return (job->items + job->poison - 1 - job->poison / POISON_AT) / job->poison;
}

bool sim_counts_tries(const struct sim_job *job)
{
    return job->items <= TRIES_MAX;
}
