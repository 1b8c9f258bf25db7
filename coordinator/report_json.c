/* The report as JSON, schema quartet.report/1 (README, "The report file"). Keys are only ever
 * added.
 *
 * Three things that JSON cannot hold are written so that a reader notices: a number that is not
 * finite or not known is null, a whole number beyond 2^63 - 1 (jansson's largest) is a string,
 * and bytes that are not UTF-8 become U+FFFD. Checksums are 16 hexadecimal digits, because most
 * readers round integers beyond 2^53. */
#include "coordinator/report.h"
#include "coordinator/report_parts.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- values; NULL without memory, which `set` and `append` then notice ---- */

static json_t *real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *real_if(bool known, double value)
{
    return known ? real(value) : json_null();
}

static json_t *whole(uint64_t value)
{
    if (value <= INT64_MAX) {
        return json_integer((json_int_t)value);
    }
    char text[24];
    (void)snprintf(text, sizeof(text), "%" PRIu64, value);
    return json_string(text);
}

static json_t *hex(uint64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%016" PRIx64, value);
    return json_string(text);
}

/* Text from outside (arguments, file names, servers' messages) may be any bytes. */
static json_t *string(const char *text)
{
    json_t *plain = json_string(text);
    if (plain != NULL) {
        return plain;
    }
    char *clean = malloc(3 * strlen(text) + 1);
    if (clean == NULL) {
        return NULL;
    }
    size_t used = 0;
    while (*text != '\0') {
        /* jansson is the judge of what is valid: offer it the longest sequence first. */
        size_t len = strnlen(text, 4);
        json_t *try = NULL;
        while (len > 0 && (try = json_stringn(text, len)) == NULL) {
            len--;
        }
        if (try != NULL) {
            memcpy(clean + used, text, len);
            used += len;
            text += len;
            json_decref(try);
        } else {
            memcpy(clean + used, "\xEF\xBF\xBD", 3);
            used += 3;
            text++;
        }
    }
    json_t *result = json_stringn(clean, used);
    free(clean);
    return result;
}

static json_t *string_if(const char *text)
{
    return text != NULL ? string(text) : json_null();
}

/* An object or array under construction, and whether some part of it could not be had. */
struct builder {
    json_t *json;
    bool failed;
};

static struct builder object(void)
{
    json_t *json = json_object();
    return (struct builder){json, json == NULL};
}

static struct builder array(void)
{
    json_t *json = json_array();
    return (struct builder){json, json == NULL};
}

/* Takes `value`. */
static void set(struct builder *builder, const char *key, json_t *value)
{
    builder->failed = json_object_set_new_nocheck(builder->json, key, value) != 0 ||
                      builder->failed;
}

static void append(struct builder *builder, json_t *value)
{
    builder->failed = json_array_append_new(builder->json, value) != 0 || builder->failed;
}

/* The finished value, or NULL when a part is missing. */
static json_t *take(struct builder *builder)
{
    if (builder->failed) {
        json_decref(builder->json);
        return NULL;
    }
    return builder->json;
}

/* ---- the parts of the report ---- */

static json_t *sample_json(const struct sample *sample)
{
    struct builder json = object();
    set(&json, "wall_s", real(sample->wall_s));
    set(&json, "startup_s", real(sample->startup_s));
    set(&json, "cpu_s", real(sample->cpu_s));
    set(&json, "items", whole(sample->items));
    set(&json, "ok", whole(sample->ok));
    set(&json, "failed", whole(sample->failed));
    set(&json, "retried", whole(sample->retried));
    set(&json, "items_retried", whole(sample->items_retried));
    set(&json, "duplicates", whole(sample->duplicates));
    set(&json, "workers_lost", whole(sample->workers_lost));
    set(&json, "chunks", whole(sample->chunks));
    set(&json, "checksum", hex(sample->checksum));
    set(&json, "bytes_out", whole(sample->bytes_out));
    set(&json, "complete", json_boolean(sample->complete));
    if (sample->first_error[0] != '\0') {
        set(&json, "first_error", string(sample->first_error));
    }
    return take(&json);
}

static json_t *samples_json(const struct cell *cell)
{
    struct builder json = array();
    for (size_t k = 0; k < cell->sample_count; k++) {
        append(&json, sample_json(&cell->samples[k]));
    }
    return take(&json);
}

/* The indices of the samples that are outliers. */
static json_t *outliers_json(const struct cell *cell, const struct cell_summary *summary)
{
    struct builder json = array();
    for (size_t k = 0; k < cell->sample_count; k++) {
        if (summary->outlier[k]) {
            append(&json, whole(k));
        }
    }
    return take(&json);
}

static json_t *interval_json(const struct cell_summary *summary)
{
    struct builder json = array();
    append(&json, real(summary->ci95_low_s));
    append(&json, real(summary->ci95_high_s));
    return take(&json);
}

static json_t *cell_json(const struct cell *cell, const struct cell_summary *summary)
{
    bool timed = summary->has_time;
    bool compared = summary->speedup > 0;
    struct builder json = object();
    set(&json, "strategy", string_if(strategy_name(cell->strategy)));
    set(&json, "placement", string(placement_name(cell->placement)));
    set(&json, "workers", whole(cell->workers));
    set(&json, "concurrency", whole(report_at_once(cell)));
    set(&json, "cooperative", json_boolean(cell->cooperative));
    set(&json, "samples", samples_json(cell));
    set(&json, "has_time", json_boolean(timed));
    set(&json, "median_s", real_if(timed, summary->median_s));
    set(&json, "min_s", real_if(timed, summary->min_s));
    set(&json, "max_s", real_if(timed, summary->max_s));
    set(&json, "ci95_s", timed ? interval_json(summary) : json_null());
    set(&json, "speedup", real_if(compared, summary->speedup));
    set(&json, "efficiency", real_if(compared, summary->efficiency));
    set(&json, "cpu_s", real_if(timed, summary->cpu_s));
    set(&json, "startup_s", real_if(timed, summary->startup_s));
    set(&json, "outliers", outliers_json(cell, summary));
    if (cell->trouble[0] != '\0') {
        set(&json, "trouble", string(cell->trouble));
    }
    return take(&json);
}

static json_t *cells_json(const struct judged *judged)
{
    struct builder json = array();
    for (size_t i = 0; i < judged->comparison->cell_count; i++) {
        append(&json, cell_json(&judged->comparison->cells[i], &judged->summaries[i]));
    }
    return take(&json);
}

static json_t *parameters_json(const struct params *params)
{
    struct builder json = object();
    for (size_t i = 0; params != NULL && i < params->count; i++) {
        set(&json, params->list[i].name, string(params->list[i].value));
    }
    return take(&json);
}

static json_t *workload_json(const struct comparison *comparison)
{
    struct builder json = object();
    set(&json, "name", string(comparison->workload));
    set(&json, "parameters", parameters_json(comparison->params));
    return take(&json);
}

static json_t *agreement_json(const struct verdict *verdict)
{
    struct builder json = object();
    set(&json, "agree", json_boolean(verdict->agree));
    set(&json, "checksum", verdict->has_answer ? hex(verdict->checksum) : json_null());
    set(&json, "odd_cells", whole(verdict->odd_ones));
    return take(&json);
}

static json_t *best_json(const struct cell *cell)
{
    return cell != NULL ? string_if(strategy_name(cell->strategy)) : json_null();
}

static json_t *verdict_json(const struct verdict *verdict)
{
    bool measured = verdict->bound_cell != NULL;
    struct builder json = object();
    set(&json, "bound", measured ? string(verdict->bound) : json_null());
    set(&json, "cpu_per_wall", real_if(measured, verdict->cpu_per_wall));
    set(&json, "best_local", best_json(verdict->best_local));
    set(&json, "best_distributed", best_json(verdict->best_distributed));
    set(&json, "text", string(verdict->text));
    return take(&json);
}

static json_t *comparison_json(const struct comparison *comparison)
{
    struct judged judged;
    if (judged_init(&judged, comparison) != 0) {
        return NULL;
    }
    struct builder json = object();
    set(&json, "workload", workload_json(comparison));
    set(&json, "items", whole(comparison->items));
    set(&json, "rounds", whole(comparison->rounds));
    set(&json, "warmup", whole(comparison->warmup));
    set(&json, "seed", whole(comparison->seed));
    set(&json, "cells", cells_json(&judged));
    set(&json, "agreement", agreement_json(&judged.verdict));
    set(&json, "verdict", verdict_json(&judged.verdict));
    judged_deinit(&judged);
    return take(&json);
}

static json_t *comparisons_json(const struct report *report)
{
    struct builder json = array();
    for (size_t i = 0; i < report->comparison_count; i++) {
        append(&json, comparison_json(&report->comparisons[i]));
    }
    return take(&json);
}

static json_t *libraries_json(const struct environment *environment)
{
    struct builder json = object();
    for (size_t i = 0; i < environment->library_count; i++) {
        set(&json, environment->libraries[i][0], string(environment->libraries[i][1]));
    }
    return take(&json);
}

static json_t *environment_json(const struct environment *environment)
{
    struct builder json = object();
    set(&json, "host", string(environment->host));
    set(&json, "os", string(environment->os));
    set(&json, "kernel", string(environment->kernel));
    set(&json, "cpu", string(environment->cpu));
    set(&json, "cores_online", whole(environment->cores_online));
    set(&json, "cores_usable", whole(environment->cores_usable));
    set(&json, "memory_bytes", whole(environment->memory_bytes));
    set(&json, "libraries", libraries_json(environment));
    set(&json, "load_before", real(environment->load_before));
    set(&json, "load_after", real(environment->load_after));
    return take(&json);
}

static json_t *program_json(const struct report *report)
{
    struct builder json = object();
    set(&json, "version", string_if(report->version));
    set(&json, "commit", string_if(report->commit));
    return take(&json);
}

static json_t *command_json(char **command)
{
    struct builder json = array();
    for (size_t i = 0; command != NULL && command[i] != NULL; i++) {
        append(&json, string(command[i]));
    }
    return take(&json);
}

int report_write_json(const struct report *report, FILE *stream)
{
    struct builder json = object();
    set(&json, "schema", string("quartet.report/1"));
    set(&json, "quartet", program_json(report));
    set(&json, "command", command_json(report->command));
    set(&json, "started", string(report->started));
    set(&json, "environment", environment_json(&report->environment));
    set(&json, "comparisons", comparisons_json(report));
    json_t *root = take(&json);
    if (root == NULL) {
        return ERR_NOMEM;
    }
    /* Nine digits are a nanosecond in a second; more would print 0.1 as 0.10000000000000001. */
    int dumped = json_dumpf(root, stream, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(root);
    if (dumped != 0 && !ferror(stream)) {
        return ERR_NOMEM;
    }
    (void)fputc('\n', stream);
    return report_finish(stream);
}
