#include "tests/worker/exec_rig.h"

#include "common/base/check.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <uv.h>

static char *copy(const char *bytes, size_t len)
{
    char *text = malloc(len + 1);
    CHECK(text != NULL);
    memcpy(text, bytes, len);
    text[len] = '\0';
    return text;
}

static void keep(const struct workload_outcome *outcome, struct exec_result *ret_result)
{
    CHECK(outcome->ok || outcome->error[0] != '\0');
    CHECK(strlen(outcome->error) < sizeof(outcome->error) && strchr(outcome->error, '\n') == NULL);
    CHECK(outcome->out_len == 0 || outcome->out != NULL);
    bool failed_early = outcome->out == NULL;
    *ret_result = (struct exec_result){
        .outcome = *outcome,
        .out = copy(failed_early ? "" : outcome->out, outcome->out_len),
        .err = copy(failed_early ? "" : outcome->err, outcome->err_len),
    };
}

void exec_result_deinit(struct exec_result *result)
{
    free(result->out);
    free(result->err);
    *result = (struct exec_result){.out = NULL};
}

struct workload_item exec_item(const char *text)
{
    return (struct workload_item){.bytes = text, .bytes_len = strlen(text), .attempt = 1};
}

void exec_run_blocking(struct rig *rig,
                       const struct workload_item *items,
                       size_t count,
                       struct exec_result *ret_results)
{
    struct err_text error;
    void *slot = NULL;
    CHECK(rig->ops->slot_open(rig->state, &error, &slot) == 0);
    for (size_t i = 0; i < count; i++) {
        struct workload_outcome outcome;
        memset(&outcome, 0xa5, sizeof(outcome)); /* everything must be written */
        rig->ops->run(slot, &items[i], &outcome);
        keep(&outcome, &ret_results[i]);
    }
    rig->ops->slot_close(slot);
}

struct series {
    struct workload_call call;
    struct rig *rig;
    const struct workload_item *items;
    size_t count;
    size_t next;
    bool starting;
    struct exec_result *results;
    void *async;
    uv_timer_t cancel_timer;
};

static void start_next(struct series *series)
{
    series->call.item = series->items[series->next];
    series->starting = true;
    series->rig->ops->async_start(series->async, &series->call);
    series->starting = false;
}

static void on_done(struct workload_call *call, const struct workload_outcome *outcome)
{
    struct series *series = (struct series *)call;
    CHECK(!series->starting);
    keep(outcome, &series->results[series->next++]);
    if (series->next < series->count) {
        start_next(series);
        return;
    }
    series->rig->ops->async_close(series->async);
    uv_close((uv_handle_t *)&series->cancel_timer, NULL);
}

static void on_cancel_timer(uv_timer_t *timer)
{
    struct series *series = timer->data;
    series->rig->ops->async_cancel(series->async);
}

void exec_run_async(struct rig *rig,
                    const struct workload_item *items,
                    size_t count,
                    struct exec_result *ret_results)
{
    uv_loop_t loop;
    struct err_text error;
    struct series series = {.call = {.done = on_done}, .rig = rig, .items = items, .count = count};
    series.results = ret_results;
    CHECK(uv_loop_init(&loop) == 0);
    CHECK(rig->ops->async_open(rig->state, &loop, &error, &series.async) == 0);
    CHECK(uv_timer_init(&loop, &series.cancel_timer) == 0);
    series.cancel_timer.data = &series;
    uint64_t cancel_at_us = atomic_load(&rig->cancel_at_us);
    if (cancel_at_us != UINT64_MAX) {
        uint64_t now = rig_now_us();
        uint64_t wait_ms = cancel_at_us > now ? (cancel_at_us - now) / 1000 : 0;
        CHECK(uv_timer_start(&series.cancel_timer, on_cancel_timer, wait_ms, 0) == 0);
    }
    start_next(&series);
    CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0);
    CHECK(uv_loop_close(&loop) == 0);
}

static size_t open_descriptors(void)
{
    size_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    CHECK(folder != NULL);
    while (readdir(folder) != NULL) {
        count++;
    }
    (void)closedir(folder);
    return count;
}

/* libuv's first loop opens some for good. */
static void open_what_stays(void)
{
    uv_loop_t loop;
    CHECK(uv_loop_init(&loop) == 0);
    CHECK(uv_loop_close(&loop) == 0);
}

static void check_same(const struct exec_result *a, const struct exec_result *b)
{
    CHECK(a->outcome.ok == b->outcome.ok);
    CHECK(a->outcome.flags == b->outcome.flags);
    CHECK(a->outcome.checksum == b->outcome.checksum);
    CHECK(a->outcome.bytes == b->outcome.bytes);
    CHECK(a->outcome.exit_status == b->outcome.exit_status);
    CHECK(a->outcome.signal == b->outcome.signal);
    CHECK(strcmp(a->outcome.error, b->outcome.error) == 0);
    CHECK(a->outcome.out_len == b->outcome.out_len);
    CHECK(memcmp(a->out, b->out, a->outcome.out_len) == 0);
    CHECK(a->outcome.err_len == b->outcome.err_len);
    CHECK(memcmp(a->err, b->err, a->outcome.err_len) == 0);
}

void exec_run_both(const char *const *params,
                   const struct workload_item *item,
                   struct exec_result *ret_result)
{
    struct rig rig;
    struct exec_result async;
    open_what_stays();
    size_t before = open_descriptors();
    rig_open(&rig, "exec", params);
    exec_run_blocking(&rig, item, 1, ret_result);
    exec_run_async(&rig, item, 1, &async);
    check_same(ret_result, &async);
    exec_result_deinit(&async);
    rig_close(&rig);
    CHECK(open_descriptors() == before);
}

int exec_await_orphan(pid_t pid)
{
    int status = 0;
    pid_t got;
    CHECK(pid > 1);
    do {
        got = waitpid(pid, &status, 0);
    } while (got < 0 && errno == EINTR);
    CHECK(got == pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}
