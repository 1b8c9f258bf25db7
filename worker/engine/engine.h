/* The engine: runs a stream of chunks of one job with one strategy, and hands back one result
 * per chunk.
 *
 * The owner is one thread (a loop that talks, or the coordinator). It submits chunks as they
 * come and takes results as they are ready; neither call blocks. Slots stay full across chunk
 * borders because every slot takes its next chunk by itself. The owner is woken through `wake`
 * once for all that is ready. The same library runs in both programs: `local` and `distributed`
 * are the same code. All functions are for the owner's thread only. */
#ifndef QUARTET_WORKER_ENGINE_ENGINE_H
#define QUARTET_WORKER_ENGINE_ENGINE_H

#include "common/base/chunk.h"
#include "common/base/err.h"
#include "worker/workloads/workload.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;
struct zygote;

enum { ENGINE_SLOTS_MAX = 4096, ENGINE_PROCESSES_MAX = 512 };

struct engine_options {
    const struct workload_ops *workload; /* outlives the engine */
    const struct params *params;         /* resolved; copied */
    enum strategy strategy;
    uint32_t slots;        /* items at once; 1 for serial, otherwise 1 to ENGINE_SLOTS_MAX. With
                              threads and WORKLOAD_ONE_THREAD only one of them is used */
    uint64_t range_first;  /* number of the item with index 0, for chunks without payload */
    bool records;          /* make a record of each item: chunk_result.records. Then a result may be
                              of fewer items than its chunk has, see chunk_result */
    struct zygote *zygote; /* needed by STRATEGY_PROCESSES, otherwise NULL; outlives the engine */

    /* Called from any of the engine's threads when something new is to be had (results, a change
     * of state) and the owner has not been told since it last called engine_take. Must not block
     * nor call the engine: uv_async_send is the use. */
    void (*wake)(void *arg);
    void *wake_arg;

    /* A workload has something to say to the person who runs it: one line, each once (of the first
     * 64 different ones; others are dropped). From any of the engine's threads. NULL: nobody
     * listens. */
    void (*note)(void *arg, const char *text);
    void *note_arg;
};

enum engine_state {
    ENGINE_STARTING, /* slots are being made; chunks may be submitted already */
    ENGINE_READY,
    ENGINE_FAILED,  /* could not start, see the text; only engine_stop and engine_free are left */
    ENGINE_STOPPED, /* after engine_stop: nothing of it runs any more; engine_free will not block */
};

/* Begin to make an engine. Returns at once, in state ENGINE_STARTING, or: ERR_INVALID (slots out
 * of range, a workload that takes no kind of item or does not allow this strategy), ERR_NOMEM,
 * ERR_IO (no threads). */
int engine_new(const struct engine_options *options,
               struct err_text *ret_error,
               struct engine **ret_engine);

/* The state now; for ENGINE_FAILED also why. `ret_error` may be NULL. */
enum engine_state engine_state(struct engine *engine, struct err_text *ret_error);

/* Queue `count` chunks, to be begun in this order. Takes over one payload reference of each.
 * Never blocks; the queue is as long as the credit that the owner gave away. Returns 0 or
 * ERR_NOMEM (nothing was queued, references stay the caller's). */
int engine_submit(struct engine *engine, const struct chunk *chunks, size_t count);

/* Move up to `max` finished results to `ret_results` (what they own is then the caller's:
 * chunk_result_deinit). Returns how many; 0 means that none is ready, and the next one will call
 * `wake`. Call until it returns less than `max`. */
size_t engine_take(struct engine *engine, struct chunk_result *ret_results, size_t max);

/* Give back up to `max` chunks that no slot has begun, those in the queue first and newest
 * first, then those that wait at a slot; their payload references are the caller's. They will
 * have no result. */
size_t engine_take_back(struct engine *engine, struct chunk *ret_chunks, size_t max);

/* Chunks submitted and neither taken as results nor taken back. */
size_t engine_held(const struct engine *engine);

/* Which these are: waiting, running, or finished and not taken yet. Writes up to `max` of them
 * (without their payloads: `payload` is NULL) in no order and returns how many there are. For the
 * rare moment in which a worker tells a coordinator what it still has in hand. */
size_t engine_holding(struct engine *engine, struct chunk *ret_chunks, size_t max);

/* CPU time in microseconds that the slots (threads or processes) have used so far, user and
 * system; monotonic. */
uint64_t engine_cpu_us(struct engine *engine);

/* Items that asynchronous workloads run on one loop cooperatively because they have no
 * asynchronous form. */
bool engine_is_cooperative(const struct engine *engine);

/* Stop as soon as may be: nothing new is begun, `cancelled` says true to running items,
 * processes are killed. Results not taken are dropped. Returns at once; the state becomes
 * ENGINE_STOPPED and `wake` is called when all slots have ended. */
void engine_stop(struct engine *engine);

/* Wait at most `timeout_ms` for ENGINE_STOPPED, sleeping. Returns 0 or ERR_TIMEOUT. For owners
 * without a loop, and for exits. */
int engine_join(struct engine *engine, uint32_t timeout_ms);

/* Free a stopped engine. NULL is allowed; any state but ENGINE_STOPPED is stopped and joined
 * first, however long that takes. */
void engine_free(struct engine *engine);

#endif
