/* The workers of the scheduler: a table by id, the lists of those whose turn may come, and the
 * leases. */
#include "common/base/check.h"
#include "common/base/err.h"
#include "coordinator/sched/sched_internal.h"

#include <stdlib.h>
#include <string.h>

/* --- the table by id --- */

static uint32_t bucket_mask(const struct sched_workers *workers)
{
    return workers->capacity * 2 - 1;
}

static uint32_t home_of(const struct sched_workers *workers, uint64_t id)
{
    return sched_hash(id) & bucket_mask(workers);
}

static void bucket_insert(struct sched_workers *workers, uint32_t index)
{
    uint32_t bucket = home_of(workers, workers->table[index].id);
    while (workers->buckets[bucket] != INDEX_NONE) {
        bucket = (bucket + 1) & bucket_mask(workers);
    }
    workers->buckets[bucket] = index;
}

static uint32_t bucket_of(const struct sched_workers *workers, uint64_t id)
{
    uint32_t bucket = home_of(workers, id);
    while (workers->buckets[bucket] != INDEX_NONE &&
           workers->table[workers->buckets[bucket]].id != id) {
        bucket = (bucket + 1) & bucket_mask(workers);
    }
    return bucket;
}

/* Knuth's algorithm 6.4R: close the gap with later entries of the run that may stand there, so
 * that no tombstones are needed. */
static void bucket_remove(struct sched_workers *workers, uint32_t gap)
{
    uint32_t mask = bucket_mask(workers);
    for (uint32_t i = (gap + 1) & mask; workers->buckets[i] != INDEX_NONE; i = (i + 1) & mask) {
        uint32_t home = home_of(workers, workers->table[workers->buckets[i]].id);
        if (((i - home) & mask) >= ((i - gap) & mask)) {
            workers->buckets[gap] = workers->buckets[i];
            gap = i;
        }
    }
    workers->buckets[gap] = INDEX_NONE;
}

/* Both arrays anew or neither, so that a failure leaves all as it was. */
static int resize(struct sched_workers *workers, uint32_t capacity)
{
    size_t buckets_size = (size_t)capacity * 2 * sizeof(uint32_t);
    uint32_t *buckets = malloc(buckets_size);
    struct sched_worker *table = malloc(capacity * sizeof(*table));
    if (buckets == NULL || table == NULL) {
        free(buckets);
        free(table);
        return ERR_NOMEM;
    }
    memset(buckets, 0xff, buckets_size); /* INDEX_NONE */
    if (workers->capacity > 0) {
        memcpy(table, workers->table, workers->capacity * sizeof(*table));
    }
    for (uint32_t i = capacity; i > workers->capacity; i--) {
        table[i - 1] = (struct sched_worker){.turn.next = workers->free_head};
        workers->free_head = i - 1;
    }
    free(workers->buckets);
    free(workers->table);
    workers->buckets = buckets;
    workers->table = table;
    workers->capacity = capacity;
    for (uint32_t i = 0; i < capacity; i++) {
        if (table[i].id != 0) {
            bucket_insert(workers, i);
        }
    }
    return 0;
}

int sched_workers_init(struct sched_workers *workers)
{
    *workers = (struct sched_workers){.free_head = INDEX_NONE, .leases = LIST_EMPTY};
    for (uint32_t i = 0; i < SCHED_TURNS; i++) {
        workers->turns[i] = LIST_EMPTY;
    }
    return resize(workers, SCHED_WORKERS_MIN);
}

void sched_workers_deinit(struct sched_workers *workers)
{
    free(workers->buckets);
    free(workers->table);
    *workers = (struct sched_workers){0};
}

uint32_t sched_workers_find(struct sched_workers *workers, struct worker_id id)
{
    /* Events come in bursts of one worker. */
    if (workers->table[workers->last_found].id == id.value && id.value != 0) {
        return workers->last_found;
    }
    uint32_t index = id.value == 0 ? INDEX_NONE : workers->buckets[bucket_of(workers, id.value)];
    if (index != INDEX_NONE) {
        workers->last_found = index;
    }
    return index;
}

/* --- whose turn it is --- */

static enum sched_turn turn_of(const struct sched_worker *worker)
{
    if (worker->draining || worker->credit == 0) {
        return SCHED_TURN_NONE;
    }
    if (sched_occupied(worker) == 0) {
        return SCHED_TURN_EMPTY;
    }
    if (worker->waits == SCHED_TURN_ASIDE) {
        return SCHED_TURN_ASIDE;
    }
    if (worker->suspicion != SCHED_CLEAR &&
        (worker->mixed || worker->held_count >= sched_company_max(worker->suspicion))) {
        return SCHED_TURN_NONE;
    }
    return sched_turn_with(worker->suspicion, sched_occupied(worker) >= worker->slots);
}

/* Count it among those that run suspects, or no more. */
static void update_serving(struct sched_workers *workers, struct sched_worker *worker)
{
    bool serves = worker->suspicion != SCHED_CLEAR && !worker->draining;
    if (serves != worker->serves) {
        worker->serves = serves;
        workers->serving += serves ? 1 : UINT32_MAX;
    }
}

static void leave_turn(struct sched_workers *workers, uint32_t index)
{
    struct sched_worker *worker = &workers->table[index];
    if (worker->waits != SCHED_TURN_NONE) {
        list_remove(&workers->turns[worker->waits], LINKS(workers->table, turn), index);
        worker->waits = SCHED_TURN_NONE;
    }
}

/* Behind the others of the class that it belongs to now. */
static void enter_turn(struct sched_workers *workers, uint32_t index)
{
    struct sched_worker *worker = &workers->table[index];
    leave_turn(workers, index);
    worker->waits = turn_of(worker);
    if (worker->waits != SCHED_TURN_NONE) {
        list_append(&workers->turns[worker->waits], LINKS(workers->table, turn), index);
    }
}

/* Its place in the round stays when its class does. */
static void update_turn(struct sched_workers *workers, uint32_t index)
{
    if (workers->table[index].waits != turn_of(&workers->table[index])) {
        enter_turn(workers, index);
    }
}

uint32_t sched_workers_next(const struct sched_workers *workers,
                            enum sched_turn turn,
                            uint32_t avoid)
{
    uint32_t index = workers->turns[turn].head;
    if (index == INDEX_NONE || index != avoid) {
        return index;
    }
    uint32_t other = workers->table[index].turn.next;
    return other != INDEX_NONE ? other : index;
}

/* --- what happens to a worker --- */

int sched_workers_add(struct sched_workers *workers, const struct sched_worker *worker)
{
    if (workers->free_head == INDEX_NONE) {
        int rc = resize(workers, workers->capacity * 2);
        if (rc != 0) {
            return rc;
        }
    }
    uint32_t index = workers->free_head;
    workers->free_head = workers->table[index].turn.next;
    workers->table[index] = *worker;
    workers->table[index].held = LIST_EMPTY;
    workers->table[index].waits = SCHED_TURN_NONE;
    bucket_insert(workers, index);
    list_append(&workers->leases, LINKS(workers->table, lease), index);
    enter_turn(workers, index);
    workers->count++;
    workers->slots += worker->slots;
    return 0;
}

void sched_workers_remove(struct sched_workers *workers, uint32_t index)
{
    struct sched_worker *worker = &workers->table[index];
    CHECK(worker->held_count == 0);
    if (!worker->draining) {
        workers->slots -= worker->slots;
    }
    leave_turn(workers, index);
    list_remove(&workers->leases, LINKS(workers->table, lease), index);
    bucket_remove(workers, bucket_of(workers, worker->id));
    *worker = (struct sched_worker){.turn.next = workers->free_head};
    workers->free_head = index;
    workers->count--;
}

void sched_workers_renew(struct sched_workers *workers, uint32_t index, uint64_t now_us)
{
    struct sched_worker *worker = &workers->table[index];
    if (worker->heard_us == now_us) {
        return; /* the other events of one message */
    }
    worker->heard_us = now_us;
    if (workers->leases.tail != index) {
        list_remove(&workers->leases, LINKS(workers->table, lease), index);
        list_append(&workers->leases, LINKS(workers->table, lease), index);
    }
}

void sched_workers_grant(struct sched_workers *workers, uint32_t index, uint32_t credit)
{
    workers->table[index].credit += credit;
    workers->table[index].granted += credit;
    update_turn(workers, index);
}

void sched_workers_drain(struct sched_workers *workers, uint32_t index)
{
    struct sched_worker *worker = &workers->table[index];
    if (!worker->draining) {
        worker->draining = true;
        workers->slots -= worker->slots;
        leave_turn(workers, index);
        update_serving(workers, worker);
    }
}

/* A worker gets a chunk, and one of the two is suspect. */
static void note_suspicion(struct sched_workers *workers,
                           struct sched_worker *worker,
                           enum sched_suspicion suspicion)
{
    if (worker->held_count > 0 &&
        (suspicion != worker->suspicion || worker->held_count >= sched_company_max(suspicion))) {
        worker->mixed = true;
    }
    if (suspicion > worker->suspicion) {
        worker->suspicion = suspicion;
        update_serving(workers, worker);
    }
}

static void take(struct sched *sched, uint32_t index, uint32_t slot)
{
    struct sched_worker *worker = &sched->workers.table[index];
    struct sched_chunk *chunk = &sched->chunks.table[slot];
    if (chunk->suspicion != SCHED_CLEAR || worker->suspicion != SCHED_CLEAR) {
        note_suspicion(&sched->workers, worker, (enum sched_suspicion)chunk->suspicion);
    }
    chunk->behind = (uint16_t)(worker->held_count < UINT16_MAX ? worker->held_count : UINT16_MAX);
    chunk->since = (uint32_t)(sched->now_us >> SCHED_SINCE_BITS);
    worker->held_count++;
    list_append(&worker->held, LINKS(sched->chunks.table, place), slot);
    chunk->state = SCHED_CHUNK_HELD;
    chunk->worker = index;
    chunk->twin = chunk->duplicate ? chunk->twin : INDEX_NONE;
    enter_turn(&sched->workers, index);
}

void sched_workers_hold(struct sched *sched, uint32_t index, uint32_t slot)
{
    struct sched_worker *worker = &sched->workers.table[index];
    CHECK(worker->credit > 0);
    worker->credit--;
    worker->sent++;
    take(sched, index, slot);
}

void sched_workers_adopt(struct sched *sched, uint32_t index, uint32_t slot)
{
    sched->workers.table[index].adopted++;
    take(sched, index, slot);
}

void sched_workers_release(struct sched *sched, uint32_t slot)
{
    struct sched_chunk *chunk = &sched->chunks.table[slot];
    CHECK(chunk->state == SCHED_CHUNK_HELD);
    struct sched_worker *worker = &sched->workers.table[chunk->worker];
    list_remove(&worker->held, LINKS(sched->chunks.table, place), slot);
    worker->held_count--;
    if (worker->held_count == 0 && worker->suspicion != SCHED_CLEAR) {
        worker->suspicion = SCHED_CLEAR;
        worker->mixed = false;
        update_serving(&sched->workers, worker);
    }
    update_turn(&sched->workers, chunk->worker);
    chunk->worker = INDEX_NONE;
}

void sched_workers_stale(struct sched_workers *workers, uint32_t index)
{
    workers->table[index].stale_count++;
    update_turn(workers, index);
}

void sched_workers_not_stale(struct sched_workers *workers, uint32_t index)
{
    if (workers->table[index].stale_count > 0) {
        workers->table[index].stale_count--;
        update_turn(workers, index);
    }
}

void sched_workers_set_aside(struct sched_workers *workers)
{
    uint32_t index = workers->turns[SCHED_TURN_FREE].head;
    if (index == INDEX_NONE) {
        index = workers->turns[SCHED_TURN_BUSY].head;
    }
    if (index != INDEX_NONE) {
        leave_turn(workers, index);
        workers->table[index].waits = SCHED_TURN_ASIDE;
        list_append(&workers->turns[SCHED_TURN_ASIDE], LINKS(workers->table, turn), index);
    }
}

void sched_workers_put_back(struct sched_workers *workers)
{
    while (workers->turns[SCHED_TURN_ASIDE].head != INDEX_NONE) {
        enter_turn(workers, workers->turns[SCHED_TURN_ASIDE].head);
    }
}
