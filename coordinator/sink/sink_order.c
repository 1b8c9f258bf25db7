/* A binary heap of spans; see sink_order.h. */
#include "coordinator/sink/sink_order.h"

#include "common/base/check.h"

#include <stdlib.h>

enum { SIZE_MIN = 64 };

void sink_order_deinit(struct sink_order *order)
{
    free(order->heap);
    *order = (struct sink_order){0};
}

static int make_room(struct sink_order *order)
{
    if (order->count < order->size) {
        return 0;
    }
    size_t size = order->size < SIZE_MIN ? SIZE_MIN : order->size + order->size / 2;
    struct sink_span *heap = reallocarray(order->heap, size, sizeof(*heap));
    if (heap == NULL) {
        return ERR_NOMEM;
    }
    order->heap = heap;
    order->size = size;
    return 0;
}

int sink_order_push(struct sink_order *order, const struct sink_span *span)
{
    CHECK(span->count > 0 && span->first >= order->next);
    int code = make_room(order);
    if (code != 0) {
        return code;
    }
    size_t at = order->count++;
    for (; at > 0; at = (at - 1) / 2) {
        const struct sink_span *parent = &order->heap[(at - 1) / 2];
        if (parent->first < span->first) {
            break;
        }
        order->heap[at] = *parent;
    }
    order->heap[at] = *span;
    return 0;
}

/* Put `span` where it belongs, from the top, which is free. */
static void sift_down(struct sink_order *order, const struct sink_span *span)
{
    size_t at = 0;
    for (size_t child = 1; child < order->count; child = 2 * at + 1) {
        if (child + 1 < order->count && order->heap[child + 1].first < order->heap[child].first) {
            child++;
        }
        if (span->first < order->heap[child].first) {
            break;
        }
        order->heap[at] = order->heap[child];
        at = child;
    }
    order->heap[at] = *span;
}

bool sink_order_pop_any(struct sink_order *order, struct sink_span *ret_span)
{
    if (order->count == 0) {
        return false;
    }
    *ret_span = order->heap[0];
    CHECK(ret_span->first >= order->next); /* else an item was put twice */
    order->next = ret_span->first + ret_span->count;
    order->count--;
    if (order->count > 0) {
        struct sink_span last = order->heap[order->count];
        sift_down(order, &last);
    }
    return true;
}

bool sink_order_pop(struct sink_order *order, struct sink_span *ret_span)
{
    if (order->count == 0 || order->heap[0].first > order->next) {
        return false;
    }
    return sink_order_pop_any(order, ret_span);
}
