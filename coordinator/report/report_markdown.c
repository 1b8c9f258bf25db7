/* The report as Markdown (GitHub's tables): the same table as on the terminal, with the same
 * lines below it. */
#include "common/io/text.h"
#include "coordinator/report/report.h"
#include "coordinator/report/report_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What would end a table's cell, or be taken for markup, is escaped. */
static void put_text(FILE *stream, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n' || *text == '\r') {
            (void)fputc(' ', stream);
            continue;
        }
        if (strchr("|\\`*_<>[]#", *text) != NULL) {
            (void)fputc('\\', stream);
        }
        (void)fputc(*text, stream);
    }
}

static void put_paragraph(FILE *stream, const char *lead, const char *text)
{
    if (text[0] == '\0') {
        return;
    }
    (void)fprintf(stream, "\n%s", lead);
    put_text(stream, text);
    (void)fputc('\n', stream);
}

static void put_head(FILE *stream, const struct grid *grid, const char *unit)
{
    (void)fputs("| strategy |", stream);
    for (size_t group = 0; group < grid->group_count; group++) {
        char title[GRID_TITLE_SIZE];
        grid_group_title(&grid->groups[group], title);
        (void)fprintf(stream, " %s: at once | %s | span | speed-up |", title, unit);
    }
    (void)fputs("\n| :--- |", stream);
    for (size_t group = 0; group < grid->group_count; group++) {
        (void)fputs(" ---: | ---: | ---: | ---: |", stream);
    }
    (void)fputc('\n', stream);
}

static void put_cell(FILE *stream,
                     const struct judged *judged,
                     size_t index,
                     const struct time_unit *unit,
                     struct notes *notes)
{
    const struct cell *cell = &judged->comparison->cells[index];
    const struct cell_summary *summary = &judged->summaries[index];
    char note[REPORT_LINE_SIZE];
    char detail[REPORT_LINE_SIZE];
    report_cell_note(judged, index, note, detail);
    char mark = notes_mark(notes, note, detail);
    (void)fprintf(
        stream, " %" PRIu32 "%s | ", report_at_once(cell), cell->cooperative ? "\\*" : "");
    if (summary->has_time) {
        bool best = cell == judged->verdict.best_local || cell == judged->verdict.best_distributed;
        const char *strong = best ? "**" : "";
        (void)fprintf(
            stream, "%s%.*f%s", strong, unit->decimals, summary->median_s / unit->seconds, strong);
    } else {
        (void)fputc('-', stream);
    }
    if (mark != ' ') {
        (void)fprintf(stream, " (%c)", mark);
    }
    if (summary->has_time) {
        (void)fprintf(stream, " | %.0f %% | ", report_span(cell, summary) * 100);
    } else {
        (void)fputs(" | - | ", stream);
    }
    if (summary->speedup > 0) {
        (void)fprintf(stream, "%.2f |", summary->speedup);
    } else {
        (void)fputs("- |", stream);
    }
}

static void put_table(FILE *stream,
                      const struct judged *judged,
                      const struct grid *grid,
                      struct notes *notes)
{
    struct time_unit unit = report_time_unit(judged);
    put_head(stream, grid, unit.name);
    for (size_t row = 0; row < grid->row_count; row++) {
        (void)fprintf(stream, "| %s |", strategy_name(grid->rows[row].strategy));
        for (size_t group = 0; group < grid->group_count; group++) {
            size_t index = grid_cell(grid, judged->comparison, row, group);
            if (index == SIZE_MAX) {
                (void)fputs("  |  |  |  |", stream);
            } else {
                put_cell(stream, judged, index, &unit, notes);
            }
        }
        (void)fputc('\n', stream);
    }
}

static void put_notes(FILE *stream, const struct notes *notes)
{
    for (size_t i = 0; i < notes->count; i++) {
        const struct note *note = &notes->list[i];
        char lead[] = {'(', (char)('a' + i), ')', ' ', '\0'};
        char line[2 * REPORT_LINE_SIZE];
        (void)snprintf(line,
                       sizeof(line),
                       "%s%s%s",
                       note->text,
                       note->detail[0] != '\0' ? "; " : "",
                       note->detail);
        put_paragraph(stream, lead, line);
    }
}

static void put_lines(FILE *stream, const struct judged *judged)
{
    char line[REPORT_LINE_SIZE];
    report_cooperative_line(judged->comparison, line);
    put_paragraph(stream, "\\* ", line);
    report_baseline_line(judged, line);
    put_paragraph(stream, "", line);
    report_agreement_line(judged, line);
    put_paragraph(stream, judged->verdict.agree ? "" : "**Attention:** ", line);
    report_bound_line(judged, line);
    put_paragraph(stream, "", line);
    report_startup_line(judged, line);
    put_paragraph(stream, "start-up: ", line);
    put_paragraph(stream, "**Verdict:** ", judged->verdict.text);
}

static int write_comparison(const struct comparison *comparison, FILE *stream)
{
    char line[REPORT_LINE_SIZE];
    struct judged judged = {0};
    struct grid grid = {0};
    struct notes *notes = calloc(1, sizeof(*notes));
    int rc = ERR_NOMEM;
    if (notes == NULL || judged_init(&judged, comparison) != 0 ||
        grid_init(&grid, comparison) != 0) {
        goto out;
    }
    (void)fputs("### ", stream);
    put_text(stream, comparison->workload);
    report_subject_line(comparison, line);
    (void)fputs("\n", stream);
    put_paragraph(stream, "", line);
    report_rounds_line(comparison, line);
    text_append(line, sizeof(line), "; span: range/median");
    put_paragraph(stream, "", line);
    (void)fputc('\n', stream);
    put_table(stream, &judged, &grid, notes);
    put_notes(stream, notes);
    if (report_scaling_line(&judged, &grid, line)) {
        put_paragraph(stream, "more workers: ", line);
        (void)fputc('\n', stream);
        report_scaling_markdown(&judged, &grid, stream);
    }
    put_lines(stream, &judged);
    (void)fputc('\n', stream);
    rc = 0;
out:
    grid_deinit(&grid);
    judged_deinit(&judged);
    free(notes);
    return rc;
}

int report_write_markdown(const struct report *report, FILE *stream)
{
    for (size_t i = 0; i < report->comparison_count; i++) {
        int rc = write_comparison(&report->comparisons[i], stream);
        if (rc != 0) {
            return rc;
        }
    }
    char machine[REPORT_LINE_SIZE];
    report_hosts_line(report, machine);
    put_paragraph(stream, "workers: ", machine);
    report_each_host_line(report, machine);
    put_paragraph(stream, "hosts: ", machine);
    report_machine_line(&report->environment, machine);
    put_paragraph(stream, "machine: ", machine);
    return report_finish(stream);
}
