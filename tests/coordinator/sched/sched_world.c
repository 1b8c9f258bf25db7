#include "tests/coordinator/sched/sched_world.h"

#include "common/base/check.h"

#include <stdlib.h>
#include <string.h>

enum { WORKERS = 16, SLOTS = 16, WAITING = 4096, EVENTS = 65536, ACTIONS = 512, LATENCY_US = 500 };

enum kind { ARRIVES, ENDS, ANSWERS, LOST, DRAINS, FREEZES };

struct event {
    uint64_t at_us;
    enum kind kind;
    uint64_t worker;
    uint32_t slot;            /* of ENDS */
    struct sched_action sent; /* of ARRIVES and ANSWERS */
};

struct worker {
    uint32_t slots;
    uint64_t slowness;
    bool gone;
    bool running[SLOTS];
    struct sched_action in_slot[SLOTS];
    struct sched_action waiting[WAITING];
    size_t waiting_count;
};

struct world {
    struct sched *sched;
    uint64_t now_us;
    uint64_t item_us;
    bool done;
    struct worker workers[WORKERS];
    uint64_t worker_count;
    struct event events[EVENTS]; /* in no order: there are few at a time */
    size_t event_count;
};

static void at(struct world *world, struct event event)
{
    CHECK(world->event_count < EVENTS);
    world->events[world->event_count++] = event;
}

static void step_once(struct world *world, const struct sched_event *event)
{
    struct sched_action list[ACTIONS];
    struct sched_actions actions = {.list = list, .capacity = ACTIONS};
    CHECK(sched_step(world->sched, world->now_us, event, &actions) == 0);
    sched_check(world->sched);
    for (size_t i = 0; i < actions.count; i++) {
        world->done = world->done || list[i].type == SCHED_DONE;
        if (list[i].type == SCHED_SEND) {
            at(world,
               (struct event){.at_us = world->now_us + LATENCY_US,
                              .kind = ARRIVES,
                              .worker = list[i].worker.value,
                              .sent = list[i]});
        }
    }
}

static void step(struct world *world, const struct sched_event *event)
{
    const struct sched_event tick = {.type = SCHED_TICK};
    step_once(world, event);
    while (!world->done && sched_deadline_us(world->sched) <= world->now_us) {
        step_once(world, &tick);
    }
}

struct world *world_new(const struct sched_options *options, uint64_t items, uint64_t item_us)
{
    struct world *world = calloc(1, sizeof(*world));
    CHECK(world != NULL && sched_new(options, &world->sched) == 0);
    world->item_us = item_us;
    struct sched_event event = {.type = SCHED_ITEMS};
    event.as.items.available = items;
    event.as.items.final = true;
    step(world, &event);
    return world;
}

void world_free(struct world *world)
{
    sched_free(world->sched);
    free(world);
}

void world_join(struct world *world, uint32_t slots, uint32_t window, uint64_t slowness)
{
    CHECK(world->worker_count < WORKERS && slots <= SLOTS && window <= WAITING);
    struct worker *worker = &world->workers[world->worker_count++];
    worker->slots = slots;
    worker->slowness = slowness;
    struct sched_event event = {.type = SCHED_WORKER_JOINED, .worker = {world->worker_count}};
    event.as.joined.slots = slots;
    event.as.joined.credit = window;
    step(world, &event);
}

void world_lose_at(struct world *world, uint64_t worker, uint64_t at_us)
{
    at(world, (struct event){.at_us = at_us, .kind = LOST, .worker = worker});
}

void world_drain_at(struct world *world, uint64_t worker, uint64_t at_us)
{
    at(world, (struct event){.at_us = at_us, .kind = DRAINS, .worker = worker});
}

void world_freeze_at(struct world *world, uint64_t worker, uint64_t at_us)
{
    at(world, (struct event){.at_us = at_us, .kind = FREEZES, .worker = worker});
}

/* Free slots take what waits. */
static void fill_slots(struct world *world, uint64_t id)
{
    struct worker *worker = &world->workers[id - 1];
    for (uint32_t slot = 0; slot < worker->slots && worker->waiting_count > 0; slot++) {
        if (worker->running[slot]) {
            continue;
        }
        worker->running[slot] = true;
        worker->in_slot[slot] = worker->waiting[0];
        memmove(worker->waiting,
                worker->waiting + 1,
                --worker->waiting_count * sizeof(worker->waiting[0]));
        uint64_t run_us = worker->in_slot[slot].count * world->item_us * worker->slowness;
        at(world,
           (struct event){
               .at_us = world->now_us + run_us, .kind = ENDS, .worker = id, .slot = slot});
    }
}

static void end_chunk(struct world *world, const struct event *event)
{
    struct worker *worker = &world->workers[event->worker - 1];
    worker->running[event->slot] = false;
    at(world,
       (struct event){.at_us = world->now_us + LATENCY_US,
                      .kind = ANSWERS,
                      .worker = event->worker,
                      .sent = worker->in_slot[event->slot]});
    fill_slots(world, event->worker);
}

static void answer(struct world *world, const struct event *event)
{
    const struct worker *worker = &world->workers[event->worker - 1];
    struct sched_event result = {.type = SCHED_RESULT, .worker = {event->worker}};
    result.as.result.chunk = event->sent.chunk;
    result.as.result.attempt = event->sent.attempt;
    result.as.result.run_us = event->sent.count * world->item_us * worker->slowness;
    result.as.result.tally.ok = event->sent.count;
    step(world, &result);
    struct sched_event credit = {.type = SCHED_CREDIT, .worker = {event->worker}, .as.credit = 1};
    step(world, &credit);
}

static void happen(struct world *world, const struct event *event)
{
    struct worker *worker = &world->workers[event->worker - 1];
    struct sched_event said = {.worker = {event->worker}};
    if (worker->gone) {
        return;
    }
    switch (event->kind) {
    case ARRIVES:
        CHECK(worker->waiting_count < WAITING);
        worker->waiting[worker->waiting_count++] = event->sent;
        fill_slots(world, event->worker);
        break;
    case ENDS:
        end_chunk(world, event);
        break;
    case ANSWERS:
        answer(world, event);
        break;
    case LOST:
        worker->gone = true;
        said.type = SCHED_WORKER_LOST;
        step(world, &said);
        break;
    case DRAINS:
        said.type = SCHED_WORKER_DRAINING;
        step(world, &said);
        break;
    case FREEZES:
        worker->gone = true;
        break;
    }
}

uint64_t world_run(struct world *world)
{
    const struct sched_event tick = {.type = SCHED_TICK};
    while (!world->done) {
        size_t first = 0;
        for (size_t i = 1; i < world->event_count; i++) {
            first = world->events[i].at_us < world->events[first].at_us ? i : first;
        }
        uint64_t due_us = sched_deadline_us(world->sched);
        if (world->event_count == 0 || due_us < world->events[first].at_us) {
            CHECK(due_us != UINT64_MAX); /* nothing would ever happen again */
            world->now_us = due_us > world->now_us ? due_us : world->now_us;
            step(world, &tick);
            continue;
        }
        struct event event = world->events[first];
        /* The order of those that are left decides between equal times. */
        memmove(&world->events[first],
                &world->events[first + 1],
                (--world->event_count - first) * sizeof(event));
        world->now_us = event.at_us > world->now_us ? event.at_us : world->now_us;
        happen(world, &event);
    }
    return world->now_us;
}

struct sched_stats world_stats(const struct world *world)
{
    struct sched_stats stats;
    sched_get_stats(world->sched, &stats);
    return stats;
}
