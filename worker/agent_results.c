/* The results that wait for their acknowledgement, and the messages they went out in. Both are
 * rings indexed by an absolute number, so that nothing is ever moved but when a ring grows. */
#include "common/base/check.h"
#include "common/base/record.h"
#include "worker/agent_internal.h"

#include <stdlib.h>
#include <string.h>

enum { RING_LEAST = 256 };

static size_t index_of(uint64_t number, size_t capacity)
{
    return (size_t)(number & (capacity - 1));
}

static bool has_error(const struct chunk_result *result)
{
    return result->tally.failed > 0 || result->error != NULL;
}

void agent_results_init(struct agent_results *results)
{
    *results = (struct agent_results){.seq_next = 1};
}

void agent_results_deinit(struct agent_results *results)
{
    agent_results_forget(results);
    free(results->list);
    free(results->message_ends);
    *results = (struct agent_results){.seq_next = 1};
}

static size_t capacity_for(size_t needed)
{
    size_t capacity = RING_LEAST;
    while (capacity < needed) {
        capacity *= 2;
    }
    return capacity;
}

/* What the results of a stretch come to, in the terms of struct agent_results. */
struct sums {
    uint64_t failing;
    uint64_t recorded;
    uint64_t records_bytes;
};

static void add_to(struct sums *sums, const struct chunk_result *result)
{
    sums->failing += has_error(result) ? 1 : 0;
    sums->recorded += result->records != NULL ? 1 : 0;
    sums->records_bytes += result->records_len;
}

static int grow_list(struct agent_results *results, size_t needed)
{
    size_t capacity = capacity_for(needed);
    struct chunk_result *list = malloc(capacity * sizeof(*list));
    if (list == NULL) {
        return ERR_NOMEM;
    }
    for (uint64_t number = results->acked; number < results->end; number++) {
        list[index_of(number, capacity)] = results->list[index_of(number, results->capacity)];
    }
    free(results->list);
    results->list = list;
    results->capacity = capacity;
    return 0;
}

static int grow_messages(struct agent_results *results, size_t needed)
{
    size_t capacity = capacity_for(needed);
    uint64_t *ends = malloc(capacity * sizeof(*ends));
    if (ends == NULL) {
        return ERR_NOMEM;
    }
    for (uint64_t seq = results->seq_acked + 1; seq < results->seq_next; seq++) {
        ends[index_of(seq, capacity)] =
            results->message_ends[index_of(seq, results->message_capacity)];
    }
    free(results->message_ends);
    results->message_ends = ends;
    results->message_capacity = capacity;
    return 0;
}

int agent_results_reserve(struct agent_results *results, size_t more_results, size_t more_messages)
{
    size_t needed = (size_t)agent_results_unacked(results) + more_results;
    if (needed > results->capacity && grow_list(results, needed) != 0) {
        return ERR_NOMEM;
    }
    needed = (size_t)(results->seq_next - results->seq_acked - 1) + more_messages;
    if (needed > results->message_capacity && grow_messages(results, needed) != 0) {
        return ERR_NOMEM;
    }
    return 0;
}

void agent_results_append(struct agent_results *results,
                          const struct chunk_result *list,
                          size_t count)
{
    if (count == 0) {
        return;
    }
    CHECK(agent_results_unacked(results) + count <= results->capacity);
    size_t start = index_of(results->end, results->capacity);
    size_t until_wrap = results->capacity - start;
    size_t head = count < until_wrap ? count : until_wrap;
    memcpy(results->list + start, list, head * sizeof(*list));
    memcpy(results->list, list + head, (count - head) * sizeof(*list));
    results->end += count;
    struct sums sums = {0};
    for (size_t i = 0; i < count; i++) {
        CHECK(list[i].records_len <= RECORDS_MAX);
        add_to(&sums, &list[i]);
    }
    results->failing += sums.failing;
    results->failing_unsent += sums.failing;
    results->recorded += sums.recorded;
    results->records_bytes += sums.records_bytes;
    results->records_unsent += sums.records_bytes;
}

/* As many of `count` results from `start` as have no more than `errors_max` errors. */
static size_t cut_at_errors(const struct chunk_result *start, size_t count, uint32_t errors_max)
{
    uint32_t errors = 0;
    for (size_t i = 0; i < count; i++) {
        if (has_error(&start[i]) && ++errors > errors_max) {
            return i;
        }
    }
    return count;
}

/* As many of `count` results from `start`, at least one, as have no more than
 * AGENT_RECORDS_PER_MESSAGE bytes of records. */
static size_t cut_at_records(const struct chunk_result *start, size_t count)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += start[i].records_len;
        if (bytes > AGENT_RECORDS_PER_MESSAGE && i > 0) {
            return i;
        }
    }
    return count;
}

uint32_t agent_results_next_count(const struct agent_results *results,
                                  uint32_t max,
                                  uint32_t errors_max)
{
    uint64_t unsent = results->end - results->sent;
    if (unsent == 0) {
        return 0;
    }
    size_t start = index_of(results->sent, results->capacity);
    size_t count = results->capacity - start;
    count = unsent < count ? (size_t)unsent : count;
    count = count < max ? count : max;
    if (results->failing_unsent > errors_max) {
        count = cut_at_errors(results->list + start, count, errors_max);
    }
    if (results->records_unsent > AGENT_RECORDS_PER_MESSAGE) {
        count = cut_at_records(results->list + start, count);
    }
    return (uint32_t)count;
}

uint64_t agent_results_next_bytes(const struct agent_results *results, uint32_t count)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; results->records_unsent > 0 && i < count; i++) {
        bytes += results->list[index_of(results->sent + i, results->capacity)].records_len;
    }
    return bytes;
}

uint64_t agent_results_mark_sent(struct agent_results *results, uint32_t count)
{
    CHECK(results->seq_next - results->seq_acked - 1 < results->message_capacity);
    CHECK(count <= results->end - results->sent);
    /* Most results have neither errors nor records: nothing is spent on them. */
    bool special = results->failing_unsent > 0 || results->records_unsent > 0;
    for (uint32_t i = 0; special && i < count; i++) {
        const struct chunk_result *result =
            &results->list[index_of(results->sent + i, results->capacity)];
        results->failing_unsent -= has_error(result) ? 1 : 0;
        results->records_unsent -= result->records_len;
    }
    results->sent += count;
    uint64_t seq = results->seq_next++;
    results->message_ends[index_of(seq, results->message_capacity)] = results->sent;
    return seq;
}

/* Forget the results before `number`. */
static void drop_until(struct agent_results *results, uint64_t number)
{
    while (results->acked < number && (results->failing > 0 || results->recorded > 0)) {
        struct chunk_result *result = &results->list[index_of(results->acked, results->capacity)];
        results->failing -= has_error(result) ? 1 : 0;
        results->recorded -= result->records != NULL ? 1 : 0;
        results->records_bytes -= result->records_len;
        chunk_result_deinit(result);
        results->acked++;
    }
    if (results->acked < number) {
        results->acked = number;
    }
}

bool agent_results_ack(struct agent_results *results, uint64_t seq)
{
    if (seq <= results->seq_acked || seq >= results->seq_next) {
        return false;
    }
    drop_until(results, results->message_ends[index_of(seq, results->message_capacity)]);
    results->seq_acked = seq;
    return true;
}

void agent_results_restart(struct agent_results *results)
{
    results->sent = results->acked;
    results->failing_unsent = results->failing;
    results->records_unsent = results->records_bytes;
    results->seq_acked = 0;
    results->seq_next = 1;
}

void agent_results_forget(struct agent_results *results)
{
    drop_until(results, results->end);
    results->sent = results->end;
    results->failing_unsent = 0;
    results->records_unsent = 0;
}

uint64_t agent_results_unacked(const struct agent_results *results)
{
    return results->end - results->acked;
}

static void check_messages(const struct agent_results *results)
{
    uint64_t end = 0;
    CHECK(results->seq_acked < results->seq_next && "seq_dense");
    for (uint64_t seq = results->seq_acked + 1; seq < results->seq_next; seq++) {
        uint64_t next = results->message_ends[index_of(seq, results->message_capacity)];
        CHECK(next >= end && "seq_dense");
        end = next;
    }
    CHECK(end <= results->sent && "seq_dense");
}

void agent_results_check(const struct agent_results *results)
{
    CHECK(results->acked <= results->sent && results->sent <= results->end && "results_kept");
    CHECK(agent_results_unacked(results) <= results->capacity && "results_kept");
    struct sums kept = {0};
    struct sums unsent = {0};
    for (uint64_t number = results->acked; number < results->end; number++) {
        const struct chunk_result *result = &results->list[index_of(number, results->capacity)];
        CHECK((result->records_len == 0 || result->records != NULL) && "results_kept");
        add_to(&kept, result);
        if (number >= results->sent) {
            add_to(&unsent, result);
        }
    }
    CHECK(kept.failing == results->failing && "results_kept");
    CHECK(unsent.failing == results->failing_unsent && "results_kept");
    CHECK(kept.recorded == results->recorded && "results_kept");
    CHECK(kept.records_bytes == results->records_bytes && "results_kept");
    CHECK(unsent.records_bytes == results->records_unsent && "results_kept");
    check_messages(results);
}
