#include "tests/sim/sim_time.h"

#include "tests/sim/sim.h"

#include <stdlib.h>

/* --- the queue --- */

static bool earlier(const struct sim_entry *a, const struct sim_entry *b)
{
    return a->time_us != b->time_us ? a->time_us < b->time_us : a->order < b->order;
}

void sim_queue_put_back(struct sim_queue *queue, struct sim_entry entry)
{
    if (queue->count == queue->capacity) {
        queue->capacity = queue->capacity > 0 ? queue->capacity * 2 : 256;
        queue->list = sim_realloc(queue->list, queue->capacity * sizeof(*queue->list));
    }
    size_t at = queue->count++;
    while (at > 0 && earlier(&entry, &queue->list[(at - 1) / 2])) {
        queue->list[at] = queue->list[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    queue->list[at] = entry;
}

struct sim_entry sim_queue_pop(struct sim_queue *queue)
{
    struct sim_entry top = queue->list[0];
    struct sim_entry last = queue->list[--queue->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= queue->count) {
            break;
        }
        if (child + 1 < queue->count && earlier(&queue->list[child + 1], &queue->list[child])) {
            child++;
        }
        if (!earlier(&queue->list[child], &last)) {
            break;
        }
        queue->list[at] = queue->list[child];
        at = child;
    }
    queue->list[at] = last;
    return top;
}

void sim_at(struct sim *sim, uint64_t time_us, struct sim_entry entry)
{
    entry.time_us = time_us;
    entry.order = sim->queue.next_order++;
    sim_queue_put_back(&sim->queue, entry);
}

/* --- timers --- */

void sim_timers_init(struct sim_timers *timers, uint32_t count)
{
    timers->count = count;
    timers->due_us = sim_realloc(NULL, count * sizeof(*timers->due_us));
    timers->heap = sim_realloc(NULL, count * sizeof(*timers->heap));
    timers->place = sim_realloc(NULL, count * sizeof(*timers->place));
    for (uint32_t i = 0; i < count; i++) {
        timers->due_us[i] = UINT64_MAX;
        timers->heap[i] = i;
        timers->place[i] = i;
    }
}

void sim_timers_deinit(struct sim_timers *timers)
{
    free(timers->due_us);
    free(timers->heap);
    free(timers->place);
}

static bool sooner(const struct sim_timers *timers, uint32_t a, uint32_t b)
{
    uint64_t a_us = timers->due_us[a];
    uint64_t b_us = timers->due_us[b];
    return a_us != b_us ? a_us < b_us : a < b;
}

static void put(struct sim_timers *timers, uint32_t place, uint32_t number)
{
    timers->heap[place] = number;
    timers->place[number] = place;
}

static uint32_t rise(struct sim_timers *timers, uint32_t place, uint32_t number)
{
    while (place > 0 && sooner(timers, number, timers->heap[(place - 1) / 2])) {
        put(timers, place, timers->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    return place;
}

static uint32_t sink(struct sim_timers *timers, uint32_t place, uint32_t number)
{
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child + 1 < timers->count &&
            sooner(timers, timers->heap[child + 1], timers->heap[child])) {
            child++;
        }
        if (child >= timers->count || !sooner(timers, timers->heap[child], number)) {
            return place;
        }
        put(timers, place, timers->heap[child]);
        place = child;
    }
}

void sim_timers_set(struct sim_timers *timers, uint32_t number, uint64_t due_us)
{
    if (timers->due_us[number] == due_us) {
        return;
    }
    timers->due_us[number] = due_us;
    uint32_t place = rise(timers, timers->place[number], number);
    put(timers, sink(timers, place, number), number);
}

uint32_t sim_timers_first(const struct sim_timers *timers, uint64_t *ret_due_us)
{
    *ret_due_us = timers->due_us[timers->heap[0]];
    return timers->heap[0];
}

/* --- clocks --- */

uint64_t sim_clock_read(const struct sim_clock *clock, uint64_t now_us)
{
    uint64_t passed_us = now_us > clock->since_us ? now_us - clock->since_us : 0;
    return clock->shown_us + passed_us * clock->per_mille / 1000;
}

uint64_t sim_clock_when(const struct sim_clock *clock, uint64_t shown_us)
{
    if (shown_us <= clock->shown_us) {
        return clock->since_us;
    }
    uint64_t missing_us = shown_us - clock->shown_us;
    if (missing_us > UINT64_MAX / 2000) {
        return UINT64_MAX;
    }
    return clock->since_us + (missing_us * 1000 + clock->per_mille - 1) / clock->per_mille;
}

void sim_clock_set_speed(struct sim_clock *clock, uint64_t now_us, uint64_t per_mille)
{
    clock->shown_us = sim_clock_read(clock, now_us);
    clock->since_us = now_us > clock->since_us ? now_us : clock->since_us;
    clock->per_mille = per_mille;
}

void sim_clock_stop(struct sim_clock *clock, uint64_t now_us, uint64_t for_us)
{
    clock->shown_us = sim_clock_read(clock, now_us);
    clock->since_us = (now_us > clock->since_us ? now_us : clock->since_us) + for_us;
}
