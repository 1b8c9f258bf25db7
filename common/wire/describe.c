/* Messages as one line each, for logs and simulator traces. */
#include "common/base/chunk.h"
#include "common/wire/text.h"
#include "common/wire/types.h"
#include "common/wire/wire.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* A line that grows until it is full; what does not fit is cut. */
struct line {
    char *s;
    size_t size;
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(line->s + line->len, line->size - line->len, format, arguments);
    va_end(arguments);
    size_t left = line->size - line->len - 1;
    if (len > 0) {
        line->len += (size_t)len < left ? (size_t)len : left;
    }
}

static void add_text(struct line *line, const char *field, struct wire_text text)
{
    char quote[TEXT_QUOTE_SIZE];
    add(line, " %s=\"%s\"", field, text_quote(text, quote));
}

/* The first bytes of a hash tell plugins apart. */
static void add_hash(struct line *line, const char *field, struct wire_text hash)
{
    enum { HASH_BYTES_SHOWN = 4 };

    add(line, " %s=", field);
    for (size_t i = 0; i < hash.len && i < HASH_BYTES_SHOWN; i++) {
        add(line, "%02x", (unsigned char)hash.s[i]);
    }
}

static uint64_t sum_of(const uint32_t *len, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; len != NULL && i < count; i++) {
        sum += len[i];
    }
    return sum;
}

static void describe_hello(struct line *line, const struct wire_message *message)
{
    const struct wire_hello *hello = &message->as.hello;
    add(line, " protocol=%" PRIu32 ".%" PRIu32, hello->protocol_major, hello->protocol_minor);
    add_text(line, "build", hello->build);
    add_text(line, "name", hello->name);
    add_text(line, "host", hello->host);
    add(line,
        " pid=%" PRIu64 " nonce=%016" PRIx64 " cores=%" PRIu32 " strategies=0x%" PRIx32
        " credit_max=%" PRIu32 " workloads=%zu",
        hello->pid,
        hello->nonce,
        hello->cores,
        hello->strategies,
        hello->credit_max,
        hello->workload_count);
}

static void describe_welcome(struct line *line, const struct wire_message *message)
{
    const struct wire_welcome *welcome = &message->as.welcome;
    add(line,
        " minor=%" PRIu32 " heartbeat_ms=%" PRIu32,
        welcome->protocol_minor,
        welcome->heartbeat_ms);
}

static void describe_reject(struct line *line, const struct wire_message *message)
{
    add(line, " reason=%" PRIu32, message->as.reject.reason);
    add_text(line, "text", message->as.reject.text);
}

static void describe_job(struct line *line, const struct wire_message *message)
{
    const struct wire_job *job = &message->as.job_spec;
    const char *strategy = strategy_name((enum strategy)job->strategy);
    add_text(line, "workload", job->workload);
    add(line,
        " strategy=%s slots=%" PRIu32 " range_first=%" PRIu64 " credit_fixed=%" PRIu32,
        strategy != NULL ? strategy : "?",
        job->slots,
        job->range_first,
        job->credit_fixed);
    if (job->records) {
        add(line, " records");
    }
    if (job->plugin_hash.len > 0) {
        add_hash(line, "plugin", job->plugin_hash);
        add(line, " plugin_size=%" PRIu64, job->plugin_size);
    }
    for (size_t i = 0; i < job->param_count; i++) {
        char name[TEXT_QUOTE_SIZE];
        add_text(line, text_quote(job->param_names[i], name), job->param_values[i]);
    }
}

static void describe_ready(struct line *line, const struct wire_message *message)
{
    const struct wire_ready *ready = &message->as.ready;
    add(line,
        " slots=%" PRIu32 " credit=%" PRIu32 "%s startup_us=%" PRIu64,
        ready->slots,
        ready->credit,
        ready->cooperative ? " cooperative" : "",
        ready->startup_us);
    if (ready->error.len > 0) {
        add_text(line, "error", ready->error);
    }
}

static void describe_holding(struct line *line, const struct wire_message *message)
{
    const struct wire_chunks *chunks = &message->as.chunks;
    add(line, " n=%zu", chunks->count);
    if (chunks->count > 0) {
        add(line,
            " first=#%" PRIu64 ".%" PRIu32 "[%" PRIu64 "+%" PRIu64 "]",
            chunks->id[0],
            chunks->attempt[0],
            chunks->first[0],
            chunks->items[0]);
    }
}

static void describe_chunks(struct line *line, const struct wire_message *message)
{
    const struct wire_chunks *chunks = &message->as.chunks;
    describe_holding(line, message);
    add(line, " payload=%" PRIu64, sum_of(chunks->payload_len, chunks->count));
}

static void describe_results(struct line *line, const struct wire_message *message)
{
    const struct wire_results *results = &message->as.results;
    add(line,
        " seq=%" PRIu64 " credit=%" PRIu32 " n=%zu",
        results->seq,
        results->credit,
        results->count);
    if (results->count > 0) {
        add(line,
            " first=#%" PRIu64 ".%" PRIu32 " ok=%" PRIu64 " failed=%" PRIu64 " run_us=%" PRIu64,
            results->id[0],
            results->attempt[0],
            results->ok[0],
            results->failed != NULL ? results->failed[0] : 0,
            results->run_us[0]);
    }
    if (results->records_len != NULL) {
        add(line, " records=%" PRIu64, sum_of(results->records_len, results->count));
    }
    if (results->error_count > 0) {
        add(line, " errors=%zu", results->error_count);
        add_text(line, "error", results->error_text[0]);
    }
}

static void describe_heartbeat(struct line *line, const struct wire_message *message)
{
    const struct wire_heartbeat *beat = &message->as.heartbeat;
    add(line,
        " items_done=%" PRIu64 " held=%" PRIu32 " cpu_us=%" PRIu64,
        beat->items_done,
        beat->held,
        beat->cpu_us);
    if (beat->coming > 0) {
        add(line, " coming=%" PRIu64, beat->coming);
    }
    if (beat->heartbeat_ms > 0) {
        add(line, " heartbeat_ms=%" PRIu32, beat->heartbeat_ms);
    }
}

static void describe_returned(struct line *line, const struct wire_message *message)
{
    const struct wire_returned *returned = &message->as.returned;
    add(line, " n=%zu", returned->count);
    if (returned->count > 0) {
        add(line, " first=#%" PRIu64, returned->id[0]);
    }
}

static void describe_fetch(struct line *line, const struct wire_message *message)
{
    const struct wire_fetch *fetch = &message->as.fetch;
    add_hash(line, "plugin", fetch->hash);
    add(line, " offset=%" PRIu64, fetch->offset);
}

static void describe_probe(struct line *line, const struct wire_message *message)
{
    const struct wire_probe *probe = &message->as.probe;
    add(line, " protocol=%" PRIu32 ".%" PRIu32, probe->protocol_major, probe->protocol_minor);
    add_text(line, "host", probe->host);
    add(line, " seq=%" PRIu64 " want=%" PRIu32, probe->seq, probe->want);
}

static void describe_echo(struct line *line, const struct wire_message *message)
{
    const struct wire_echo *echo = &message->as.echo;
    add(line, " protocol=%" PRIu32 ".%" PRIu32, echo->protocol_major, echo->protocol_minor);
    add_text(line, "host", echo->host);
    add(line,
        " seq=%" PRIu64 " got=%" PRIu32 " workers=%" PRIu32 "/%" PRIu32 "%s",
        echo->seq,
        echo->got,
        echo->workers,
        echo->workers_max,
        echo->running ? " running" : "");
}

/* NULL: that type has no body. */
static void (*const describers[])(struct line *line, const struct wire_message *message) = {
    [WIRE_HELLO] = describe_hello,
    [WIRE_WELCOME] = describe_welcome,
    [WIRE_REJECT] = describe_reject,
    [WIRE_JOB] = describe_job,
    [WIRE_READY] = describe_ready,
    [WIRE_CHUNKS] = describe_chunks,
    [WIRE_RESULTS] = describe_results,
    [WIRE_HEARTBEAT] = describe_heartbeat,
    [WIRE_RETURNED] = describe_returned,
    [WIRE_BYE] = describe_reject,
    [WIRE_FETCH] = describe_fetch,
    [WIRE_PART] = describe_fetch,
    [WIRE_HOLDING] = describe_holding,
    [WIRE_PROBE] = describe_probe,
    [WIRE_ECHO] = describe_echo,
};

char *wire_describe(const struct wire_message *message, char *ret_text, size_t size)
{
    struct line line = {.s = ret_text, .size = size};
    if (size == 0) {
        return ret_text;
    }
    add(&line, "%s session=%" PRIu64, wire_type_name(message->type), message->session);
    if (message->job != 0) {
        add(&line, " job=%" PRIu64, message->job);
    }
    if (message->ack != 0) {
        add(&line, " ack=%" PRIu64, message->ack);
    }
    if (wire_type_info((uint32_t)message->type) != NULL && describers[message->type] != NULL) {
        describers[message->type](&line, message);
    }
    return ret_text;
}
