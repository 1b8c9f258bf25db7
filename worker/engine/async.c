/* Strategy async: one libuv loop on one thread, many items in flight through the workload's
 * asynchronous form. A slot is one chunk whose items are in flight one after the other; nothing
 * blocks. Workloads without an asynchronous form: see cooperative.c. */
#include "common/base/check.h"
#include "worker/engine/chunk_run.h"
#include "worker/engine/clock.h"
#include "worker/engine/cpu_meter.h"
#include "worker/engine/loop.h"
#include "worker/engine/strategy.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { TRADE_MAX = 64 }; /* chunks taken from the exchange at once */

struct async_slot {
    struct workload_call call;
    struct async *owner;
    struct exchange_lent lent;
    struct chunk_run run;
    struct record_buffer records; /* of the chunk that runs */
    char error[CHUNK_ERROR_SIZE];
};

struct async {
    struct engine_core *core;
    uv_loop_t loop;
    uv_async_t kick; /* chunks came, or the end */
    uv_prepare_t
        prepare; /* before the loop sleeps: hand over what was finished since, take new chunks */
    struct cpu_meter meter;
    void *state;    /* the workload's */
    void *workload; /* the workload's async */

    struct async_slot *slots;
    struct async_slot **idle; /* a stack */
    uint32_t idle_count;
    struct exchange_done *finished; /* not handed over yet */
    uint32_t finished_count;
    bool look;       /* there may be chunks to take */
    bool cancelling; /* async_cancel was called */
};

static void finish(struct async_slot *slot)
{
    struct async *self = slot->owner;
    struct chunk_run *run = &slot->run;
    struct blob *records = NULL;
    if (run->records != NULL) {
        records = chunk_run_take_records(run, self->core->spare_record);
    }
    struct exchange_done *done = &self->finished[self->finished_count++];
    struct chunk_result *result = &done->result;
    done->place = slot->lent.place;
    *result = (struct chunk_result){
        .id = slot->lent.chunk.id,
        .attempt = slot->lent.chunk.attempt,
        .first = slot->lent.chunk.first,
        .run_us = (clock_now_ns() - run->start_ns) / NS_PER_US,
        .tally = run->tally,
        .error_index = run->error_index,
        .records = records,
        .records_len = records != NULL ? (uint32_t)blob_len(records) : 0,
    };
    result->error = run->error_len > 0 ? malloc(run->error_len) : NULL;
    if (result->error != NULL) {
        memcpy(result->error, run->error, run->error_len);
        result->error_len = run->error_len;
    }
    blob_unref(slot->lent.chunk.payload);
    slot->lent.chunk.payload = NULL;
    self->idle[self->idle_count++] = slot;
    self->look = true;
}

static void start_item(struct async_slot *slot)
{
    chunk_run_next_item(&slot->run, 0, &slot->call.item);
    slot->owner->core->workload->async_start(slot->owner->workload, &slot->call);
}

static void on_item_done(struct workload_call *call, const struct workload_outcome *outcome)
{
    struct async_slot *slot = (struct async_slot *)((char *)call -
                                                    offsetof(struct async_slot, call));
    chunk_run_count(&slot->run, &call->item, outcome);
    if (chunk_run_done(&slot->run) || slot->owner->cancelling) {
        finish(slot);
    } else {
        start_item(slot);
    }
}

static void begin(struct async *self, const struct exchange_lent *lent)
{
    struct async_slot *slot = self->idle[--self->idle_count];
    struct chunk_input input = engine_core_input(self->core, &lent->chunk);
    slot->lent = *lent;
    chunk_run_begin(&slot->run, &input, clock_now_ns());
    if (chunk_run_done(&slot->run)) {
        finish(slot);
    } else {
        start_item(slot);
    }
}

/* Hand over and take until there is nothing to hand over and no slot or no chunk left. */
static void trade(struct async *self)
{
    struct exchange *exchange = &self->core->exchange;
    while (self->look) {
        struct exchange_lent lent[TRADE_MAX];
        size_t max = self->idle_count < TRADE_MAX ? self->idle_count : TRADE_MAX;
        size_t count = exchange_trade(exchange, self->finished, self->finished_count, lent, max);
        self->finished_count = 0;
        /* With no slot free there is no need to be told of chunks: the next slot that ends
         * looks. */
        self->look = count == TRADE_MAX ||
                     (count < max && self->idle_count > 0 && !exchange_arm(exchange));
        for (size_t i = 0; i < count; i++) {
            begin(self, &lent[i]);
        }
    }
}

static void end_when_idle(struct async *self)
{
    if (!self->cancelling) {
        self->cancelling = true;
        self->core->workload->async_cancel(self->workload);
    }
    if (self->idle_count == self->core->slots && exchange_is_closed(&self->core->exchange)) {
        self->core->workload->async_close(self->workload);
        uv_close((uv_handle_t *)&self->kick, NULL);
        uv_close((uv_handle_t *)&self->prepare, NULL);
    }
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct async *self = prepare->data;
    if (atomic_load(&self->core->cancelled)) {
        end_when_idle(self);
    } else {
        trade(self);
    }
}

static void on_kick(uv_async_t *kick)
{
    struct async *self = kick->data;
    self->look = true; /* on_prepare comes before the loop sleeps again */
}

static void notify(void *arg)
{
    struct async *self = arg;
    (void)uv_async_send(&self->kick);
}

static void run(void *state)
{
    struct async *self = state;
    struct engine_core *core = self->core;
    const struct workload_ops *workload = core->workload;
    struct err_text error = {.s = ""};

    cpu_meter_begin(&self->meter);
    if (workload->open(&core->params, &core->host, &error, &self->state) != 0) {
        engine_core_failed(core, &error);
        goto out;
    }
    if (workload->async_open(self->state, &self->loop, &error, &self->workload) != 0) {
        engine_core_failed(core, &error);
        goto out_open;
    }
    CHECK(uv_prepare_start(&self->prepare, on_prepare) == 0);
    engine_core_ready(core);
    (void)uv_run(&self->loop, UV_RUN_DEFAULT);

    for (uint32_t i = 0; i < self->finished_count; i++) {
        chunk_result_deinit(&self->finished[i].result);
    }
out_open:
    workload->close(self->state);
out:
    cpu_meter_end(&self->meter);
}

static void free_slots(struct async *self)
{
    for (uint32_t i = 0; self->slots != NULL && i < self->core->slots; i++) {
        record_buffer_deinit(&self->slots[i].records);
    }
    free(self->slots);
    free(self->idle);
    free(self->finished);
    free(self);
}

static int make_slots(struct engine_core *core, struct async **ret_self)
{
    struct async *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return ERR_NOMEM;
    }
    self->core = core;
    self->slots = calloc(core->slots, sizeof(*self->slots));
    self->idle = calloc(core->slots, sizeof(struct async_slot *));
    self->finished = calloc(core->slots, sizeof(*self->finished));
    if (self->slots == NULL || self->idle == NULL || self->finished == NULL) {
        free_slots(self);
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < core->slots; i++) {
        struct async_slot *slot = &self->slots[i];
        slot->owner = self;
        slot->call.done = on_item_done;
        slot->run = (struct chunk_run){
            .workload = core->workload,
            .elsewhere_us = &core->elsewhere_us,
            .error = slot->error,
            .records = core->spare_record != NULL ? &slot->records : NULL,
        };
        self->idle[self->idle_count++] = slot;
    }
    self->look = true;
    *ret_self = self;
    return 0;
}

static int prepare(struct engine_core *core, struct err_text *ret_error, void **ret_state)
{
    struct async *self;
    int rc = make_slots(core, &self);
    if (rc != 0) {
        return err_set(ret_error, rc, "no memory for %u items in flight", core->slots);
    }
    rc = loop_init(&self->loop, &self->kick, on_kick, ret_error);
    if (rc != 0) {
        free_slots(self);
        return rc;
    }
    CHECK(uv_prepare_init(&self->loop, &self->prepare) == 0);
    self->kick.data = self;
    self->prepare.data = self;
    cpu_meter_init(&self->meter);
    exchange_set_notify(&core->exchange, notify, self);
    *ret_state = self;
    return 0;
}

static void free_state(void *state)
{
    struct async *self = state;
    /* The loop has run to its end, or never ran because the workload could not be opened. */
    if (!uv_is_closing((uv_handle_t *)&self->kick)) {
        uv_close((uv_handle_t *)&self->kick, NULL);
        uv_close((uv_handle_t *)&self->prepare, NULL);
        (void)uv_run(&self->loop, UV_RUN_DEFAULT);
    }
    CHECK(uv_loop_close(&self->loop) == 0);
    cpu_meter_deinit(&self->meter);
    free_slots(self);
}

static uint64_t cpu_us(void *state)
{
    struct async *self = state;
    return cpu_meter_us(&self->meter);
}

const struct strategy_ops strategy_async_ops = {
    .strategy = STRATEGY_ASYNC,
    .slots_max = ENGINE_SLOTS_MAX,
    .prepare = prepare,
    .run = run,
    .cpu_us = cpu_us,
    .free = free_state,
};
