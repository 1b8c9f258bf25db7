/* The asynchronous form of download: many transfers on one loop. A handle that has finished an
 * item waits for the next one, so that a run makes as many handles as it has items in flight and
 * no more. */
#include "common/base/check.h"
#include "worker/workloads/curl_loop.h"
#include "worker/workloads/download.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

/* A handle and its item. In one of three lists: running, refused or spare. */
struct flight {
    struct download_transfer transfer;
    struct workload_call *call;
    struct workload_outcome refusal; /* refused: why it did not begin */
    struct flight *next;
    struct flight *previous; /* running */
};

struct download_async {
    const struct download_state *state;
    struct curl_loop *curl;
    struct flight *running;
    struct flight *spare;
    bool cancelled;

    /* `done` must not be called from async_start, nor while whoever cancels is in the middle of
     * something: `turn` is active while there is something of this kind to tell, and does so at
     * the loop's next turn. */
    uv_idle_t turn;
    struct flight *refused;
    struct workload_call *starved; /* found no memory for a handle; linked through `workload` */
};

/* Handles. */

static struct flight *flight_new(struct download_async *async)
{
    struct flight *flight = calloc(1, sizeof(*flight));
    if (flight == NULL) {
        return NULL;
    }
    if (download_transfer_init(&flight->transfer, async->state) != 0 ||
        curl_loop_adopt(async->curl, flight->transfer.easy) != 0) {
        download_transfer_deinit(&flight->transfer);
        free(flight);
        return NULL;
    }
    return flight;
}

static struct flight *take_spare(struct download_async *async)
{
    struct flight *flight = async->spare;
    if (flight != NULL) {
        async->spare = flight->next;
        return flight;
    }
    return flight_new(async);
}

static void push_spare(struct download_async *async, struct flight *flight)
{
    flight->next = async->spare;
    async->spare = flight;
}

static void push_running(struct download_async *async, struct flight *flight)
{
    flight->previous = NULL;
    flight->next = async->running;
    if (flight->next != NULL) {
        flight->next->previous = flight;
    }
    async->running = flight;
}

static void leave_running(struct download_async *async, struct flight *flight)
{
    if (flight->next != NULL) {
        flight->next->previous = flight->previous;
    }
    if (flight->previous != NULL) {
        flight->previous->next = flight->next;
    } else {
        async->running = flight->next;
    }
}

/* The handle is spare before the engine hears of the end: it begins the next item from inside
 * `done`. */
static void tell(struct download_async *async,
                 struct flight *flight,
                 const struct workload_outcome *outcome)
{
    struct workload_call *call = flight->call;
    push_spare(async, flight);
    call->done(call, outcome);
}

/* Ends. */

static void on_done(void *arg, CURL *easy, CURLcode result)
{
    struct download_async *async = arg;
    char *private = NULL;
    (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    struct flight *flight = (struct flight *)(void *)private; /* its first member */

    struct workload_outcome outcome = {.ok = false};
    download_transfer_end(&flight->transfer, &flight->call->item, result, &outcome);
    leave_running(async, flight);
    tell(async, flight, &outcome);
}

static void tell_starved(struct download_async *async)
{
    struct workload_call *call = async->starved;
    async->starved = NULL;
    while (call != NULL) {
        struct workload_call *next = call->workload;
        struct workload_outcome outcome = {.ok = false};
        (void)snprintf(outcome.error, sizeof(outcome.error), "no memory for a transfer");
        call->done(call, &outcome);
        call = next;
    }
}

static void tell_refused(struct download_async *async)
{
    struct flight *flight = async->refused;
    async->refused = NULL;
    while (flight != NULL) {
        struct flight *next = flight->next;
        struct workload_outcome outcome = flight->refusal;
        tell(async, flight, &outcome);
        flight = next;
    }
}

static void drop_running(struct download_async *async)
{
    while (async->running != NULL) {
        struct flight *flight = async->running;
        struct workload_outcome outcome = {.ok = false};
        curl_loop_remove(async->curl, flight->transfer.easy);
        download_transfer_fail(&flight->transfer, "cancelled", &outcome);
        leave_running(async, flight);
        tell(async, flight, &outcome);
    }
}

static void on_turn(uv_idle_t *turn)
{
    struct download_async *async = turn->data;
    (void)uv_idle_stop(turn);
    tell_starved(async);
    tell_refused(async);
    if (async->cancelled) {
        drop_running(async);
    }
}

static void want_turn(struct download_async *async)
{
    (void)uv_idle_start(&async->turn, on_turn); /* fails only without a callback */
}

/* The form's four functions. */

static void on_turn_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_curl_closed(void *arg)
{
    struct download_async *async = arg;
    uv_close((uv_handle_t *)&async->turn, on_turn_closed);
}

int download_async_open(void *state, uv_loop_t *loop, struct err_text *ret_error, void **ret_async)
{
    struct download_async *async = calloc(1, sizeof(*async));
    if (async == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for workload download");
    }
    async->state = state;
    const struct curl_loop_callbacks callbacks = {on_done, on_curl_closed, async};
    int rc = curl_loop_open(loop, &callbacks, ret_error, &async->curl);
    if (rc != 0) {
        free(async);
        return rc;
    }
    CHECK(uv_idle_init(loop, &async->turn) == 0);
    async->turn.data = async;
    *ret_async = async;
    return 0;
}

void download_async_start(void *opaque, struct workload_call *call)
{
    struct download_async *async = opaque;
    struct flight *flight = take_spare(async);
    if (flight == NULL) {
        call->workload = async->starved;
        async->starved = call;
        want_turn(async);
        return;
    }
    flight->call = call;
    if (!download_transfer_begin(&flight->transfer, &call->item, &flight->refusal)) {
        flight->next = async->refused;
        async->refused = flight;
        want_turn(async);
        return;
    }
    curl_loop_add(async->curl, flight->transfer.easy);
    push_running(async, flight);
    if (async->cancelled) {
        want_turn(async);
    }
}

void download_async_cancel(void *opaque)
{
    struct download_async *async = opaque;
    async->cancelled = true;
    want_turn(async);
}

void download_async_close(void *opaque)
{
    struct download_async *async = opaque;
    CHECK(async->running == NULL && async->refused == NULL && async->starved == NULL);
    while (async->spare != NULL) {
        struct flight *next = async->spare->next;
        download_transfer_deinit(&async->spare->transfer);
        free(async->spare);
        async->spare = next;
    }
    curl_loop_close(async->curl);
}
