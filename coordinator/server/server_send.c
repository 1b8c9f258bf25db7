#include "common/base/check.h"
#include "coordinator/runner/job_plugin.h"
#include "coordinator/server/server_internal.h"
#include "coordinator/server/server_status.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    BATCH_PAYLOAD_MAX = 2 * 1024 * 1024,
    MINOR_WITH_RECORDS = 1, /* the protocol's, since when it has records and plugins */
};

/* --- saying something --- */

void server_say_left_out(struct server *server)
{
    uint64_t left_out = line_limit_take_left_out(&server->notes);
    if (left_out > 0) {
        (void)fprintf(stderr, "quartet: %" PRIu64 " notes were left out\n", left_out);
    }
}

void server_note(struct server *server, const char *format, ...)
{
    if (server->options.quiet || server->closing) {
        return;
    }
    if (!line_limit_allows(&server->notes, stage_now_us())) {
        return;
    }
    if (server->stage->progress != NULL) {
        progress_clear(server->stage->progress);
    }
    server_say_left_out(server);
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("quartet: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
}

void server_note_refusal(struct server *server, const char *text, bool vague)
{
    if (server->first_refusal[0] == '\0' || (server->first_refusal_vague && !vague)) {
        server->first_refusal_vague = vague;
        (void)snprintf(server->first_refusal, sizeof(server->first_refusal), "%s", text);
    }
    server_note(server, "%s", text);
}

const char *server_first_refusal(const struct server *server)
{
    return server->first_refusal;
}

/* Encode `message` into the socket's next message. */
static int put_header(struct server *server, const struct wire_message *message)
{
    size_t len = wire_size(server->encoder, message);
    void *bytes = zsock_header(server->socket, len);
    if (bytes == NULL) {
        return ERR_NOMEM;
    }
    wire_write(server->encoder, bytes);
    return 0;
}

void server_send_plain(struct server *server,
                       struct zsock_peer address,
                       const struct wire_message *message,
                       size_t payload_len)
{
    static const char zeros[WIRE_PROBE_MAX];
    const struct zsock_part part = {.bytes = zeros, .len = payload_len};
    if (put_header(server, message) == 0) {
        (void)(payload_len > 0 ? zsock_send_parts(server->socket, address, &part, 1)
                               : zsock_send(server->socket, address, NULL));
        server->stats.messages_out++;
    }
}

/* Try to send to a registered worker; carries the acknowledgement. */
int server_try_send(struct server *server,
                    struct peer *peer,
                    struct wire_message *message,
                    const struct zsock_part *parts,
                    size_t part_count)
{
    message->session = peer->session;
    message->ack = peer->durable;
    int rc = put_header(server, message);
    if (rc == 0) {
        rc = part_count > 0 ? zsock_send_parts(server->socket, peer->address, parts, part_count)
                            : zsock_send(server->socket, peer->address, NULL);
    }
    if (rc != 0) {
        return rc;
    }
    server->stats.messages_out++;
    peer->acked = peer->durable;
    peer->sent_us = stage_now_us();
    return 0;
}

/* What came of sending to a worker; one that could not be reached is forgotten. */
static bool reached(struct server *server, struct peer *peer, int rc)
{
    if (rc != 0) {
        server_forget(server,
                      peer,
                      SCHED_WORKER_LOST,
                      rc == ERR_GONE ? "its connection dropped"
                                     : "it does not read what is sent to it");
    }
    return rc == 0;
}

/* Returns false when the worker could not be reached; it has then been forgotten. */
bool server_send(struct server *server, struct peer *peer, struct wire_message *message)
{
    return reached(server, peer, server_try_send(server, peer, message, NULL, 0));
}

void server_reject(struct server *server,
                   struct zsock_peer address,
                   uint64_t session,
                   enum wire_reason reason,
                   const char *text)
{
    struct wire_message message = {.type = WIRE_REJECT, .session = session};
    message.as.reject.reason = reason;
    message.as.reject.text = wire_text(text);
    server_send_plain(server, address, &message, 0);
}

bool server_send_heartbeat(struct server *server, struct peer *peer)
{
    struct wire_message message = {.type = WIRE_HEARTBEAT};
    if (peer->protocol_minor >= WIRE_MINOR_TEMPO) {
        uint64_t us = server_tempo_us(server);
        message.as.heartbeat.heartbeat_ms = (uint32_t)(us / US_PER_MS);
        tempo_tell(&peer->tempo, us);
    }
    return server_send(server, peer, &message);
}

static struct wire_text hash_of(const struct job_plugin *plugin)
{
    return (struct wire_text){(const char *)plugin->hash, HASH_SIZE};
}

/* The job of the run on stage as a message; its texts point into the job and into `names` and
 * `values` (PARAMS_MAX each). */
static struct wire_message job_message(const struct server_run *run,
                                       struct wire_text *names,
                                       struct wire_text *values)
{
    const struct job *job = run->job;
    for (size_t i = 0; i < job->params->count; i++) {
        names[i] = wire_text(job->params->list[i].name);
        values[i] = wire_text(job->params->list[i].value);
    }
    struct wire_message message = {.type = WIRE_JOB, .session = 1, .job = run->job_id};
    message.as.job_spec = (struct wire_job){
        .workload = wire_text(job->workload->name),
        .param_names = names,
        .param_values = values,
        .param_count = job->params->count,
        .strategy = job->strategy,
        .slots = job->slots,
        .range_first = job->items.is_range ? job->items.range_first : 0,
        .credit_fixed = job->credit,
        .records = job->records,
    };
    if (job->plugin != NULL) {
        message.as.job_spec.plugin_hash = hash_of(job->plugin);
        message.as.job_spec.plugin_size = job->plugin->size;
    }
    return message;
}

int server_check_job(struct server *server, struct err_text *ret_error)
{
    struct wire_text names[PARAMS_MAX];
    struct wire_text values[PARAMS_MAX];
    struct wire_message message = job_message(&server->run, names, values);
    return wire_check(server->encoder, &message, ret_error);
}

/* Can this worker be told what the job on stage asks for? Otherwise run->unable says why not. */
static bool speaks_of(struct server *server, const struct peer *peer)
{
    struct server_run *run = &server->run;
    if (peer->protocol_minor >= MINOR_WITH_RECORDS ||
        (!run->job->records && run->job->plugin == NULL)) {
        return true;
    }
    (void)err_set(
        &run->unable,
        ERR_INVALID,
        "worker %s@%s speaks protocol %d.%u, which has no %s: install the same version of "
        "quartet on both",
        peer->name,
        peer->host,
        WIRE_PROTOCOL_MAJOR,
        peer->protocol_minor,
        run->job->records ? "results of single items" : "plugins");
    return false;
}

void server_send_job(struct server *server, struct peer *peer)
{
    struct wire_text names[PARAMS_MAX];
    struct wire_text values[PARAMS_MAX];
    struct wire_message message = job_message(&server->run, names, values);
    if (!speaks_of(server, peer)) {
        peer->state = PEER_UNABLE;
        return;
    }
    peer->state = PEER_STARTING;
    peer->fetched = 0;
    peer->busy_job = server->run.job_id;
    peer->cpu_us = 0;
    peer_forget_holding(peer);
    peer->items_done = 0;
    peer->asked_us = stage_now_us();
    (void)server_send(server, peer, &message);
}

/* Read up to WIRE_PART_MAX bytes into server->part. Returns how many; 0: they cannot be had. */
static size_t read_part(struct server *server, const struct job_plugin *plugin, uint64_t offset)
{
    struct err_text error = {{0}};
    uint64_t left = plugin->size - offset;
    size_t len = left < WIRE_PART_MAX ? (size_t)left : (size_t)WIRE_PART_MAX;
    if (server->part == NULL) {
        server->part = malloc(WIRE_PART_MAX);
    }
    if (server->part == NULL) {
        return 0;
    }
    if (job_plugin_read(plugin, offset, server->part, len, &error) != 0) {
        server_note(server, "%s", error.s);
        return 0;
    }
    return len;
}

void server_send_part(struct server *server, struct peer *peer, uint64_t offset)
{
    const struct job_plugin *plugin = server->run.job->plugin;
    struct wire_message message = {.type = WIRE_PART, .job = server->run.job_id};
    message.as.fetch.hash = hash_of(plugin);
    message.as.fetch.offset = offset;
    struct zsock_part part = {.len = read_part(server, plugin, offset)};
    part.bytes = server->part;
    peer->fetched = offset + part.len;
    server->run.parts++;
    int rc = server_try_send(server, peer, &message, &part, part.len > 0 ? 1 : 0);
    (void)reached(server, peer, rc);
}

/* --- the runner's link --- */

static const char cannot_reach[] = "what is sent to it does not arrive";

void server_mark_dirty(struct server *server, struct peer *peer)
{
    if (!peer->dirty) {
        peer->dirty = true;
        server->dirty[server->dirty_count++] = peer;
    }
}

/* Send what is gathered, or a bare acknowledgement when one is due. */
static int send_batch(struct server *server, struct peer *peer)
{
    struct peer_batch *batch = &peer->batch;
    struct wire_message message = {.type = WIRE_ACK, .job = server->run.job_id};
    if (batch->count == 0) {
        return peer->acked == peer->durable ? 0 : server_try_send(server, peer, &message, NULL, 0);
    }
    bool has_payload = batch->payload_bytes > 0;
    message.type = WIRE_CHUNKS;
    message.as.chunks = (struct wire_chunks){
        .count = batch->count,
        .id = batch->id,
        .first = batch->first,
        .items = batch->items,
        .attempt = batch->attempt,
        .payload_len = has_payload ? batch->payload_len : NULL,
    };
    int rc = server_try_send(server, peer, &message, batch->parts, has_payload ? batch->count : 0);
    peer_batch_clear(batch);
    return rc;
}

static void flush_peer(struct server *server, struct peer *peer)
{
    if (peer->lost == NULL && send_batch(server, peer) != 0) {
        peer->lost = cannot_reach;
    }
    if (peer->lost != NULL) {
        server_forget(server, peer, SCHED_WORKER_LOST, peer->lost);
    }
}

void server_flush(struct server *server)
{
    /* Losing a peer while flushing may queue its chunks for others: they are appended to this
     * list and flushed in the same pass. */
    while (server->dirty_count > 0) {
        struct peer *peer = server->dirty[--server->dirty_count];
        peer->dirty = false;
        flush_peer(server, peer);
    }
}

static void link_flush(void *arg)
{
    server_flush(arg);
}

static void link_queue(void *arg, struct worker_id worker, const struct chunk *chunk)
{
    struct server *server = arg;
    struct peer *peer = peers_find(&server->peers, worker.value);
    CHECK(peer != NULL); /* the scheduler was told of every peer that left */
    struct peer_batch *batch = &peer->batch;
    server_mark_dirty(server, peer);
    /* A failure here must not re-enter the runner that is calling: the peer is forgotten at the
     * flush that follows. */
    if (batch->count == WIRE_CHUNKS_MAX ||
        batch->payload_bytes + chunk->payload_len > BATCH_PAYLOAD_MAX) {
        peer->lost = send_batch(server, peer) != 0 ? cannot_reach : peer->lost;
    }
    if (peer_batch_add(batch, chunk) != 0) {
        blob_unref(chunk->payload);
        peer->lost = cannot_reach;
    }
}

static void link_drop(void *arg, struct worker_id worker)
{
    struct server *server = arg;
    struct peer *peer = peers_find(&server->peers, worker.value);
    if (peer != NULL) {
        /* Forgotten at the flush that follows: that tells the runner, which is in the middle of a
         * list of actions now. */
        peer->lost = "nothing was heard of it for too long";
        server_mark_dirty(server, peer);
    }
}

/* At the flush that follows the workers are told. */
static void link_durable(void *arg)
{
    struct server *server = arg;
    uint64_t durable = runner_durable(server->run.runner);
    for (uint32_t i = 0; i < server->peers.high; i++) {
        struct peer *peer = server->peers.by_index[i];
        if (peer != NULL && peer_note_durable(peer, durable)) {
            server_mark_dirty(server, peer);
        }
    }
}

static void link_ended(void *arg)
{
    (void)arg; /* the stage sees the outcome */
}

const struct runner_link server_link = {
    .queue = link_queue,
    .flush = link_flush,
    .drop = link_drop,
    .durable = link_durable,
    .ended = link_ended,
};
