/* What the exchange has in hand, wherever it is: in the queue, with a slot, or finished and not
 * taken. */
#include "worker/engine/exchange.h"

/* Writes as much as there is room for and counts all. */
struct list {
    struct chunk *chunks;
    size_t max;
    size_t count;
};

/* Member by member: the payload of a chunk that runs is its slot's to change. */
static void add(struct list *list, const struct chunk *chunk)
{
    if (list->count < list->max) {
        list->chunks[list->count] = (struct chunk){.id = chunk->id,
                                                   .first = chunk->first,
                                                   .count = chunk->count,
                                                   .attempt = chunk->attempt};
    }
    list->count++;
}

static void add_queue(struct list *list, const struct chunk_ring *queue)
{
    size_t count = chunk_ring_count(queue);
    for (size_t i = 0; i < count; i++) {
        add(list, chunk_ring_at(queue, i));
    }
}

static void add_share(struct list *list, struct share *share)
{
    uint32_t limit = share->limit;
    for (uint32_t seq = share->expected; seq != limit; seq++) {
        add(list, share_chunk(share, seq));
    }
}

static void add_loans(struct list *list, const struct loans *loans)
{
    for (uint32_t i = 0; i < loans->max; i++) {
        if (loans->list[i].count > 0) {
            add(list, &loans->list[i]);
        }
    }
}

/* A result may be of the first items of its chunk only: the others are not in hand any more. */
static void add_results(struct list *list, const struct exchange *exchange)
{
    for (size_t i = exchange->result_head; i != exchange->result_tail; i++) {
        const struct chunk_result *result = exchange_result_at(exchange, i);
        struct chunk chunk = {.id = result->id,
                              .first = result->first,
                              .count = result->tally.ok + result->tally.failed,
                              .attempt = result->attempt};
        add(list, &chunk);
    }
}

size_t exchange_holding(struct exchange *exchange, struct chunk *ret_chunks, size_t max)
{
    struct list list = {.chunks = ret_chunks, .max = max};
    pthread_mutex_lock(&exchange->lock);
    add_queue(&list, &exchange->queue);
    for (uint32_t i = 0; i < exchange->share_count; i++) {
        add_share(&list, exchange->shares[i]);
    }
    add_loans(&list, &exchange->loans);
    add_results(&list, exchange);
    pthread_mutex_unlock(&exchange->lock);
    return list.count;
}
