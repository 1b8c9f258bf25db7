/* Each form in the shortest way that keeps to the contract. */
#include "tests/worker/workload_rig.h"

#include "common/base/check.h"
#include "worker/workloads/params.h"
#include "worker/workloads/registry.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

enum { THREADS_MAX = 64 };

uint64_t rig_now_us(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000U + (uint64_t)now.tv_nsec / 1000U;
}

void rig_cancel_soon(struct rig *rig)
{
    atomic_store(&rig->cancel_at_us, rig_now_us() + 30000);
}

uint64_t rig_cancelled_for_us(const struct rig *rig)
{
    uint64_t now = rig_now_us();
    uint64_t at = atomic_load(&rig->cancel_at_us);
    return now > at ? now - at : 0;
}

static bool rig_cancelled(const struct workload_host *host)
{
    const struct rig *rig = (const struct rig *)((const char *)host - offsetof(struct rig, host));
    return rig_now_us() >= atomic_load(&rig->cancel_at_us);
}

void rig_open(struct rig *rig, const char *workload, const char *const *params)
{
    *rig = (struct rig){.host = {.cancelled = rig_cancelled}, .cancel_at_us = UINT64_MAX};
    struct err_text error = {""};
    CHECK(workload_lookup(workload, &error, &rig->ops) == 0);
    for (; params != NULL && *params != NULL; params++) {
        CHECK(params_set_text(&rig->params, *params, &error) == 0);
    }
    CHECK(params_resolve(&rig->params, rig->ops->params, rig->ops->param_count, &error) == 0);
    CHECK(rig->ops->open(&rig->params, &rig->host, &error, &rig->state) == 0);
}

void rig_close(struct rig *rig)
{
    rig->ops->close(rig->state);
    params_deinit(&rig->params);
}

static struct workload_item item_at(const struct rig_items *items, uint64_t index)
{
    struct workload_item item = {.index = index, .number = items->first_number + index};
    if (items->texts != NULL) {
        item.bytes = items->texts[index];
        item.bytes_len = strlen(item.bytes);
    }
    return item;
}

static void account(struct rig_result *result, const struct workload_outcome *outcome)
{
    result->tally.ok += outcome->ok ? 1 : 0;
    result->tally.failed += outcome->ok ? 0 : 1;
    result->tally.checksum += outcome->checksum;
    result->tally.bytes_out += outcome->bytes;
    result->flags = outcome->flags;
    (void)snprintf(result->out,
                   sizeof(result->out),
                   "%.*s",
                   (int)outcome->out_len,
                   outcome->out != NULL ? outcome->out : "");
    if (!outcome->ok) {
        CHECK(strlen(outcome->error) < sizeof(outcome->error));
        CHECK(outcome->error[0] != '\0' && strchr(outcome->error, '\n') == NULL);
        (void)snprintf(result->error, sizeof(result->error), "%s", outcome->error);
    }
}

/* Blocking form: one share of the items on one slot. */

struct share {
    struct rig *rig;
    const struct rig_items *items;
    uint64_t first;
    uint64_t step;
    struct rig_result result;
};

static void *run_share(void *arg)
{
    struct share *share = arg;
    const struct workload_ops *ops = share->rig->ops;
    struct err_text error;
    void *slot = NULL;
    CHECK(ops->slot_open(share->rig->state, &error, &slot) == 0);
    for (uint64_t i = share->first; i < share->items->count; i += share->step) {
        struct workload_item item = item_at(share->items, i);
        struct workload_outcome outcome = {.ok = false};
        ops->run(slot, &item, &outcome);
        account(&share->result, &outcome);
    }
    ops->slot_close(slot);
    return NULL;
}

void rig_run(struct rig *rig, const struct rig_items *items, struct rig_result *ret_result)
{
    struct share share = {.rig = rig, .items = items, .step = 1};
    (void)run_share(&share);
    *ret_result = share.result;
}

void rig_run_threads(struct rig *rig,
                     const struct rig_items *items,
                     unsigned threads,
                     struct rig_result *ret_result)
{
    CHECK(threads <= THREADS_MAX);
    struct share shares[THREADS_MAX];
    pthread_t ids[THREADS_MAX];
    for (unsigned i = 0; i < threads; i++) {
        shares[i] = (struct share){.rig = rig, .items = items, .first = i, .step = threads};
        CHECK(pthread_create(&ids[i], NULL, run_share, &shares[i]) == 0);
    }
    *ret_result = (struct rig_result){0};
    for (unsigned i = 0; i < threads; i++) {
        CHECK(pthread_join(ids[i], NULL) == 0);
        tally_merge(&ret_result->tally, &shares[i].result.tally);
        if (shares[i].result.error[0] != '\0') {
            memcpy(ret_result->error, shares[i].result.error, sizeof(ret_result->error));
        }
    }
}

void rig_run_numbers(struct rig *rig,
                     const struct rig_items *items,
                     uint64_t batch,
                     struct rig_result *ret_result)
{
    struct err_text error;
    void *slot = NULL;
    *ret_result = (struct rig_result){0};
    CHECK(rig->ops->slot_open(rig->state, &error, &slot) == 0);
    for (uint64_t done = 0; done < items->count;) {
        uint64_t left = items->count - done;
        uint64_t count = left < batch ? left : batch;
        rig->ops->run_numbers(slot,
                              items->first_number + done,
                              count,
                              &ret_result->tally.checksum,
                              &ret_result->tally.bytes_out);
        ret_result->tally.ok += count;
        done += count;
    }
    rig->ops->slot_close(slot);
}

/* Asynchronous form. */

struct async_call;

struct async_run {
    struct rig *rig;
    const struct rig_items *items;
    struct rig_result *result;
    void *async;
    uint64_t next;
    uint64_t outstanding;
    bool starting; /* inside async_start: `done` must not come now */
    bool cancelled;
    uint32_t in_flight;
    struct async_call *calls;
    uv_prepare_t begin;
    uv_timer_t cancel_timer;
};

struct async_call {
    struct workload_call call;
    struct async_run *run;
};

static void start_next(struct async_run *run, struct async_call *call)
{
    call->call.item = item_at(run->items, run->next++);
    run->outstanding++;
    run->starting = true;
    run->rig->ops->async_start(run->async, &call->call);
    run->starting = false;
}

static void on_call_done(struct workload_call *call, const struct workload_outcome *outcome)
{
    struct async_call *ours = (struct async_call *)call;
    struct async_run *run = ours->run;
    CHECK(!run->starting);
    account(run->result, outcome);
    run->outstanding--;
    if (run->next < run->items->count && !run->cancelled) {
        start_next(run, ours);
    } else if (run->outstanding == 0) {
        run->rig->ops->async_close(run->async);
        uv_close((uv_handle_t *)&run->begin, NULL);
        uv_close((uv_handle_t *)&run->cancel_timer, NULL);
    }
}

/* The first items are started where it is hardest for the workload: behind its own prepare callback, just before the loop
 * sleeps. */
static void on_begin(uv_prepare_t *begin)
{
    struct async_run *run = begin->data;
    (void)uv_prepare_stop(begin); /* closing it here would give the loop another turn */
    for (uint32_t i = 0; i < run->in_flight && run->next < run->items->count; i++) {
        run->calls[i].run = run;
        run->calls[i].call.done = on_call_done;
        start_next(run, &run->calls[i]);
    }
}

static void on_cancel_timer(uv_timer_t *timer)
{
    struct async_run *run = timer->data;
    run->cancelled = true;
    run->rig->ops->async_cancel(run->async);
}

void rig_run_async(struct rig *rig,
                   const struct rig_items *items,
                   uint32_t in_flight,
                   struct rig_result *ret_result)
{
    uv_loop_t loop;
    CHECK(uv_loop_init(&loop) == 0);
    *ret_result = (struct rig_result){0};
    struct async_run run = {.rig = rig, .items = items, .result = ret_result};
    struct err_text error;
    CHECK(uv_prepare_init(&loop, &run.begin) == 0);
    CHECK(uv_prepare_start(&run.begin, on_begin) == 0); /* the one started first is called last */
    run.begin.data = &run;
    run.in_flight = in_flight;
    run.calls = calloc(in_flight, sizeof(*run.calls));
    CHECK(run.calls != NULL);
    CHECK(rig->ops->async_open(rig->state, &loop, &error, &run.async) == 0);
    CHECK(uv_timer_init(&loop, &run.cancel_timer) == 0);
    run.cancel_timer.data = &run;
    uint64_t cancel_at_us = atomic_load(&rig->cancel_at_us);
    if (cancel_at_us != UINT64_MAX) {
        uint64_t now = rig_now_us();
        uint64_t wait_ms = cancel_at_us > now ? (cancel_at_us - now) / 1000 : 0;
        CHECK(uv_timer_start(&run.cancel_timer, on_cancel_timer, wait_ms, 0) == 0);
    }
    CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0);
    CHECK(uv_loop_close(&loop) == 0);
    free(run.calls);
}
