/* The scheduler, event by event: what each does to the state, and then who is sent what. */
#include "coordinator/sched.h"

#include "common/base/check.h"
#include "common/base/err.h"
#include "coordinator/sched_internal.h"

#include <stdlib.h>

/* --- saying things --- */

static void emit(struct sched_actions *out, struct sched_action action)
{
    out->list[out->count++] = action;
}

/* Room for another action, and one more kept for DONE or STALLED. What finds no room is said at
 * the next TICK. */
static bool has_room(struct sched *sched, const struct sched_actions *out)
{
    if (out->capacity - out->count >= 2) {
        return true;
    }
    sched->hurry = true;
    return false;
}

static struct sched_action about_chunk(enum sched_action_type type,
                                       const struct sched *sched,
                                       uint32_t slot)
{
    const struct sched_chunk *chunk = &sched->chunks.table[slot];
    return (struct sched_action){.type = type,
                                 .chunk = {chunk->id},
                                 .slot = slot,
                                 .attempt = chunk->attempt,
                                 .first = chunk->first,
                                 .count = chunk->count};
}

/* --- chunks change hands --- */

static void detach(struct sched *sched, uint32_t slot)
{
    uint64_t count = sched->chunks.table[slot].count;
    if (sched->chunks.table[slot].state == SCHED_CHUNK_HELD) {
        sched_workers_release(sched, slot);
        sched->stats.items_held -= count;
    } else {
        sched_chunks_unqueue(&sched->chunks, slot);
        sched->stats.items_queued -= count;
    }
}

/* A held chunk waits for another attempt, unless those are used up. */
static void requeue(struct sched *sched, uint32_t slot, bool lost)
{
    struct sched_chunk *chunk = &sched->chunks.table[slot];
    chunk->avoid = sched->workers.table[chunk->worker].id;
    detach(sched, slot);
    sched->stats.items_queued += chunk->count;
    chunk->losses += lost;
    if (chunk->losses < sched->options.attempts_max) {
        sched_chunks_queue(&sched->chunks, slot);
    } else {
        sched_chunks_spend(&sched->chunks, slot);
    }
}

static void take_from_worker(struct sched *sched, uint32_t index, bool lost)
{
    struct sched_worker *worker = &sched->workers.table[index];
    while (worker->held.head != INDEX_NONE) {
        requeue(sched, worker->held.head, lost);
    }
    sched_workers_remove(&sched->workers, index);
    if (lost) {
        sched->stats.workers_lost++;
    } else {
        sched->stats.workers_left++;
    }
}

static void account(struct sched *sched, uint32_t slot, const struct tally *tally)
{
    sched->stats.items_done += sched->chunks.table[slot].count;
    tally_merge(&sched->stats.tally, tally);
    sched_chunks_free(&sched->chunks, slot);
}

/* --- events --- */

static int on_items(struct sched *sched, const struct sched_event *event)
{
    struct sched_stats *stats = &sched->stats;
    uint64_t available = event->as.items.available;
    bool final = event->as.items.final;
    if (available < stats->items_available ||
        (stats->items_final && (available > stats->items_available || !final))) {
        return ERR_INVALID;
    }
    stats->items_available = available;
    stats->items_final = final;
    sched->chunk_items_max = event->as.items.chunk_items_max;
    return 0;
}

static int on_joined(struct sched *sched, uint64_t now_us, const struct sched_event *event)
{
    uint32_t slots = event->as.joined.slots;
    if (event->worker.value == 0 || slots == 0 || slots > SCHED_SLOTS_MAX ||
        sched_workers_find(&sched->workers, event->worker) != INDEX_NONE) {
        return ERR_INVALID;
    }
    if (sched->workers.count == sched->options.workers_max) {
        return ERR_BUSY;
    }
    struct sched_worker worker = {.id = event->worker.value,
                                  .heard_us = now_us,
                                  .granted = event->as.joined.credit,
                                  .slots = slots,
                                  .credit = event->as.joined.credit};
    int rc = sched_workers_add(&sched->workers, &worker);
    if (rc == 0) {
        sched->stats.workers_joined++;
    }
    return rc;
}

static int on_credit(struct sched *sched, uint32_t worker, const struct sched_event *event)
{
    uint32_t credit = event->as.credit;
    if (credit > UINT32_MAX - sched->workers.table[worker].credit) {
        return ERR_INVALID;
    }
    sched_workers_grant(&sched->workers, worker, credit);
    return 0;
}

static bool adds_up(const struct tally *tally, uint64_t count)
{
    return tally->ok <= count && tally->failed == count - tally->ok;
}

/* The first result counts: of whichever attempt, from whichever registered worker, wherever the
 * chunk is by now. */
static int on_result(struct sched *sched,
                     const struct sched_event *event,
                     struct sched_actions *out)
{
    uint32_t attempt = event->as.result.attempt;
    const struct tally *tally = &event->as.result.tally;
    bool past;
    uint32_t slot = sched_chunks_find(&sched->chunks, event->as.result.chunk, &past);
    if (past) {
        sched->stats.duplicates++;
        return 0;
    }
    if (slot == INDEX_NONE || attempt == 0 || attempt > sched->chunks.table[slot].attempt) {
        sched->stats.strays++;
        return 0;
    }
    uint64_t count = sched->chunks.table[slot].count;
    if (!adds_up(tally, count)) {
        return ERR_INVALID;
    }
    struct sched_action finished = about_chunk(SCHED_FINISHED, sched, slot);
    finished.worker = event->worker;
    finished.attempt = attempt;
    emit(out, finished);
    sched_size_learn(&sched->cost, count, event->as.result.run_us);
    sched->stats.chunks_finished++;
    detach(sched, slot);
    account(sched, slot, tally);
    return 0;
}

static int on_returned(struct sched *sched, uint32_t worker, const struct sched_event *event)
{
    bool past;
    uint32_t slot = sched_chunks_find(&sched->chunks, event->as.returned, &past);
    if (slot == INDEX_NONE || sched->chunks.table[slot].state != SCHED_CHUNK_HELD ||
        sched->chunks.table[slot].worker != worker) {
        return 0; /* accounted for in the meantime, or somebody else's by now */
    }
    requeue(sched, slot, false);
    return 0;
}

static int on_tick(struct sched *sched, uint64_t now_us, struct sched_actions *out)
{
    uint64_t lease_us = sched->options.lease_us;
    while (lease_us > 0 && sched->workers.leases.head != INDEX_NONE) {
        uint32_t index = sched->workers.leases.head;
        const struct sched_worker *worker = &sched->workers.table[index];
        if (now_us - worker->heard_us < lease_us || !has_room(sched, out)) {
            break;
        }
        emit(out, (struct sched_action){.type = SCHED_DROP_WORKER, .worker = {worker->id}});
        take_from_worker(sched, index, true);
    }
    return 0;
}

static int on_cancel(struct sched *sched, struct sched_actions *out)
{
    sched->over = true;
    emit(out, (struct sched_action){.type = SCHED_DONE});
    return 0;
}

/* Events of one registered worker. All but those that end it renew its lease. */
static int on_worker_event(struct sched *sched,
                           uint64_t now_us,
                           const struct sched_event *event,
                           struct sched_actions *out)
{
    uint32_t worker = sched_workers_find(&sched->workers, event->worker);
    if (worker == INDEX_NONE) {
        if (event->type != SCHED_RESULT) {
            return ERR_INVALID;
        }
        sched->stats.strays++; /* its registration may have ended while the result was under way */
        return 0;
    }
    int rc = 0;
    switch (event->type) {
    case SCHED_WORKER_LEFT:
    case SCHED_WORKER_LOST:
        take_from_worker(sched, worker, event->type == SCHED_WORKER_LOST);
        return 0;
    case SCHED_CREDIT:
        rc = on_credit(sched, worker, event);
        break;
    case SCHED_RESULT:
        rc = on_result(sched, event, out);
        break;
    case SCHED_CHUNK_RETURNED:
        rc = on_returned(sched, worker, event);
        break;
    case SCHED_WORKER_DRAINING:
        sched_workers_drain(&sched->workers, worker);
        break;
    default: /* SCHED_HEARD */
        break;
    }
    if (rc == 0) {
        sched_workers_renew(&sched->workers, worker, now_us);
    }
    return rc;
}

static int on_event(struct sched *sched,
                    uint64_t now_us,
                    const struct sched_event *event,
                    struct sched_actions *out)
{
    switch (event->type) {
    case SCHED_ITEMS:
        return on_items(sched, event);
    case SCHED_WORKER_JOINED:
        return on_joined(sched, now_us, event);
    case SCHED_CREDIT:
    case SCHED_HEARD:
    case SCHED_RESULT:
    case SCHED_CHUNK_RETURNED:
    case SCHED_WORKER_DRAINING:
    case SCHED_WORKER_LEFT:
    case SCHED_WORKER_LOST:
        return on_worker_event(sched, now_us, event, out);
    case SCHED_NO_MORE_WORKERS:
        sched->no_more_workers = true;
        return 0;
    case SCHED_TICK:
        return on_tick(sched, now_us, out);
    case SCHED_CANCEL:
        return on_cancel(sched, out);
    case SCHED_HOLD:
    case SCHED_STOP:
        break;
    }
    return ERR_INVALID;
}

/* --- after each event --- */

/* Chunks that are out of attempts. One of them may still be finished by a late result before
 * there is room to say so. */
static void abandon(struct sched *sched, struct sched_actions *out)
{
    while (sched->chunks.spent.head != INDEX_NONE && has_room(sched, out)) {
        uint32_t slot = sched->chunks.spent.head;
        struct tally tally = {.failed = sched->chunks.table[slot].count};
        emit(out, about_chunk(SCHED_ABANDONED, sched, slot));
        sched->stats.chunks_abandoned++;
        detach(sched, slot);
        account(sched, slot, &tally);
    }
}

/* The worker that a chunk of `items` goes to, or INDEX_NONE when it has to wait. */
static uint32_t taker(const struct sched *sched, uint64_t items, uint64_t avoid)
{
    const struct sched_workers *workers = &sched->workers;
    uint32_t free = sched_workers_next(workers, SCHED_TURN_FREE, avoid);
    if (free != INDEX_NONE && workers->table[free].id != avoid) {
        return free;
    }
    uint64_t fresh = sched->stats.items_available - sched->cut;
    uint32_t busy = sched_workers_next(workers, SCHED_TURN_BUSY, avoid);
    if (busy == INDEX_NONE || !sched_size_may_wait(sched, items, fresh)) {
        return free;
    }
    return free != INDEX_NONE && workers->table[busy].id == avoid ? free : busy;
}

static void send(struct sched *sched, uint32_t slot, uint32_t worker, struct sched_actions *out)
{
    struct sched_chunk *chunk = &sched->chunks.table[slot];
    chunk->attempt++;
    sched_workers_hold(sched, worker, slot);
    sched->stats.items_held += chunk->count;
    sched->stats.chunks_sent++;
    sched->stats.chunks_retried += chunk->attempt > 1;
    struct sched_action action = about_chunk(SCHED_SEND, sched, slot);
    action.worker = (struct worker_id){sched->workers.table[worker].id};
    emit(out, action);
}

/* Retried chunks go before fresh ones. */
static bool send_queued(struct sched *sched, struct sched_actions *out)
{
    uint32_t slot = sched->chunks.queued.head;
    const struct sched_chunk *chunk = &sched->chunks.table[slot];
    uint32_t worker = taker(sched, chunk->count, chunk->avoid);
    if (worker == INDEX_NONE || !has_room(sched, out)) {
        return false;
    }
    detach(sched, slot);
    send(sched, slot, worker, out);
    return true;
}

static bool send_fresh(struct sched *sched, struct sched_actions *out)
{
    uint64_t fresh = sched->stats.items_available - sched->cut;
    if (fresh == 0) {
        return false;
    }
    uint64_t count = sched_size_next(sched, fresh);
    uint32_t worker = taker(sched, count, 0);
    if (worker == INDEX_NONE || !has_room(sched, out)) {
        return false;
    }
    uint32_t slot = sched_chunks_cut(&sched->chunks, sched->cut, count);
    if (slot == INDEX_NONE) {
        return false; /* fewer in flight, then: the next event tries again */
    }
    sched->cut += count;
    sched->stats.chunk_items = count;
    send(sched, slot, worker, out);
    return true;
}

static void dispatch(struct sched *sched, struct sched_actions *out)
{
    const struct list *turns = sched->workers.turns;
    bool sent = true;
    while (sent && (turns[SCHED_TURN_FREE].head != INDEX_NONE ||
                    turns[SCHED_TURN_BUSY].head != INDEX_NONE)) {
        sent = sched->chunks.queued.head != INDEX_NONE ? send_queued(sched, out)
                                                       : send_fresh(sched, out);
    }
}

static void conclude(struct sched *sched, struct sched_actions *out)
{
    const struct sched_stats *stats = &sched->stats;
    if (stats->items_done == stats->items_available) {
        if (stats->items_final) {
            sched->over = true;
            emit(out, (struct sched_action){.type = SCHED_DONE});
        }
    } else if (sched->no_more_workers && sched->workers.count == 0 && !sched->stalled) {
        sched->stalled = true;
        emit(out, (struct sched_action){.type = SCHED_STALLED});
    }
}

/* --- the scheduler as a whole --- */

int sched_new(const struct sched_options *options, struct sched **ret_sched)
{
    if (options->workers_max == 0 || options->workers_max > SCHED_WORKERS_MAX ||
        options->attempts_max == 0 || options->chunk_target_us == 0) {
        return ERR_INVALID;
    }
    struct sched *sched = calloc(1, sizeof(*sched));
    if (sched == NULL) {
        return ERR_NOMEM;
    }
    sched->options = *options;
    int rc = sched_chunks_init(&sched->chunks);
    if (rc == 0) {
        rc = sched_workers_init(&sched->workers);
    }
    if (rc != 0) {
        sched_free(sched);
        return rc;
    }
    *ret_sched = sched;
    return 0;
}

void sched_free(struct sched *sched)
{
    if (sched != NULL) {
        sched_workers_deinit(&sched->workers);
        sched_chunks_deinit(&sched->chunks);
        free(sched);
    }
}

int sched_step(struct sched *sched,
               uint64_t now_us,
               const struct sched_event *event,
               struct sched_actions *out)
{
    CHECK(now_us >= sched->now_us);
    CHECK(out->capacity - out->count >= SCHED_ROOM_MIN);
    if (sched->over) {
        return 0;
    }
    int rc = on_event(sched, now_us, event, out);
    if (rc != 0) {
        return rc;
    }
    sched->now_us = now_us;
    sched->hurry = false;
    if (!sched->over) {
        abandon(sched, out);
        dispatch(sched, out);
        conclude(sched, out);
    }
    return 0;
}

uint64_t sched_deadline_us(const struct sched *sched)
{
    uint64_t lease_us = sched->options.lease_us;
    uint32_t first = sched->workers.leases.head;
    if (sched->over) {
        return UINT64_MAX;
    }
    if (sched->hurry) {
        return sched->now_us;
    }
    if (lease_us == 0 || first == INDEX_NONE) {
        return UINT64_MAX;
    }
    uint64_t heard_us = sched->workers.table[first].heard_us;
    return lease_us < UINT64_MAX - heard_us ? heard_us + lease_us : UINT64_MAX;
}

bool sched_wants_items(const struct sched *sched)
{
    if (sched->over || sched->stats.items_final) {
        return false;
    }
    /* Twice what the share of a slot is taken from, so that chunks of a stream do not shrink for
     * want of reading ahead. */
    uint64_t slots = sched->workers.slots > 0 ? sched->workers.slots : 1;
    uint64_t ahead = slots * 2 * SCHED_SHARES;
    uint64_t fresh = sched->stats.items_available - sched->cut;
    return fresh / ahead < sched_size_wanted(sched);
}

void sched_get_stats(const struct sched *sched, struct sched_stats *ret_stats)
{
    uint64_t slots = sched->workers.slots;
    *ret_stats = sched->stats;
    ret_stats->workers_live = sched->workers.count;
    ret_stats->slots_live = slots <= UINT32_MAX ? (uint32_t)slots : UINT32_MAX;
    ret_stats->item_cost_us = sched->cost.items > 0 ? sched->cost.us / sched->cost.items : 0;
}

/* What is done is what lies between the live chunks. */
size_t sched_done_spans(const struct sched *sched,
                        size_t index,
                        uint64_t *ret_first,
                        uint64_t *ret_end)
{
    size_t count = 0;
    uint64_t from = 0;
    uint32_t slot = sched->chunks.order.head;
    for (bool last = false; !last;) {
        last = slot == INDEX_NONE;
        const struct sched_chunk *chunk = last ? NULL : &sched->chunks.table[slot];
        uint64_t to = last ? sched->cut : chunk->first;
        if (from < to && count++ == index) {
            *ret_first = from;
            *ret_end = to;
        }
        if (!last) {
            from = chunk->first + chunk->count;
            slot = chunk->order.next;
        }
    }
    return count;
}
