/* A slot that blocks: a thread that takes chunks from the exchange and runs them one after the
 * other. */
#ifndef QUARTET_WORKER_ENGINE_SLOT_H
#define QUARTET_WORKER_ENGINE_SLOT_H

#include "worker/engine/chunk_run.h"
#include "worker/engine/strategy.h"

#include <stdbool.h>
#include <stdint.h>

struct slot {
    struct engine_core *core;
    struct share share;
    struct chunk_run run;
    bool running; /* `run` is a chunk that was begun and not published */
    uint64_t
        now_ns; /* end of the last item, start of the next: neighbours share one look at the clock */
    uint64_t flushed_ns;
    struct slot_record record;
    struct record_buffer records; /* of the chunk that runs */
};

/* Make `slot` known to the exchange. The workload's own slot comes with slot_attach, from the
 * slot's thread; that returns 0 or ERR_NOMEM. */
void slot_init(struct slot *slot, struct engine_core *core);
int slot_attach(struct slot *slot, void *workload_slot);

/* Free what the slot's thread has left, once that has ended. */
void slot_deinit(struct slot *slot);

/* Take a share, waiting if asked to. False: see exchange_turn. */
bool slot_turn(struct slot *slot, enum exchange_wait wait);

/* Run chunks of the share until `deadline_ns` (UINT64_MAX: to its end). Finished results are
 * handed over when the share is done or SLOT_FLUSH_NS after the last time. False: nothing is
 * left to run, or cancelled. */
bool slot_step(struct slot *slot, uint64_t deadline_ns);

#endif
