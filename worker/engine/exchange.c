/* Where owner and slots hand over to each other; see exchange.h. */
#include "worker/engine/exchange.h"

#include "common/base/check.h"
#include "common/base/err.h"
#include "worker/engine/clock.h"

#include <stdlib.h>
#include <string.h>

enum {
    SHARE_AT_ONCE = 64,               /* chunks given in one turn */
    SHARE_PAYLOAD_BYTES = 256 * 1024, /* bytes given in one turn, unless one chunk alone has more */
    OVERDUE_NS = 2 * NS_PER_MS,       /* a share without progress for so long is looked at ... */
    OVERDUE_CHUNKS = 4,               /* ... and for as long as so many chunks lately took */
    AVERAGE_WEIGHT = 4,
};

/* What to do after the lock was given back: waking under it would make the woken wait for it. */
struct wakes {
    bool owner;
    bool slot;
    bool overseer;
};

int exchange_init(struct exchange *exchange,
                  uint32_t slots,
                  void (*wake)(void *arg),
                  void *wake_arg)
{
    *exchange = (struct exchange){.slots = slots, .wake = wake, .wake_arg = wake_arg};
    exchange->shares = calloc(slots, sizeof(struct share *));
    if (exchange->shares == NULL) {
        return ERR_NOMEM;
    }
    if (loans_init(&exchange->loans, slots) != 0) {
        free(exchange->shares);
        return ERR_NOMEM;
    }
    pthread_condattr_t monotonic;
    CHECK(pthread_condattr_init(&monotonic) == 0);
    CHECK(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&exchange->filled, &monotonic) == 0);
    CHECK(pthread_cond_init(&exchange->watch, &monotonic) == 0);
    CHECK(pthread_condattr_destroy(&monotonic) == 0);
    CHECK(pthread_mutex_init(&exchange->lock, NULL) == 0);
    return 0;
}

struct chunk_result *exchange_result_at(const struct exchange *exchange, size_t position)
{
    return &exchange->results[position & (exchange->result_capacity - 1)];
}

/* Under the lock: what the slot has not begun goes back to the front of the queue. Returns how
 * many chunks. */
static uint32_t reclaim(struct exchange *exchange, struct share *share)
{
    struct slot_range before = share_range(share);
    struct slot_range revoked = slot_record_revoke(share->record);
    /* What the slot began between the two looks stays begun. */
    uint32_t first = revoked.next - before.next <= before.limit - before.next ? revoked.next
                                                                              : before.limit;
    for (uint32_t seq = before.limit; seq != first; seq--) {
        chunk_ring_push_front(&exchange->queue, share_chunk(share, seq - 1));
    }
    share->limit = first;
    return before.limit - first;
}

void exchange_deinit(struct exchange *exchange)
{
    CHECK(exchange->share_count == 0);
    while (chunk_ring_count(&exchange->queue) > 0) {
        struct chunk chunk = chunk_ring_pop_front(&exchange->queue);
        blob_unref(chunk.payload);
    }
    for (; exchange->result_head != exchange->result_tail; exchange->result_head++) {
        chunk_result_deinit(exchange_result_at(exchange, exchange->result_head));
    }
    chunk_ring_deinit(&exchange->queue);
    loans_deinit(&exchange->loans);
    free(exchange->results);
    free(exchange->shares);
    CHECK(pthread_cond_destroy(&exchange->filled) == 0);
    CHECK(pthread_cond_destroy(&exchange->watch) == 0);
    CHECK(pthread_mutex_destroy(&exchange->lock) == 0);
}

void exchange_set_notify(struct exchange *exchange, void (*notify)(void *arg), void *arg)
{
    exchange->notify = notify;
    exchange->notify_arg = arg;
}

/* Room for the results of all chunks that are held, so that handing one over never allocates. */
static int reserve_results(struct exchange *exchange, size_t capacity)
{
    if (capacity <= exchange->result_capacity) {
        return 0;
    }
    size_t grown = exchange->result_capacity > 0 ? exchange->result_capacity : 64;
    while (grown < capacity) {
        grown *= 2;
    }
    struct chunk_result *results = calloc(grown, sizeof(*results));
    if (results == NULL) {
        return ERR_NOMEM;
    }
    size_t count = exchange->result_tail - exchange->result_head;
    for (size_t i = 0; i < count; i++) {
        results[i] = *exchange_result_at(exchange, exchange->result_head + i);
    }
    free(exchange->results);
    exchange->results = results;
    exchange->result_capacity = grown;
    exchange->result_head = 0;
    exchange->result_tail = count;
    return 0;
}

/* Under the lock: is a slot to be woken for what is in the queue? */
static bool slot_wanted(struct exchange *exchange)
{
    if (exchange->sleepers == 0 || exchange->waking || chunk_ring_count(&exchange->queue) == 0 ||
        exchange->closed) {
        return false;
    }
    exchange->waking = true;
    return true;
}

static void wake_slot(struct exchange *exchange)
{
    if (exchange->notify != NULL) {
        exchange->notify(exchange->notify_arg);
    } else {
        pthread_cond_signal(&exchange->filled);
    }
}

static void wake_all(struct exchange *exchange, const struct wakes *wakes)
{
    if (wakes->slot) {
        wake_slot(exchange);
    }
    if (wakes->overseer) {
        pthread_cond_signal(&exchange->watch);
    }
    if (wakes->owner) {
        exchange->wake(exchange->wake_arg);
    }
}

int exchange_submit(struct exchange *exchange, const struct chunk *chunks, size_t count)
{
    pthread_mutex_lock(&exchange->lock);
    int rc = chunk_ring_reserve(&exchange->queue, exchange->held + count);
    if (rc == 0) {
        rc = reserve_results(exchange, exchange->held + count);
    }
    if (rc != 0) {
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        chunk_ring_push_back(&exchange->queue, &chunks[i]);
    }
    exchange->held += count;
out:;
    struct wakes wakes = {.slot = rc == 0 && slot_wanted(exchange)};
    pthread_mutex_unlock(&exchange->lock);
    wake_all(exchange, &wakes);
    return rc;
}

size_t exchange_take(struct exchange *exchange, struct chunk_result *ret_results, size_t max)
{
    size_t count = 0;
    pthread_mutex_lock(&exchange->lock);
    while (count < max && exchange->result_head != exchange->result_tail) {
        ret_results[count++] = *exchange_result_at(exchange, exchange->result_head++);
    }
    exchange->told = false;
    exchange->held -= count;
    pthread_mutex_unlock(&exchange->lock);
    return count;
}

size_t exchange_take_back(struct exchange *exchange, struct chunk *ret_chunks, size_t max)
{
    size_t count = 0;
    uint32_t reclaimed = 0;
    pthread_mutex_lock(&exchange->lock);
    /* Each goes to the front, so the last slot's first: slots are filled in order. */
    for (uint32_t i = exchange->share_count; i > 0; i--) {
        reclaimed += reclaim(exchange, exchange->shares[i - 1]);
    }
    while (count < max && chunk_ring_count(&exchange->queue) > 0) {
        ret_chunks[count++] = chunk_ring_pop_back(&exchange->queue);
    }
    exchange->held -= count;
    struct wakes wakes = {.slot = slot_wanted(exchange)};
    /* A feeder that thought its slots busy must look again: some of them hold nothing any more. */
    bool look_again = reclaimed > 0 && !wakes.slot && !exchange->closed && exchange->notify != NULL;
    pthread_mutex_unlock(&exchange->lock);
    wake_all(exchange, &wakes);
    if (look_again) {
        exchange->notify(exchange->notify_arg);
    }
    return count;
}

void exchange_close(struct exchange *exchange)
{
    pthread_mutex_lock(&exchange->lock);
    exchange->closed = true;
    pthread_cond_broadcast(&exchange->filled);
    pthread_cond_broadcast(&exchange->watch);
    /* Under the lock, so that a loop that knows of the end can close what `notify` uses. */
    if (exchange->notify != NULL) {
        exchange->notify(exchange->notify_arg);
    }
    pthread_mutex_unlock(&exchange->lock);
}

bool exchange_is_closed(struct exchange *exchange)
{
    pthread_mutex_lock(&exchange->lock);
    bool closed = exchange->closed;
    pthread_mutex_unlock(&exchange->lock);
    return closed;
}

void exchange_add_share(struct exchange *exchange, struct share *share)
{
    pthread_mutex_lock(&exchange->lock);
    CHECK(exchange->share_count < exchange->slots);
    exchange->shares[exchange->share_count++] = share;
    pthread_mutex_unlock(&exchange->lock);
}

void exchange_drop_shares(struct exchange *exchange)
{
    pthread_mutex_lock(&exchange->lock);
    for (uint32_t i = 0; i < exchange->share_count; i++) {
        struct share *share = exchange->shares[i];
        (void)reclaim(exchange, share);
        for (uint32_t seq = share->expected; seq != share_range(share).next; seq++) {
            share_drop(share, seq);
        }
    }
    exchange->share_count = 0;
    pthread_mutex_unlock(&exchange->lock);
}

static struct chunk_result *place_for_result(struct exchange *exchange)
{
    CHECK(exchange->result_tail - exchange->result_head < exchange->result_capacity);
    return exchange_result_at(exchange, exchange->result_tail++);
}

/* Is the owner to be told of results that came? */
static bool tell_owner(struct exchange *exchange)
{
    bool tell = !exchange->told;
    exchange->told = true;
    return tell;
}

static void learn(struct exchange *exchange, double chunk_ns)
{
    if (exchange->chunk_ns <= 0) {
        exchange->chunk_ns = chunk_ns;
    } else {
        exchange->chunk_ns += (chunk_ns - exchange->chunk_ns) / AVERAGE_WEIGHT;
    }
}

/* Under the lock: results that the share's slot has published go to the owner. True when it is
 * to be woken. */
static bool collect(struct exchange *exchange, struct share *share, uint64_t now_ns)
{
    uint32_t ready = share_ready(share);
    if (ready == 0) {
        return false;
    }
    double run_ns = 0;
    for (uint32_t i = 0; i < ready; i++) {
        run_ns += (double)slot_record_result(share->record, share->expected)->run_ns;
        share_collect(share, place_for_result(exchange));
    }
    learn(exchange, run_ns / ready);
    share->touched_ns = now_ns;
    return tell_owner(exchange);
}

/* How many chunks to give to a share now. Few for a short queue, so that slots finish together
 * (a fixed part of a slot's part of the rest: guided self-scheduling, Polychronopoulos and Kuck
 * 1987); one at a time as long as nothing is known. */
static uint32_t ration(const struct exchange *exchange, const struct share *share)
{
    uint32_t outstanding = share_outstanding(share);
    if (chunk_ring_count(&exchange->queue) == 0 || !share_open(share)) {
        return 0;
    }
    double in_hand = 1;
    if (exchange->chunk_ns > 0) {
        in_hand = (double)share->policy.expected_ns / exchange->chunk_ns;
        if (in_hand < 2 && exchange->chunk_ns < (double)share->policy.ahead_ns) {
            in_hand = 2;
        }
    }
    size_t fair = chunk_ring_count(&exchange->queue) / 2 / exchange->share_count;
    uint32_t room = share->policy.chunks_max - outstanding;
    uint32_t most = fair < SHARE_AT_ONCE ? (uint32_t)fair : SHARE_AT_ONCE;
    most = most < room ? most : room;
    if (in_hand - outstanding < most) {
        most = in_hand > outstanding ? (uint32_t)in_hand - outstanding : 0;
    }
    return most == 0 && outstanding == 0 ? 1 : most;
}

static uint32_t fill(struct exchange *exchange, struct share *share, uint64_t now_ns)
{
    uint32_t most = ration(exchange, share);
    uint32_t given = 0;
    size_t bytes = 0;
    if (most == 0) {
        return 0;
    }
    uint32_t first = share->issued;
    if (share_outstanding(share) == 0) {
        share->expected = first; /* jumps over what was revoked */
    }
    while (given < most) {
        bytes += chunk_ring_front(&exchange->queue)->payload_len;
        if (given > 0 && bytes > SHARE_PAYLOAD_BYTES) {
            break;
        }
        *share_chunk(share, first + given) = chunk_ring_pop_front(&exchange->queue);
        given++;
    }
    share->issued = first + given;
    share->limit = share->issued;
    share->touched_ns = now_ns;
    slot_record_issue(share->record, first, given);
    return given;
}

static bool overseer_wanted(struct exchange *exchange, const struct share *share)
{
    if (!exchange->overseer_asleep || share_outstanding(share) < 2) {
        return false;
    }
    exchange->overseer_asleep = false;
    return true;
}

static void sleep_until_filled(struct exchange *exchange)
{
    while (chunk_ring_count(&exchange->queue) == 0 && !exchange->closed) {
        exchange->sleepers++;
        pthread_cond_wait(&exchange->filled, &exchange->lock);
        exchange->sleepers--;
        exchange->waking = false;
    }
}

uint32_t exchange_turn(struct exchange *exchange,
                       struct share *share,
                       enum exchange_wait wait,
                       uint64_t now_ns)
{
    pthread_mutex_lock(&exchange->lock);
    struct wakes wakes = {.owner = collect(exchange, share, now_ns)};
    if (wait == EXCHANGE_WAIT && chunk_ring_count(&exchange->queue) == 0 && !exchange->closed) {
        if (wakes.owner) {
            pthread_mutex_unlock(&exchange->lock);
            exchange->wake(exchange->wake_arg);
            pthread_mutex_lock(&exchange->lock);
            wakes.owner = false;
        }
        sleep_until_filled(exchange);
        now_ns = clock_now_ns();
    }
    uint32_t given = exchange->closed ? 0 : fill(exchange, share, now_ns);
    wakes.slot = slot_wanted(exchange);
    wakes.overseer = overseer_wanted(exchange, share);
    pthread_mutex_unlock(&exchange->lock);
    wake_all(exchange, &wakes);
    return given;
}

bool exchange_arm(struct exchange *exchange)
{
    pthread_mutex_lock(&exchange->lock);
    bool empty = chunk_ring_count(&exchange->queue) == 0 || exchange->closed;
    exchange->sleepers = empty;
    exchange->waking = false;
    pthread_mutex_unlock(&exchange->lock);
    return empty;
}

void exchange_flush(struct exchange *exchange, struct share *share, uint64_t now_ns)
{
    pthread_mutex_lock(&exchange->lock);
    struct wakes wakes = {.owner = collect(exchange, share, now_ns)};
    pthread_mutex_unlock(&exchange->lock);
    wake_all(exchange, &wakes);
}

size_t exchange_trade(struct exchange *exchange,
                      const struct exchange_done *done,
                      size_t done_count,
                      struct exchange_lent *ret_lent,
                      size_t max)
{
    struct wakes wakes = {.owner = false};
    size_t count = 0;
    pthread_mutex_lock(&exchange->lock);
    for (size_t i = 0; i < done_count; i++) {
        *place_for_result(exchange) = done[i].result;
        loans_end(&exchange->loans, done[i].place);
    }
    wakes.owner = done_count > 0 && tell_owner(exchange);
    while (count < max && chunk_ring_count(&exchange->queue) > 0 && !exchange->closed) {
        struct exchange_lent *lent = &ret_lent[count++];
        lent->chunk = chunk_ring_pop_front(&exchange->queue);
        lent->place = loans_add(&exchange->loans, &lent->chunk);
    }
    pthread_mutex_unlock(&exchange->lock);
    wake_all(exchange, &wakes);
    return count;
}

bool exchange_recover(struct exchange *exchange,
                      struct share *share,
                      struct exchange_lent *ret_begun,
                      uint32_t *ret_seq)
{
    pthread_mutex_lock(&exchange->lock);
    struct wakes wakes = {.owner = collect(exchange, share, clock_now_ns())};
    (void)reclaim(exchange, share);
    uint32_t stop = share_range(share).next;
    bool begun = share->expected != stop;
    if (begun) {
        *ret_seq = share->expected;
        ret_begun->chunk = *share_chunk(share, share->expected);
        ret_begun->place = loans_add(&exchange->loans, &ret_begun->chunk);
        /* More than one begun at once is the work of a process that went wild: the others are
         * run again. */
        for (uint32_t seq = stop; seq != share->expected + 1; seq--) {
            chunk_ring_push_front(&exchange->queue, share_chunk(share, seq - 1));
        }
    }
    share->expected = share->issued;
    share->limit = share->issued;
    wakes.slot = slot_wanted(exchange);
    pthread_mutex_unlock(&exchange->lock);
    wake_all(exchange, &wakes);
    return begun;
}

void exchange_give(struct exchange *exchange,
                   struct share *share,
                   const struct exchange_lent *lent,
                   struct carry *carry)
{
    pthread_mutex_lock(&exchange->lock);
    CHECK(share_outstanding(share) == 0);
    share->expected = share->issued++;
    share->limit = share->issued;
    share->carry = carry;
    share->touched_ns = clock_now_ns();
    *share_chunk(share, share->expected) = lent->chunk;
    loans_end(&exchange->loans, lent->place);
    slot_record_issue(share->record, share->expected, 1);
    /* Begun as of now, so that it stays with its carry and is not taken back. */
    CHECK(slot_record_begin(share->record, share->expected));
    pthread_mutex_unlock(&exchange->lock);
}

static bool overdue(const struct exchange *exchange, const struct share *share, uint64_t now_ns)
{
    double allowed_ns = OVERDUE_CHUNKS * exchange->chunk_ns;
    if (allowed_ns < OVERDUE_NS) {
        allowed_ns = OVERDUE_NS;
    }
    return (double)now_ns - (double)share->touched_ns > allowed_ns;
}

static struct wakes rescue(struct exchange *exchange, uint64_t now_ns)
{
    struct wakes wakes = {.owner = false};
    for (uint32_t i = 0; i < exchange->share_count; i++) {
        struct share *share = exchange->shares[i];
        if (share_outstanding(share) < 2 || !overdue(exchange, share, now_ns)) {
            continue;
        }
        (void)reclaim(exchange, share);
        wakes.owner |= collect(exchange, share, now_ns);
    }
    wakes.slot = slot_wanted(exchange);
    return wakes;
}

void exchange_rescue(struct exchange *exchange)
{
    pthread_mutex_lock(&exchange->lock);
    struct wakes wakes = rescue(exchange, clock_now_ns());
    pthread_mutex_unlock(&exchange->lock);
    wake_all(exchange, &wakes);
}

static bool anything_to_watch(const struct exchange *exchange)
{
    for (uint32_t i = 0; i < exchange->share_count; i++) {
        if (share_outstanding(exchange->shares[i]) >= 2) {
            return true;
        }
    }
    return false;
}

void exchange_oversee(struct exchange *exchange)
{
    pthread_mutex_lock(&exchange->lock);
    while (!exchange->closed) {
        if (!anything_to_watch(exchange)) {
            exchange->overseer_asleep = true;
            pthread_cond_wait(&exchange->watch, &exchange->lock);
            exchange->overseer_asleep = false;
            continue;
        }
        struct timespec due = clock_timespec(clock_now_ns() +
                                             (uint64_t)EXCHANGE_TICK_MS * NS_PER_MS);
        (void)pthread_cond_timedwait(&exchange->watch, &exchange->lock, &due);
        struct wakes wakes = rescue(exchange, clock_now_ns());
        pthread_mutex_unlock(&exchange->lock);
        wake_all(exchange, &wakes);
        pthread_mutex_lock(&exchange->lock);
    }
    pthread_mutex_unlock(&exchange->lock);
}
