/* RESULTS: what workers say came of chunks, with the records of single items. */
#include "common/base/record.h"
#include "coordinator/server/server_internal.h"

#include <inttypes.h>

/* Are the bytes of the payload frame those that the message counts? */
static int check_payload(const struct server *server,
                         const struct wire_results *from,
                         struct err_text *ret_error)
{
    size_t len = server->payload == NULL ? 0 : blob_len(server->payload);
    uint64_t sum = 0;
    for (size_t i = 0; from->records_len != NULL && i < from->count; i++) {
        sum += from->records_len[i];
    }
    return sum == len
               ? 0
               : err_set(ret_error,
                         ERR_PROTOCOL,
                         "RESULTS: records_len comes to %" PRIu64 " bytes, and the payload has %zu",
                         sum,
                         len);
}

/* Has every result the records of the items that were run, if the job asks for them, and otherwise
 * none? The payload is as long as the message says. */
static int check_records(const struct server *server,
                         const struct wire_results *from,
                         struct err_text *ret_error)
{
    const char *bytes = server->payload == NULL ? "" : blob_bytes(server->payload);
    if (!server->run.job->records) {
        return server->payload == NULL || blob_len(server->payload) == 0
                   ? 0
                   : err_set(
                         ret_error, ERR_PROTOCOL, "RESULTS: has records, which no job asked for");
    }
    for (size_t i = 0; i < from->count; i++) {
        size_t len = from->records_len == NULL ? 0 : from->records_len[i];
        uint64_t items = from->ok[i] + (from->failed == NULL ? 0 : from->failed[i]);
        if (!records_valid(bytes, len, items)) {
            return err_set(ret_error,
                           ERR_PROTOCOL,
                           "RESULTS: records[%zu] has %zu bytes, which are not records of %" PRIu64
                           " items",
                           i,
                           len,
                           items);
        }
        bytes += len;
    }
    return 0;
}

/* Each result that has records gets its own reference to the payload. */
static void share_payload(struct server *server, const struct wire_results *from)
{
    size_t offset = 0;
    for (size_t i = 0; from->records_len != NULL && i < from->count; i++) {
        struct chunk_result *result = &server->results[i];
        result->records = from->records_len[i] > 0 ? blob_ref(server->payload) : NULL;
        result->records_offset = offset;
        result->records_len = from->records_len[i];
        offset += from->records_len[i];
    }
}

/* Not what else results own: their `error` is borrowed from the message. */
static void give_back_payload(struct server *server, const struct wire_results *from)
{
    for (size_t i = 0; from->records_len != NULL && i < from->count; i++) {
        blob_unref(server->results[i].records);
        server->results[i].records = NULL;
    }
}

/* The arrays of the message as results; texts are borrowed from it. */
static size_t unpack_results(struct server *server, const struct wire_results *from)
{
    for (size_t i = 0; i < from->count; i++) {
        struct chunk_result *result = &server->results[i];
        result->id.value = from->id[i];
        result->attempt = from->attempt[i];
        result->run_us = from->run_us[i];
        result->tally.ok = from->ok[i];
        result->tally.failed = from->failed == NULL ? 0 : from->failed[i];
        result->tally.checksum = from->checksum[i];
        result->tally.bytes_out = from->bytes_out == NULL ? 0 : from->bytes_out[i];
        result->error = NULL;
        result->error_len = 0;
        result->error_index = 0;
        result->records = NULL;
        result->records_len = 0;
    }
    share_payload(server, from);
    for (size_t i = 0; i < from->error_count; i++) {
        struct chunk_result *result = &server->results[from->error_at[i]];
        result->error_index = from->error_index[i];
        result->error = (char *)(uintptr_t)from->error_text[i].s;
        result->error_len = (uint32_t)from->error_text[i].len;
    }
    return from->count;
}

/* Results of the run on stage, in good form. Returns false when they cannot be true: the worker is
 * forgotten then. */
static bool account_for(struct server *server,
                        struct peer *peer,
                        const struct wire_results *results)
{
    size_t count = unpack_results(server, results);
    for (size_t i = 0; i < count; i++) {
        uint64_t items = server->results[i].tally.ok + server->results[i].tally.failed;
        peer->items_done += items;
        peer->items_all += items;
    }
    int rc = runner_results(server->run.runner,
                            stage_now_us(),
                            (struct worker_id){peer->session},
                            peer->name,
                            server->results,
                            count,
                            results->credit);
    give_back_payload(server, results);
    if (rc != 0) {
        server_refuse_worker(
            server, peer, WIRE_REASON_MALFORMED, "its results do not add up to its chunks' items");
    }
    return rc == 0;
}

void server_on_results(struct server *server, struct peer *peer, const struct wire_message *message)
{
    const struct wire_results *results = &message->as.results;
    bool of_run = server_is_of_run(server, message);
    struct err_text error = {{0}};
    if (check_payload(server, results, &error) != 0 ||
        (of_run && check_records(server, results, &error) != 0)) {
        server_drop_bad(server, peer->address, error.s);
        return;
    }
    server_mark_dirty(server, peer);
    if (results->seq <= peer->seq) {
        peer->acked = 0; /* sent twice: acknowledge again what can be */
        return;
    }
    if (results->seq != peer->seq + 1) {
        server_refuse_worker(server, peer, WIRE_REASON_SESSION, "a message of it is missing");
        return;
    }
    /* Numbered by session, not by job: those of a job that is over are acknowledged too, and
     * then dropped. */
    peer->seq = results->seq;
    if (!of_run) {
        server->stats.stale_messages++;
        peer_note_received(peer, 0, 0);
        return;
    }
    peer->cpu_us = results->cpu_us;
    if (!peer_is_joined(peer)) {
        peer_note_received(peer, 0, 0);
    } else if (account_for(server, peer, results)) {
        const struct runner *runner = server->run.runner;
        peer_note_received(peer, runner_noted(runner), runner_durable(runner));
    }
}
