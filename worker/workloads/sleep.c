/* sleep: waits, without CPU. The yardstick for what waiting costs under each strategy.
 *
 * Blocking form: sleeps to an absolute deadline in slices, so that `cancelled` is looked at.
 * Asynchronous form: every item of a run waits equally long, so deadlines come in the order of
 * the starts; a queue and one timerfd serve them all, to the nanosecond (a uv_timer knows
 * milliseconds and would end some items early). */
#include "common/base/check.h"
#include "worker/workloads/mark.h"
#include "worker/workloads/params.h"
#include "worker/workloads/registry.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

static const uint64_t slice_ns = 50ULL * 1000 * 1000;

struct sleep_state {
    const struct workload_host *host;
    uint64_t duration_ns;
};

/* An item that waits. */
struct waiter {
    struct workload_call *call;
    struct waiter *next;
    uint64_t due_ns;
};

struct sleep_async {
    uint64_t duration_ns;
    int timer_fd;
    uv_poll_t timer;
    struct waiter *head; /* due first */
    struct waiter *tail;
    struct waiter *spare;          /* nodes to use again */
    struct workload_call *refused; /* found no memory to wait in; linked through `workload` */
    bool cancelled;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static struct timespec to_timespec(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / 1000000000U),
                             .tv_nsec = (long)(ns % 1000000000U)};
}

static int sleep_open(const struct params *params,
                      const struct workload_host *host,
                      struct err_text *ret_error,
                      void **ret_state)
{
    struct sleep_state *state = malloc(sizeof(*state));
    if (state == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for workload sleep");
    }
    state->host = host;
    state->duration_ns = (uint64_t)(params_seconds(params, "seconds") * 1e9);
    *ret_state = state;
    return 0;
}

static void sleep_close(void *state)
{
    free(state);
}

static int sleep_slot_open(void *state, struct err_text *ret_error, void **ret_slot)
{
    (void)ret_error;
    *ret_slot = state; /* read only: the slots share it */
    return 0;
}

static void sleep_slot_close(void *slot)
{
    (void)slot;
}

static void sleep_run(void *slot,
                      const struct workload_item *item,
                      struct workload_outcome *ret_outcome)
{
    const struct sleep_state *state = slot;
    uint64_t now = now_ns();
    uint64_t due = now + state->duration_ns;
    while (now < due && !state->host->cancelled(state->host)) {
        struct timespec until = to_timespec(due - now > slice_ns ? now + slice_ns : due);
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        now = now_ns();
    }
    ret_outcome->ok = true;
    ret_outcome->checksum = mark_item(item);
    ret_outcome->bytes = 0;
}

static void arm(struct sleep_async *async, uint64_t due_ns)
{
    /* An all-zero value would disarm; the past fires at once. */
    struct itimerspec when = {.it_value = to_timespec(due_ns > 0 ? due_ns : 1)};
    CHECK(timerfd_settime(async->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) == 0);
}

static void fail(struct workload_call *call, const char *why)
{
    struct workload_outcome outcome = {.ok = false};
    (void)snprintf(outcome.error, sizeof(outcome.error), "%s", why);
    call->done(call, &outcome);
}

static void finish(struct sleep_async *async, struct waiter *waiter)
{
    struct workload_call *call = waiter->call;
    waiter->next = async->spare;
    async->spare = waiter;
    if (async->cancelled) {
        fail(call, "cancelled");
        return;
    }
    struct workload_outcome outcome = {.ok = true, .checksum = mark_item(&call->item)};
    call->done(call, &outcome);
}

static void finish_refused(struct sleep_async *async)
{
    struct workload_call *call = async->refused;
    async->refused = NULL;
    while (call != NULL) {
        struct workload_call *next = call->workload;
        fail(call, "no memory to wait in");
        call = next;
    }
}

/* `done` may start items. They join the queue behind `last` and have the next pass, even when
 * they need not wait at all: the loop must get its turn in between. */
static void finish_due(struct sleep_async *async)
{
    uint64_t now = now_ns();
    const struct waiter *last = async->tail;
    bool more = async->head != NULL;
    while (more && (async->cancelled || async->head->due_ns <= now)) {
        struct waiter *waiter = async->head;
        more = waiter != last;
        async->head = waiter->next;
        if (async->head == NULL) {
            async->tail = NULL;
        }
        finish(async, waiter);
    }
}

static void on_timer(uv_poll_t *handle, int status, int events)
{
    (void)status;
    (void)events;
    struct sleep_async *async = handle->data;
    uint64_t expirations = 0;
    (void)!read(async->timer_fd, &expirations, sizeof(expirations));

    finish_refused(async);
    finish_due(async);
    if (async->refused != NULL) {
        arm(async, 0);
    } else if (async->head != NULL) {
        arm(async, async->head->due_ns);
    }
}

static int sleep_async_open(void *state,
                            uv_loop_t *loop,
                            struct err_text *ret_error,
                            void **ret_async)
{
    const struct sleep_state *shared = state;
    struct sleep_async *async = calloc(1, sizeof(*async));
    if (async == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for workload sleep");
    }
    async->duration_ns = shared->duration_ns;
    async->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (async->timer_fd < 0) {
        int rc = err_set(
            ret_error, ERR_IO, "no timer for workload sleep: %s", strerrordesc_np(errno));
        free(async);
        return rc;
    }
    int uv_rc = uv_poll_init(loop, &async->timer, async->timer_fd);
    if (uv_rc != 0) {
        int rc = err_set(ret_error, ERR_IO, "no timer for workload sleep: %s", uv_strerror(uv_rc));
        (void)close(async->timer_fd);
        free(async);
        return rc;
    }
    async->timer.data = async;
    CHECK(uv_poll_start(&async->timer, UV_READABLE, on_timer) == 0);
    *ret_async = async;
    return 0;
}

static void sleep_async_start(void *opaque, struct workload_call *call)
{
    struct sleep_async *async = opaque;
    struct waiter *waiter = async->spare;
    if (waiter != NULL) {
        async->spare = waiter->next;
    } else {
        waiter = malloc(sizeof(*waiter));
    }
    if (waiter == NULL) {
        call->workload = async->refused;
        async->refused = call;
        arm(async, 0);
        return;
    }
    *waiter = (struct waiter){.call = call, .due_ns = now_ns() + async->duration_ns};
    if (async->tail != NULL) {
        async->tail->next = waiter;
    } else {
        async->head = waiter;
        arm(async, waiter->due_ns);
    }
    async->tail = waiter;
}

static void sleep_async_cancel(void *opaque)
{
    struct sleep_async *async = opaque;
    async->cancelled = true;
    arm(async, 0);
}

static void on_closed(uv_handle_t *handle)
{
    struct sleep_async *async = handle->data;
    (void)close(async->timer_fd);
    while (async->spare != NULL) {
        struct waiter *next = async->spare->next;
        free(async->spare);
        async->spare = next;
    }
    free(async);
}

static void sleep_async_close(void *opaque)
{
    struct sleep_async *async = opaque;
    uv_close((uv_handle_t *)&async->timer, on_closed);
}

static const struct param_spec sleep_params[] = {
    {.name = "seconds",
     .kind = PARAM_SECONDS,
     .unit = "seconds",
     .default_value = "0.1",
     .max = 86400,
     .help = "how long each item waits"},
};

const struct workload_ops workload_sleep_ops = {
    WORKLOAD_ABI,
    .name = "sleep",
    .summary = "waits without using the CPU: what waiting costs",
    .traits = WORKLOAD_IDEMPOTENT | WORKLOAD_NUMBERS | WORKLOAD_BYTES,
    .params = sleep_params,
    .param_count = sizeof(sleep_params) / sizeof(sleep_params[0]),
    .default_first = 1,
    .default_last = 64,
    .open = sleep_open,
    .close = sleep_close,
    .slot_open = sleep_slot_open,
    .slot_close = sleep_slot_close,
    .run = sleep_run,
    .async_open = sleep_async_open,
    .async_start = sleep_async_start,
    .async_cancel = sleep_async_cancel,
    .async_close = sleep_async_close,
};
