/* The report as JSON, schema quartet.report/1 (README, "The report file"). Keys are only ever
 * added. What becomes of values that JSON cannot hold: json_build.h. */
#include "coordinator/report/json_build.h"
#include "coordinator/report/report.h"
#include "coordinator/report/report_parts.h"

/* ---- the parts of the report ---- */

static json_t *sample_json(const struct sample *sample)
{
    struct build json = build_object();
    build_set(&json, "wall_s", build_real(sample->wall_s));
    build_set(&json, "startup_s", build_real(sample->startup_s));
    build_set(&json, "cpu_s", build_real(sample->cpu_s));
    build_set(&json, "items", build_whole(sample->items));
    build_set(&json, "ok", build_whole(sample->ok));
    build_set(&json, "failed", build_whole(sample->failed));
    build_set(&json, "retried", build_whole(sample->retried));
    build_set(&json, "items_before", build_whole(sample->items_before));
    build_set(&json, "items_retried", build_whole(sample->items_retried));
    build_set(&json, "duplicates", build_whole(sample->duplicates));
    build_set(&json, "speculated", build_whole(sample->speculated));
    build_set(&json, "speculations_won", build_whole(sample->speculations_won));
    build_set(&json, "saved_s", build_real(sample->saved_s));
    build_set(&json, "adopted", build_whole(sample->adopted));
    build_set(&json, "late", build_whole(sample->late));
    build_set(&json, "workers_lost", build_whole(sample->workers_lost));
    build_set(&json, "chunks", build_whole(sample->chunks));
    build_set(&json, "checksum", build_hex(sample->checksum));
    build_set(&json, "bytes_out", build_whole(sample->bytes_out));
    build_set(&json, "complete", json_boolean(sample->complete));
    if (sample->first_error[0] != '\0') {
        build_set(&json, "first_error", build_text(sample->first_error));
    }
    return build_take(&json);
}

static json_t *samples_json(const struct cell *cell)
{
    struct build json = build_array();
    for (size_t k = 0; k < cell->sample_count; k++) {
        build_append(&json, sample_json(&cell->samples[k]));
    }
    return build_take(&json);
}

/* The indices of the samples that are outliers. */
static json_t *outliers_json(const struct cell *cell, const struct cell_summary *summary)
{
    struct build json = build_array();
    for (size_t k = 0; k < cell->sample_count; k++) {
        if (summary->outlier[k]) {
            build_append(&json, build_whole(k));
        }
    }
    return build_take(&json);
}

static json_t *interval_json(const struct cell_summary *summary)
{
    struct build json = build_array();
    build_append(&json, build_real(summary->ci95_low_s));
    build_append(&json, build_real(summary->ci95_high_s));
    return build_take(&json);
}

static json_t *cell_json(const struct cell *cell, const struct cell_summary *summary)
{
    bool timed = summary->has_time;
    bool compared = summary->speedup > 0;
    struct build json = build_object();
    build_set(&json, "strategy", build_text_if(strategy_name(cell->strategy)));
    build_set(&json, "placement", build_text(placement_name(cell->placement)));
    build_set(&json, "workers", build_whole(cell->workers));
    build_set(&json, "hosts", build_whole(cell->hosts));
    build_set(&json, "concurrency", build_whole(report_at_once(cell)));
    build_set(&json, "cooperative", json_boolean(cell->cooperative));
    build_set(&json, "samples", samples_json(cell));
    build_set(&json, "has_time", json_boolean(timed));
    build_set(&json, "median_s", build_real_if(timed, summary->median_s));
    build_set(&json, "min_s", build_real_if(timed, summary->min_s));
    build_set(&json, "max_s", build_real_if(timed, summary->max_s));
    build_set(&json, "ci95_s", timed ? interval_json(summary) : json_null());
    build_set(&json, "speedup", build_real_if(compared, summary->speedup));
    build_set(&json, "efficiency", build_real_if(compared, summary->efficiency));
    build_set(&json, "scaling", build_real_if(summary->scaling > 0, summary->scaling));
    build_set(&json,
              "scaling_efficiency",
              build_real_if(summary->scaling > 0, summary->scaling_efficiency));
    build_set(&json, "cpu_s", build_real_if(timed, summary->cpu_s));
    build_set(&json, "startup_s", build_real_if(timed, summary->startup_s));
    build_set(&json, "outliers", outliers_json(cell, summary));
    if (cell->trouble[0] != '\0') {
        build_set(&json, "trouble", build_text(cell->trouble));
    }
    return build_take(&json);
}

static json_t *cells_json(const struct judged *judged)
{
    struct build json = build_array();
    for (size_t i = 0; i < judged->comparison->cell_count; i++) {
        build_append(&json, cell_json(&judged->comparison->cells[i], &judged->summaries[i]));
    }
    return build_take(&json);
}

static json_t *parameters_json(const struct params *params)
{
    struct build json = build_object();
    for (size_t i = 0; params != NULL && i < params->count; i++) {
        build_set(&json, params->list[i].name, build_text(params->list[i].value));
    }
    return build_take(&json);
}

static json_t *workload_json(const struct comparison *comparison)
{
    struct build json = build_object();
    build_set(&json, "name", build_text(comparison->workload));
    build_set(&json, "parameters", parameters_json(comparison->params));
    return build_take(&json);
}

static json_t *agreement_json(const struct verdict *verdict)
{
    struct build json = build_object();
    build_set(&json, "agree", json_boolean(verdict->agree));
    build_set(&json, "checksum", verdict->has_answer ? build_hex(verdict->checksum) : json_null());
    build_set(&json, "odd_cells", build_whole(verdict->odd_ones));
    return build_take(&json);
}

static json_t *best_json(const struct cell *cell)
{
    return cell != NULL ? build_text_if(strategy_name(cell->strategy)) : json_null();
}

static json_t *verdict_json(const struct verdict *verdict)
{
    bool measured = verdict->bound_cell != NULL;
    struct build json = build_object();
    build_set(&json, "bound", measured ? build_text(verdict->bound) : json_null());
    build_set(&json, "cpu_per_wall", build_real_if(measured, verdict->cpu_per_wall));
    build_set(&json, "best_local", best_json(verdict->best_local));
    build_set(&json, "best_distributed", best_json(verdict->best_distributed));
    build_set(&json, "text", build_text(verdict->text));
    return build_take(&json);
}

static json_t *comparison_json(const struct comparison *comparison)
{
    struct judged judged;
    if (judged_init(&judged, comparison) != 0) {
        return NULL;
    }
    struct build json = build_object();
    build_set(&json, "workload", workload_json(comparison));
    build_set(&json, "items", build_whole(comparison->items));
    build_set(&json, "rounds", build_whole(comparison->rounds));
    build_set(&json, "warmup", build_whole(comparison->warmup));
    build_set(&json, "seed", build_whole(comparison->seed));
    build_set(&json, "cells", cells_json(&judged));
    build_set(&json, "agreement", agreement_json(&judged.verdict));
    build_set(&json, "verdict", verdict_json(&judged.verdict));
    judged_deinit(&judged);
    return build_take(&json);
}

static json_t *comparisons_json(const struct report *report)
{
    struct build json = build_array();
    for (size_t i = 0; i < report->comparison_count; i++) {
        build_append(&json, comparison_json(&report->comparisons[i]));
    }
    return build_take(&json);
}

static json_t *libraries_json(const struct environment *environment)
{
    struct build json = build_object();
    for (size_t i = 0; i < environment->library_count; i++) {
        build_set(&json, environment->libraries[i][0], build_text(environment->libraries[i][1]));
    }
    return build_take(&json);
}

static json_t *environment_json(const struct environment *environment)
{
    struct build json = build_object();
    build_set(&json, "host", build_text(environment->host));
    build_set(&json, "os", build_text(environment->os));
    build_set(&json, "kernel", build_text(environment->kernel));
    build_set(&json, "cpu", build_text(environment->cpu));
    build_set(&json, "cores_online", build_whole(environment->cores_online));
    build_set(&json, "cores_usable", build_whole(environment->cores_usable));
    build_set(&json, "memory_bytes", build_whole(environment->memory_bytes));
    build_set(&json, "libraries", libraries_json(environment));
    build_set(&json, "load_before", build_real(environment->load_before));
    build_set(&json, "load_after", build_real(environment->load_after));
    return build_take(&json);
}

static json_t *program_json(const struct report *report)
{
    struct build json = build_object();
    build_set(&json, "version", build_text_if(report->version));
    build_set(&json, "commit", build_text_if(report->commit));
    return build_take(&json);
}

static json_t *command_json(char **command)
{
    struct build json = build_array();
    for (size_t i = 0; command != NULL && command[i] != NULL; i++) {
        build_append(&json, build_text(command[i]));
    }
    return build_take(&json);
}

static json_t *hosts_json(const struct report *report)
{
    struct build json = build_array();
    for (size_t i = 0; i < report->host_count; i++) {
        const struct report_host *host = &report->hosts[i];
        struct build entry = build_object();
        build_set(&entry, "name", build_text(host->name));
        build_set(&entry, "workers", build_whole(host->workers));
        build_set(&entry, "cores_usable", build_whole(host->cores));
        build_set(&entry, "items_run", build_whole(host->items));
        build_set(
            &entry, "round_trip_s", build_real_if(host->round_trip_s > 0, host->round_trip_s));
        build_append(&json, build_take(&entry));
    }
    return build_take(&json);
}

int report_write_json(const struct report *report, FILE *stream)
{
    struct build json = build_object();
    build_set(&json, "schema", build_text("quartet.report/1"));
    build_set(&json, "quartet", program_json(report));
    build_set(&json, "command", command_json(report->command));
    build_set(&json, "started", build_text(report->started));
    build_set(&json, "environment", environment_json(&report->environment));
    build_set(&json, "hosts", hosts_json(report));
    build_set(&json, "comparisons", comparisons_json(report));
    json_t *root = build_take(&json);
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
