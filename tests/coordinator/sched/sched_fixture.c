#include "tests/coordinator/sched/sched_fixture.h"

#include "common/base/check.h"

#include <stdlib.h>

struct sched_options fixture_options(uint64_t chunk_items)
{
    return (struct sched_options){.workers_max = 65536,
                                  .chunk_items = chunk_items,
                                  .chunk_target_us = 100000,
                                  .crash_limit = 3};
}

int fixture_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    CHECK(fixture != NULL);
    struct sched_options options = fixture_options(1);
    fixture_restart(fixture, &options);
    *state = fixture;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;
    sched_free(fixture->sched);
    free(fixture);
    return 0;
}

void fixture_restart(struct fixture *fixture, const struct sched_options *options)
{
    sched_free(fixture->sched);
    *fixture = (struct fixture){.capacity = FIXTURE_ACTIONS};
    CHECK(sched_new(options, &fixture->sched) == 0);
}

/* The last place is kept for the last words. */
static void check_room(const struct fixture *fixture)
{
    if (fixture->actions.count >= fixture->capacity) {
        const struct sched_action *last = &fixture->list[fixture->capacity - 1];
        CHECK(fixture->actions.count == fixture->capacity);
        CHECK(last->type == SCHED_DONE || last->type == SCHED_STALLED);
    }
}

int fixture_step(struct fixture *fixture, const struct sched_event *event)
{
    fixture->actions = (struct sched_actions){.list = fixture->list, .capacity = fixture->capacity};
    int rc = sched_step(fixture->sched, fixture->now_us, event, &fixture->actions);
    sched_check(fixture->sched);
    CHECK(rc == 0 || fixture->actions.count == 0);
    check_room(fixture);
    for (size_t i = 0; i < fixture->actions.count; i++) {
        if (fixture->list[i].type == SCHED_SEND) {
            CHECK(fixture->sent_count < FIXTURE_SENT);
            fixture->sent[fixture->sent_count++] = fixture->list[i];
        }
    }
    return rc;
}

int fixture_items(struct fixture *fixture, uint64_t available, bool final)
{
    struct sched_event event = {.type = SCHED_ITEMS};
    event.as.items.available = available;
    event.as.items.final = final;
    return fixture_step(fixture, &event);
}

int fixture_join(struct fixture *fixture, uint64_t worker, uint32_t slots, uint32_t credit)
{
    struct sched_event event = {.type = SCHED_WORKER_JOINED, .worker = {worker}};
    event.as.joined.slots = slots;
    event.as.joined.credit = credit;
    return fixture_step(fixture, &event);
}

int fixture_join_holding(struct fixture *fixture,
                         uint64_t worker,
                         uint32_t credit,
                         const struct sched_holding *holding,
                         size_t count)
{
    struct sched_event event = {.type = SCHED_WORKER_JOINED, .worker = {worker}};
    event.as.joined.slots = 4;
    event.as.joined.credit = credit;
    event.as.joined.holding = holding;
    event.as.joined.holding_count = count;
    return fixture_step(fixture, &event);
}

int fixture_credit(struct fixture *fixture, uint64_t worker, uint32_t credit)
{
    struct sched_event event = {.type = SCHED_CREDIT, .worker = {worker}, .as.credit = credit};
    return fixture_step(fixture, &event);
}

int fixture_returned(struct fixture *fixture, uint64_t worker, struct chunk_id chunk)
{
    struct sched_event event = {
        .type = SCHED_CHUNK_RETURNED, .worker = {worker}, .as.returned = chunk};
    return fixture_step(fixture, &event);
}

int fixture_event(struct fixture *fixture, enum sched_event_type type, uint64_t worker)
{
    struct sched_event event = {.type = type, .worker = {worker}};
    return fixture_step(fixture, &event);
}

int fixture_result(struct fixture *fixture,
                   uint64_t worker,
                   const struct sched_action *send,
                   uint64_t run_us)
{
    struct sched_event event = {.type = SCHED_RESULT, .worker = {worker}};
    event.as.result.chunk = send->chunk;
    event.as.result.attempt = send->attempt;
    event.as.result.run_us = run_us;
    event.as.result.tally = (struct tally){.ok = send->count, .checksum = send->first};
    return fixture_step(fixture, &event);
}

int fixture_part(struct fixture *fixture,
                 uint64_t worker,
                 const struct sched_action *send,
                 uint64_t done,
                 const struct sched_span *failed,
                 size_t failed_count)
{
    struct sched_event event = {.type = SCHED_RESULT, .worker = {worker}};
    event.as.result.chunk = send->chunk;
    event.as.result.attempt = send->attempt;
    event.as.result.run_us = done;
    event.as.result.failed = failed;
    event.as.result.failed_count = failed_count;
    event.as.result.tally.ok = done;
    for (size_t i = 0; i < failed_count; i++) {
        event.as.result.tally.ok -= failed[i].count;
        event.as.result.tally.failed += failed[i].count;
    }
    return fixture_step(fixture, &event);
}

struct sched_action *fixture_last(struct fixture *fixture)
{
    CHECK(fixture->sent_count > 0);
    return &fixture->sent[fixture->sent_count - 1];
}

struct sched_action *fixture_oldest(struct fixture *fixture, uint64_t worker)
{
    for (size_t i = 0; i < fixture->sent_count; i++) {
        if (fixture->sent[i].worker.value == worker && fixture->sent[i].count > 0) {
            return &fixture->sent[i];
        }
    }
    return NULL;
}

uint64_t fixture_finish(struct fixture *fixture, uint64_t worker, uint64_t run_us)
{
    struct sched_action *oldest = fixture_oldest(fixture, worker);
    if (oldest == NULL) {
        return 0;
    }
    struct sched_action send = *oldest;
    oldest->count = 0;
    CHECK(fixture_result(fixture, worker, &send, run_us) == 0);
    CHECK(fixture_credit(fixture, worker, 1) == 0);
    return send.count;
}

size_t fixture_said(const struct fixture *fixture, enum sched_action_type type, uint64_t worker)
{
    size_t count = 0;
    for (size_t i = 0; i < fixture->actions.count; i++) {
        const struct sched_action *action = &fixture->list[i];
        count += action->type == type && (worker == 0 || action->worker.value == worker);
    }
    return count;
}

size_t fixture_sent(const struct fixture *fixture, uint64_t worker)
{
    size_t count = 0;
    for (size_t i = 0; i < fixture->sent_count; i++) {
        count += worker == 0 || fixture->sent[i].worker.value == worker;
    }
    return count;
}

struct sched_stats fixture_stats(const struct fixture *fixture)
{
    struct sched_stats stats;
    sched_get_stats(fixture->sched, &stats);
    return stats;
}
