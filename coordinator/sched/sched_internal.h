/* What the files of the scheduler do for each other. Nobody else includes this, but its own tests. */
#ifndef QUARTET_COORDINATOR_SCHED_SCHED_INTERNAL_H
#define QUARTET_COORDINATOR_SCHED_SCHED_INTERNAL_H

#include "coordinator/sched/sched_state.h"

/* --- sched_chunks.c: the table of live chunks --- */

int sched_chunks_init(struct sched_chunks *chunks, uint8_t epoch);
void sched_chunks_deinit(struct sched_chunks *chunks);

/* A new chunk of items [first, first + count), which lie behind all that were cut before and before
 * those ahead. It is in no state's list yet. Returns its slot, or INDEX_NONE when there is no memory for more in
 * flight, or as many as can be. */
uint32_t sched_chunks_cut(struct sched_chunks *chunks, uint64_t first, uint64_t count);

/* Is there room for `count` chunks more? Grows the table if need be. */
bool sched_chunks_reserve(struct sched_chunks *chunks, uint32_t count);

/* A chunk that is in no state's list is over, and parts of its items go on as chunks of their own:
 * the first one in its slot, with a new id; each other one in a slot that was reserved, behind the
 * chunk in slot `last` (INDEX_NONE: before all). `part` has everything but ids and links. The
 * second returns the slot. */
void sched_chunks_renew(struct sched_chunks *chunks, uint32_t slot, const struct sched_chunk *part);
uint32_t sched_chunks_insert(struct sched_chunks *chunks,
                             uint32_t last,
                             const struct sched_chunk *part);

/* Is the id of this epoch? */
static inline bool sched_chunks_are_own(const struct sched_chunks *chunks, struct chunk_id id)
{
    return (id.value ^ chunks->epoch) >> (SCHED_SLOT_BITS + SCHED_USES_BITS) == 0;
}

/* A chunk of its own, in a slot that was reserved, for some of the items of the held chunk in slot
 * `twin`: those that end where the duplicate made last begins, or where the chunk ends. Returns its
 * slot. It is in no state's list. */
uint32_t sched_chunks_duplicate(struct sched_chunks *chunks, uint32_t twin, uint64_t count);

/* A duplicate takes its place among the live chunks, behind chunk `last`. */
void sched_chunks_promote(struct sched_chunks *chunks, uint32_t last, uint32_t slot);

/* The slot of a live chunk by an id of this epoch; INDEX_NONE otherwise, and then `*ret_past` says
 * whether there has been one of this id. */
uint32_t sched_chunks_find(const struct sched_chunks *chunks, struct chunk_id id, bool *ret_past);

/* Put a chunk that is in no list among those of its suspicion that wait for their next attempt,
 * behind or before the others. */
void sched_chunks_queue(struct sched_chunks *chunks, uint32_t slot);
void sched_chunks_queue_first(struct sched_chunks *chunks, uint32_t slot);

/* Put it among those that wait for a time. Of those with as many failures none was put there with a
 * later one. */
void sched_chunks_delay(struct sched_chunks *chunks, uint32_t slot, uint64_t due_us);

/* Put it among those that are out of attempts. */
void sched_chunks_spend(struct sched_chunks *chunks, uint32_t slot);

/* Queue those whose time has come. */
void sched_chunks_release_due(struct sched_chunks *chunks, uint64_t now_us);

/* Take a chunk that is not held out of the list of its state. */
void sched_chunks_unqueue(struct sched_chunks *chunks, uint32_t slot);

/* Which of the delays a chunk with `failures`, at least 1, waits: 2 to the power of this times the
 * first. */
static inline uint32_t sched_delay_of(uint32_t failures)
{
    return failures < SCHED_DELAYS ? failures - 1 : SCHED_DELAYS - 1;
}

/* A chunk in no state's list is accounted for: its slot may have another. */
void sched_chunks_free(struct sched_chunks *chunks, uint32_t slot);

/* --- sched_workers.c: who is there, whose turn it is, whose lease runs out first --- */

int sched_workers_init(struct sched_workers *workers);
void sched_workers_deinit(struct sched_workers *workers);

/* Index of a worker, or INDEX_NONE. */
uint32_t sched_workers_find(struct sched_workers *workers, struct worker_id id);

/* Returns 0 or ERR_NOMEM. The id is not registered yet. */
int sched_workers_add(struct sched_workers *workers, const struct sched_worker *worker);

/* Forget a worker that holds nothing. */
void sched_workers_remove(struct sched_workers *workers, uint32_t index);

void sched_workers_renew(struct sched_workers *workers, uint32_t index, uint64_t now_us);
void sched_workers_grant(struct sched_workers *workers, uint32_t index, uint32_t credit);
void sched_workers_drain(struct sched_workers *workers, uint32_t index);

/* Hand a chunk that is in no state's list to a worker, against credit. */
void sched_workers_hold(struct sched *sched, uint32_t index, uint32_t slot);

/* The same with one that the worker has already. */
void sched_workers_adopt(struct sched *sched, uint32_t index, uint32_t slot);

/* Take a held chunk from its worker; it is in no state's list then. */
void sched_workers_release(struct sched *sched, uint32_t slot);

/* A worker runs one chunk more, or less, of which the result will not count. */
void sched_workers_stale(struct sched_workers *workers, uint32_t index);
void sched_workers_not_stale(struct sched_workers *workers, uint32_t index);

/* Chunks in its slots, or before them. */
static inline uint32_t sched_occupied(const struct sched_worker *worker)
{
    return worker->held_count + worker->stale_count;
}

/* Nothing more is sent to a worker that is next among those with a free slot, or else among the
 * others, until it is empty; if there is one. And undo this for whoever is set aside. */
void sched_workers_set_aside(struct sched_workers *workers);
void sched_workers_put_back(struct sched_workers *workers);

/* The worker whose turn it is in a class; not the one at index `avoid` while the class has
 * another. INDEX_NONE: nobody waits. */
uint32_t sched_workers_next(const struct sched_workers *workers,
                            enum sched_turn turn,
                            uint32_t avoid);

/* --- sched_results.c: which result counts --- */

/* SCHED_RESULT of the worker at this index. Returns 0, or ERR_INVALID with the state unchanged. */
int sched_on_result(struct sched *sched,
                    uint64_t now_us,
                    uint32_t worker,
                    const struct sched_event *event,
                    struct sched_actions *out);

/* --- sched_moves.c: chunks change hands, and are divided --- */

/* Room for `count` more actions, and one more kept for DONE or STALLED. What finds no room is said
 * at the next TICK. */
static inline bool sched_has_room(struct sched *sched,
                                  const struct sched_actions *out,
                                  size_t count)
{
    if (out->capacity - out->count > count) {
        return true;
    }
    sched->hurry = true;
    return false;
}

static inline void sched_emit(struct sched_actions *out, struct sched_action action)
{
    out->list[out->count++] = action;
}

/* Say something about the chunk in this slot. Returns what is said, to add to it. */
static inline struct sched_action *sched_say(struct sched_actions *out,
                                             enum sched_action_type type,
                                             const struct sched *sched,
                                             uint32_t slot)
{
    const struct sched_chunk *chunk = &sched->chunks.table[slot];
    struct sched_action *action = &out->list[out->count++];
    *action = (struct sched_action){.type = type,
                                    .chunk = {chunk->id},
                                    .slot = slot,
                                    .attempt = chunk->attempt,
                                    .first = chunk->first,
                                    .count = chunk->count};
    return action;
}

/* Take a live chunk from wherever it is; it is in no state's list then. */
void sched_detach(struct sched *sched, uint32_t slot);

/* A detached chunk is over, and so are its items. */
void sched_account(struct sched *sched, uint32_t slot, const struct tally *tally);

/* A held chunk is taken from its worker, to wait for another attempt; it is in no list yet. */
void sched_take_back(struct sched *sched, uint32_t slot);

/* A held chunk waits for another attempt: its worker gives it back. */
void sched_return(struct sched *sched, uint32_t slot);

/* The next part of a chunk that is over; it is the first one when `last` is the chunk itself.
 * Returns its slot. For each but the first room was reserved. */
uint32_t sched_add_part(struct sched *sched,
                        uint32_t last,
                        uint32_t number,
                        const struct sched_chunk *part);

/* A detached chunk is over, of which the first `done` items were run. Those that `failed` names
 * wait to be run again by another worker than `worker`, when `again`, for which room was reserved;
 * those that were not run are next. */
struct sched_remains {
    uint64_t done;
    const struct sched_span *failed;
    size_t failed_count;
    uint32_t worker; /* index */
    bool again;
};

void sched_divide(struct sched *sched,
                  uint64_t now_us,
                  uint32_t slot,
                  const struct sched_remains *remains);

/* --- sched_suspects.c: chunks that may have taken their worker down --- */

/* The worker of a held chunk is lost, with `together` chunks in hand: it waits for another attempt,
 * as a suspect; or it is split; or it is out of attempts. Says one thing at most. */
void sched_lose(struct sched *sched, uint32_t slot, uint32_t together, struct sched_actions *out);

/* Its worker is not lost after all. */
void sched_unlose(struct sched_chunk *chunk);

/* Does a suspect wait that can be sent? */
bool sched_suspects_wait(const struct sched *sched);

/* May a further worker be given suspects? Half of them, but one at least, serve others meanwhile, if
 * there is something to do. */
bool sched_may_serve(const struct sched *sched);

/* Send them to workers that may have them, and see to it that there will be one. */
void sched_send_suspects(struct sched *sched, struct sched_actions *out);

/* --- sched_duplicates.c: chunks that run in two places --- */

/* Has it duplicates? */
static inline bool sched_is_doubled(const struct sched_chunk *chunk)
{
    return chunk->state == SCHED_CHUNK_HELD && !chunk->duplicate && chunk->twin != INDEX_NONE;
}

/* The result of the chunk in this slot counts: if it has duplicates they are over; if it is one, the
 * chunk that it is of is over, and its siblings go on as chunks like others. */
void sched_decide(struct sched *sched, uint32_t slot);

/* The holder of a chunk that has duplicates, or that is one, holds it no more: it is lost, or it
 * gives it back. */
void sched_lose_doubled(struct sched *sched, uint32_t slot, bool lost);

/* --- sched_speculate.c: what is late, and who runs it as well --- */

/* Send out again what is late, if nothing else is left to send: no item is fresh. */
void sched_speculate(struct sched *sched, struct sched_actions *out);

/* When the chunk in this slot, which is held, will be finished by what is known of its holder. */
uint64_t sched_expected_end_us(const struct sched *sched, uint32_t slot);

/* --- sched_restore.c: what was done before, and where fresh chunks are cut --- */

/* Follow the cut: over spans that are not to be cut, to the next gap. */
void sched_skip_ahead(struct sched *sched);

/* How many items of [first, end) were done before, or adopted. */
uint64_t sched_count_ahead(const struct sched *sched, uint64_t first, uint64_t end);

/* --- sched_adopt.c: what workers still hold from before --- */

/* A worker that has just joined goes on with what it can of what it has in hand. */
void sched_adopt(struct sched *sched,
                 uint32_t worker,
                 const struct sched_holding *list,
                 size_t count);

void sched_foreign_deinit(struct sched_foreign *foreign);

/* As sched_chunks_find, by the id of a chunk of another epoch. */
uint32_t sched_foreign_find(const struct sched *sched, struct chunk_id id, bool *ret_past);

/* The slot of a live chunk, of whichever epoch its id is; INDEX_NONE otherwise, and then `*ret_past`
 * says whether there has been one of this id. */
static inline uint32_t sched_find(const struct sched *sched, struct chunk_id id, bool *ret_past)
{
    return sched_chunks_are_own(&sched->chunks, id)
               ? sched_chunks_find(&sched->chunks, id, ret_past)
               : sched_foreign_find(sched, id, ret_past);
}

/* --- sched_dispatch.c: who is sent what --- */

/* Whatever can be sent, or said, after an event. */
void sched_dispatch(struct sched *sched, struct sched_actions *out);

/* A chunk that is in no state's list goes to a worker, for which there is room to say. The second is
 * for a duplicate, whose items are counted with the chunk that it is of. */
void sched_send(struct sched *sched, uint32_t slot, uint32_t worker, struct sched_actions *out);
void sched_send_duplicate(struct sched *sched,
                          uint32_t slot,
                          uint32_t worker,
                          struct sched_actions *out);

/* Are its items there? Those of an adopted chunk may not have been read again yet. */
static inline bool sched_is_available(const struct sched *sched, uint32_t slot)
{
    const struct sched_chunk *chunk = &sched->chunks.table[slot];
    return chunk->first + chunk->count <= sched->stats.items_available;
}

/* Is there something to send that is under no suspicion? */
static inline bool sched_others_wait(const struct sched *sched)
{
    uint32_t queued = sched->chunks.queued.head;
    return (queued != INDEX_NONE && sched_is_available(sched, queued)) ||
           (sched->fresh > 0 && !sched->holding);
}

/* --- sched_size.c: how many items a chunk gets --- */

void sched_size_learn(struct sched_cost *cost, uint64_t items, uint64_t run_us);

/* Items of the next fresh chunk, which lie in one gap. There are fresh ones. */
uint64_t sched_size_next(const struct sched *sched);

/* As above, but as if the input had no end. */
uint64_t sched_size_wanted(const struct sched *sched);

/* What `items` take by the average, in microseconds. Something was measured. */
static inline double sched_size_cost_us(const struct sched *sched, uint64_t items)
{
    return sched->cost.us / sched->cost.items * (double)items;
}

/* May a chunk of `items` wait behind another at its worker? */
bool sched_size_may_wait(const struct sched *sched, uint64_t items);

#endif
