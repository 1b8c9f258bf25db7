/* Plugins: finds the one that a job names, or fetches it part by part, before the engine is made. The
 * agent sees an engine that takes longer to start. */
#include "common/base/check.h"
#include "worker/client_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Say why the engine of the job in hand cannot be made. */
static void refuse(struct client *client, const char *why)
{
    (void)err_set(&client->engine_error, ERR_INVALID, "%s", why);
    client_drop_plugin(client);
    client_tell_engine_failed(client);
}

/* Ask for the part that is due, unless that was done in this session. Without a session nothing is
 * asked: the JOB that begins the next one does. */
static void ask_for_part(struct client *client)
{
    struct agent_stats stats;
    agent_get_stats(client->agent, &stats);
    uint64_t offset = plugin_fetch_offset(client->plugin.fetch);
    bool asked = client->plugin.asked_session == stats.session &&
                 client->plugin.asked_offset == offset;
    if (stats.session == 0 || asked) {
        return;
    }
    client->plugin.asked_session = stats.session;
    client->plugin.asked_offset = offset;
    struct wire_message message = {
        .type = WIRE_FETCH, .session = stats.session, .job = client->engine_job};
    message.as.fetch.hash = (struct wire_text){(const char *)client->job.plugin_hash, HASH_SIZE};
    message.as.fetch.offset = offset;
    client_send(client, &message);
}

/* From the loading thread. */
static void wake_loop(void *arg)
{
    struct client *client = arg;
    (void)uv_async_send(&client->plugin.loaded);
}

static void on_load_limit(uv_timer_t *timer)
{
    struct client *client = timer->data;
    char why[160];
    (void)snprintf(why,
                   sizeof(why),
                   "the plugin has not started within %.1f s: its code that runs when it is loaded "
                   "takes too long or hangs",
                   client->options.load_limit_s);
    refuse(client, why);
}

/* The file stays where it is; what fetched it is not needed any more. */
static void load(struct client *client)
{
    struct err_text error = {{0}};
    struct plugin_loader *loader = NULL;
    int rc = plugin_loader_start(
        plugin_fetch_path(client->plugin.fetch), wake_loop, client, &error, &loader);
    if (rc != 0) {
        refuse(client, error.s);
        return;
    }
    client_drop_plugin(client);
    client->plugin.loader = loader;
    uv_update_time(&client->loop);
    (void)uv_timer_start(
        &client->plugin.limit, on_load_limit, (uint64_t)(client->options.load_limit_s * 1000), 0);
}

void client_on_plugin_loaded(uv_async_t *loaded)
{
    struct client *client = loaded->data;
    struct err_text error = {{0}};
    const struct workload_ops *workload = NULL;
    int rc = 0;
    if (client->plugin.loader == NULL ||
        !plugin_loader_done(client->plugin.loader, &rc, &error, &workload)) {
        return; /* said of one that nobody waits for any more */
    }
    if (rc != 0 || client_check_workload(client, workload, &error) != 0) {
        refuse(client, error.s);
        return;
    }
    client->job.workload = workload;
    client_drop_plugin(client);
    client_make_engine(client);
}

static void on_idle(uv_idle_t *idle);

/* Do what the state of the fetch asks for. */
static void go_on(struct client *client)
{
    switch (plugin_fetch_state(client->plugin.fetch)) {
    case PLUGIN_CHECKING:
        (void)uv_idle_start(&client->plugin.idle, on_idle);
        break;
    case PLUGIN_WANTED:
        (void)uv_idle_stop(&client->plugin.idle);
        ask_for_part(client);
        break;
    case PLUGIN_THERE:
        load(client);
        break;
    case PLUGIN_FAILED:
        refuse(client, plugin_fetch_error(client->plugin.fetch));
        break;
    }
}

/* Between two looks at the socket a part of the file is hashed: life signs go on. */
static void on_idle(uv_idle_t *idle)
{
    struct client *client = idle->data;
    plugin_fetch_step(client->plugin.fetch);
    go_on(client);
}

static int open_store(struct client *client, struct err_text *ret_error)
{
    const struct plugin_store_places places = {
        .cache_home = getenv("XDG_CACHE_HOME"),
        .home = getenv("HOME"),
        .temporary = getenv("TMPDIR"),
    };
    if (client->plugin.store != NULL) {
        return 0;
    }
    int rc = plugin_store_new(&places, ret_error, &client->plugin.store);
    if (rc == 0 && plugin_store_note(client->plugin.store)[0] != '\0') {
        client_note(client, "%s", plugin_store_note(client->plugin.store));
    }
    return rc;
}

void client_get_plugin(struct client *client)
{
    struct client_job *job = &client->job;
    struct err_text error = {{0}};
    CHECK(client->plugin.fetch == NULL && client->plugin.loader == NULL);
    if (open_store(client, &error) != 0) {
        refuse(client, error.s);
        return;
    }
    if (plugin_fetch_new(
            client->plugin.store, job->plugin_hash, job->plugin_size, &client->plugin.fetch) != 0) {
        refuse(client, "no memory to fetch the plugin");
        return;
    }
    client->plugin.asked_session = 0;
    go_on(client);
}

void client_ask_for_plugin_again(struct client *client)
{
    if (client->plugin.fetch != NULL && plugin_fetch_state(client->plugin.fetch) == PLUGIN_WANTED) {
        ask_for_part(client);
    }
}

void client_on_part(struct client *client,
                    const struct wire_message *message,
                    const struct blob *payload)
{
    struct agent_stats stats;
    agent_get_stats(client->agent, &stats);
    const struct wire_fetch *part = &message->as.fetch;
    bool wanted = client->plugin.fetch != NULL && message->session == stats.session &&
                  message->job == client->engine_job &&
                  memcmp(part->hash.s, client->job.plugin_hash, HASH_SIZE) == 0;
    if (!wanted) {
        return; /* of a job that was cancelled meanwhile */
    }
    plugin_fetch_part(client->plugin.fetch,
                      part->offset,
                      payload == NULL ? "" : blob_bytes(payload),
                      payload == NULL ? 0 : blob_len(payload));
    go_on(client);
}

void client_drop_plugin(struct client *client)
{
    (void)uv_idle_stop(&client->plugin.idle);
    (void)uv_timer_stop(&client->plugin.limit);
    plugin_fetch_free(client->plugin.fetch);
    client->plugin.fetch = NULL;
    if (client->plugin.loader != NULL) {
        plugin_loader_leave(client->plugin.loader, &client->plugin.left);
        client->plugin.loader = NULL;
    }
    (void)plugin_loader_reap(&client->plugin.left, 0);
}
