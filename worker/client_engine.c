#include "common/base/check.h"
#include "worker/client_internal.h"

#include <stdio.h>
#include <stdlib.h>

/* Waking a sleeping loop costs about as much as a whole message. When one or two chunks come and the last ones took
 * next to no time, the loop stays awake for the moment until they are done: the round trip of one chunk on an idle
 * system falls from 1.8 to 1.4 times that of a bare pair. A busy worker (more chunks, or longer ones) never waits. */
enum { QUICK_US = 20, QUICK_CHUNKS = 2, QUICK_WAIT_US = 60 };

/* From the engine's threads. */
static void wake_loop(void *arg)
{
    struct client *client = arg;
    atomic_store(&client->engine_news, true);
    (void)uv_async_send(&client->wake);
}

void client_tell_engine_failed(struct client *client)
{
    client->engine_settled = true;
    struct agent_event event = {.type = AGENT_ENGINE_FAILED, .job = client->engine_job};
    client_step(client, &event);
}

void client_start_engine(struct client *client)
{
    struct client_job *job = &client->job;
    CHECK(client->engine == NULL);
    client->engine_job = job->id;
    client->engine_settled = false;
    client->engine_stopping = false;
    client->engine_error = job->refused;
    if (job->refused.s[0] != '\0') {
        client_tell_engine_failed(client);
    } else if (job->plugin_size > 0) {
        client_get_plugin(client);
    } else {
        client_make_engine(client);
    }
}

/* From the engine's threads: one call to stdio, so that lines stay whole. Said even when --quiet is
 * given: it is about the work, and for the person who runs it. */
static void print_note(void *arg, const char *text)
{
    const struct client *client = arg;
    struct err_text line;
    (void)err_set(&line, 0, "%s", text);
    (void)fprintf(stderr, "quartet-worker %s: %s\n", client->options.name, line.s);
}

void client_make_engine(struct client *client)
{
    struct client_job *job = &client->job;
    struct engine_options options = {
        .workload = job->workload,
        .params = &job->params,
        .strategy = job->strategy,
        .slots = job->slots,
        .range_first = job->range_first,
        .records = job->records,
        .zygote = job->strategy == STRATEGY_PROCESSES ? client->zygote : NULL,
        .wake = wake_loop,
        .wake_arg = client,
        .note = print_note,
        .note_arg = client,
    };
    if (engine_new(&options, &client->engine_error, &client->engine) != 0) {
        client->engine = NULL;
        client_tell_engine_failed(client);
    }
}

static void tell_engine_stopped(struct client *client)
{
    struct agent_event event = {.type = AGENT_ENGINE_STOPPED, .job = client->engine_job};
    engine_free(client->engine);
    client->engine = NULL;
    client->engine_stopping = false;
    client_step(client, &event);
}

void client_stop_engine(struct client *client)
{
    client_drop_plugin(client);
    if (client->engine == NULL) {
        /* It never came to be. */
        tell_engine_stopped(client);
        return;
    }
    client->engine_stopping = true;
    engine_stop(client->engine);
}

static void look_at_engine_state(struct client *client)
{
    enum engine_state state = engine_state(client->engine, &client->engine_error);
    if (client->engine_stopping) {
        if (state == ENGINE_STOPPED) {
            tell_engine_stopped(client);
        }
        return;
    }
    if (client->engine_settled && state == ENGINE_FAILED) {
        /* In mid-run, as when somebody kills the zygote. A worker that cannot run anything any
         * more is of no use: gone, its chunks run elsewhere. */
        (void)fprintf(
            stderr, "quartet-worker %s: %s\n", client->options.name, client->engine_error.s);
        client->finished = true;
        client->exit_status = EXIT_FAILURE;
        return;
    }
    if (client->engine_settled || state == ENGINE_STARTING) {
        return;
    }
    if (state == ENGINE_FAILED) {
        client_tell_engine_failed(client);
        return;
    }
    client->engine_settled = true;
    struct agent_event event = {.type = AGENT_ENGINE_READY, .job = client->engine_job};
    event.as.ready.slots = client->job.slots;
    client_step(client, &event);
}

void client_on_engine_wake(uv_async_t *wake)
{
    struct client *client = wake->data;
    size_t count = CLIENT_TAKE_MAX;
    atomic_store(&client->engine_news, false);
    /* Also of an engine that is stopping: only who has taken is woken again. The agent drops
     * what it no longer wants. */
    while (client->engine != NULL && count == CLIENT_TAKE_MAX) {
        count = engine_take(client->engine, client->results, CLIENT_TAKE_MAX);
        if (count > 0) {
            client->quick = client->results[count - 1].run_us < QUICK_US;
            struct agent_event event = {.type = AGENT_RESULTS, .job = client->engine_job};
            event.as.results.list = client->results;
            event.as.results.count = count;
            client_step(client, &event);
        }
    }
    if (client->engine != NULL) {
        look_at_engine_state(client);
    }
}

void client_await_quick_results(struct client *client)
{
    size_t submitted = client->submitted;
    client->submitted = 0;
    if (submitted == 0 || submitted > QUICK_CHUNKS || !client->quick || client->engine == NULL) {
        return;
    }
    uint64_t until_us = client_now_us() + QUICK_WAIT_US;
    while (!atomic_load(&client->engine_news)) {
        if (client_now_us() >= until_us) {
            return;
        }
    }
    client_on_engine_wake(&client->wake);
}

void client_take_back(struct client *client)
{
    struct chunk_id ids[WIRE_CHUNKS_MAX];
    size_t count = WIRE_CHUNKS_MAX;
    bool first = true;
    while (count == WIRE_CHUNKS_MAX || first) {
        first = false;
        count = client->engine == NULL
                    ? 0
                    : engine_take_back(client->engine, client->chunks, WIRE_CHUNKS_MAX);
        for (size_t i = 0; i < count; i++) {
            ids[i] = client->chunks[i].id;
            blob_unref(client->chunks[i].payload);
        }
        struct agent_event event = {.type = AGENT_TAKEN_BACK, .job = client->engine_job};
        event.as.taken_back.list = ids;
        event.as.taken_back.count = count;
        client_step(client, &event);
    }
}

void client_tell_holding(struct client *client)
{
    size_t count = client->engine == NULL ? 0 : engine_held(client->engine);
    struct chunk *list = calloc(count + 1, sizeof(*list));
    if (list == NULL) {
        client_end_without_memory(client);
        return;
    }
    struct agent_event event = {.type = AGENT_HOLDING, .job = client->engine_job};
    event.as.holding.list = list;
    event.as.holding.count = count == 0 ? 0 : engine_holding(client->engine, list, count);
    client_step(client, &event);
    free(list);
}

void client_discard_chunks(struct client *client)
{
    for (size_t i = 0; i < client->chunk_count; i++) {
        blob_unref(client->chunks[i].payload);
    }
    client->chunk_count = 0;
}

void client_submit_chunks(struct client *client)
{
    if (client->engine == NULL ||
        engine_submit(client->engine, client->chunks, client->chunk_count) != 0) {
        /* The agent counts them as held. */
        client_discard_chunks(client);
        client_end_without_memory(client);
    }
    client->submitted += client->chunk_count;
    client->chunk_count = 0;
}
