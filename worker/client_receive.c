#include "common/base/check.h"
#include "common/io/cores.h"
#include "worker/client_internal.h"
#include "worker/workloads/params.h"
#include "worker/workloads/registry.h"

#include <stdio.h>
#include <string.h>

static int copy_params(struct params *params, const struct wire_job *job)
{
    params_deinit(params);
    for (size_t i = 0; i < job->param_count; i++) {
        char name[PARAM_NAME_MAX + 1];
        char value[PARAM_VALUE_MAX + 1];
        if (job->param_names[i].len > PARAM_NAME_MAX ||
            job->param_values[i].len > PARAM_VALUE_MAX) {
            return ERR_INVALID;
        }
        (void)snprintf(
            name, sizeof(name), "%.*s", (int)job->param_names[i].len, job->param_names[i].s);
        (void)snprintf(
            value, sizeof(value), "%.*s", (int)job->param_values[i].len, job->param_values[i].s);
        int rc = params_set(params, name, value);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

int client_check_workload(struct client *client,
                          const struct workload_ops *workload,
                          struct err_text *ret_error)
{
    struct client_job *job = &client->job;
    if (strcmp(workload->name, job->name) != 0) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "the plugin has the workload '%.100s', the job wants '%.100s'",
                       workload->name,
                       job->name);
    }
    if ((workload->traits & WORKLOAD_COMMAND) != 0 && !client->options.allow_exec) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "workload '%.100s' runs commands, and this worker was started without "
                       "--allow-exec",
                       job->name);
    }
    int rc = params_resolve(&job->params, workload->params, workload->param_count, ret_error);
    return rc == 0 ? 0 : ERR_INVALID;
}

/* Can the job be run here, as far as can be said before its plugin is there? Returns 0, or an error with the
 * reason. */
static int accept_job(struct client *client,
                      const struct wire_job *from,
                      struct err_text *ret_error)
{
    struct client_job *job = &client->job;
    job->workload = NULL;
    if (copy_params(&job->params, from) != 0) {
        return err_set(ret_error, ERR_INVALID, "the job's parameters are too long");
    }
    if (job->plugin_size > 0) {
        return client->options.allow_plugins
                   ? 0
                   : err_set(ret_error,
                             ERR_INVALID,
                             "workload '%.100s' comes as a plugin, and this worker was started "
                             "without --allow-plugins",
                             job->name);
    }
    int rc = workload_lookup(job->name, ret_error, &job->workload);
    return rc != 0 ? rc : client_check_workload(client, job->workload, ret_error);
}

static void copy_job(struct client *client, const struct wire_message *message)
{
    const struct wire_job *from = &message->as.job_spec;
    struct client_job *job = &client->job;
    (void)snprintf(job->name, sizeof(job->name), "%.*s", (int)from->workload.len, from->workload.s);
    job->id = message->job;
    job->strategy = (enum strategy)from->strategy;
    job->range_first = from->range_first;
    job->records = from->records;
    job->received_us = client_now_us();
    job->slots = from->slots;
    if (client->options.slots > 0 && job->strategy != STRATEGY_SERIAL) {
        job->slots = client->options.slots;
    }
    if (job->slots == 0) {
        job->slots = strategy_default_slots(job->strategy, cores_usable());
    }
    job->plugin_size = from->plugin_size;
    if (from->plugin_hash.len == HASH_SIZE) {
        memcpy(job->plugin_hash, from->plugin_hash.s, HASH_SIZE);
    }
}

static void on_job(struct client *client, const struct wire_message *message)
{
    struct agent_stats stats;
    agent_get_stats(client->agent, &stats);
    if (message->session != stats.session) {
        return; /* of a session that is over: what is kept here is the job of this one */
    }
    copy_job(client, message);
    client->job.refused.s[0] = '\0';
    (void)accept_job(client, &message->as.job_spec, &client->job.refused);
    struct agent_event event = {
        .type = AGENT_JOB, .session = message->session, .job = message->job};
    event.as.job.credit_fixed = message->as.job_spec.credit_fixed;
    client_step(client, &event);
    client_ask_for_plugin_again(client);
}

static void on_chunks(struct client *client,
                      const struct wire_message *message,
                      struct blob *payload)
{
    const struct wire_chunks *from = &message->as.chunks;
    size_t offset = 0;
    size_t available = payload == NULL ? 0 : blob_len(payload);
    for (size_t i = 0; i < from->count; i++) {
        size_t len = from->payload_len == NULL ? 0 : from->payload_len[i];
        if (len > available - offset) {
            len = available - offset; /* cut short: the engine refuses the items in words */
        }
        client->chunks[i] = (struct chunk){
            .id = {from->id[i]},
            .first = from->first[i],
            .count = from->items[i],
            .attempt = from->attempt[i],
            .payload_len = (uint32_t)len,
            .payload = from->payload_len == NULL ? NULL : blob_ref(payload),
            .payload_offset = offset,
        };
        offset += len;
    }
    client->chunk_count = from->count;
    struct agent_event event = {
        .type = AGENT_CHUNKS, .session = message->session, .job = message->job};
    event.as.chunks.count = from->count;
    client_step(client, &event);
    CHECK(client->chunk_count == 0);
}

static void on_simple(struct client *client,
                      const struct wire_message *message,
                      enum agent_event_type type)
{
    struct agent_event event = {.type = type, .session = message->session, .job = message->job};
    client_step(client, &event);
}

static void on_welcome(struct client *client, const struct wire_message *message)
{
    struct agent_event event = {.type = AGENT_WELCOME, .session = message->session};
    event.as.welcome.heartbeat_us = (uint64_t)message->as.welcome.heartbeat_ms * US_PER_MS;
    event.as.welcome.minor = message->as.welcome.protocol_minor;
    struct agent_stats before;
    struct agent_stats after;
    agent_get_stats(client->agent, &before);
    client_step(client, &event);
    agent_get_stats(client->agent, &after);
    if (before.sessions > 0 && after.sessions > before.sessions) {
        client_note(client, "registered again");
    }
}

static void on_reject(struct client *client, const struct wire_message *message)
{
    char text[WIRE_TEXT_MAX + 1];
    (void)snprintf(
        text, sizeof(text), "%.*s", (int)message->as.reject.text.len, message->as.reject.text.s);
    struct agent_event event = {.type = AGENT_REJECT, .session = message->session};
    event.as.reject.reason = message->as.reject.reason;
    event.as.reject.text = text;
    client_step(client, &event);
}

static void on_heartbeat(struct client *client, const struct wire_message *message)
{
    struct agent_event event = {.type = AGENT_HEARD, .session = message->session};
    event.as.heard.heartbeat_us = (uint64_t)message->as.heartbeat.heartbeat_ms * US_PER_MS;
    client_step(client, &event);
}

static void on_ack(struct client *client, const struct wire_message *message)
{
    struct agent_event event = {.type = AGENT_ACK, .session = message->session};
    event.as.ack = message->ack;
    client_step(client, &event);
}

static void dispatch(struct client *client,
                     const struct wire_message *message,
                     struct blob *payload)
{
    switch (message->type) {
    case WIRE_WELCOME:
        on_welcome(client, message);
        break;
    case WIRE_REJECT:
        on_reject(client, message);
        break;
    case WIRE_JOB:
        on_job(client, message);
        break;
    case WIRE_CHUNKS:
        on_chunks(client, message, payload);
        break;
    case WIRE_CANCEL:
        on_simple(client, message, AGENT_CANCEL);
        break;
    case WIRE_DRAIN:
        on_simple(client, message, AGENT_DRAIN);
        break;
    case WIRE_BYE:
        on_simple(client, message, AGENT_BYE);
        break;
    case WIRE_ACK:
        on_simple(client, message, AGENT_HEARD);
        break;
    case WIRE_HEARTBEAT:
        on_heartbeat(client, message);
        break;
    case WIRE_PART:
        client_on_part(client, message, payload);
        break;
    case WIRE_ECHO: /* of a question that no worker asks */
        break;
    case WIRE_HELLO:
    case WIRE_HOLDING:
    case WIRE_PROBE:
    case WIRE_READY:
    case WIRE_RESULTS:
    case WIRE_RETURNED:
    case WIRE_FETCH:
        client_note(client,
                    "the coordinator sent a %s, which only workers do: ignored",
                    wire_type_name(message->type));
        break;
    }
}

static void on_message(void *arg,
                       struct zsock_peer peer,
                       const void *header,
                       size_t len,
                       struct blob *payload)
{
    (void)peer;
    struct client *client = arg;
    struct wire_message message;
    struct err_text error;
    if (wire_decode(client->decoder, header, len, &error, &message) != 0) {
        client_note(client, "a message of the coordinator was dropped: %s", error.s);
    } else {
        if (message.ack > 0) {
            on_ack(client, &message);
        }
        dispatch(client, &message, payload);
    }
    blob_unref(payload);
}

static void on_bad(void *arg, struct zsock_peer peer, const char *why)
{
    (void)peer;
    client_note(arg, "a message of the coordinator was dropped: %s", why);
}

static void on_turn_end(void *arg)
{
    client_await_quick_results(arg);
}

static void on_connected(void *arg)
{
    struct client *client = arg;
    client_note(client, "connected to %s", client->route.endpoint);
    client_route_connected(client);
    struct agent_event event = {.type = AGENT_CONNECTED};
    client_step(client, &event);
}

static void on_disconnected(void *arg, const char *why)
{
    struct client *client = arg;
    if (!client->finished) {
        client_route_trouble(client, why);
    }
    struct agent_event event = {.type = AGENT_DISCONNECTED};
    client_step(client, &event);
    client_route_disconnected(client);
}

static void on_refused(void *arg, const char *address, const char *why)
{
    (void)address;
    (void)why;
    client_route_refused(arg);
}

static void on_retrying(void *arg)
{
    client_route_retrying(arg);
}

const struct zsock_handlers client_socket_handlers = {
    .message = on_message,
    .bad = on_bad,
    .turn_end = on_turn_end,
    .connected = on_connected,
    .disconnected = on_disconnected,
    .refused = on_refused,
    .retrying = on_retrying,
};
