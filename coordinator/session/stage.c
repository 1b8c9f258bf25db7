#include "coordinator/session/stage.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PROGRESS_EVERY_US = 50000, US_PER_MS = 1000 };

uint64_t stage_now_us(void)
{
    return uv_hrtime() / 1000;
}

static void on_timer(uv_timer_t *timer)
{
    struct stage *stage = timer->data;
    uint64_t now_us = stage_now_us();
    if (stage->runner != NULL && runner_deadline_us(stage->runner) <= now_us) {
        runner_tick(stage->runner, now_us);
    }
}

static void show_progress(struct stage *stage, uint64_t now_us)
{
    struct sched_stats stats;
    runner_stats(stage->runner, &stats);
    progress_update(stage->progress, stats.items_done, runner_items_total(stage->runner), now_us);
}

static void on_items(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct stage *stage = poll->data;
    if (stage->runner != NULL) {
        runner_feed(stage->runner, stage_now_us());
    }
}

/* Watch the descriptor of the items exactly while the runner wants more. */
static void watch_items(struct stage *stage)
{
    int fd = stage->runner == NULL ? -1 : runner_poll_fd(stage->runner);
    if (fd == stage->items_fd) {
        return;
    }
    if (stage->items_fd >= 0) {
        (void)uv_poll_stop(&stage->items);
    }
    /* One poll handle serves the one standard input or pipe that a command reads. */
    bool fresh = stage->items.data == NULL;
    if (fd >= 0 && fresh && uv_poll_init(&stage->loop, &stage->items, fd) == 0) {
        stage->items.data = stage;
    }
    if (fd >= 0 && stage->items.data != NULL) {
        (void)uv_poll_start(&stage->items, UV_READABLE | UV_DISCONNECT, on_items);
    }
    stage->items_fd = fd;
}

static uint64_t next_deadline_us(const struct stage *stage, uint64_t now_us)
{
    uint64_t deadline_us = stage->wait_until_us;
    if (stage->runner != NULL) {
        uint64_t due_us = runner_deadline_us(stage->runner);
        deadline_us = due_us < deadline_us ? due_us : deadline_us;
        uint64_t redraw_us = now_us + PROGRESS_EVERY_US;
        deadline_us = stage->progress_on && redraw_us < deadline_us ? redraw_us : deadline_us;
    }
    return deadline_us;
}

/* Before the loop sleeps: draw, and set the timer to the next thing that is due. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct stage *stage = prepare->data;
    uint64_t now_us = stage_now_us();
    if (stage->runner != NULL && stage->progress_on) {
        show_progress(stage, now_us);
    }
    watch_items(stage);
    uint64_t deadline_us = next_deadline_us(stage, now_us);
    if (deadline_us == UINT64_MAX) {
        (void)uv_timer_stop(&stage->timer);
        return;
    }
    uint64_t wait_us = deadline_us > now_us ? deadline_us - now_us : 0;
    (void)uv_timer_start(&stage->timer, on_timer, (wait_us + US_PER_MS - 1) / US_PER_MS, 0);
}

static void on_kick(uv_async_t *kick)
{
    struct stage *stage = kick->data;
    if (stage->runner != NULL) {
        runner_outputs_changed(stage->runner, stage_now_us());
    }
}

void stage_kick(void *arg)
{
    struct stage *stage = arg;
    (void)uv_async_send(&stage->kick);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct stage *stage = handle->data;
    if (stage->signal != 0) {
        /* Asked twice: leave at once. Children end with this process. */
        _exit(128 + number);
    }
    stage->signal = number;
    if (stage->runner != NULL) {
        runner_cancel(stage->runner, stage_now_us());
    }
}

int stage_init(struct stage *stage, struct progress *progress, struct err_text *ret_error)
{
    memset(stage, 0, sizeof(*stage));
    stage->progress = progress;
    stage->items_fd = -1;
    stage->wait_until_us = UINT64_MAX;
    int rc = uv_loop_init(&stage->loop);
    if (rc != 0) {
        return err_set(ret_error, ERR_IO, "cannot make an event loop: %s", uv_strerror(rc));
    }
    rc = uv_async_init(&stage->loop, &stage->kick, on_kick);
    if (rc != 0) {
        (void)uv_loop_close(&stage->loop);
        return err_set(ret_error, ERR_IO, "cannot make an event loop: %s", uv_strerror(rc));
    }
    (void)uv_timer_init(&stage->loop, &stage->timer);
    (void)uv_prepare_init(&stage->loop, &stage->prepare);
    (void)uv_signal_init(&stage->loop, &stage->interrupt);
    (void)uv_signal_init(&stage->loop, &stage->terminate);
    stage->timer.data = stage;
    stage->kick.data = stage;
    stage->prepare.data = stage;
    stage->interrupt.data = stage;
    stage->terminate.data = stage;
    (void)uv_prepare_start(&stage->prepare, on_prepare);
    (void)uv_signal_start(&stage->interrupt, on_signal, SIGINT);
    (void)uv_signal_start(&stage->terminate, on_signal, SIGTERM);
    /* Only ZeroMQ, engines and children keep the loop alive by themselves. */
    uv_unref((uv_handle_t *)&stage->prepare);
    uv_unref((uv_handle_t *)&stage->kick);
    uv_unref((uv_handle_t *)&stage->interrupt);
    uv_unref((uv_handle_t *)&stage->terminate);
    return 0;
}

void stage_deinit(struct stage *stage)
{
    uv_close((uv_handle_t *)&stage->timer, NULL);
    uv_close((uv_handle_t *)&stage->kick, NULL);
    uv_close((uv_handle_t *)&stage->prepare, NULL);
    uv_close((uv_handle_t *)&stage->interrupt, NULL);
    uv_close((uv_handle_t *)&stage->terminate, NULL);
    if (stage->items.data != NULL) {
        uv_close((uv_handle_t *)&stage->items, NULL);
    }
    /* One turn runs the close callbacks. A stuck engine (local.c) may have left a handle behind:
     * the process ends anyway. */
    (void)uv_run(&stage->loop, UV_RUN_NOWAIT);
    (void)uv_loop_close(&stage->loop);
}

static int wait_until(struct stage *stage,
                      bool (*done)(void *arg),
                      void *arg,
                      uint64_t timeout_us,
                      bool interruptible)
{
    stage->wait_until_us = stage_now_us() + timeout_us;
    int rc = 0;
    while (!done(arg)) {
        if (interruptible && stage->signal != 0) {
            rc = ERR_CANCELLED;
            break;
        }
        if (stage_now_us() >= stage->wait_until_us) {
            rc = ERR_TIMEOUT;
            break;
        }
        (void)uv_run(&stage->loop, UV_RUN_ONCE);
    }
    stage->wait_until_us = UINT64_MAX;
    return rc;
}

int stage_wait(struct stage *stage, bool (*done)(void *arg), void *arg, uint64_t timeout_us)
{
    return wait_until(stage, done, arg, timeout_us, true);
}

int stage_wait_anyway(struct stage *stage, bool (*done)(void *arg), void *arg, uint64_t timeout_us)
{
    return wait_until(stage, done, arg, timeout_us, false);
}

void stage_play(struct stage *stage, struct runner *runner, const char *label, bool keep_bar)
{
    stage->runner = runner;
    stage->progress_on = label != NULL && stage->progress != NULL;
    if (stage->progress_on) {
        progress_begin(stage->progress, label, runner_items_total(runner), stage_now_us());
    }
    if (stage->signal != 0) {
        runner_cancel(runner, stage_now_us());
    }
    while (runner_outcome(runner) == RUNNER_RUNNING) {
        (void)uv_run(&stage->loop, UV_RUN_ONCE);
    }
    if (stage->progress_on) {
        struct sched_stats stats;
        runner_stats(runner, &stats);
        progress_end(stage->progress, stats.items_done, stage_now_us(), keep_bar);
    }
    stage->runner = NULL;
    stage->progress_on = false;
    watch_items(stage);
}

void stage_say(struct stage *stage, const char *text)
{
    if (stage->quiet) {
        return;
    }
    if (stage->progress_on) {
        progress_clear(stage->progress);
    }
    (void)fprintf(stderr, "quartet: %s\n", text);
}

bool stage_interrupted(const struct stage *stage)
{
    return stage->signal != 0;
}
