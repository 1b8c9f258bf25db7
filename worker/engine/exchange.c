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

int exchange_init(struct exchange *x, uint32_t slots, void (*wake)(void *arg), void *wake_arg)
{
    *x = (struct exchange){.slots = slots, .wake = wake, .wake_arg = wake_arg};
    x->shares = calloc(slots, sizeof(struct share *));
    if (x->shares == NULL) {
        return ERR_NOMEM;
    }
    pthread_condattr_t monotonic;
    CHECK(pthread_condattr_init(&monotonic) == 0);
    CHECK(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&x->filled, &monotonic) == 0);
    CHECK(pthread_cond_init(&x->watch, &monotonic) == 0);
    CHECK(pthread_condattr_destroy(&monotonic) == 0);
    CHECK(pthread_mutex_init(&x->lock, NULL) == 0);
    return 0;
}

static struct chunk_result *result_at(const struct exchange *x, size_t position)
{
    return &x->results[position & (x->result_capacity - 1)];
}

/* Under the lock: what the slot has not begun goes back to the front of the queue. Returns how many chunks. */
static uint32_t reclaim(struct exchange *x, struct share *share)
{
    struct slot_range before = share_range(share);
    struct slot_range revoked = slot_record_revoke(share->record);
    /* What the slot began between the two looks stays begun. */
    uint32_t first = revoked.next - before.next <= before.limit - before.next ? revoked.next
                                                                              : before.limit;
    for (uint32_t seq = before.limit; seq != first; seq--) {
        chunk_ring_push_front(&x->queue, share_chunk(share, seq - 1));
    }
    share->limit = first;
    return before.limit - first;
}

void exchange_deinit(struct exchange *x)
{
    CHECK(x->share_count == 0);
    while (chunk_ring_count(&x->queue) > 0) {
        struct chunk chunk = chunk_ring_pop_front(&x->queue);
        blob_unref(chunk.payload);
    }
    for (; x->result_head != x->result_tail; x->result_head++) {
        free(result_at(x, x->result_head)->error);
    }
    chunk_ring_deinit(&x->queue);
    free(x->results);
    free(x->shares);
    CHECK(pthread_cond_destroy(&x->filled) == 0);
    CHECK(pthread_cond_destroy(&x->watch) == 0);
    CHECK(pthread_mutex_destroy(&x->lock) == 0);
}

void exchange_set_notify(struct exchange *x, void (*notify)(void *arg), void *arg)
{
    x->notify = notify;
    x->notify_arg = arg;
}

/* Room for the results of all chunks that are held, so that handing one over never allocates. */
static int reserve_results(struct exchange *x, size_t capacity)
{
    if (capacity <= x->result_capacity) {
        return 0;
    }
    size_t grown = x->result_capacity > 0 ? x->result_capacity : 64;
    while (grown < capacity) {
        grown *= 2;
    }
    struct chunk_result *results = calloc(grown, sizeof(*results));
    if (results == NULL) {
        return ERR_NOMEM;
    }
    size_t count = x->result_tail - x->result_head;
    for (size_t i = 0; i < count; i++) {
        results[i] = *result_at(x, x->result_head + i);
    }
    free(x->results);
    x->results = results;
    x->result_capacity = grown;
    x->result_head = 0;
    x->result_tail = count;
    return 0;
}

/* Under the lock: is a slot to be woken for what is in the queue? */
static bool slot_wanted(struct exchange *x)
{
    if (x->sleepers == 0 || x->waking || chunk_ring_count(&x->queue) == 0 || x->closed) {
        return false;
    }
    x->waking = true;
    return true;
}

static void wake_slot(struct exchange *x)
{
    if (x->notify != NULL) {
        x->notify(x->notify_arg);
    } else {
        pthread_cond_signal(&x->filled);
    }
}

static void wake_all(struct exchange *x, const struct wakes *wakes)
{
    if (wakes->slot) {
        wake_slot(x);
    }
    if (wakes->overseer) {
        pthread_cond_signal(&x->watch);
    }
    if (wakes->owner) {
        x->wake(x->wake_arg);
    }
}

int exchange_submit(struct exchange *x, const struct chunk *chunks, size_t count)
{
    pthread_mutex_lock(&x->lock);
    int rc = chunk_ring_reserve(&x->queue, x->held + count);
    if (rc == 0) {
        rc = reserve_results(x, x->held + count);
    }
    if (rc != 0) {
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        chunk_ring_push_back(&x->queue, &chunks[i]);
    }
    x->held += count;
out:;
    struct wakes wakes = {.slot = rc == 0 && slot_wanted(x)};
    pthread_mutex_unlock(&x->lock);
    wake_all(x, &wakes);
    return rc;
}

size_t exchange_take(struct exchange *x, struct chunk_result *ret_results, size_t max)
{
    size_t count = 0;
    pthread_mutex_lock(&x->lock);
    while (count < max && x->result_head != x->result_tail) {
        ret_results[count++] = *result_at(x, x->result_head++);
    }
    x->told = false;
    x->held -= count;
    pthread_mutex_unlock(&x->lock);
    return count;
}

size_t exchange_take_back(struct exchange *x, struct chunk *ret_chunks, size_t max)
{
    size_t count = 0;
    uint32_t reclaimed = 0;
    pthread_mutex_lock(&x->lock);
    /* Each goes to the front, so the last slot's first: slots are filled in order. */
    for (uint32_t i = x->share_count; i > 0; i--) {
        reclaimed += reclaim(x, x->shares[i - 1]);
    }
    while (count < max && chunk_ring_count(&x->queue) > 0) {
        ret_chunks[count++] = chunk_ring_pop_back(&x->queue);
    }
    x->held -= count;
    struct wakes wakes = {.slot = slot_wanted(x)};
    pthread_mutex_unlock(&x->lock);
    wake_all(x, &wakes);
    /* A feeder that thought its slots busy must look again: some of them hold nothing any more. */
    if (reclaimed > 0 && !wakes.slot && x->notify != NULL) {
        x->notify(x->notify_arg);
    }
    return count;
}

void exchange_close(struct exchange *x)
{
    pthread_mutex_lock(&x->lock);
    x->closed = true;
    pthread_cond_broadcast(&x->filled);
    pthread_cond_broadcast(&x->watch);
    pthread_mutex_unlock(&x->lock);
    if (x->notify != NULL) {
        x->notify(x->notify_arg);
    }
}

void exchange_add_share(struct exchange *x, struct share *share)
{
    pthread_mutex_lock(&x->lock);
    CHECK(x->share_count < x->slots);
    x->shares[x->share_count++] = share;
    pthread_mutex_unlock(&x->lock);
}

void exchange_drop_shares(struct exchange *x)
{
    pthread_mutex_lock(&x->lock);
    for (uint32_t i = 0; i < x->share_count; i++) {
        struct share *share = x->shares[i];
        (void)reclaim(x, share);
        for (uint32_t seq = share->expected; seq != share_range(share).next; seq++) {
            blob_unref(share_chunk(share, seq)->payload);
        }
    }
    x->share_count = 0;
    pthread_mutex_unlock(&x->lock);
}

static bool put_result(struct exchange *x, const struct chunk_result *result)
{
    CHECK(x->result_tail - x->result_head < x->result_capacity);
    *result_at(x, x->result_tail++) = *result;
    bool tell = !x->told;
    x->told = true;
    return tell;
}

static void learn(struct exchange *x, double chunk_ns)
{
    if (x->chunk_ns <= 0) {
        x->chunk_ns = chunk_ns;
    } else {
        x->chunk_ns += (chunk_ns - x->chunk_ns) / AVERAGE_WEIGHT;
    }
}

/* Under the lock: results that the share's slot has published go to the owner. True when it is to be woken. */
static bool collect(struct exchange *x, struct share *share, uint64_t now_ns)
{
    uint32_t ready = share_ready(share);
    if (ready == 0) {
        return false;
    }
    bool tell = false;
    double run_ns = 0;
    for (uint32_t i = 0; i < ready; i++) {
        run_ns += (double)slot_record_result(share->record, share->expected)->run_ns;
        struct chunk_result result = share_collect(share);
        tell |= put_result(x, &result);
    }
    learn(x, run_ns / ready);
    share->touched_ns = now_ns;
    return tell;
}

/* How many chunks to give to a share now. Few for a short queue, so that slots finish together (a fixed part of a slot's part of the
 * rest: guided self-scheduling, Polychronopoulos and Kuck 1987); one at a time as long as nothing is known. */
static uint32_t ration(const struct exchange *x, const struct share *share)
{
    uint32_t outstanding = share_outstanding(share);
    if (chunk_ring_count(&x->queue) == 0 || !share_open(share)) {
        return 0;
    }
    double in_hand = 1;
    if (x->chunk_ns > 0) {
        in_hand = (double)share->policy.expected_ns / x->chunk_ns;
        if (in_hand < 2 && x->chunk_ns < (double)share->policy.ahead_ns) {
            in_hand = 2;
        }
    }
    size_t fair = chunk_ring_count(&x->queue) / 2 / x->share_count;
    uint32_t room = share->policy.chunks_max - outstanding;
    uint32_t most = fair < SHARE_AT_ONCE ? (uint32_t)fair : SHARE_AT_ONCE;
    most = most < room ? most : room;
    if (in_hand - outstanding < most) {
        most = in_hand > outstanding ? (uint32_t)in_hand - outstanding : 0;
    }
    return most == 0 && outstanding == 0 ? 1 : most;
}

static uint32_t fill(struct exchange *x, struct share *share, uint64_t now_ns)
{
    uint32_t most = ration(x, share);
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
        bytes += chunk_ring_front(&x->queue)->payload_len;
        if (given > 0 && bytes > SHARE_PAYLOAD_BYTES) {
            break;
        }
        *share_chunk(share, first + given) = chunk_ring_pop_front(&x->queue);
        given++;
    }
    share->issued = first + given;
    share->limit = share->issued;
    share->touched_ns = now_ns;
    slot_record_issue(share->record, first, given);
    return given;
}

static bool overseer_wanted(struct exchange *x, const struct share *share)
{
    if (!x->overseer_asleep || share_outstanding(share) < 2) {
        return false;
    }
    x->overseer_asleep = false;
    return true;
}

static void sleep_until_filled(struct exchange *x)
{
    while (chunk_ring_count(&x->queue) == 0 && !x->closed) {
        x->sleepers++;
        pthread_cond_wait(&x->filled, &x->lock);
        x->sleepers--;
        x->waking = false;
    }
}

uint32_t exchange_turn(struct exchange *x,
                       struct share *share,
                       enum exchange_wait wait,
                       uint64_t now_ns)
{
    pthread_mutex_lock(&x->lock);
    struct wakes wakes = {.owner = collect(x, share, now_ns)};
    if (wait == EXCHANGE_WAIT && chunk_ring_count(&x->queue) == 0 && !x->closed) {
        if (wakes.owner) {
            pthread_mutex_unlock(&x->lock);
            x->wake(x->wake_arg);
            pthread_mutex_lock(&x->lock);
            wakes.owner = false;
        }
        sleep_until_filled(x);
        now_ns = clock_now_ns();
    }
    uint32_t given = x->closed ? 0 : fill(x, share, now_ns);
    wakes.slot = slot_wanted(x);
    wakes.overseer = overseer_wanted(x, share);
    pthread_mutex_unlock(&x->lock);
    wake_all(x, &wakes);
    return given;
}

bool exchange_arm(struct exchange *x)
{
    pthread_mutex_lock(&x->lock);
    bool empty = chunk_ring_count(&x->queue) == 0 || x->closed;
    x->sleepers = empty;
    x->waking = false;
    pthread_mutex_unlock(&x->lock);
    return empty;
}

void exchange_flush(struct exchange *x, struct share *share, uint64_t now_ns)
{
    pthread_mutex_lock(&x->lock);
    struct wakes wakes = {.owner = collect(x, share, now_ns)};
    pthread_mutex_unlock(&x->lock);
    wake_all(x, &wakes);
}

size_t exchange_trade(struct exchange *x,
                      const struct chunk_result *done,
                      size_t done_count,
                      struct chunk *ret_chunks,
                      size_t max)
{
    struct wakes wakes = {.owner = false};
    size_t count = 0;
    pthread_mutex_lock(&x->lock);
    for (size_t i = 0; i < done_count; i++) {
        wakes.owner |= put_result(x, &done[i]);
    }
    while (count < max && chunk_ring_count(&x->queue) > 0 && !x->closed) {
        ret_chunks[count++] = chunk_ring_pop_front(&x->queue);
    }
    pthread_mutex_unlock(&x->lock);
    wake_all(x, &wakes);
    return count;
}

bool exchange_recover(struct exchange *x,
                      struct share *share,
                      struct chunk *ret_begun,
                      uint32_t *ret_seq)
{
    pthread_mutex_lock(&x->lock);
    struct wakes wakes = {.owner = collect(x, share, clock_now_ns())};
    (void)reclaim(x, share);
    uint32_t stop = share_range(share).next;
    bool begun = share->expected != stop;
    if (begun) {
        *ret_seq = share->expected;
        *ret_begun = *share_chunk(share, share->expected);
        /* More than one begun at once is the work of a process that went wild: the others are run again. */
        for (uint32_t seq = stop; seq != share->expected + 1; seq--) {
            chunk_ring_push_front(&x->queue, share_chunk(share, seq - 1));
        }
    }
    share->expected = share->issued;
    share->limit = share->issued;
    wakes.slot = slot_wanted(x);
    pthread_mutex_unlock(&x->lock);
    wake_all(x, &wakes);
    return begun;
}

void exchange_give(struct exchange *x,
                   struct share *share,
                   const struct chunk *chunk,
                   struct carry *carry)
{
    pthread_mutex_lock(&x->lock);
    CHECK(share_outstanding(share) == 0);
    share->expected = share->issued++;
    share->limit = share->issued;
    share->carry = carry;
    share->touched_ns = clock_now_ns();
    *share_chunk(share, share->expected) = *chunk;
    slot_record_issue(share->record, share->expected, 1);
    /* Begun as of now, so that it stays with its carry and is not taken back. */
    CHECK(slot_record_begin(share->record, share->expected));
    pthread_mutex_unlock(&x->lock);
}

static bool overdue(const struct exchange *x, const struct share *share, uint64_t now_ns)
{
    double allowed_ns = OVERDUE_CHUNKS * x->chunk_ns;
    if (allowed_ns < OVERDUE_NS) {
        allowed_ns = OVERDUE_NS;
    }
    return (double)now_ns - (double)share->touched_ns > allowed_ns;
}

static struct wakes rescue(struct exchange *x, uint64_t now_ns)
{
    struct wakes wakes = {.owner = false};
    for (uint32_t i = 0; i < x->share_count; i++) {
        struct share *share = x->shares[i];
        if (share_outstanding(share) < 2 || !overdue(x, share, now_ns)) {
            continue;
        }
        (void)reclaim(x, share);
        wakes.owner |= collect(x, share, now_ns);
    }
    wakes.slot = slot_wanted(x);
    return wakes;
}

void exchange_rescue(struct exchange *x)
{
    pthread_mutex_lock(&x->lock);
    struct wakes wakes = rescue(x, clock_now_ns());
    pthread_mutex_unlock(&x->lock);
    wake_all(x, &wakes);
}

static bool anything_to_watch(const struct exchange *x)
{
    for (uint32_t i = 0; i < x->share_count; i++) {
        if (share_outstanding(x->shares[i]) >= 2) {
            return true;
        }
    }
    return false;
}

void exchange_oversee(struct exchange *x)
{
    pthread_mutex_lock(&x->lock);
    while (!x->closed) {
        if (!anything_to_watch(x)) {
            x->overseer_asleep = true;
            pthread_cond_wait(&x->watch, &x->lock);
            x->overseer_asleep = false;
            continue;
        }
        struct timespec due = clock_timespec(clock_now_ns() + EXCHANGE_TICK_MS * NS_PER_MS);
        (void)pthread_cond_timedwait(&x->watch, &x->lock, &due);
        struct wakes wakes = rescue(x, clock_now_ns());
        pthread_mutex_unlock(&x->lock);
        wake_all(x, &wakes);
        pthread_mutex_lock(&x->lock);
    }
    pthread_mutex_unlock(&x->lock);
}
