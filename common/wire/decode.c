/* Header frames -> plain structs: unpack into the arena, check the shape (the right body, arrays
 * of one length), point our structs at what was unpacked. Whether the values make sense is
 * validate.c's. */
#include "common/wire/arena.h"
#include "common/wire/refuse.h"
#include "common/wire/text.h"
#include "common/wire/types.h"
#include "common/wire/validate.h"
#include "common/wire/wire.h"

#include <inttypes.h>
#include <quartet.pb-c.h>
#include <stdlib.h>
#include <string.h>

/* The most that a legal frame needs is 0.4 MiB: WIRE_CHUNKS_MAX results sent unpacked, which
 * protobuf allows, at 40 bytes of bookkeeping a value. Hostile bytes would take 4 MiB. Pages
 * that are never touched cost nothing. */
enum { ARENA_SIZE = 1024 * 1024 };

struct wire_decoder {
    struct arena arena;
};

/* One frame being read. The functions that read return whether it could be. */
struct reader {
    struct arena *arena;
    struct refusal refusal;
};

struct wire_decoder *wire_decoder_new(void)
{
    struct wire_decoder *decoder = malloc(sizeof(*decoder));
    if (decoder != NULL && arena_init(&decoder->arena, ARENA_SIZE) != 0) {
        free(decoder);
        return NULL;
    }
    return decoder;
}

void wire_decoder_free(struct wire_decoder *decoder)
{
    if (decoder != NULL) {
        arena_deinit(&decoder->arena);
        free(decoder);
    }
}

static bool no_room(const struct reader *r)
{
    return refuse(&r->refusal, "too many fields to be one of ours");
}

static struct wire_text text_of(ProtobufCBinaryData data)
{
    return data.len > 0 ? (struct wire_text){(const char *)data.data, data.len} : wire_text("");
}

/* A text for people: the peer may have put anything in it, and it ends up on a terminal. */
static struct wire_text clean_text_of(ProtobufCBinaryData data, size_t max)
{
    if (data.len > max) {
        data.len = max;
    }
    if (data.len > 0) {
        text_clean((char *)data.data, data.len);
    }
    return text_of(data);
}

static struct wire_text error_text_of(ProtobufCBinaryData data)
{
    return clean_text_of(data, WIRE_ERROR_TEXT_MAX);
}

/* NULL when they do not fit. */
static const struct wire_text *read_texts(const struct reader *r,
                                          const ProtobufCBinaryData *data,
                                          size_t count,
                                          struct wire_text (*read)(ProtobufCBinaryData data))
{
    struct wire_text *texts = arena_alloc(r->arena, count * sizeof(*texts));
    for (size_t i = 0; texts != NULL && i < count; i++) {
        texts[i] = read(data[i]);
    }
    return texts;
}

/* Arrays of one table must be of one length; an optional one may be left out. */
static bool same_length(const struct reader *r, const char *field, size_t len, size_t count)
{
    return len == count ||
           refuse(&r->refusal, "%s has %zu values where %zu are due", field, len, count);
}

static bool same_length_or_none(const struct reader *r, const char *field, size_t len, size_t count)
{
    return len == 0 || same_length(r, field, len, count);
}

static bool is_of_quartet(const struct reader *r, uint64_t magic)
{
    return magic == WIRE_MAGIC ||
           refuse(&r->refusal, "magic is 0x%016" PRIx64 ": this is not quartet", magic);
}

/* Who it is, and the versions: of another version's HELLO that is all we know. */
static struct wire_hello read_stranger(const Quartet__Hello *body)
{
    return (struct wire_hello){
        .protocol_major = body->protocol_major,
        .protocol_minor = body->protocol_minor,
        .build = clean_text_of(body->build, WIRE_NAME_MAX),
        .name = clean_text_of(body->name, WIRE_NAME_MAX),
        .host = clean_text_of(body->host, WIRE_NAME_MAX),
    };
}

static bool read_hello(const struct reader *r, const void *from, struct wire_message *message)
{
    const Quartet__Hello *body = from;
    if (body->magic != WIRE_MAGIC) {
        return refuse(
            &r->refusal, "magic is 0x%016" PRIx64 ": this is no quartet worker", body->magic);
    }
    if (body->protocol_major != WIRE_PROTOCOL_MAJOR) {
        message->as.hello = read_stranger(body);
        return true;
    }
    message->as.hello = (struct wire_hello){
        .protocol_major = body->protocol_major,
        .protocol_minor = body->protocol_minor,
        .build = clean_text_of(body->build, WIRE_NAME_MAX),
        .name = clean_text_of(body->name, WIRE_NAME_MAX),
        .host = clean_text_of(body->host, WIRE_NAME_MAX),
        .nonce = body->nonce,
        .pid = body->pid,
        .cores = body->cores,
        .strategies = body->strategies & WIRE_STRATEGIES_KNOWN,
        .credit_max = body->credit_max,
        .workload_count = body->n_workloads,
    };
    message->as.hello.workloads = read_texts(r, body->workloads, body->n_workloads, text_of);
    return message->as.hello.workloads != NULL || no_room(r);
}

static bool read_welcome(const struct reader *r, const void *from, struct wire_message *message)
{
    const Quartet__Welcome *body = from;
    (void)r;
    message->as.welcome = (struct wire_welcome){
        .protocol_minor = body->protocol_minor,
        .heartbeat_ms = body->heartbeat_ms,
    };
    return true;
}

static bool read_reject(const struct reader *r, const void *from, struct wire_message *message)
{
    const Quartet__Text *body = from;
    (void)r;
    /* A later minor version may know more reasons; its text still says what happened. */
    uint32_t reason = body->code <= WIRE_REASON_KEY ? body->code : (uint32_t)WIRE_REASON_NONE;
    message->as.reject = (struct wire_reject){.reason = reason,
                                              .text = clean_text_of(body->text, WIRE_TEXT_MAX)};
    return true;
}

static bool read_job(const struct reader *r, const void *from, struct wire_message *message)
{
    const Quartet__Job *body = from;
    struct wire_job *job = &message->as.job_spec;
    *job = (struct wire_job){
        .workload = text_of(body->workload),
        .param_count = body->n_param_names,
        .strategy = body->strategy,
        .slots = body->slots,
        .range_first = body->range_first,
        .credit_fixed = body->credit_fixed,
        .records = body->records != 0,
        .plugin_hash = text_of(body->plugin_hash),
        .plugin_size = body->plugin_size,
    };
    if (!same_length(r, "param_values", body->n_param_values, body->n_param_names)) {
        return false;
    }
    job->param_names = read_texts(r, body->param_names, job->param_count, text_of);
    job->param_values = read_texts(r, body->param_values, job->param_count, text_of);
    return (job->param_names != NULL && job->param_values != NULL) || no_room(r);
}

static bool read_ready(const struct reader *r, const void *from, struct wire_message *message)
{
    const Quartet__Ready *body = from;
    (void)r;
    message->as.ready = (struct wire_ready){
        .slots = body->slots,
        .credit = body->credit,
        .cooperative = body->cooperative != 0,
        .startup_us = body->startup_us,
        .error = clean_text_of(body->error, WIRE_TEXT_MAX),
    };
    return true;
}

static bool read_chunks(const struct reader *r, const void *from, struct wire_message *message)
{
    const Quartet__Chunks *body = from;
    size_t count = body->n_id;
    message->as.chunks = (struct wire_chunks){
        .count = count,
        .id = body->id,
        .first = body->first,
        .items = body->count,
        .attempt = body->attempt,
        .payload_len = body->n_payload_len > 0 ? body->payload_len : NULL,
    };
    return same_length(r, "first", body->n_first, count) &&
           same_length(r, "count", body->n_count, count) &&
           same_length(r, "attempt", body->n_attempt, count) &&
           same_length_or_none(r, "payload_len", body->n_payload_len, count);
}

static bool results_lengths(const struct reader *r, const Quartet__Results *body)
{
    size_t count = body->n_id;
    return same_length(r, "attempt", body->n_attempt, count) &&
           same_length(r, "ok", body->n_ok, count) &&
           same_length_or_none(r, "failed", body->n_failed, count) &&
           same_length(r, "checksum", body->n_checksum, count) &&
           same_length_or_none(r, "bytes_out", body->n_bytes_out, count) &&
           same_length(r, "run_us", body->n_run_us, count) &&
           same_length_or_none(r, "records_len", body->n_records_len, count) &&
           same_length(r, "error_index", body->n_error_index, body->n_error_at) &&
           same_length(r, "error_text", body->n_error_text, body->n_error_at);
}

static bool read_results(const struct reader *r, const void *from, struct wire_message *message)
{
    const Quartet__Results *body = from;
    struct wire_results *results = &message->as.results;
    *results = (struct wire_results){
        .seq = body->seq,
        .credit = body->credit,
        .count = body->n_id,
        .id = body->id,
        .attempt = body->attempt,
        .ok = body->ok,
        .failed = body->n_failed > 0 ? body->failed : NULL,
        .checksum = body->checksum,
        .bytes_out = body->n_bytes_out > 0 ? body->bytes_out : NULL,
        .run_us = body->run_us,
        .error_count = body->n_error_at,
        .error_at = body->error_at,
        .error_index = body->error_index,
        .cpu_us = body->cpu_us,
        .records_len = body->n_records_len > 0 ? body->records_len : NULL,
    };
    if (!results_lengths(r, body)) {
        return false;
    }
    results->error_text = read_texts(r, body->error_text, results->error_count, error_text_of);
    return results->error_text != NULL || no_room(r);
}

static bool read_heartbeat(const struct reader *r, const void *from, struct wire_message *message)
{
    const Quartet__Beat *body = from;
    (void)r;
    message->as.heartbeat = (struct wire_heartbeat){
        .items_done = body->items_done,
        .held = body->held,
        .cpu_us = body->cpu_us,
        .coming = body->coming,
        .heartbeat_ms = body->heartbeat_ms,
    };
    return true;
}

static bool read_returned(const struct reader *r, const void *from, struct wire_message *message)
{
    const Quartet__Returned *body = from;
    (void)r;
    message->as.returned = (struct wire_returned){.id = body->id, .count = body->n_id};
    return true;
}

static bool read_fetch(const struct reader *r, const void *from, struct wire_message *message)
{
    const Quartet__Fetch *body = from;
    (void)r;
    message->as.fetch = (struct wire_fetch){.hash = text_of(body->hash), .offset = body->offset};
    return true;
}

static bool read_probe(const struct reader *r, const void *from, struct wire_message *message)
{
    const Quartet__Probe *body = from;
    struct wire_probe *probe = &message->as.probe;
    if (!is_of_quartet(r, body->magic)) {
        return false;
    }
    *probe = (struct wire_probe){
        .protocol_major = body->protocol_major,
        .protocol_minor = body->protocol_minor,
        .build = clean_text_of(body->build, WIRE_NAME_MAX),
        .host = clean_text_of(body->host, WIRE_NAME_MAX),
    };
    if (probe->protocol_major == WIRE_PROTOCOL_MAJOR) {
        probe->seq = body->seq;
        probe->want = body->want;
    }
    return true;
}

static bool read_echo(const struct reader *r, const void *from, struct wire_message *message)
{
    const Quartet__Echo *body = from;
    if (!is_of_quartet(r, body->magic)) {
        return false;
    }
    struct wire_echo echo = {
        .protocol_major = body->protocol_major,
        .protocol_minor = body->protocol_minor,
        .build = clean_text_of(body->build, WIRE_NAME_MAX),
        .host = clean_text_of(body->host, WIRE_NAME_MAX),
    };
    if (echo.protocol_major == WIRE_PROTOCOL_MAJOR) {
        echo.seq = body->seq;
        echo.received_us = body->received_us;
        echo.sent_us = body->sent_us;
        echo.got = body->got;
        echo.workers = body->workers;
        echo.workers_max = body->workers_max;
        echo.files_max = body->files_max;
        echo.files_left = body->files_left;
        echo.running = body->running != 0;
    }
    message->as.echo = echo;
    return true;
}

/* NULL: that type has no body. */
static bool (*const readers[])(const struct reader *r,
                               const void *from,
                               struct wire_message *message) = {
    [WIRE_HELLO] = read_hello,
    [WIRE_WELCOME] = read_welcome,
    [WIRE_REJECT] = read_reject,
    [WIRE_JOB] = read_job,
    [WIRE_READY] = read_ready,
    [WIRE_CHUNKS] = read_chunks,
    [WIRE_RESULTS] = read_results,
    [WIRE_HEARTBEAT] = read_heartbeat,
    [WIRE_RETURNED] = read_returned,
    [WIRE_BYE] = read_reject,
    [WIRE_FETCH] = read_fetch,
    [WIRE_PART] = read_fetch,
    [WIRE_HOLDING] = read_chunks,
    [WIRE_PROBE] = read_probe,
    [WIRE_ECHO] = read_echo,
};

static const void *body_of(const Quartet__Header *header, size_t offset)
{
    const void *body;
    memcpy(&body, (const char *)header + offset, sizeof(body));
    return body;
}

/* The body that the type calls for must be there, and no other: a frame that means two things is
 * refused. */
static bool check_bodies(const struct reader *r, const Quartet__Header *header)
{
    for (uint32_t type = WIRE_TYPE_FIRST; type <= WIRE_TYPE_LAST; type++) {
        const struct wire_type_info *info = wire_type_info(type);
        if (info->body == 0) {
            continue;
        }
        bool present = body_of(header, info->body) != NULL;
        if (present && type != header->type) {
            return refuse(&r->refusal, "has the body of a %s", info->name);
        }
        if (!present && type == header->type) {
            return refuse(&r->refusal, "has no body");
        }
    }
    return true;
}

static bool read_body(const struct reader *r,
                      const Quartet__Header *header,
                      struct wire_message *message)
{
    size_t offset = wire_type_info(header->type)->body;
    return check_bodies(r, header) &&
           (offset == 0 || readers[header->type](r, body_of(header, offset), message));
}

static int read_header(struct reader *r,
                       const Quartet__Header *header,
                       struct wire_message *ret_message)
{
    if (wire_type_info(header->type) == NULL) {
        (void)refuse(&r->refusal, "type is %" PRIu32 ", which is unknown", header->type);
        return ERR_PROTOCOL;
    }
    struct wire_message message = {
        .type = (enum wire_type)header->type,
        .session = header->session,
        .job = header->job,
        .ack = header->ack,
    };
    r->refusal.type = wire_type_name(message.type);
    if (!read_body(r, header, &message)) {
        return ERR_PROTOCOL;
    }
    int rc = wire_validate(&message, r->refusal.error);
    if (rc == 0) {
        *ret_message = message;
    }
    return rc;
}

int wire_decode(struct wire_decoder *decoder,
                const void *bytes,
                size_t len,
                struct err_text *ret_error,
                struct wire_message *ret_message)
{
    struct reader reader = {.arena = &decoder->arena, .refusal = {"header", ret_error}};
    if (len > WIRE_HEADER_MAX) {
        (void)refuse(&reader.refusal, "%zu bytes, at most %d are allowed", len, WIRE_HEADER_MAX);
        return ERR_PROTOCOL;
    }
    arena_reset(&decoder->arena);
    const Quartet__Header *header = quartet__header__unpack(&decoder->arena.allocator, len, bytes);
    if (header == NULL) {
        (void)(decoder->arena.exhausted
                   ? no_room(&reader)
                   : refuse(&reader.refusal, "%zu bytes that are no protobuf of ours", len));
        return ERR_PROTOCOL;
    }
    return read_header(&reader, header, ret_message);
}
