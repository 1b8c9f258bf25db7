/* Batches and marks of the sink as the journal keeps them: copies with references of their own. */
#ifndef QUARTET_COORDINATOR_JOURNAL_JOURNAL_BATCH_H
#define QUARTET_COORDINATOR_JOURNAL_JOURNAL_BATCH_H

#include "coordinator/sink/sink.h"

/* Give back what a batch of ours owns: its texts and its references. */
void journal_batch_deinit(struct sink_batch *batch);

void journal_places_free(struct sink_place *places, size_t count);

/* A mark that outlives the call it came with. All zeros is an empty one. */
struct journal_mark {
    struct sink_place *places; /* owned, as their paths are */
    size_t place_count;
    struct sink_batch *waiting; /* the same */
    size_t waiting_count;
    uint64_t next;
};

/* ERR_NOMEM: nothing to give back. */
int journal_mark_copy(const struct sink_mark *mark, struct journal_mark *ret_mark);
void journal_mark_deinit(struct journal_mark *mark);

#endif
