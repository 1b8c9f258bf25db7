/* A slot that blocks; see slot.h. */
#include "worker/engine/slot.h"

#include "worker/engine/clock.h"

enum {
    SLOT_FLUSH_NS = 200 * NS_PER_US,
    SLOT_CHUNKS_MAX = 64,
    SLOT_CHUNKS_WITH_RECORDS =
        8, /* each may come to RECORDS_MAX bytes before they are handed over */
};

void slot_init(struct slot *slot, struct engine_core *core)
{
    bool records = core->spare_record != NULL;
    struct share_policy policy = {
        .chunks_max = records ? SLOT_CHUNKS_WITH_RECORDS : SLOT_CHUNKS_MAX,
        .expected_ns = SLOT_FLUSH_NS,
        .ahead_ns = 0,
    };
    slot->core = core;
    slot->records = (struct record_buffer){.len = 0};
    slot->running = false;
    slot->now_ns = clock_now_ns();
    slot->flushed_ns = slot->now_ns;
    share_init(&slot->share, &slot->record, policy);
    share_want_records(&slot->share, core->spare_record, NULL);
    slot->run = (struct chunk_run){
        .workload = core->workload,
        .elsewhere_us = &core->elsewhere_us,
        .records = records ? &slot->records : NULL,
    };
    exchange_add_share(&core->exchange, &slot->share);
}

int slot_attach(struct slot *slot, void *workload_slot)
{
    slot->run.slot = workload_slot;
    return chunk_run_init(&slot->run);
}

void slot_deinit(struct slot *slot)
{
    chunk_run_deinit(&slot->run);
    record_buffer_deinit(&slot->records);
}

bool slot_turn(struct slot *slot, enum exchange_wait wait)
{
    uint32_t given = exchange_turn(&slot->core->exchange, &slot->share, wait, slot->now_ns);
    slot->now_ns = clock_now_ns();
    slot->flushed_ns = slot->now_ns;
    return given > 0;
}

static bool begin_next(struct slot *slot)
{
    uint32_t seq = slot_record_range(&slot->record).next;
    if (!slot_record_begin(&slot->record, seq)) {
        return false;
    }
    struct chunk_input input = engine_core_input(slot->core, share_chunk(&slot->share, seq));
    slot->run.seq = seq;
    slot->run.error = slot_record_error(&slot->record, seq);
    chunk_run_begin(&slot->run, &input, slot->now_ns);
    slot->running = true;
    return true;
}

static void publish(struct slot *slot)
{
    struct chunk_run *run = &slot->run;
    struct chunk *chunk = share_chunk(&slot->share, run->seq);
    if (run->records != NULL) {
        slot->share.records[run->seq % SLOT_RING] = chunk_run_take_records(
            run, slot->core->spare_record);
    }
    blob_unref(chunk->payload);
    chunk->payload = NULL;
    *slot_record_result(&slot->record, run->seq) = (struct slot_result){
        .tally = run->tally,
        .run_ns = slot->now_ns - run->start_ns,
        .error_index = run->error_index,
        .error_len = run->error_len,
    };
    slot_record_publish(&slot->record, run->seq);
    slot->running = false;
}

bool slot_step(struct slot *slot, uint64_t deadline_ns)
{
    while (slot->running || begin_next(slot)) {
        chunk_run_step(&slot->run, &slot->core->host, deadline_ns);
        slot->now_ns = clock_now_ns();
        if (!chunk_run_done(&slot->run)) {
            return !atomic_load_explicit(&slot->core->cancelled, memory_order_relaxed);
        }
        publish(slot);
        if (slot->now_ns - slot->flushed_ns > SLOT_FLUSH_NS) {
            exchange_flush(&slot->core->exchange, &slot->share, slot->now_ns);
            slot->flushed_ns = slot->now_ns;
        }
        if (slot->now_ns >= deadline_ns) {
            return true;
        }
    }
    return false;
}
