/* Thousands of random events on one scheduler, whose actions are held against a record of every single item. It may go on with a job
 * that another one began, workers come with chunks in hand, and what is late is run twice. */
#include "common/base/err.h"
#include "common/base/rng.h"
#include "coordinator/sched/sched.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    ITEMS = 400,
    WORKERS = 6,
    HELD_MAX = 512,
    ACTIONS = 128,
    STEPS = 3000,
    SEEDS = 1000,
    LATE_US = 200000, /* a chunk that was sent so long ago is late */
    RETRIES_MAX = 2,
    ATTEMPTS_MAX = 3,
};

/* What must be true of an item. */
struct item {
    bool counted;
    uint32_t failures; /* results that said it failed, and were not the last word */
    uint32_t losses;
};

struct rig {
    struct rng rng;
    struct sched *sched;
    uint64_t now_us;
    struct item items[ITEMS];
    uint64_t counted;
    uint64_t next_worker;
    uint64_t workers[WORKERS]; /* ids; 0: none */
    bool draining[WORKERS];
    struct sched_action held[HELD_MAX]; /* sent and not answered, of any worker that ever was */
    size_t held_count;
    uint64_t available;
    bool final;
    uint64_t known; /* of the job that another scheduler began */
    bool gentle;    /* few workers go */
    bool stopped;
    bool done;
    struct sched_event event; /* in hand */
};

static uint64_t below(struct rig *rig, uint64_t n)
{
    return rng_below(&rig->rng, n);
}

static void on_send(struct rig *rig, const struct sched_action *action)
{
    assert_false(rig->stopped);
    assert_true(action->first + action->count <= rig->available);
    assert_true(action->first >= rig->known || action->first + action->count <= rig->known);
    for (uint64_t i = action->first; i < action->first + action->count; i++) {
        assert_false(rig->items[i].counted);
        assert_true(rig->items[i].failures <= RETRIES_MAX);
    }
    assert_true(rig->held_count < HELD_MAX);
    rig->held[rig->held_count++] = *action;
}

static void count(struct rig *rig, uint64_t index)
{
    assert_false(rig->items[index].counted);
    rig->items[index].counted = true;
    rig->counted++;
}

static bool is_failed(const struct sched_event *event, uint64_t offset)
{
    for (size_t i = 0; i < event->as.result.failed_count; i++) {
        const struct sched_span *span = &event->as.result.failed[i];
        if (offset >= span->first && offset < span->first + span->count) {
            return true;
        }
    }
    return false;
}

static void on_finished(struct rig *rig, const struct sched_action *action)
{
    const struct tally *tally = &rig->event.as.result.tally;
    assert_int_equal(rig->event.type, SCHED_RESULT);
    assert_int_equal(action->done, tally->ok + tally->failed);
    assert_true(action->retried == 0 || action->retried == tally->failed);
    for (uint64_t i = 0; i < action->done; i++) {
        struct item *item = &rig->items[action->first + i];
        if (!is_failed(&rig->event, i)) {
            count(rig, action->first + i);
        } else if (action->retried > 0) {
            assert_true(item->failures++ < RETRIES_MAX);
        } else {
            assert_true(item->failures == RETRIES_MAX || rig->stopped);
            count(rig, action->first + i);
        }
    }
}

static void on_abandoned(struct rig *rig, const struct sched_action *action)
{
    assert_int_equal(action->count, 1);
    count(rig, action->first);
}

static void on_action(struct rig *rig, const struct sched_action *action)
{
    assert_false(rig->done);
    switch (action->type) {
    case SCHED_SEND:
        on_send(rig, action);
        break;
    case SCHED_FINISHED:
        on_finished(rig, action);
        break;
    case SCHED_ABANDONED:
        on_abandoned(rig, action);
        break;
    case SCHED_DROP_WORKER:
        for (size_t i = 0; i < WORKERS; i++) {
            rig->workers[i] = rig->workers[i] == action->worker.value ? 0 : rig->workers[i];
        }
        break;
    case SCHED_SPLIT:
        assert_true(action->count > 1);
        break;
    case SCHED_STALLED:
        fail();
        break;
    case SCHED_DONE:
        rig->done = true;
        break;
    }
}

static void step_once(struct rig *rig)
{
    struct sched_action list[ACTIONS];
    struct sched_actions actions = {.list = list, .capacity = SCHED_ACTIONS_MIN + below(rig, 64)};
    assert_int_equal(sched_step(rig->sched, rig->now_us, &rig->event, &actions), 0);
    sched_check(rig->sched);
    for (size_t i = 0; i < actions.count; i++) {
        on_action(rig, &list[i]);
    }
    struct sched_stats stats;
    sched_get_stats(rig->sched, &stats);
    assert_int_equal(stats.items_done, rig->counted);
}

static void step(struct rig *rig, const struct sched_event *event)
{
    rig->event = *event;
    step_once(rig);
    rig->event = (struct sched_event){.type = SCHED_TICK};
    while (!rig->done && sched_deadline_us(rig->sched) <= rig->now_us) {
        step_once(rig);
    }
}

/* --- events --- */

/* A chunk that the worker says it has: one that was sent to whomever, one of the scheduler before, or nonsense. What might be adopted will
 * be answered some time. */
static struct sched_holding draw_holding(struct rig *rig, uint64_t worker)
{
    struct sched_holding held = {{0}, below(rig, ITEMS), 1 + below(rig, 20), 1};
    uint64_t kind = below(rig, 4);
    if (kind < 2 && rig->held_count > 0) {
        const struct sched_action *sent = &rig->held[below(rig, rig->held_count)];
        held = (struct sched_holding){sent->chunk, sent->first, sent->count, sent->attempt};
    } else if (kind == 2 && rig->held_count < HELD_MAX / 2) {
        /* of epoch 0; the scheduler's own is another one */
        held.chunk.value = (UINT64_C(1) << 24) * ++rig->next_worker;
        rig->held[rig->held_count++] = (struct sched_action){.worker = {worker},
                                                             .chunk = held.chunk,
                                                             .first = held.first,
                                                             .count = held.count,
                                                             .attempt = held.attempt};
    } else {
        held.chunk.value = rng_next(&rig->rng);
        held.count = below(rig, 3) == 0 ? rng_next(&rig->rng) : held.count;
        held.attempt = (uint32_t)below(rig, 4);
    }
    return held;
}

static void join(struct rig *rig, size_t at)
{
    struct sched_holding held[12];
    rig->workers[at] = ++rig->next_worker;
    size_t count = below(rig, 3) == 0 ? below(rig, 12) : 0;
    for (size_t i = 0; i < count; i++) {
        held[i] = draw_holding(rig, rig->workers[at]);
    }
    rig->draining[at] = false;
    struct sched_event event = {.type = SCHED_WORKER_JOINED, .worker = {rig->workers[at]}};
    event.as.joined.holding = held;
    event.as.joined.holding_count = count;
    event.as.joined.slots = (uint32_t)(1 + below(rig, 4));
    event.as.joined.credit = (uint32_t)below(rig, 8);
    step(rig, &event);
}

static void end(struct rig *rig, size_t at, enum sched_event_type how)
{
    struct sched_event event = {.type = how, .worker = {rig->workers[at]}};
    rig->workers[at] = 0;
    step(rig, &event);
}

/* Some of the first `done` items failed. Returns in how many spans, of which there is room for `max`. */
static size_t draw_failed(struct rig *rig, uint64_t done, struct sched_span *spans, size_t max)
{
    size_t count = 0;
    uint64_t at = below(rig, 8);
    while (at < done && count < max) {
        uint64_t len = 1 + below(rig, 3);
        len = len < done - at ? len : done - at;
        spans[count++] = (struct sched_span){at, len};
        at += len + below(rig, 6);
    }
    return count;
}

/* An answer to one of the attempts, be it late, from whoever is there. */
static void answer(struct rig *rig, size_t worker)
{
    if (rig->held_count == 0) {
        return;
    }
    size_t at = below(rig, rig->held_count);
    struct sched_action sent = rig->held[at];
    struct sched_span spans[8];
    struct sched_event event = {.type = SCHED_RESULT, .worker = {rig->workers[worker]}};
    uint64_t done = below(rig, 3) == 0 ? 1 + below(rig, sent.count) : sent.count;
    event.as.result.chunk = sent.chunk;
    event.as.result.attempt = sent.attempt;
    event.as.result.run_us = below(rig, 1000);
    event.as.result.failed = spans;
    event.as.result.failed_count = below(rig, 2) == 0 ? 0 : draw_failed(rig, done, spans, 8);
    event.as.result.tally.ok = done;
    for (size_t i = 0; i < event.as.result.failed_count; i++) {
        event.as.result.tally.ok -= spans[i].count;
        event.as.result.tally.failed += spans[i].count;
    }
    rig->held[at] = rig->held[--rig->held_count];
    step(rig, &event);
}

static void give_back(struct rig *rig)
{
    if (rig->held_count == 0) {
        return;
    }
    struct sched_action sent = rig->held[below(rig, rig->held_count)];
    for (size_t i = 0; i < WORKERS; i++) {
        if (rig->workers[i] == sent.worker.value) {
            struct sched_event event = {.type = SCHED_CHUNK_RETURNED, .worker = sent.worker};
            event.as.returned = sent.chunk;
            step(rig, &event);
            return;
        }
    }
}

static void credit(struct rig *rig, size_t at)
{
    struct sched_event event = {.type = SCHED_CREDIT, .worker = {rig->workers[at]}};
    event.as.credit = (uint32_t)below(rig, 3);
    step(rig, &event);
}

static void more_items(struct rig *rig)
{
    rig->available += below(rig, ITEMS - rig->available + 1);
    rig->available = below(rig, 4) == 0 ? ITEMS : rig->available;
    rig->final = rig->final || (rig->available == ITEMS && below(rig, 2) == 0);
    struct sched_event event = {.type = SCHED_ITEMS};
    event.as.items.available = rig->available;
    event.as.items.final = rig->final;
    step(rig, &event);
}

static void hold(struct rig *rig, bool on)
{
    struct sched_event event = {.type = SCHED_HOLD, .as.hold = on};
    step(rig, &event);
}

static void drain(struct rig *rig, size_t at)
{
    struct sched_event event = {.type = SCHED_WORKER_DRAINING, .worker = {rig->workers[at]}};
    rig->draining[at] = true;
    step(rig, &event);
}

static void random_event(struct rig *rig)
{
    size_t worker = below(rig, WORKERS);
    rig->now_us += below(rig, rig->gentle ? 12 : 100) == 0 ? LATE_US : below(rig, 200);
    if (!rig->final && below(rig, 10) == 0) {
        more_items(rig);
    } else if (rig->workers[worker] == 0) {
        join(rig, worker);
    } else {
        switch (below(rig, 24) + (rig->gentle && below(rig, 20) > 0 ? 5 : 0)) {
        case 0:
            end(rig, worker, SCHED_WORKER_LOST);
            break;
        case 1:
            end(rig, worker, SCHED_WORKER_LEFT);
            break;
        case 2:
            give_back(rig);
            break;
        case 3:
            hold(rig, below(rig, 2) == 0);
            break;
        case 4:
            drain(rig, worker);
            break;
        case 5:
        case 6:
        case 7:
        case 8:
            credit(rig, worker);
            break;
        default:
            answer(rig, worker);
            break;
        }
    }
}

/* Everybody answers well from now on: it must come to an end. */
static void wind_up(struct rig *rig)
{
    hold(rig, false);
    while (!rig->final) {
        more_items(rig);
    }
    for (size_t turn = 0; !rig->done; turn++) {
        assert_true(turn < 50000);
        size_t worker = below(rig, WORKERS);
        uint64_t due_us = sched_deadline_us(rig->sched);
        rig->now_us += due_us != UINT64_MAX && below(rig, 8) == 0 ? 100 : 1;
        rig->now_us += below(rig, rig->gentle ? 12 : 100) == 0 ? LATE_US : 0;
        if (rig->workers[worker] == 0) {
            join(rig, worker);
        } else if (rig->draining[worker] || below(rig, 500) == 0) {
            end(rig, worker, SCHED_WORKER_LEFT); /* or what it made up would be held for ever */
        } else if (below(rig, 2) == 0) {
            answer(rig, worker);
        } else {
            credit(rig, worker);
        }
    }
}

/* Some of the first items are done. */
static void restore(struct rig *rig)
{
    struct sched_span spans[16];
    struct tally tally = {0};
    size_t count = 0;
    rig->known = below(rig, ITEMS + 1);
    for (uint64_t at = below(rig, 30); at < rig->known && count < 16;) {
        uint64_t len = 1 + below(rig, 30);
        len = len < rig->known - at ? len : rig->known - at;
        spans[count++] = (struct sched_span){at, len};
        for (uint64_t i = at; i < at + len; i++) {
            rig->items[i].counted = true;
            rig->counted++;
        }
        tally.ok += len;
        at += len + 1 + below(rig, 30);
    }
    assert_int_equal(sched_restore(rig->sched, spans, count, rig->known, &tally), 0);
    sched_check(rig->sched);
}

static void begin(struct rig *rig, uint64_t seed)
{
    const uint64_t leases_us[] = {0, 10 * LATE_US, 5000};
    memset(rig, 0, sizeof(*rig));
    rng_init(&rig->rng, seed);
    rig->gentle = below(rig, 2) == 0;
    struct sched_options options = {.workers_max = WORKERS,
                                    .chunk_items = below(rig, 2) == 0 ? 0 : 1 + below(rig, 40),
                                    .chunk_target_us = 2000,
                                    .crash_limit = (uint32_t)(1 + below(rig, ATTEMPTS_MAX)),
                                    .lease_us = leases_us[below(rig, rig->gentle ? 2 : 3)],
                                    .retries_max = RETRIES_MAX,
                                    .retry_delay_us = below(rig, 3000),
                                    .speculate = below(rig, 4) > 0,
                                    .epoch = (uint8_t)(1 + below(rig, 255))};
    assert_int_equal(sched_new(&options, &rig->sched), 0);
    if (below(rig, 2) == 0) {
        restore(rig);
    }
}

static void test_sched_accounts_for_each_item_once_whatever_happens(void **state)
{
    (void)state;
    struct rig *rig = malloc(sizeof(*rig));
    uint64_t adopted = 0;
    uint64_t speculated = 0;
    uint64_t won = 0;
    assert_non_null(rig);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        begin(rig, seed);
        for (size_t i = 0; i < STEPS && !rig->done; i++) {
            random_event(rig);
        }
        if (!rig->done) {
            wind_up(rig);
        }
        assert_int_equal(rig->counted, ITEMS);
        struct sched_stats stats;
        sched_get_stats(rig->sched, &stats);
        assert_int_equal(stats.tally.ok + stats.tally.failed, ITEMS);
        assert_true(stats.speculations_won <= stats.chunks_speculated);
        adopted += stats.chunks_adopted;
        speculated += stats.chunks_speculated;
        won += stats.speculations_won;
        sched_free(rig->sched);
    }
    free(rig);
    /* and it did happen */
    assert_true(adopted > SEEDS && speculated > SEEDS / 4 && won > SEEDS / 8);
}

static void test_sched_stopped_at_any_moment_is_done_when_nothing_is_held(void **state)
{
    (void)state;
    struct rig *rig = malloc(sizeof(*rig));
    assert_non_null(rig);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        begin(rig, seed);
        size_t steps = rng_below(&rig->rng, STEPS / 4);
        for (size_t i = 0; i < steps && !rig->done; i++) {
            random_event(rig);
        }
        struct sched_event stop = {.type = SCHED_STOP};
        rig->stopped = true;
        if (!rig->done) {
            step(rig, &stop);
        }
        for (size_t i = 0; i < WORKERS && !rig->done; i++) {
            if (rig->workers[i] != 0) {
                end(rig, i, SCHED_WORKER_LEFT);
            }
        }
        assert_true(rig->done);
        struct sched_stats stats;
        sched_get_stats(rig->sched, &stats);
        assert_int_equal(stats.items_held, 0);
        sched_free(rig->sched);
    }
    free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sched_accounts_for_each_item_once_whatever_happens),
        cmocka_unit_test(test_sched_stopped_at_any_moment_is_done_when_nothing_is_held),
    };
    return cmocka_run_group_tests_name("sched_random", tests, NULL, NULL) != 0;
}
