/* Batches the sink holds; see sink_held.h. */
#include "coordinator/sink/sink_held.h"

#include "common/base/check.h"

#include <stdlib.h>

/* A payload that several batches are of is counted in parts, as if each item had its share. */
static size_t backlog_bytes(const struct sink_batch *batch)
{
    size_t bytes = sizeof(struct sink_held) + sizeof(struct sink_span) + batch->records_len;
    if (batch->payload != NULL) {
        bytes += (size_t)((double)blob_len(batch->payload) * (double)batch->count /
                          (double)batch->payload_count);
    }
    return bytes;
}

struct sink_held *sink_held_new(const struct sink_batch *batch, uint64_t range_first)
{
    const char *worker = batch->worker != NULL ? batch->worker : "";
    const char *lost = batch->records == NULL && batch->lost != NULL ? batch->lost : "";
    size_t worker_len = strnlen(worker, SINK_WORKER_SIZE - 1);
    size_t lost_len = strnlen(lost, ERR_TEXT_SIZE);
    struct sink_held *held = malloc(sizeof(*held) + worker_len + 1 + lost_len + 1);
    if (held == NULL) {
        return NULL;
    }
    *held = (struct sink_held){
        .first = batch->first,
        .count = batch->count,
        .payload = blob_ref(batch->payload),
        .payload_first = batch->payload_first,
        .payload_count = batch->payload_count,
        .records = blob_ref(batch->records),
        .records_offset = batch->records_offset,
        .records_len = batch->records_len,
        .range_first = range_first,
        .attempt = batch->attempt,
        .withhold_failed = batch->withhold_failed,
        .waited = batch->waited,
        .backlog_bytes = backlog_bytes(batch),
        .lost_len = lost_len,
        .worker = held->texts,
        .lost = held->texts + worker_len + 1,
    };
    memcpy(held->texts, worker, worker_len);
    held->texts[worker_len] = '\0';
    memcpy(held->texts + worker_len + 1, lost, lost_len);
    held->texts[worker_len + 1 + lost_len] = '\0';
    return held;
}

struct sink_held *sink_held_new_mark(uint64_t number)
{
    struct sink_held *held = calloc(1, sizeof(*held));
    if (held != NULL) {
        held->mark = number;
    }
    return held;
}

struct sink_batch sink_held_batch(const struct sink_held *held)
{
    return (struct sink_batch){
        .first = held->first,
        .count = held->count,
        .payload = held->payload,
        .payload_first = held->payload_first,
        .payload_count = held->payload_count,
        .records = held->records,
        .records_offset = held->records_offset,
        .records_len = held->records_len,
        .lost = held->lost,
        .withhold_failed = held->withhold_failed,
        .waited = held->waited,
        .attempt = held->attempt,
        .worker = held->worker,
    };
}

void sink_held_free(struct sink_held *held)
{
    if (held != NULL) {
        blob_unref(held->payload);
        blob_unref(held->records);
        free(held);
    }
}

void sink_span_init(struct sink_span *span, struct sink_held *held)
{
    *span = (struct sink_span){.first = held->first, .count = held->count, .held = held};
    if (held->records != NULL) {
        const char *records = (const char *)blob_bytes(held->records) + held->records_offset;
        record_cursor_init(&span->records, records, held->count);
    }
    if (held->payload == NULL) {
        return;
    }
    const char *bytes;
    size_t len;
    items_cursor_init(&span->items, blob_bytes(held->payload), held->payload_count);
    for (uint64_t i = held->payload_first; i < held->first; i++) {
        CHECK(items_cursor_next(&span->items, &bytes, &len));
    }
}

static void lost_record(const struct sink_held *held, struct record *ret_record)
{
    *ret_record = (struct record){
        .status = RECORD_FAILED,
        .out = "",
        .err = "",
        .reason = held->lost,
        .reason_len = (uint32_t)held->lost_len,
    };
}

bool sink_span_next(struct sink_span *span, struct sink_item *ret_item)
{
    const struct sink_held *held = span->held;
    if (span->count == 0) {
        return false;
    }
    ret_item->index = span->first;
    ret_item->attempt = held->attempt;
    ret_item->worker = held->worker;
    ret_item->bytes = NULL;
    ret_item->number = held->range_first + span->first;
    if (held->payload != NULL) {
        CHECK(items_cursor_next(&span->items, &ret_item->bytes, &ret_item->len));
    }
    ret_item->is_lost = held->records == NULL;
    if (ret_item->is_lost) {
        lost_record(held, &ret_item->record);
    } else {
        CHECK(record_cursor_next(&span->records, &ret_item->record));
    }
    span->first++;
    span->count--;
    return true;
}

void sink_span_skip(struct sink_span *span, uint64_t first)
{
    struct sink_item item;
    while (span->first < first && sink_span_next(span, &item)) {
    }
}

bool sink_held_withholds(const struct sink_held *held, const struct sink_item *item)
{
    return held->withhold_failed && item->record.status != RECORD_OK;
}

bool sink_span_next_run(struct sink_span *span, struct sink_span *ret_run)
{
    if (!span->held->withhold_failed) { /* no need to look at each */
        *ret_run = *span;
        span->count = 0;
        return ret_run->count > 0;
    }
    struct sink_item item;
    struct sink_span before = *span;
    uint64_t count = 0;
    while (sink_span_next(span, &item)) {
        if (!sink_held_withholds(span->held, &item)) {
            count++;
        } else if (count > 0) {
            break;
        } else {
            before = *span;
        }
    }
    *ret_run = before;
    ret_run->count = count;
    return count > 0;
}
