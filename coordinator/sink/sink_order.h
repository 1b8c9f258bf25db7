/* Puts spans back into the order of the input.
 *
 * Spans come in any order, never the same item twice; they leave so that each begins where the last
 * one ended. What is in front of a gap waits. A span that was taken goes by; one that waits takes
 * sizeof(struct sink_span). Pure. */
#ifndef QUARTET_COORDINATOR_SINK_SINK_ORDER_H
#define QUARTET_COORDINATOR_SINK_SINK_ORDER_H

#include "coordinator/sink/sink_held.h"

/* All zeros is an empty one that waits for item 0. */
struct sink_order {
    struct sink_span *heap; /* the span with the smallest first is heap[0] */
    size_t count;
    size_t size;
    uint64_t next; /* index of the item that is to leave next */
};

/* Free what it has; the spans' batches are not its own. */
void sink_order_deinit(struct sink_order *order);

/* Returns 0, or ERR_NOMEM: unchanged then. */
int sink_order_push(struct sink_order *order, const struct sink_span *span);

/* The span that begins with `next`, if it is there. */
bool sink_order_pop(struct sink_order *order, struct sink_span *ret_span);

/* The first span there is, over any gap: for the end, when what is missing comes no more. */
bool sink_order_pop_any(struct sink_order *order, struct sink_span *ret_span);

#endif
