#include "tests/wire/wire_equal.h"

#include <string.h>

static bool text_equal(struct wire_text a, struct wire_text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.s, b.s, a.len) == 0);
}

static bool texts_equal(const struct wire_text *a, const struct wire_text *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!text_equal(a[i], b[i])) {
            return false;
        }
    }
    return true;
}

static bool u64s_equal(const uint64_t *a, const uint64_t *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if ((a != NULL ? a[i] : 0) != (b != NULL ? b[i] : 0)) {
            return false;
        }
    }
    return true;
}

static bool u32s_equal(const uint32_t *a, const uint32_t *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if ((a != NULL ? a[i] : 0) != (b != NULL ? b[i] : 0)) {
            return false;
        }
    }
    return true;
}

static bool hello_equal(const struct wire_hello *a, const struct wire_hello *b)
{
    return a->protocol_major == b->protocol_major && a->protocol_minor == b->protocol_minor &&
           text_equal(a->build, b->build) && text_equal(a->name, b->name) &&
           text_equal(a->host, b->host) && a->nonce == b->nonce && a->pid == b->pid &&
           a->cores == b->cores && a->strategies == b->strategies &&
           a->credit_max == b->credit_max && a->workload_count == b->workload_count &&
           texts_equal(a->workloads, b->workloads, a->workload_count);
}

static bool job_equal(const struct wire_job *a, const struct wire_job *b)
{
    return text_equal(a->workload, b->workload) && a->param_count == b->param_count &&
           texts_equal(a->param_names, b->param_names, a->param_count) &&
           texts_equal(a->param_values, b->param_values, a->param_count) &&
           a->strategy == b->strategy && a->slots == b->slots && a->range_first == b->range_first &&
           a->credit_fixed == b->credit_fixed && a->records == b->records &&
           text_equal(a->plugin_hash, b->plugin_hash) && a->plugin_size == b->plugin_size;
}

static bool ready_equal(const struct wire_ready *a, const struct wire_ready *b)
{
    return a->slots == b->slots && a->credit == b->credit && a->cooperative == b->cooperative &&
           a->startup_us == b->startup_us && text_equal(a->error, b->error);
}

static bool chunks_equal(const struct wire_chunks *a, const struct wire_chunks *b)
{
    return a->count == b->count && u64s_equal(a->id, b->id, a->count) &&
           u64s_equal(a->first, b->first, a->count) && u64s_equal(a->items, b->items, a->count) &&
           u32s_equal(a->attempt, b->attempt, a->count) &&
           u32s_equal(a->payload_len, b->payload_len, a->count);
}

static bool results_equal(const struct wire_results *a, const struct wire_results *b)
{
    return a->seq == b->seq && a->credit == b->credit && a->cpu_us == b->cpu_us &&
           a->count == b->count && u64s_equal(a->id, b->id, a->count) &&
           u32s_equal(a->attempt, b->attempt, a->count) && u64s_equal(a->ok, b->ok, a->count) &&
           u64s_equal(a->failed, b->failed, a->count) &&
           u64s_equal(a->checksum, b->checksum, a->count) &&
           u64s_equal(a->bytes_out, b->bytes_out, a->count) &&
           u64s_equal(a->run_us, b->run_us, a->count) && a->error_count == b->error_count &&
           u32s_equal(a->error_at, b->error_at, a->error_count) &&
           u64s_equal(a->error_index, b->error_index, a->error_count) &&
           texts_equal(a->error_text, b->error_text, a->error_count) &&
           u32s_equal(a->records_len, b->records_len, a->count);
}

static bool probe_equal(const struct wire_probe *a, const struct wire_probe *b)
{
    return a->protocol_major == b->protocol_major && a->protocol_minor == b->protocol_minor &&
           text_equal(a->build, b->build) && text_equal(a->host, b->host) && a->seq == b->seq &&
           a->want == b->want;
}

static bool echo_equal(const struct wire_echo *a, const struct wire_echo *b)
{
    return a->protocol_major == b->protocol_major && a->protocol_minor == b->protocol_minor &&
           text_equal(a->build, b->build) && text_equal(a->host, b->host) && a->seq == b->seq &&
           a->received_us == b->received_us && a->sent_us == b->sent_us && a->got == b->got &&
           a->workers == b->workers && a->workers_max == b->workers_max &&
           a->files_max == b->files_max && a->files_left == b->files_left &&
           a->running == b->running;
}

static bool body_equal(const struct wire_message *a, const struct wire_message *b)
{
    switch (a->type) {
    case WIRE_HELLO:
        return hello_equal(&a->as.hello, &b->as.hello);
    case WIRE_WELCOME:
        return a->as.welcome.protocol_minor == b->as.welcome.protocol_minor &&
               a->as.welcome.heartbeat_ms == b->as.welcome.heartbeat_ms;
    case WIRE_REJECT:
    case WIRE_BYE:
        return a->as.reject.reason == b->as.reject.reason &&
               text_equal(a->as.reject.text, b->as.reject.text);
    case WIRE_JOB:
        return job_equal(&a->as.job_spec, &b->as.job_spec);
    case WIRE_READY:
        return ready_equal(&a->as.ready, &b->as.ready);
    case WIRE_HOLDING:
    case WIRE_CHUNKS:
        return chunks_equal(&a->as.chunks, &b->as.chunks);
    case WIRE_RESULTS:
        return results_equal(&a->as.results, &b->as.results);
    case WIRE_HEARTBEAT:
        return a->as.heartbeat.items_done == b->as.heartbeat.items_done &&
               a->as.heartbeat.held == b->as.heartbeat.held &&
               a->as.heartbeat.cpu_us == b->as.heartbeat.cpu_us &&
               a->as.heartbeat.coming == b->as.heartbeat.coming &&
               a->as.heartbeat.heartbeat_ms == b->as.heartbeat.heartbeat_ms;
    case WIRE_RETURNED:
        return a->as.returned.count == b->as.returned.count &&
               u64s_equal(a->as.returned.id, b->as.returned.id, a->as.returned.count);
    case WIRE_FETCH:
    case WIRE_PART:
        return text_equal(a->as.fetch.hash, b->as.fetch.hash) &&
               a->as.fetch.offset == b->as.fetch.offset;
    case WIRE_PROBE:
        return probe_equal(&a->as.probe, &b->as.probe);
    case WIRE_ECHO:
        return echo_equal(&a->as.echo, &b->as.echo);
    case WIRE_ACK:
    case WIRE_CANCEL:
    case WIRE_DRAIN:
        return true;
    }
    return false;
}

bool wire_equal(const struct wire_message *a, const struct wire_message *b)
{
    return a->type == b->type && a->session == b->session && a->job == b->job && a->ack == b->ack &&
           body_equal(a, b);
}
