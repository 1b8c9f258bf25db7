/* The report as CSV: one row per cell, quoted as RFC 4180 has it. Lines end in a bare newline,
 * not in the RFC's CR LF: every CSV reader takes it, and cut and awk would see the CR as part of
 * the last column. An empty field is a value that is not known. */
#include "common/io/text.h"
#include "coordinator/report/report.h"
#include "coordinator/report/report_parts.h"

#include <inttypes.h>
#include <string.h>

static const char header[] =
    "workload,parameters,items,rounds,warmup,strategy,placement,workers,concurrency,cooperative,"
    "median_s,min_s,max_s,ci95_low_s,ci95_high_s,speedup,efficiency,cpu_s,startup_s,"
    "ok,failed,retried,duplicates,workers_lost,outliers,checksum,has_time,note,"
    "speculated,speculations_won,saved_s,adopted,late,scaling,scaling_efficiency\n";

static void put_text(FILE *stream, const char *text)
{
    if (strpbrk(text, ",\"\r\n") == NULL) {
        (void)fputs(text, stream);
        return;
    }
    (void)fputc('"', stream);
    for (; *text != '\0'; text++) {
        if (*text == '"') {
            (void)fputc('"', stream);
        }
        (void)fputc(*text, stream);
    }
    (void)fputc('"', stream);
}

static void put_number(FILE *stream, bool known, double value)
{
    (void)fputc(',', stream);
    if (known) {
        (void)fprintf(stream, "%.9g", value);
    }
}

static void put_parameters(FILE *stream, const struct params *params)
{
    char text[REPORT_LINE_SIZE] = "";
    for (size_t i = 0; params != NULL && i < params->count; i++) {
        const struct param *param = &params->list[i];
        text_append(text, sizeof(text), "%s%s=%s", i > 0 ? " " : "", param->name, param->value);
    }
    put_text(stream, text);
}

static void put_times(FILE *stream, const struct cell_summary *summary)
{
    bool timed = summary->has_time;
    bool compared = summary->speedup > 0;
    put_number(stream, timed, summary->median_s);
    put_number(stream, timed, summary->min_s);
    put_number(stream, timed, summary->max_s);
    put_number(stream, timed, summary->ci95_low_s);
    put_number(stream, timed, summary->ci95_high_s);
    put_number(stream, compared, summary->speedup);
    put_number(stream, compared, summary->efficiency);
    put_number(stream, timed, summary->cpu_s);
    put_number(stream, timed, summary->startup_s);
}

/* Counts are sums over the rounds, as the lost workers are; the checksum is the first round's. */
static void put_counts(FILE *stream, const struct cell *cell, const struct cell_summary *summary)
{
    uint64_t ok = 0;
    for (size_t k = 0; k < cell->sample_count; k++) {
        ok += cell->samples[k].ok;
    }
    (void)fprintf(stream,
                  ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%zu,",
                  ok,
                  summary->failed,
                  summary->retried,
                  summary->duplicates,
                  summary->workers_lost,
                  summary->outliers);
    if (cell->sample_count > 0) {
        (void)fprintf(stream, "%016" PRIx64, cell->samples[0].checksum);
    }
}

/* Of what was run twice, or gone on with: sums over the rounds too. */
static void put_second_runs(FILE *stream, const struct cell_summary *summary)
{
    (void)fprintf(stream,
                  ",%" PRIu64 ",%" PRIu64 ",%.9g,%" PRIu64 ",%" PRIu64,
                  summary->speculated,
                  summary->speculations_won,
                  summary->saved_s,
                  summary->adopted,
                  summary->late);
}

static void put_row(FILE *stream, const struct judged *judged, size_t index)
{
    const struct comparison *comparison = judged->comparison;
    const struct cell *cell = &comparison->cells[index];
    char note[REPORT_LINE_SIZE];
    char detail[REPORT_LINE_SIZE];
    put_text(stream, comparison->workload);
    (void)fputc(',', stream);
    put_parameters(stream, comparison->params);
    (void)fprintf(stream,
                  ",%" PRIu64 ",%" PRIu32 ",%" PRIu32 ",%s,%s,%" PRIu32 ",%" PRIu32 ",%s",
                  comparison->items,
                  comparison->rounds,
                  comparison->warmup,
                  strategy_name(cell->strategy),
                  placement_name(cell->placement),
                  cell->workers,
                  report_at_once(cell),
                  cell->cooperative ? "true" : "false");
    put_times(stream, &judged->summaries[index]);
    put_counts(stream, cell, &judged->summaries[index]);
    (void)fprintf(stream, ",%s,", judged->summaries[index].has_time ? "true" : "false");
    report_cell_note(judged, index, note, detail);
    put_text(stream, note);
    put_second_runs(stream, &judged->summaries[index]);
    bool scaled = judged->summaries[index].scaling > 0;
    put_number(stream, scaled, judged->summaries[index].scaling);
    put_number(stream, scaled, judged->summaries[index].scaling_efficiency);
    (void)fputc('\n', stream);
}

int report_write_csv(const struct report *report, FILE *stream)
{
    (void)fputs(header, stream);
    for (size_t i = 0; i < report->comparison_count; i++) {
        struct judged judged;
        int rc = judged_init(&judged, &report->comparisons[i]);
        if (rc != 0) {
            return rc;
        }
        for (size_t k = 0; k < report->comparisons[i].cell_count; k++) {
            put_row(stream, &judged, k);
        }
        judged_deinit(&judged);
    }
    return report_finish(stream);
}
