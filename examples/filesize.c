/* filesize: how many bytes has the file that the item names? The asynchronous form: many items in
 * flight on one libuv loop, which is never blocked. The blocking form beside it is for the other
 * strategies, so that they can be compared:
 *
 *   find . -type f | quartet compare ./libfilesize.so --items -
 *
 * It links libuv, the same one that the program has. */
#include <errno.h>
#include <quartet/workload.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uv.h>

static int filesize_open(const struct params *params,
                         const struct workload_host *host,
                         struct err_text *ret_error,
                         void **ret_state)
{
    (void)params;
    (void)ret_error;
    *ret_state = (void *)(uintptr_t)host; /* all that there is to share, and constant */
    return 0;
}

static void filesize_close(void *state)
{
    (void)state;
}

static int filesize_slot_open(void *state, struct err_text *ret_error, void **ret_slot)
{
    (void)ret_error;
    *ret_slot = state;
    return 0;
}

static void filesize_slot_close(void *slot)
{
    (void)slot;
}

/* --- what an item comes to, in either form --- */

static void succeed(struct workload_outcome *outcome, uint64_t size)
{
    outcome->ok = true;
    outcome->flags = WORKLOAD_HAS_VALUE;
    outcome->value = size;
    outcome->checksum = 1 + size;
}

static void fail(struct workload_outcome *outcome,
                 const struct workload_item *item,
                 const char *why)
{
    (void)snprintf(outcome->error, sizeof(outcome->error), "'%.100s': %s", item->bytes, why);
}

/* --- blocking --- */

static void filesize_run(void *slot,
                         const struct workload_item *item,
                         struct workload_outcome *outcome)
{
    (void)slot;
    struct stat status;
    if (stat(item->bytes, &status) == 0) {
        succeed(outcome, (uint64_t)status.st_size);
    } else {
        fail(outcome, item, strerror(errno));
    }
}

/* --- asynchronous --- */

/* A call in flight. */
struct flight {
    uv_fs_t request;
    struct workload_call *call;
    struct flight *next;
    struct flight **previous; /* where the pointer to this one is */
};

/* What one loop has. Only its thread comes here: no locks. */
struct async {
    uv_loop_t *loop;
    struct flight *flights;
    /* `done` must not be called from inside async_start. What could not even be begun waits here,
     * linked through call->workload, for the loop's next turn. */
    struct workload_call *refused;
    uv_idle_t turn;
};

static int filesize_async_open(void *state,
                               struct uv_loop_s *loop,
                               struct err_text *ret_error,
                               void **ret_async)
{
    const struct workload_host *host = state;
    struct async *async = calloc(1, sizeof(*async));
    if (async == NULL) {
        host->set_error(ret_error, "filesize: no memory");
        return -1;
    }
    async->loop = loop;
    (void)uv_idle_init(loop, &async->turn); /* cannot fail */
    async->turn.data = async;
    *ret_async = async;
    return 0;
}

static void on_turn(uv_idle_t *turn)
{
    struct async *async = turn->data;
    struct workload_call *call = async->refused;
    async->refused = NULL;
    (void)uv_idle_stop(turn);
    while (call != NULL) {
        struct workload_call *next = call->workload; /* `done` may use the call for another item */
        struct workload_outcome outcome = {.ok = false};
        fail(&outcome, &call->item, "no memory");
        call->done(call, &outcome);
        call = next;
    }
}

static void refuse(struct async *async, struct workload_call *call)
{
    call->workload = async->refused;
    async->refused = call;
    (void)uv_idle_start(&async->turn, on_turn);
}

static void on_stat(uv_fs_t *request)
{
    struct flight *flight = request->data;
    struct workload_call *call = flight->call;
    struct workload_outcome outcome = {.ok = false};
    if (request->result == 0) {
        succeed(&outcome, request->statbuf.st_size);
    } else {
        fail(&outcome, &call->item, uv_strerror((int)request->result));
    }
    *flight->previous = flight->next;
    if (flight->next != NULL) {
        flight->next->previous = flight->previous;
    }
    uv_fs_req_cleanup(request);
    free(flight);
    call->done(call, &outcome); /* last: it may begin the next item, or end the run */
}

static void filesize_async_start(void *opaque, struct workload_call *call)
{
    struct async *async = opaque;
    struct flight *flight = malloc(sizeof(*flight));
    if (flight == NULL ||
        uv_fs_stat(async->loop, &flight->request, call->item.bytes, on_stat) != 0) {
        free(flight);
        refuse(async, call);
        return;
    }
    flight->request.data = flight;
    flight->call = call;
    flight->next = async->flights;
    flight->previous = &async->flights;
    if (flight->next != NULL) {
        flight->next->previous = &flight->next;
    }
    async->flights = flight;
}

/* Everything comes back soon: what waits for a thread is cancelled, what has one ends by itself. */
static void filesize_async_cancel(void *opaque)
{
    struct async *async = opaque;
    for (struct flight *flight = async->flights; flight != NULL; flight = flight->next) {
        (void)uv_cancel((uv_req_t *)&flight->request);
    }
}

static void on_closed(uv_handle_t *turn)
{
    free(turn->data);
}

/* No call is outstanding. The memory has to live until libuv has let go of the handle in it. */
static void filesize_async_close(void *opaque)
{
    struct async *async = opaque;
    uv_close((uv_handle_t *)&async->turn, on_closed);
}

static const struct workload_ops filesize_ops = {
    WORKLOAD_ABI,
    .name = "filesize",
    .summary = "looks up the size of the file that an item names",
    .traits = WORKLOAD_IDEMPOTENT | WORKLOAD_BYTES,
    .open = filesize_open,
    .close = filesize_close,
    .slot_open = filesize_slot_open,
    .slot_close = filesize_slot_close,
    .run = filesize_run,
    .async_open = filesize_async_open,
    .async_start = filesize_async_start,
    .async_cancel = filesize_async_cancel,
    .async_close = filesize_async_close,
};

WORKLOAD_PLUGIN(filesize_ops)
