/* Plain structs -> header frames. The generated structs are pointed at the caller's own arrays,
 * so nothing is copied before it is packed. */
#include "common/base/check.h"
#include "common/base/chunk.h"
#include "common/wire/types.h"
#include "common/wire/validate.h"
#include "common/wire/wire.h"

#include <quartet.pb-c.h>
#include <stdio.h>
#include <stdlib.h>

_Static_assert((int)WIRE_ERROR_TEXT_MAX == (int)CHUNK_ERROR_SIZE, "an item's error fits the wire");

/* The message that wire_size was last asked about, as protobuf-c wants it. */
struct wire_encoder {
    Quartet__Header header;

    union {
        Quartet__Hello hello;
        Quartet__Welcome welcome;
        Quartet__Text text;
        Quartet__Job job;
        Quartet__Ready ready;
        Quartet__Chunks chunks;
        Quartet__Results results;
        Quartet__Beat beat;
        Quartet__Returned returned;
        Quartet__Fetch fetch;
        Quartet__Probe probe;
        Quartet__Echo echo;
    } body;

    ProtobufCBinaryData names[WIRE_LIST_MAX];
    ProtobufCBinaryData values[WIRE_LIST_MAX];
    size_t size; /* what wire_write will write; 0: wire_size comes first */
};

struct wire_encoder *wire_encoder_new(void)
{
    return calloc(1, sizeof(struct wire_encoder));
}

void wire_encoder_free(struct wire_encoder *encoder)
{
    free(encoder);
}

/* The generated structs serve reading too and so have no const; packing only reads. */
static void *unconst(const void *array)
{
    return (void *)(uintptr_t)array;
}

static ProtobufCBinaryData data_of(struct wire_text text)
{
    return (ProtobufCBinaryData){.len = text.len, .data = unconst(text.s)};
}

/* A text for people is cut rather than refused: a long error must not keep anybody from hearing
 * of it. */
static ProtobufCBinaryData cut_data_of(struct wire_text text, size_t max)
{
    return data_of((struct wire_text){text.s, text.len < max ? text.len : max});
}

static ProtobufCBinaryData *list_of(ProtobufCBinaryData *list,
                                    const struct wire_text *texts,
                                    size_t count)
{
    CHECK(count <= WIRE_LIST_MAX);
    for (size_t i = 0; i < count; i++) {
        list[i] = data_of(texts[i]);
    }
    return list;
}

/* Is an array that may be left out (NULL) worth sending? All zero means the same as none. */
static bool any_u32(const uint32_t *values, size_t count)
{
    for (size_t i = 0; values != NULL && i < count; i++) {
        if (values[i] != 0) {
            return true;
        }
    }
    return false;
}

static bool any_u64(const uint64_t *values, size_t count)
{
    for (size_t i = 0; values != NULL && i < count; i++) {
        if (values[i] != 0) {
            return true;
        }
    }
    return false;
}

static void fill_hello(struct wire_encoder *e, const struct wire_message *message)
{
    const struct wire_hello *hello = &message->as.hello;
    Quartet__Hello *body = &e->body.hello;
    quartet__hello__init(body);
    body->magic = WIRE_MAGIC;
    body->protocol_major = hello->protocol_major;
    body->protocol_minor = hello->protocol_minor;
    body->build = cut_data_of(hello->build, WIRE_NAME_MAX);
    body->name = cut_data_of(hello->name, WIRE_NAME_MAX);
    body->host = cut_data_of(hello->host, WIRE_NAME_MAX);
    body->nonce = hello->nonce;
    body->pid = hello->pid;
    body->cores = hello->cores;
    body->strategies = hello->strategies;
    body->credit_max = hello->credit_max;
    body->n_workloads = hello->workload_count;
    body->workloads = list_of(e->names, hello->workloads, hello->workload_count);
    e->header.hello = body;
}

static void fill_welcome(struct wire_encoder *e, const struct wire_message *message)
{
    Quartet__Welcome *body = &e->body.welcome;
    quartet__welcome__init(body);
    body->protocol_minor = message->as.welcome.protocol_minor;
    body->heartbeat_ms = message->as.welcome.heartbeat_ms;
    e->header.welcome = body;
}

static Quartet__Text *fill_text(struct wire_encoder *e, const struct wire_message *message)
{
    Quartet__Text *body = &e->body.text;
    quartet__text__init(body);
    body->code = message->as.reject.reason;
    body->text = cut_data_of(message->as.reject.text, WIRE_TEXT_MAX);
    return body;
}

static void fill_reject(struct wire_encoder *e, const struct wire_message *message)
{
    e->header.reject = fill_text(e, message);
}

static void fill_bye(struct wire_encoder *e, const struct wire_message *message)
{
    e->header.bye = fill_text(e, message);
}

static void fill_job(struct wire_encoder *e, const struct wire_message *message)
{
    const struct wire_job *job = &message->as.job_spec;
    Quartet__Job *body = &e->body.job;
    quartet__job__init(body);
    body->workload = data_of(job->workload);
    body->n_param_names = job->param_count;
    body->param_names = list_of(e->names, job->param_names, job->param_count);
    body->n_param_values = job->param_count;
    body->param_values = list_of(e->values, job->param_values, job->param_count);
    body->strategy = job->strategy;
    body->slots = job->slots;
    body->range_first = job->range_first;
    body->credit_fixed = job->credit_fixed;
    body->records = job->records;
    body->plugin_hash = data_of(job->plugin_hash);
    body->plugin_size = job->plugin_size;
    e->header.job_spec = body;
}

static void fill_ready(struct wire_encoder *e, const struct wire_message *message)
{
    const struct wire_ready *ready = &message->as.ready;
    Quartet__Ready *body = &e->body.ready;
    quartet__ready__init(body);
    body->slots = ready->slots;
    body->credit = ready->credit;
    body->cooperative = ready->cooperative;
    body->startup_us = ready->startup_us;
    body->error = cut_data_of(ready->error, WIRE_TEXT_MAX);
    e->header.ready = body;
}

static Quartet__Chunks *fill_table(struct wire_encoder *e, const struct wire_message *message)
{
    const struct wire_chunks *chunks = &message->as.chunks;
    size_t count = chunks->count;
    Quartet__Chunks *body = &e->body.chunks;
    quartet__chunks__init(body);
    body->n_id = count;
    body->id = unconst(chunks->id);
    body->n_first = count;
    body->first = unconst(chunks->first);
    body->n_count = count;
    body->count = unconst(chunks->items);
    body->n_attempt = count;
    body->attempt = unconst(chunks->attempt);
    body->n_payload_len = any_u32(chunks->payload_len, count) ? count : 0;
    body->payload_len = unconst(chunks->payload_len);
    return body;
}

static void fill_chunks(struct wire_encoder *e, const struct wire_message *message)
{
    e->header.chunks = fill_table(e, message);
}

static void fill_holding(struct wire_encoder *e, const struct wire_message *message)
{
    e->header.holding = fill_table(e, message);
}

static void fill_errors(struct wire_encoder *e,
                        const struct wire_results *results,
                        Quartet__Results *body)
{
    size_t count = results->error_count;
    body->n_error_at = count;
    body->error_at = unconst(results->error_at);
    body->n_error_index = count;
    body->error_index = unconst(results->error_index);
    body->n_error_text = count;
    body->error_text = e->names;
    for (size_t i = 0; i < count; i++) {
        e->names[i] = cut_data_of(results->error_text[i], WIRE_ERROR_TEXT_MAX);
    }
}

static void fill_results(struct wire_encoder *e, const struct wire_message *message)
{
    const struct wire_results *results = &message->as.results;
    size_t count = results->count;
    Quartet__Results *body = &e->body.results;
    quartet__results__init(body);
    body->seq = results->seq;
    body->credit = results->credit;
    body->cpu_us = results->cpu_us;
    body->n_id = count;
    body->id = unconst(results->id);
    body->n_attempt = count;
    body->attempt = unconst(results->attempt);
    body->n_ok = count;
    body->ok = unconst(results->ok);
    body->n_failed = any_u64(results->failed, count) ? count : 0;
    body->failed = unconst(results->failed);
    body->n_checksum = count;
    body->checksum = unconst(results->checksum);
    body->n_bytes_out = any_u64(results->bytes_out, count) ? count : 0;
    body->bytes_out = unconst(results->bytes_out);
    body->n_run_us = count;
    body->run_us = unconst(results->run_us);
    body->n_records_len = any_u32(results->records_len, count) ? count : 0;
    body->records_len = unconst(results->records_len);
    fill_errors(e, results, body);
    e->header.results = body;
}

static void fill_heartbeat(struct wire_encoder *e, const struct wire_message *message)
{
    Quartet__Beat *body = &e->body.beat;
    quartet__beat__init(body);
    body->items_done = message->as.heartbeat.items_done;
    body->held = message->as.heartbeat.held;
    body->cpu_us = message->as.heartbeat.cpu_us;
    body->coming = message->as.heartbeat.coming;
    body->heartbeat_ms = message->as.heartbeat.heartbeat_ms;
    e->header.heartbeat = body;
}

static void fill_returned(struct wire_encoder *e, const struct wire_message *message)
{
    Quartet__Returned *body = &e->body.returned;
    quartet__returned__init(body);
    body->n_id = message->as.returned.count;
    body->id = unconst(message->as.returned.id);
    e->header.returned = body;
}

static Quartet__Fetch *fill_part_of_plugin(struct wire_encoder *e,
                                           const struct wire_message *message)
{
    Quartet__Fetch *body = &e->body.fetch;
    quartet__fetch__init(body);
    body->hash = data_of(message->as.fetch.hash);
    body->offset = message->as.fetch.offset;
    return body;
}

static void fill_fetch(struct wire_encoder *e, const struct wire_message *message)
{
    e->header.fetch = fill_part_of_plugin(e, message);
}

static void fill_part(struct wire_encoder *e, const struct wire_message *message)
{
    e->header.part = fill_part_of_plugin(e, message);
}

static void fill_probe(struct wire_encoder *e, const struct wire_message *message)
{
    const struct wire_probe *probe = &message->as.probe;
    Quartet__Probe *body = &e->body.probe;
    quartet__probe__init(body);
    body->magic = WIRE_MAGIC;
    body->protocol_major = probe->protocol_major;
    body->protocol_minor = probe->protocol_minor;
    body->build = cut_data_of(probe->build, WIRE_NAME_MAX);
    body->host = cut_data_of(probe->host, WIRE_NAME_MAX);
    body->seq = probe->seq;
    body->want = probe->want;
    e->header.probe = body;
}

static void fill_echo(struct wire_encoder *e, const struct wire_message *message)
{
    const struct wire_echo *echo = &message->as.echo;
    Quartet__Echo *body = &e->body.echo;
    quartet__echo__init(body);
    body->magic = WIRE_MAGIC;
    body->protocol_major = echo->protocol_major;
    body->protocol_minor = echo->protocol_minor;
    body->build = cut_data_of(echo->build, WIRE_NAME_MAX);
    body->host = cut_data_of(echo->host, WIRE_NAME_MAX);
    body->seq = echo->seq;
    body->received_us = echo->received_us;
    body->sent_us = echo->sent_us;
    body->got = echo->got;
    body->workers = echo->workers;
    body->workers_max = echo->workers_max;
    body->files_max = echo->files_max;
    body->files_left = echo->files_left;
    body->running = echo->running;
    e->header.echo = body;
}

/* NULL: that type has no body. */
static void (*const fillers[])(struct wire_encoder *e, const struct wire_message *message) = {
    [WIRE_HELLO] = fill_hello,
    [WIRE_WELCOME] = fill_welcome,
    [WIRE_REJECT] = fill_reject,
    [WIRE_JOB] = fill_job,
    [WIRE_READY] = fill_ready,
    [WIRE_CHUNKS] = fill_chunks,
    [WIRE_RESULTS] = fill_results,
    [WIRE_HEARTBEAT] = fill_heartbeat,
    [WIRE_RETURNED] = fill_returned,
    [WIRE_BYE] = fill_bye,
    [WIRE_FETCH] = fill_fetch,
    [WIRE_PART] = fill_part,
    [WIRE_HOLDING] = fill_holding,
    [WIRE_PROBE] = fill_probe,
    [WIRE_ECHO] = fill_echo,
};

static size_t fill(struct wire_encoder *e, const struct wire_message *message)
{
    quartet__header__init(&e->header);
    e->header.type = (uint32_t)message->type;
    e->header.session = message->session;
    e->header.job = message->job;
    e->header.ack = message->ack;
    if (fillers[message->type] != NULL) {
        fillers[message->type](e, message);
    }
    return quartet__header__get_packed_size(&e->header);
}

int wire_check(struct wire_encoder *encoder,
               const struct wire_message *message,
               struct err_text *ret_error)
{
    encoder->size = 0;
    CHECK(wire_type_info((uint32_t)message->type) != NULL);
    if (wire_validate(message, ret_error) != 0) {
        return ERR_INVALID;
    }
    size_t size = fill(encoder, message);
    if (size > WIRE_HEADER_MAX) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "%s: %zu bytes together, at most %d fit one message",
                       wire_type_name(message->type),
                       size,
                       WIRE_HEADER_MAX);
    }
    encoder->size = size;
    return 0;
}

size_t wire_size(struct wire_encoder *encoder, const struct wire_message *message)
{
    struct err_text error;
    if (wire_check(encoder, message, &error) != 0) {
        check_failed(__FILE__, __LINE__, error.s);
    }
    return encoder->size;
}

void wire_write(struct wire_encoder *encoder, void *ret_bytes)
{
    CHECK(encoder->size > 0);
    size_t written = quartet__header__pack(&encoder->header, ret_bytes);
    CHECK(written == encoder->size);
    encoder->size = 0;
}
