#include "common/wire/validate.h"

#include "common/base/check.h"
#include "common/wire/refuse.h"
#include "common/wire/text.h"
#include "common/wire/types.h"

#include <inttypes.h>
#include <string.h>

enum {
    COUNT_MAX = 65536, /* cores, slots, credit */
    HEARTBEAT_MS_MIN = 10,
    HEARTBEAT_MS_MAX = 3600000,
};

static bool in_range(const struct refusal *r,
                     const char *field,
                     uint64_t value,
                     uint64_t min,
                     uint64_t max)
{
    return (value >= min && value <= max) ||
           refuse(
               r, "%s is %" PRIu64 ", allowed is %" PRIu64 " to %" PRIu64, field, value, min, max);
}

static bool text_fits(const struct refusal *r, const char *field, struct wire_text text, size_t max)
{
    char quote[TEXT_QUOTE_SIZE];
    return text.len <= max || refuse(r,
                                     "%s \"%s\" has %zu bytes, at most %zu are allowed",
                                     field,
                                     text_quote(text, quote),
                                     text.len,
                                     max);
}

static bool is_name(const struct refusal *r, const char *field, struct wire_text text)
{
    char quote[TEXT_QUOTE_SIZE];
    bool ok = text.len > 0 && text.len <= WIRE_NAME_MAX && text_is_printable(text);
    return ok || refuse(r,
                        "%s \"%s\" is no name: 1 to %d bytes of printable UTF-8",
                        field,
                        text_quote(text, quote),
                        WIRE_NAME_MAX);
}

static bool has_no_nul(const struct refusal *r, const char *field, struct wire_text text)
{
    char quote[TEXT_QUOTE_SIZE];
    bool ok = text.len == 0 || memchr(text.s, 0, text.len) == NULL;
    return ok || refuse(r, "%s \"%s\" has a NUL byte in it", field, text_quote(text, quote));
}

static bool ids_valid(const struct refusal *r, const uint64_t *id, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (id[i] == 0) {
            return refuse(r, "id[%zu] is 0, which is no chunk", i);
        }
    }
    return true;
}

static bool attempts_valid(const struct refusal *r, const uint32_t *attempt, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (attempt[i] == 0) {
            return refuse(r, "attempt[%zu] is 0, they count from 1", i);
        }
    }
    return true;
}

static bool workloads_valid(const struct refusal *r, const struct wire_hello *hello)
{
    for (size_t i = 0; i < hello->workload_count; i++) {
        if (!is_name(r, "workload", hello->workloads[i])) {
            return false;
        }
    }
    return true;
}

static bool validate_hello(const struct refusal *r, const struct wire_message *message)
{
    const struct wire_hello *hello = &message->as.hello;
    /* What the rest means is for that other version to say. */
    if (hello->protocol_major != WIRE_PROTOCOL_MAJOR) {
        return true;
    }
    if ((hello->strategies & WIRE_STRATEGIES_KNOWN) == 0) {
        return refuse(r, "strategies is 0x%" PRIx32 ", none that we know", hello->strategies);
    }
    return in_range(r, "cores", hello->cores, 1, COUNT_MAX) &&
           in_range(r, "credit_max", hello->credit_max, 1, COUNT_MAX) &&
           in_range(r, "number of workloads", hello->workload_count, 0, WIRE_LIST_MAX) &&
           workloads_valid(r, hello);
}

static bool validate_welcome(const struct refusal *r, const struct wire_message *message)
{
    uint32_t heartbeat_ms = message->as.welcome.heartbeat_ms;
    return in_range(r, "heartbeat_ms", heartbeat_ms, HEARTBEAT_MS_MIN, HEARTBEAT_MS_MAX);
}

static bool validate_reject(const struct refusal *r, const struct wire_message *message)
{
    const struct wire_reject *reject = &message->as.reject;
    return in_range(r, "reason", reject->reason, WIRE_REASON_NONE, WIRE_REASON_KEY);
}

static bool params_valid(const struct refusal *r, const struct wire_job *job)
{
    for (size_t i = 0; i < job->param_count; i++) {
        struct wire_text value = job->param_values[i];
        if (!is_name(r, "parameter", job->param_names[i]) || !has_no_nul(r, "value", value) ||
            !text_fits(r, "value", value, WIRE_VALUE_MAX)) {
            return false;
        }
    }
    return true;
}

static bool is_hash(const struct refusal *r, const char *field, struct wire_text hash)
{
    return hash.len == WIRE_HASH_SIZE ||
           refuse(r, "%s has %zu bytes, a SHA-256 has %d", field, hash.len, WIRE_HASH_SIZE);
}

static bool plugin_valid(const struct refusal *r, const struct wire_job *job)
{
    if (job->plugin_hash.len == 0) {
        return in_range(r, "plugin_size without a plugin_hash", job->plugin_size, 0, 0);
    }
    return is_hash(r, "plugin_hash", job->plugin_hash) &&
           in_range(r, "plugin_size", job->plugin_size, 1, WIRE_PLUGIN_MAX);
}

static bool validate_job(const struct refusal *r, const struct wire_message *message)
{
    const struct wire_job *job = &message->as.job_spec;
    return is_name(r, "workload", job->workload) &&
           in_range(r, "strategy", job->strategy, STRATEGY_SERIAL, STRATEGY_PROCESSES) &&
           in_range(r, "slots", job->slots, 0, COUNT_MAX) &&
           in_range(r, "credit_fixed", job->credit_fixed, 0, COUNT_MAX) &&
           in_range(r, "number of parameters", job->param_count, 0, WIRE_LIST_MAX) &&
           params_valid(r, job) && plugin_valid(r, job);
}

static bool validate_ready(const struct refusal *r, const struct wire_message *message)
{
    const struct wire_ready *ready = &message->as.ready;
    uint32_t slots_min = ready->error.len > 0 ? 0 : 1;
    return in_range(r, "slots", ready->slots, slots_min, COUNT_MAX) &&
           in_range(r, "credit", ready->credit, 0, COUNT_MAX);
}

static bool items_valid(const struct refusal *r, const struct wire_chunks *chunks)
{
    for (size_t i = 0; i < chunks->count; i++) {
        if (chunks->items[i] == 0) {
            return refuse(r, "count[%zu] is 0, a chunk has at least one item", i);
        }
        if (chunks->items[i] > UINT64_MAX - chunks->first[i]) {
            return refuse(r,
                          "count[%zu] is %" PRIu64 ", which from %" PRIu64 " on passes 2^64",
                          i,
                          chunks->items[i],
                          chunks->first[i]);
        }
    }
    return true;
}

/* The slices of a payload frame; NULL: there are none. */
static bool slices_valid(const struct refusal *r,
                         const char *field,
                         const uint32_t *len,
                         size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; len != NULL && i < count; i++) {
        sum += len[i];
    }
    return in_range(r, field, sum, 0, WIRE_PAYLOAD_MAX);
}

static bool validate_chunks(const struct refusal *r, const struct wire_message *message)
{
    const struct wire_chunks *chunks = &message->as.chunks;
    return in_range(r, "number of chunks", chunks->count, 1, WIRE_CHUNKS_MAX) &&
           ids_valid(r, chunks->id, chunks->count) &&
           attempts_valid(r, chunks->attempt, chunks->count) && items_valid(r, chunks) &&
           slices_valid(r, "sum of payload_len", chunks->payload_len, chunks->count);
}

/* Nothing is sent with it: its chunks are in hand already. */
static bool validate_holding(const struct refusal *r, const struct wire_message *message)
{
    if (message->as.chunks.payload_len != NULL) {
        return refuse(r, "has a payload_len, and nothing of it travels");
    }
    return validate_chunks(r, message);
}

static bool validate_heartbeat(const struct refusal *r, const struct wire_message *message)
{
    const struct wire_heartbeat *beat = &message->as.heartbeat;
    uint32_t least = beat->heartbeat_ms == 0 ? 0 : HEARTBEAT_MS_MIN;
    return in_range(r, "coming", beat->coming, 0, WIRE_PAYLOAD_MAX) &&
           in_range(r, "heartbeat_ms", beat->heartbeat_ms, least, HEARTBEAT_MS_MAX);
}

static bool outcomes_valid(const struct refusal *r, const struct wire_results *results)
{
    for (size_t i = 0; results->failed != NULL && i < results->count; i++) {
        if (results->failed[i] > UINT64_MAX - results->ok[i]) {
            return refuse(r,
                          "failed[%zu] is %" PRIu64 ", which with ok %" PRIu64 " passes 2^64",
                          i,
                          results->failed[i],
                          results->ok[i]);
        }
    }
    return true;
}

static bool errors_valid(const struct refusal *r, const struct wire_results *results)
{
    for (size_t i = 0; i < results->error_count; i++) {
        uint32_t at = results->error_at[i];
        if (at >= results->count) {
            return refuse(r, "error_at[%zu] is %" PRIu32 ", beyond the results", i, at);
        }
        if (i > 0 && at <= results->error_at[i - 1]) {
            return refuse(r, "error_at[%zu] is %" PRIu32 ", not above the one before", i, at);
        }
    }
    return true;
}

static bool validate_results(const struct refusal *r, const struct wire_message *message)
{
    const struct wire_results *results = &message->as.results;
    return in_range(r, "seq", results->seq, 1, UINT64_MAX) &&
           in_range(r, "credit", results->credit, 0, COUNT_MAX) &&
           in_range(r, "number of results", results->count, 0, WIRE_CHUNKS_MAX) &&
           in_range(r, "number of errors", results->error_count, 0, WIRE_ERRORS_MAX) &&
           ids_valid(r, results->id, results->count) &&
           attempts_valid(r, results->attempt, results->count) && outcomes_valid(r, results) &&
           errors_valid(r, results) &&
           slices_valid(r, "sum of records_len", results->records_len, results->count);
}

static bool validate_returned(const struct refusal *r, const struct wire_message *message)
{
    const struct wire_returned *returned = &message->as.returned;
    return in_range(r, "number of chunks", returned->count, 0, WIRE_CHUNKS_MAX) &&
           ids_valid(r, returned->id, returned->count);
}

static bool validate_fetch(const struct refusal *r, const struct wire_message *message)
{
    const struct wire_fetch *fetch = &message->as.fetch;
    return is_hash(r, "hash", fetch->hash) &&
           in_range(r, "offset", fetch->offset, 0, WIRE_PLUGIN_MAX - 1);
}

static bool validate_probe(const struct refusal *r, const struct wire_message *message)
{
    return in_range(r, "want", message->as.probe.want, 0, WIRE_PROBE_MAX);
}

static bool validate_echo(const struct refusal *r, const struct wire_message *message)
{
    const struct wire_echo *echo = &message->as.echo;
    return in_range(r, "got", echo->got, 0, WIRE_PROBE_MAX) &&
           in_range(r, "sent_us", echo->sent_us, echo->received_us, INT64_MAX);
}

/* NULL: there is nothing beyond the header to check. */
static bool (*const validators[])(const struct refusal *r, const struct wire_message *message) = {
    [WIRE_HELLO] = validate_hello,
    [WIRE_WELCOME] = validate_welcome,
    [WIRE_REJECT] = validate_reject,
    [WIRE_JOB] = validate_job,
    [WIRE_READY] = validate_ready,
    [WIRE_CHUNKS] = validate_chunks,
    [WIRE_RESULTS] = validate_results,
    [WIRE_HEARTBEAT] = validate_heartbeat,
    [WIRE_RETURNED] = validate_returned,
    [WIRE_BYE] = validate_reject,
    [WIRE_FETCH] = validate_fetch,
    [WIRE_PART] = validate_fetch,
    [WIRE_HOLDING] = validate_holding,
    [WIRE_PROBE] = validate_probe,
    [WIRE_ECHO] = validate_echo,
};

static bool validate_header(const struct refusal *r, const struct wire_message *message)
{
    const struct wire_type_info *info = wire_type_info((uint32_t)message->type);
    if (info->needs_session && message->session == 0) {
        return refuse(r, "session is 0, which is none");
    }
    if (info->needs_job && message->job == 0) {
        return refuse(r, "job is 0, which is none");
    }
    return true;
}

int wire_validate(const struct wire_message *message, struct err_text *ret_error)
{
    CHECK(wire_type_info((uint32_t)message->type) != NULL);
    const struct refusal r = {.type = wire_type_name(message->type), .error = ret_error};
    bool ok = validate_header(&r, message) &&
              (validators[message->type] == NULL || validators[message->type](&r, message));
    return ok ? 0 : ERR_PROTOCOL;
}
