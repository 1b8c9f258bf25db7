/* The batch form within a chunk; see chunk_batch.h. */
#include "worker/engine/chunk_batch.h"

#include "worker/engine/clock.h"

#include <stdio.h>

struct batch_run {
    struct workload_batch batch;
    struct chunk_run *run;
    const struct workload_host *host;
    size_t reported;
    bool stopped; /* `done` has said that no further item is to be begun */
};

/* What is told beyond the last item, or after a record that there was no room for, is not counted:
 * a workload that goes on does itself no good and others no harm. */
static bool on_done(struct workload_batch *batch, const struct workload_outcome *outcome)
{
    struct batch_run *self = (struct batch_run *)((char *)batch -
                                                  offsetof(struct batch_run, batch));
    struct chunk_run *run = self->run;
    if (self->reported == batch->count || run->full) {
        return false;
    }
    chunk_run_count(run, &batch->items[self->reported], outcome);
    if (!run->full) {
        self->reported++;
        chunk_run_note(run, batch->count - self->reported);
    }
    self->stopped = self->stopped || run->enough || self->host->cancelled(self->host);
    return !self->stopped;
}

/* A workload that came back without a word about some items, although nobody had asked it to. */
static void fail_rest(struct batch_run *self)
{
    char reason[CHUNK_ERROR_SIZE];
    size_t left = self->batch.count - self->reported;
    (void)snprintf(reason,
                   sizeof(reason),
                   "workload %s did not say what became of %zu of a batch of %zu items",
                   self->run->workload->name,
                   left,
                   self->batch.count);
    chunk_run_fail(self->run, left, reason);
}

/* The items of the next batch, in run->items. */
static size_t gather(struct chunk_run *run, size_t max)
{
    uint64_t left = run->input.count - run->done;
    size_t count = left < max ? (size_t)left : max;
    for (size_t i = 0; i < count; i++) {
        chunk_run_next_item(run, i, &run->items[i]);
    }
    return count;
}

void chunk_batch_step(struct chunk_run *run, const struct workload_host *host, size_t max)
{
    struct batch_run self = {
        .batch = {.items = run->items, .count = gather(run, max), .done = on_done},
        .run = run,
        .host = host,
    };
    chunk_run_note(run, self.batch.count);
    run->workload->run_batch(run->slot, &self.batch);
    /* As if the chunk had begun so much later. */
    uint64_t gone_ns = clock_now_ns() - run->start_ns;
    uint64_t overhead_ns = self.batch.overhead_us * NS_PER_US;
    run->start_ns += overhead_ns < gone_ns ? overhead_ns : gone_ns;
    if (self.reported < self.batch.count && !self.stopped && !host->cancelled(host)) {
        fail_rest(&self);
    }
}
