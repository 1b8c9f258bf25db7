#include "common/io/cores.h"
#include "common/io/versions.h"
#include "worker/client_internal.h"
#include "worker/workloads/registry.h"

#include <stdio.h>
#include <unistd.h>

/* Encode into the socket's next message. False without memory: the message is then lost, as with a
 * connection. */
static bool put_header(struct client *client, const struct wire_message *message)
{
    size_t len = wire_size(client->encoder, message);
    void *bytes = zsock_header(client->socket, len);
    if (bytes != NULL) {
        wire_write(client->encoder, bytes);
    }
    return bytes != NULL;
}

/* Never blocks. What does not leave is lost with the connection: the agent keeps results until
 * they are acknowledged, and says them again. */
void client_send(struct client *client, const struct wire_message *message)
{
    if (put_header(client, message)) {
        (void)zsock_send(client->socket, (struct zsock_peer){0}, NULL);
    }
}

void client_send_hello(struct client *client)
{
    struct wire_text names[WIRE_LIST_MAX];
    size_t count = 0;
    for (; count < workload_registry_count && count < WIRE_LIST_MAX; count++) {
        names[count] = wire_text(workload_registry[count]->name);
    }
    char build[128];
    (void)snprintf(build, sizeof(build), "%s %s", versions_quartet(), versions_commit());
    struct wire_message message = {.type = WIRE_HELLO};
    message.as.hello = (struct wire_hello){
        .protocol_major = WIRE_PROTOCOL_MAJOR,
        .protocol_minor = WIRE_PROTOCOL_MINOR,
        .build = wire_text(build),
        .name = wire_text(client->options.name),
        .host = wire_text(client->host),
        .nonce = client->nonce,
        .pid = (uint64_t)getpid(),
        .cores = cores_usable(),
        .strategies = 1u << STRATEGY_SERIAL | 1u << STRATEGY_THREADS | 1u << STRATEGY_ASYNC |
                      1u << STRATEGY_PROCESSES,
        .credit_max = client->options.credit_max,
        .workloads = names,
        .workload_count = count,
    };
    client_send(client, &message);
}

void client_send_ready(struct client *client, const struct agent_action *action)
{
    struct agent_stats stats;
    agent_get_stats(client->agent, &stats);
    struct wire_message message = {
        .type = WIRE_READY, .session = action->session, .job = action->job};
    if (action->failed) {
        message.as.ready.error = wire_text(client->engine_error.s);
    } else {
        message.as.ready.slots = client->job.slots;
        message.as.ready.credit = action->credit;
        message.as.ready.cooperative = engine_is_cooperative(client->engine);
        message.as.ready.startup_us = client_now_us() - client->job.received_us;
    }
    client_send(client, &message);
}

/* Struct of arrays for one RESULTS message. */
struct results_arrays {
    uint64_t id[WIRE_CHUNKS_MAX];
    uint32_t attempt[WIRE_CHUNKS_MAX];
    uint64_t ok[WIRE_CHUNKS_MAX];
    uint64_t failed[WIRE_CHUNKS_MAX];
    uint64_t checksum[WIRE_CHUNKS_MAX];
    uint64_t bytes_out[WIRE_CHUNKS_MAX];
    uint64_t run_us[WIRE_CHUNKS_MAX];
    uint32_t error_at[WIRE_ERRORS_MAX];
    uint64_t error_index[WIRE_ERRORS_MAX];
    struct wire_text error_text[WIRE_ERRORS_MAX];
    uint32_t records_len[WIRE_CHUNKS_MAX];
    struct zsock_part records[WIRE_CHUNKS_MAX];
    size_t errors;
    bool any_failed;
    bool any_bytes;
    bool any_records;
};

static void add_records(struct results_arrays *arrays, size_t at, const struct chunk_result *result)
{
    arrays->records_len[at] = result->records_len;
    arrays->records[at] = (struct zsock_part){NULL, 0};
    if (result->records_len > 0) {
        const char *bytes = blob_bytes(result->records);
        arrays->records[at].bytes = bytes + result->records_offset;
        arrays->records[at].len = result->records_len;
        arrays->any_records = true;
    }
}

static void add_result(struct results_arrays *arrays, size_t at, const struct chunk_result *result)
{
    arrays->id[at] = result->id.value;
    arrays->attempt[at] = result->attempt;
    arrays->ok[at] = result->tally.ok;
    arrays->failed[at] = result->tally.failed;
    arrays->checksum[at] = result->tally.checksum;
    arrays->bytes_out[at] = result->tally.bytes_out;
    arrays->run_us[at] = result->run_us;
    arrays->any_failed |= result->tally.failed > 0;
    arrays->any_bytes |= result->tally.bytes_out > 0;
    if (result->tally.failed > 0 && arrays->errors < WIRE_ERRORS_MAX) {
        size_t error = arrays->errors++;
        arrays->error_at[error] = (uint32_t)at;
        arrays->error_index[error] = result->error_index;
        arrays->error_text[error] = (struct wire_text){.s = result->error,
                                                       .len = result->error_len};
    }
}

void client_send_results(struct client *client, const struct agent_action *action)
{
    struct results_arrays arrays;
    arrays.errors = 0;
    arrays.any_failed = false;
    arrays.any_bytes = false;
    arrays.any_records = false;
    for (uint32_t i = 0; i < action->count; i++) {
        const struct chunk_result *result = agent_result(client->agent, action->first + i);
        add_result(&arrays, i, result);
        if (client->job.records) {
            add_records(&arrays, i, result);
        }
    }
    struct wire_message message = {
        .type = WIRE_RESULTS, .session = action->session, .job = action->job};
    message.as.results = (struct wire_results){
        .seq = action->seq,
        .credit = action->credit,
        .count = action->count,
        .id = arrays.id,
        .attempt = arrays.attempt,
        .ok = arrays.ok,
        .failed = arrays.any_failed ? arrays.failed : NULL,
        .checksum = arrays.checksum,
        .bytes_out = arrays.any_bytes ? arrays.bytes_out : NULL,
        .run_us = arrays.run_us,
        .error_count = arrays.errors,
        .error_at = arrays.error_at,
        .error_index = arrays.error_index,
        .error_text = arrays.error_text,
        .cpu_us = client->engine == NULL ? 0 : engine_cpu_us(client->engine),
        .records_len = arrays.any_records ? arrays.records_len : NULL,
    };
    if (!arrays.any_records) {
        client_send(client, &message);
    } else if (put_header(client, &message)) {
        (void)zsock_send_parts(
            client->socket, (struct zsock_peer){0}, arrays.records, action->count);
    }
}

void client_send_heartbeat(struct client *client, const struct agent_action *action)
{
    struct agent_stats stats;
    agent_get_stats(client->agent, &stats);
    struct wire_message message = {
        .type = WIRE_HEARTBEAT, .session = action->session, .job = action->job};
    message.as.heartbeat.items_done = stats.items_done;
    message.as.heartbeat.held = stats.held;
    message.as.heartbeat.cpu_us = client->engine == NULL ? 0 : engine_cpu_us(client->engine);
    message.as.heartbeat.coming = action->coming;
    client_send(client, &message);
}

void client_send_holding(struct client *client, const struct agent_action *action)
{
    uint64_t id[WIRE_CHUNKS_MAX];
    uint64_t first[WIRE_CHUNKS_MAX];
    uint64_t items[WIRE_CHUNKS_MAX];
    uint32_t attempt[WIRE_CHUNKS_MAX];
    const struct chunk *from = agent_holding(client->agent) + action->first;
    for (uint32_t i = 0; i < action->count; i++) {
        id[i] = from[i].id.value;
        first[i] = from[i].first;
        items[i] = from[i].count;
        attempt[i] = from[i].attempt;
    }
    struct wire_message message = {
        .type = WIRE_HOLDING, .session = action->session, .job = action->job};
    message.as.chunks = (struct wire_chunks){
        .count = action->count, .id = id, .first = first, .items = items, .attempt = attempt};
    client_send(client, &message);
}

void client_send_returned(struct client *client, const struct agent_action *action)
{
    uint64_t ids[WIRE_CHUNKS_MAX];
    const struct chunk_id *from = agent_returned_ids(client->agent) + action->first;
    for (uint32_t i = 0; i < action->count; i++) {
        ids[i] = from[i].value;
    }
    struct wire_message message = {
        .type = WIRE_RETURNED, .session = action->session, .job = action->job};
    message.as.returned.id = ids;
    message.as.returned.count = action->count;
    client_send(client, &message);
}

void client_send_bye(struct client *client, const struct agent_action *action)
{
    struct wire_message message = {.type = WIRE_BYE, .session = action->session};
    message.as.reject.text = wire_text(agent_exit_text(client->agent));
    client_send(client, &message);
}
