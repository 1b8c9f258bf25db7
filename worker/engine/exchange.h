/* The exchange: where the engine's owner and its slots hand over to each other, chunks one way
 * and results the other.
 *
 * One lock. A slot's turn at it gives back all its results and takes its next share of chunks;
 * the owner's turn takes all results that are there. Whoever hands over wakes at most one: a
 * slot that finds more than it takes wakes the next one, the owner is woken when it was not told
 * since it last looked.
 *
 * A slot takes several chunks at once when the queue is long and recent chunks were short. When
 * that bet is lost (a chunk takes long after all) exchange_rescue gives the finished results to
 * the owner and the chunks that wait behind it back to the queue. */
#ifndef QUARTET_WORKER_ENGINE_EXCHANGE_H
#define QUARTET_WORKER_ENGINE_EXCHANGE_H

#include "worker/engine/loans.h"
#include "worker/engine/ring.h"
#include "worker/engine/share.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How often somebody has to look after shares that hold more than the chunk that runs. */
enum { EXCHANGE_TICK_MS = 2 };

struct exchange {
    pthread_mutex_t lock;
    struct chunk_ring queue;
    double chunk_ns; /* of recent chunks, a moving average; 0: not known yet */
    uint32_t slots;
    bool closed;

    /* Slots that wait for chunks, and whether one of them is being woken: a second one would
     * find nothing. */
    pthread_cond_t filled;
    void (*notify)(
        void *arg); /* wakes a slot that sleeps in a loop instead; NULL: wait on `filled` */
    void *notify_arg;
    uint32_t sleepers;
    bool waking;

    pthread_cond_t watch; /* the overseer sleeps here */
    struct share **shares;
    uint32_t share_count;
    bool overseer_asleep;

    struct loans loans; /* chunks that are with slots without a share */

    struct chunk_result *results; /* a ring, `result_capacity` a power of two */
    size_t result_capacity;
    size_t result_head;
    size_t result_tail;
    void (*wake)(void *arg);
    void *wake_arg;
    size_t held; /* the owner's alone */
    bool told;   /* the owner was woken and has not taken since */
};

/* Places for `slots` shares. Returns 0 or ERR_NOMEM. */
int exchange_init(struct exchange *exchange,
                  uint32_t slots,
                  void (*wake)(void *arg),
                  void *wake_arg);

/* Drops whatever chunks and results are left. No slot may use it any more, and
 * exchange_drop_shares was called. */
void exchange_deinit(struct exchange *exchange);

/* Before any slot runs: wake them through notify(arg), from any thread, not through `filled`. */
void exchange_set_notify(struct exchange *exchange, void (*notify)(void *arg), void *arg);

/* Owner: as engine_submit, engine_take, engine_take_back. */
int exchange_submit(struct exchange *exchange, const struct chunk *chunks, size_t count);
size_t exchange_take(struct exchange *exchange, struct chunk_result *ret_results, size_t max);
size_t exchange_take_back(struct exchange *exchange, struct chunk *ret_chunks, size_t max);
size_t exchange_holding(struct exchange *exchange, struct chunk *ret_chunks, size_t max);

/* No chunk is handed out any more; every sleeper wakes. Any thread, any number of times. */
void exchange_close(struct exchange *exchange);

/* Once true, `notify` is called no more. */
bool exchange_is_closed(struct exchange *exchange);

/* Make a share known. Before its slot's first turn. */
void exchange_add_share(struct exchange *exchange, struct share *share);

/* Forget all shares, once their slots have ended: chunks not begun go back to the queue, the
 * others' payloads are given back. */
void exchange_drop_shares(struct exchange *exchange);

enum exchange_wait { EXCHANGE_WAIT, EXCHANGE_NO_WAIT };

/* A slot's turn: hand over its results, then take chunks as the share's policy allows. With
 * EXCHANGE_WAIT sleeps until there is one. Returns how many were given; 0: closed, or with
 * EXCHANGE_NO_WAIT none for this slot. `now_ns` is about now. */
uint32_t exchange_turn(struct exchange *exchange,
                       struct share *share,
                       enum exchange_wait wait,
                       uint64_t now_ns);

/* For slots in a loop: true when there is nothing to be had, and the next chunk will call
 * `notify`; false: take a turn. */
bool exchange_arm(struct exchange *exchange);

/* Hand over a slot's results only. */
void exchange_flush(struct exchange *exchange, struct share *share, uint64_t now_ns);

/* A chunk that is given to a slot without a share, and the result that it comes to. In between it
 * has a place among the loans. */
struct exchange_lent {
    struct chunk chunk;
    uint32_t place;
};

struct exchange_done {
    struct chunk_result result;
    uint32_t place;
};

/* A turn for slots that run chunks without a share: hand over `done_count` results, take up to
 * `max` chunks. With those that it took before there are at most as many as slots. */
size_t exchange_trade(struct exchange *exchange,
                      const struct exchange_done *done,
                      size_t done_count,
                      struct exchange_lent *ret_lent,
                      size_t max);

/* The process behind `share` has ended: hand over what it has finished and take what it has not
 * begun back to the front of the queue. True when it was in the middle of a chunk; that one,
 * which had `*ret_seq`, is then lent to the caller, who brings its result (exchange_trade) or has
 * it resumed (exchange_give). The record is left as it is; reset it to share->issued before the
 * next process uses it. */
bool exchange_recover(struct exchange *exchange,
                      struct share *share,
                      struct exchange_lent *ret_begun,
                      uint32_t *ret_seq);

/* Give a chunk that was lent to an idle slot, as begun: it will not be revoked. `carry` is added to
 * its result, and kept by the caller until then. */
void exchange_give(struct exchange *exchange,
                   struct share *share,
                   const struct exchange_lent *lent,
                   struct carry *carry);

/* For the files of the exchange: the result at `position`, between result_head and result_tail. */
struct chunk_result *exchange_result_at(const struct exchange *exchange, size_t position);

/* Rescue results and chunks from behind chunks that take longer than expected. Every
 * EXCHANGE_TICK_MS, while any share has more than one chunk outstanding. */
void exchange_rescue(struct exchange *exchange);

/* Does exchange_rescue when it is due, until closed; sleeps meanwhile, for ever when there is
 * nothing to look after. */
void exchange_oversee(struct exchange *exchange);

#endif
