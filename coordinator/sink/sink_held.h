/* A batch that the sink holds, and the runs of items in it.
 *
 * A batch whose failed items were withheld has holes; a span is a run of its items without a hole.
 * A span is a plain value: where it is in the records and in the items. No thread, no file. */
#ifndef QUARTET_COORDINATOR_SINK_SINK_HELD_H
#define QUARTET_COORDINATOR_SINK_SINK_HELD_H

#include "common/base/items.h"
#include "common/base/record.h"
#include "coordinator/sink/sink.h"
#include "coordinator/sink/sink_format.h"

struct sink_held {
    struct sink_held *next;  /* for whoever holds it */
    struct sink_held **link; /* what points to it, in a list that it may leave; NULL: in none */
    uint64_t mark;           /* not 0: it is no batch, but a mark with this number */
    uint64_t first;
    uint64_t count;
    struct blob *payload; /* one reference, or NULL */
    uint64_t payload_first;
    uint64_t payload_count;
    struct blob *records; /* one reference, or NULL */
    size_t records_offset;
    size_t records_len;
    uint64_t range_first;
    uint32_t attempt;
    bool withhold_failed;
    bool waited;
    size_t backlog_bytes; /* about what it keeps from being freed */
    uint64_t span_count;  /* spans that wait for their turn */
    size_t lost_len;
    const char *lost;   /* in `texts`; "" unless the items are lost */
    const char *worker; /* in `texts` */
    char texts[];
};

/* A copy with its own references; NULL without memory. */
struct sink_held *sink_held_new(const struct sink_batch *batch, uint64_t range_first);

/* A mark; NULL without memory. */
struct sink_held *sink_held_new_mark(uint64_t number);

/* What it was made of; everything is borrowed. */
struct sink_batch sink_held_batch(const struct sink_held *held);

/* NULL is allowed. */
void sink_held_free(struct sink_held *held);

struct sink_span {
    uint64_t first;
    uint64_t count;
    struct record_cursor records;
    struct items_cursor items;
    struct sink_held *held; /* borrowed */
};

/* All items of the batch. */
void sink_span_init(struct sink_span *span, struct sink_held *held);

/* Take the first item off the span; false when there is none left. What `ret_item` points to lives
 * as long as the batch. */
bool sink_span_next(struct sink_span *span, struct sink_item *ret_item);

/* Is the item one that will come again, and so not to be written now? */
bool sink_held_withholds(const struct sink_held *held, const struct sink_item *item);

/* Leave out the items before `first`. */
void sink_span_skip(struct sink_span *span, uint64_t first);

/* Take the first run of items that are not withheld off the span; false when none is left. */
bool sink_span_next_run(struct sink_span *span, struct sink_span *ret_run);

#endif
