/* The engine's part, in the shortest way that keeps to the contract. */
#include "tests/worker/pipe_rig.h"

#include "common/base/check.h"
#include "worker/workloads/registry.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LIMIT_MS = 20000, LOOK_MS = 5 };

const char *const pipe_actor = PIPE_ACTOR;

static const struct workload_ops *const ops = &workload_pipe_ops;

static struct pipe_rig *rig_of(const struct workload_host *host)
{
    return (struct pipe_rig *)((uintptr_t)host - offsetof(struct pipe_rig, host));
}

static bool is_cancelled(const struct workload_host *host)
{
    return atomic_load(&rig_of(host)->cancelled);
}

static void keep_note(const struct workload_host *host, const char *text)
{
    struct pipe_rig *rig = rig_of(host);
    CHECK(strchr(text, '\n') == NULL && strlen(text) < WORKLOAD_ERROR_SIZE);
    for (size_t i = 0; i < rig->note_count; i++) {
        if (strcmp(rig->notes[i], text) == 0) {
            return;
        }
    }
    CHECK(rig->note_count < PIPE_RIG_NOTES);
    (void)snprintf(rig->notes[rig->note_count++], WORKLOAD_ERROR_SIZE, "%s", text);
}

bool pipe_rig_noted(const struct pipe_rig *rig, const char *text)
{
    for (size_t i = 0; i < rig->note_count; i++) {
        if (strstr(rig->notes[i], text) != NULL) {
            return true;
        }
    }
    return false;
}

int pipe_rig_try(struct pipe_rig *rig,
                 const char *const *command,
                 const char *const *params,
                 struct err_text *ret_error)
{
    /* As both programs do. */
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    *rig = (struct pipe_rig){.stop_after = SIZE_MAX, .cancel_after = SIZE_MAX};
    workload_host_init(&rig->host);
    rig->host.cancelled = is_cancelled;
    rig->host.note = keep_note;
    size_t words = 0;
    while (command[words] != NULL) {
        words++;
    }
    char *text = NULL;
    CHECK(command_line_join(command, words, &text) == 0);
    CHECK(params_set(&rig->params, "command", text) == 0);
    free(text);
    for (; params != NULL && *params != NULL; params++) {
        CHECK(params_set_text(&rig->params, *params, ret_error) == 0);
    }
    CHECK(params_resolve(&rig->params, ops->params, ops->param_count, ret_error) == 0);
    int rc = ops->open(&rig->params, &rig->host, ret_error, &rig->state);
    if (rc != 0) {
        params_deinit(&rig->params);
    }
    return rc;
}

void pipe_rig_open(struct pipe_rig *rig, const char *const *command, const char *const *params)
{
    struct err_text error = {""};
    void *slot = NULL;
    if (pipe_rig_try(rig, command, params, &error) != 0) {
        check_failed(__FILE__, __LINE__, error.s);
    }
    CHECK(ops->slot_open(rig->state, &error, &slot) == 0);
    rig->slot = slot;
}

static void forget_results(struct pipe_rig *rig)
{
    for (size_t i = 0; i < rig->count; i++) {
        free(rig->results[i].out);
    }
    free(rig->results);
    rig->results = NULL;
    rig->count = 0;
}

void pipe_rig_close(struct pipe_rig *rig)
{
    ops->slot_close(rig->slot);
    ops->close(rig->state);
    params_deinit(&rig->params);
    forget_results(rig);
}

static void keep_result(struct pipe_rig *rig, const struct workload_outcome *outcome)
{
    struct pipe_result *result = &rig->results[rig->count++];
    *result = (struct pipe_result){
        .ok = outcome->ok,
        .flags = outcome->flags,
        .checksum = outcome->checksum,
        .bytes = outcome->bytes,
        .out = malloc(outcome->out_len + 1),
        .out_len = outcome->out_len,
        .exit_status = outcome->exit_status,
        .signal = outcome->signal,
    };
    CHECK(result->out != NULL);
    if (outcome->out_len > 0) {
        memcpy(result->out, outcome->out, outcome->out_len);
    }
    result->out[outcome->out_len] = '\0';
    if (!outcome->ok) {
        CHECK(outcome->error[0] != '\0' && strlen(outcome->error) < WORKLOAD_ERROR_SIZE);
        CHECK(strchr(outcome->error, '\n') == NULL);
        memcpy(result->error, outcome->error, strlen(outcome->error) + 1);
    }
}

struct rig_batch {
    struct workload_batch batch;
    struct pipe_rig *rig;
};

static bool on_done(struct workload_batch *batch, const struct workload_outcome *outcome)
{
    struct pipe_rig *rig = ((struct rig_batch *)batch)->rig;
    CHECK(rig->count < batch->count);
    keep_result(rig, outcome);
    if (rig->count > rig->cancel_after) {
        atomic_store(&rig->cancelled, true);
    }
    return rig->count <= rig->stop_after;
}

static void make_room(struct pipe_rig *rig, size_t count)
{
    forget_results(rig);
    rig->results = calloc(count + 1, sizeof(*rig->results));
    CHECK(rig->results != NULL);
}

void pipe_rig_run(struct pipe_rig *rig, const struct workload_item *items, size_t count)
{
    struct rig_batch batch = {
        .batch = {.items = items, .count = count, .done = on_done},
        .rig = rig,
    };
    make_room(rig, count);
    ops->run_batch(rig->slot, &batch.batch);
}

void pipe_rig_run_singly(struct pipe_rig *rig, const struct workload_item *items, size_t count)
{
    make_room(rig, count);
    for (size_t i = 0; i < count; i++) {
        struct workload_outcome outcome;
        memset(&outcome, 0, offsetof(struct workload_outcome, error) + 1);
        ops->run(rig->slot, &items[i], &outcome);
        keep_result(rig, &outcome);
    }
}

void pipe_rig_run_numbers(struct pipe_rig *rig, uint64_t first, size_t count)
{
    struct workload_item *items = calloc(count + 1, sizeof(*items));
    CHECK(items != NULL);
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct workload_item){.index = i, .number = first + i, .attempt = 1};
    }
    pipe_rig_run(rig, items, count);
    free(items);
}

void pipe_rig_run_texts(struct pipe_rig *rig, const char *const *texts)
{
    struct workload_item items[64];
    size_t count = 0;
    for (; texts[count] != NULL; count++) {
        CHECK(count < sizeof(items) / sizeof(items[0]));
        items[count] = (struct workload_item){
            .index = count, .bytes = texts[count], .bytes_len = strlen(texts[count]), .attempt = 1};
    }
    pipe_rig_run(rig, items, count);
}

static bool is_gone(int pid)
{
    char path[64];
    char text[512] = "";
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return true;
    }
    bool read = fgets(text, sizeof(text), file) != NULL;
    (void)fclose(file);
    const char *state = strrchr(text, ')');
    return !read || state == NULL || state[2] == 'Z' || state[2] == 'X';
}

bool pipe_rig_await_gone(int pid)
{
    struct timespec wait = {.tv_nsec = LOOK_MS * 1000000L};
    for (int ms = 0; ms < LIMIT_MS; ms += LOOK_MS) {
        if (is_gone(pid)) {
            return true;
        }
        (void)nanosleep(&wait, NULL);
    }
    return false;
}
