/* The scheduler, event by event: what each does to the state. */
#include "coordinator/sched/sched.h"

#include "common/base/check.h"
#include "common/base/err.h"
#include "coordinator/sched/sched_internal.h"

#include <stdlib.h>

/* --- events --- */

static void take_from_worker(struct sched *sched,
                             uint32_t index,
                             bool lost,
                             struct sched_actions *out)
{
    struct sched_worker *worker = &sched->workers.table[index];
    uint32_t together = worker->held_count;
    while (worker->held.head != INDEX_NONE) {
        uint32_t slot = worker->held.head;
        const struct sched_chunk *chunk = &sched->chunks.table[slot];
        if (chunk->duplicate || sched_is_doubled(chunk)) {
            sched_lose_doubled(sched, slot, lost);
        } else if (lost) {
            sched_lose(sched, slot, together, out);
        } else {
            sched_return(sched, slot);
        }
    }
    sched_workers_remove(&sched->workers, index);
    if (lost) {
        sched->stats.workers_lost++;
    } else {
        sched->stats.workers_left++;
    }
}

static int on_items(struct sched *sched, const struct sched_event *event)
{
    struct sched_stats *stats = &sched->stats;
    uint64_t available = event->as.items.available;
    bool final = event->as.items.final;
    if (available < stats->items_available ||
        (stats->items_final && (available > stats->items_available || !final)) ||
        (final && available < sched->known)) {
        return ERR_INVALID;
    }
    sched->fresh += available - stats->items_available -
                    sched_count_ahead(sched, stats->items_available, available);
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
        sched_adopt(sched,
                    sched_workers_find(&sched->workers, event->worker),
                    event->as.joined.holding,
                    event->as.joined.holding_count);
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

static int on_returned(struct sched *sched, uint32_t worker, const struct sched_event *event)
{
    bool past;
    uint32_t slot = sched_find(sched, event->as.returned, &past);
    if (past) {
        sched_workers_not_stale(&sched->workers, worker);
        return 0; /* accounted for in the meantime */
    }
    if (slot == INDEX_NONE || sched->chunks.table[slot].state != SCHED_CHUNK_HELD ||
        sched->chunks.table[slot].worker != worker) {
        return 0; /* somebody else's by now */
    }
    const struct sched_chunk *chunk = &sched->chunks.table[slot];
    if (chunk->duplicate || sched_is_doubled(chunk)) {
        sched_lose_doubled(sched, slot, false);
    } else {
        sched_return(sched, slot);
    }
    return 0;
}

static int on_tick(struct sched *sched, uint64_t now_us, struct sched_actions *out)
{
    uint64_t lease_us = sched->options.lease_us;
    while (lease_us > 0 && sched->workers.leases.head != INDEX_NONE) {
        uint32_t index = sched->workers.leases.head;
        const struct sched_worker *worker = &sched->workers.table[index];
        if (now_us - worker->heard_us < lease_us || !sched_has_room(sched, out, 2)) {
            break;
        }
        sched_emit(out, (struct sched_action){.type = SCHED_DROP_WORKER, .worker = {worker->id}});
        take_from_worker(sched, index, true, out);
    }
    return 0;
}

static int on_cancel(struct sched *sched, struct sched_actions *out)
{
    sched->over = true;
    sched_emit(out, (struct sched_action){.type = SCHED_DONE});
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
        take_from_worker(sched, worker, event->type == SCHED_WORKER_LOST, out);
        return 0;
    case SCHED_CREDIT:
        rc = on_credit(sched, worker, event);
        break;
    case SCHED_RESULT:
        rc = sched_on_result(sched, now_us, worker, event, out);
        break;
    case SCHED_CHUNK_RETURNED:
        rc = on_returned(sched, worker, event);
        break;
    case SCHED_WORKER_DRAINING:
        sched_workers_drain(&sched->workers, worker);
        sched->look_us = 0; /* what it has is late now */
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
        sched->holding = event->as.hold;
        return 0;
    case SCHED_STOP:
        sched->stopping = true;
        return 0;
    case SCHED_LEASE:
        sched->options.lease_us = event->as.lease_us;
        return 0;
    }
    return ERR_INVALID;
}

/* --- the scheduler as a whole --- */

int sched_new(const struct sched_options *options, struct sched **ret_sched)
{
    if (options->workers_max == 0 || options->workers_max > SCHED_WORKERS_MAX ||
        options->crash_limit == 0 || options->crash_limit > SCHED_ATTEMPTS_MAX ||
        options->retries_max > SCHED_RETRIES_MAX || options->chunk_target_us == 0) {
        return ERR_INVALID;
    }
    struct sched *sched = calloc(1, sizeof(*sched));
    if (sched == NULL) {
        return ERR_NOMEM;
    }
    sched->options = *options;
    sched->gap_end = UINT64_MAX;
    sched->late_us = UINT64_MAX;
    int rc = sched_chunks_init(&sched->chunks, options->epoch);
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
        sched_foreign_deinit(&sched->foreign);
        interval_deinit(&sched->ahead);
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
    uint64_t before_us = sched->now_us;
    sched->now_us = now_us;
    int rc = on_event(sched, now_us, event, out);
    if (rc != 0) {
        sched->now_us = before_us;
        return rc;
    }
    sched->hurry = false;
    if (!sched->over) {
        sched_dispatch(sched, out);
    }
    return 0;
}

static uint64_t lease_ends_us(const struct sched *sched)
{
    uint64_t lease_us = sched->options.lease_us;
    uint32_t first = sched->workers.leases.head;
    if (lease_us == 0 || first == INDEX_NONE) {
        return UINT64_MAX;
    }
    uint64_t heard_us = sched->workers.table[first].heard_us;
    return lease_us < UINT64_MAX - heard_us ? heard_us + lease_us : UINT64_MAX;
}

uint64_t sched_deadline_us(const struct sched *sched)
{
    if (sched->over) {
        return UINT64_MAX;
    }
    if (sched->hurry) {
        return sched->now_us;
    }
    uint64_t due_us = lease_ends_us(sched);
    due_us = sched->chunks.due_us < due_us ? sched->chunks.due_us : due_us;
    return sched->late_us < due_us ? sched->late_us : due_us;
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
    return sched->stats.items_available < sched->known ||
           sched->fresh / ahead < sched_size_wanted(sched);
}

void sched_get_stats(const struct sched *sched, struct sched_stats *ret_stats)
{
    uint64_t slots = sched->workers.slots;
    *ret_stats = sched->stats;
    ret_stats->workers_live = sched->workers.count;
    ret_stats->slots_live = slots <= UINT32_MAX ? (uint32_t)slots : UINT32_MAX;
    ret_stats->speculation_saved_us = sched->late_end_us > sched->now_us
                                          ? sched->late_end_us - sched->now_us
                                          : 0;
    ret_stats->item_cost_us = sched->cost.items > 0 ? sched->cost.us / sched->cost.items : 0;
}
