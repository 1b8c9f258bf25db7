/* Results: which counts, and for what. */
#include "common/base/err.h"
#include "coordinator/sched/sched_internal.h"

/* Ascending, apart, among the first `done` items, and as many as failed. */
static bool spans_add_up(const struct sched_event *event, uint64_t done)
{
    const struct sched_span *spans = event->as.result.failed;
    uint64_t end = 0;
    uint64_t sum = 0;
    for (size_t i = 0; i < event->as.result.failed_count; i++) {
        if (spans[i].count == 0 || spans[i].first < end || spans[i].first >= done ||
            spans[i].count > done - spans[i].first) {
            return false;
        }
        end = spans[i].first + spans[i].count;
        sum += spans[i].count;
    }
    return sum == event->as.result.tally.failed;
}

/* A result is of one item at least, of `count` at most, and names as failed what it counts. */
static bool adds_up(const struct sched_event *event, uint64_t count)
{
    const struct tally *tally = &event->as.result.tally;
    if (tally->ok > count || tally->failed > count - tally->ok || tally->ok + tally->failed == 0) {
        return false;
    }
    return event->as.result.failed_count == 0 || spans_add_up(event, tally->ok + tally->failed);
}

/* Will the failed items be run again? When each of them may be, and there is room for all. */
static bool may_retry(struct sched *sched, const struct sched_chunk *chunk, size_t parts)
{
    return chunk->failures < sched->options.retries_max && !sched->stopping &&
           parts <= SCHED_CHUNKS_MAX && sched_chunks_reserve(&sched->chunks, (uint32_t)parts - 1);
}

/* A result that may leave something to be done: items that were not run, or are to be run again.
 * The chunk is detached. */
static void account_part(struct sched *sched,
                         uint64_t now_us,
                         uint32_t worker,
                         const struct sched_event *event,
                         struct sched_action *finished)
{
    struct sched_remains remains = {.done = finished->done,
                                    .failed = event->as.result.failed,
                                    .failed_count = event->as.result.failed_count,
                                    .worker = worker};
    struct tally tally = event->as.result.tally;
    const struct sched_chunk *chunk = &sched->chunks.table[finished->slot];
    size_t parts = remains.failed_count + (remains.done < chunk->count);
    if (remains.failed_count > 0 && may_retry(sched, chunk, parts)) {
        remains.again = true;
        finished->retried = tally.failed;
        tally.failed = 0;
    }
    sched_divide(sched, now_us, finished->slot, &remains);
    sched->stats.items_done += finished->done - finished->retried;
    sched->stats.items_retried += finished->retried;
    tally_merge(&sched->stats.tally, &tally);
}

/* How fast a worker is. */
static void note_progress(struct sched *sched,
                          uint64_t now_us,
                          uint32_t index,
                          const struct sched_event *event)
{
    struct sched_worker *worker = &sched->workers.table[index];
    worker->run_us += event->as.result.run_us;
    worker->items += event->as.result.tally.ok + event->as.result.tally.failed;
    worker->result_us = now_us;
}

/* Take a chunk from wherever it is, of which `worker` has a result. Whoever else has it runs it for
 * nothing. */
static void take_finished(struct sched *sched, uint32_t worker, uint32_t slot)
{
    sched_decide(sched, slot);
    const struct sched_chunk *chunk = &sched->chunks.table[slot];
    if (chunk->state == SCHED_CHUNK_HELD && chunk->worker != worker) {
        sched_workers_stale(&sched->workers, chunk->worker);
    }
    sched->stats.speculations_won += chunk->was_duplicate;
    sched_detach(sched, slot);
}

/* The first result counts: of whichever attempt, from whichever registered worker, wherever the
 * chunk is by now. */
int sched_on_result(struct sched *sched,
                    uint64_t now_us,
                    uint32_t worker,
                    const struct sched_event *event,
                    struct sched_actions *out)
{
    uint32_t attempt = event->as.result.attempt;
    const struct tally *tally = &event->as.result.tally;
    bool past;
    uint32_t slot = sched_find(sched, event->as.result.chunk, &past);
    if (past) {
        sched->stats.duplicates++;
        sched_workers_not_stale(&sched->workers, worker);
        return 0;
    }
    if (slot == INDEX_NONE || attempt == 0 || attempt > sched->chunks.table[slot].attempt) {
        sched->stats.strays++;
        return 0;
    }
    uint64_t count = sched->chunks.table[slot].count;
    if (!adds_up(event, count)) {
        return ERR_INVALID;
    }
    struct sched_action *finished = sched_say(out, SCHED_FINISHED, sched, slot);
    finished->worker = event->worker;
    finished->attempt = attempt;
    finished->done = tally->ok + tally->failed;
    sched_size_learn(&sched->cost, finished->done, event->as.result.run_us);
    sched->stats.chunks_finished++;
    note_progress(sched, now_us, worker, event);
    take_finished(sched, worker, slot);
    if (finished->done == count && event->as.result.failed_count == 0) {
        sched_account(sched, slot, tally);
    } else {
        account_part(sched, now_us, worker, event, finished);
    }
    return 0;
}
