/* The table for a person: a row per strategy, local beside distributed, and below it whether the
 * results agree, what the work is bound by, and the verdict. ASCII only, so that it survives any
 * terminal, pipe and mail. */
#include "common/io/text.h"
#include "coordinator/report/report.h"
#include "coordinator/report/report_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    WIDTH_DEFAULT = 80,
    WIDTH_MIN = 20,
    TEXT_WIDTH_MAX = 100,
    CELL_SIZE = 32,
    GAP = 2,
    GROUP_GAP = 3,
    SIDE_BY_SIDE = 2 /* groups that are worth going without speed-ups for */
};

/* Rounds that scatter by less are not worth a column. */
static const double span_shown_from = 0.05;

enum column { COLUMN_AT_ONCE, COLUMN_TIME, COLUMN_SPAN, COLUMN_SPEEDUP, COLUMN_COUNT };

/* The columns that go first when a terminal is narrow. */
static const enum column dispensable[] = {COLUMN_SPAN, COLUMN_AT_ONCE, COLUMN_SPEEDUP};

enum emphasis { PLAIN, BOLD, FAINT, GOOD, BAD };

struct table {
    FILE *stream;
    bool color;
    size_t width;
    struct judged judged;
    struct grid grid;
    struct time_unit unit;
    struct notes notes;
    char *marks; /* of every cell; ' ' for none */
    bool has_marks;
    bool show[COLUMN_COUNT];
    bool long_titles;
    size_t column_width
        [COLUMN_COUNT]; /* the same in all groups, so that they can be compared by eye */
    size_t label_width;
};

static void begin(const struct table *table, enum emphasis emphasis)
{
    static const char *const codes[] = {"", "\033[1m", "\033[2m", "\033[1;32m", "\033[1;31m"};
    if (table->color) {
        (void)fputs(codes[emphasis], table->stream);
    }
}

static void end(const struct table *table, enum emphasis emphasis)
{
    if (table->color && emphasis != PLAIN) {
        (void)fputs("\033[0m", table->stream);
    }
}

static void put(const struct table *table, enum emphasis emphasis, const char *text)
{
    if (text[0] != '\0') {
        begin(table, emphasis);
        (void)fputs(text, table->stream);
        end(table, emphasis);
    }
}

static void put_spaces(const struct table *table, size_t count)
{
    (void)fprintf(table->stream, "%*s", (int)count, "");
}

/* ---- the text of the cells ---- */

static const char *column_title(const struct table *table, enum column column)
{
    switch (column) {
    case COLUMN_AT_ONCE:
        return table->long_titles ? "items at once" : "at once";
    case COLUMN_TIME:
        return table->unit.name;
    case COLUMN_SPAN:
        return "span";
    default:
        return "speed-up";
    }
}

static void cell_text(const struct table *table,
                      size_t index,
                      enum column column,
                      char text[CELL_SIZE])
{
    const struct cell *cell = &table->judged.comparison->cells[index];
    const struct cell_summary *summary = &table->judged.summaries[index];
    double span = report_span(cell, summary);
    (void)snprintf(text, CELL_SIZE, "-");
    if (column == COLUMN_AT_ONCE) {
        (void)snprintf(text, CELL_SIZE, "%" PRIu32, report_at_once(cell));
    } else if (column == COLUMN_TIME && summary->has_time) {
        (void)snprintf(
            text, CELL_SIZE, "%.*f", table->unit.decimals, summary->median_s / table->unit.seconds);
    } else if (column == COLUMN_SPAN && summary->has_time) {
        (void)snprintf(text, CELL_SIZE, "%.0f%%", span * 100);
    } else if (column == COLUMN_SPEEDUP && summary->speedup > 0) {
        (void)snprintf(text, CELL_SIZE, "%.2f", summary->speedup);
    }
}

static void row_label(const struct table *table, size_t row, char text[CELL_SIZE])
{
    bool cooperative = false;
    for (size_t group = 0; group < table->grid.group_count; group++) {
        size_t index = grid_cell(&table->grid, table->judged.comparison, row, group);
        cooperative = cooperative ||
                      (index != SIZE_MAX && table->judged.comparison->cells[index].cooperative);
    }
    (void)snprintf(text,
                   CELL_SIZE,
                   "%s%s",
                   strategy_name(table->grid.rows[row].strategy),
                   cooperative ? "*" : "");
}

/* ---- the layout ---- */

static void measure_columns(struct table *table)
{
    char text[CELL_SIZE];
    table->label_width = strlen("strategy");
    for (size_t row = 0; row < table->grid.row_count; row++) {
        row_label(table, row, text);
        size_t columns = strlen(text);
        table->label_width = columns > table->label_width ? columns : table->label_width;
    }
    for (int column = 0; column < COLUMN_COUNT; column++) {
        size_t widest = strlen(column_title(table, (enum column)column));
        for (size_t i = 0; i < table->judged.comparison->cell_count; i++) {
            cell_text(table, i, (enum column)column, text);
            widest = strlen(text) > widest ? strlen(text) : widest;
        }
        table->column_width[column] = widest;
    }
}

static size_t mark_width(const struct table *table, enum column column)
{
    return column == COLUMN_TIME && table->has_marks ? 2 : 0;
}

static size_t group_width(const struct table *table)
{
    size_t width = 0;
    for (int column = 0; column < COLUMN_COUNT; column++) {
        if (table->show[column]) {
            width += table->column_width[column] + mark_width(table, (enum column)column) +
                     (width > 0 ? GAP : 0);
        }
    }
    return width;
}

static bool fits(const struct table *table, size_t groups)
{
    return table->label_width + groups * (GROUP_GAP + group_width(table)) <= table->width;
}

static bool span_matters(const struct table *table)
{
    const struct comparison *comparison = table->judged.comparison;
    for (size_t i = 0; i < comparison->cell_count; i++) {
        if (report_span(&comparison->cells[i], &table->judged.summaries[i]) >= span_shown_from) {
            return true;
        }
    }
    return false;
}

/* Choose the columns: short titles, then no dispensable columns, until `groups` groups fit side
 * by side. Returns false when they never do. Of many groups each keeps its speed-ups, and some go
 * below the others instead. */
static bool choose_columns(struct table *table, size_t groups)
{
    for (int column = 0; column < COLUMN_COUNT; column++) {
        table->show[column] = true;
    }
    table->show[COLUMN_SPAN] = span_matters(table);
    table->long_titles = true;
    measure_columns(table);
    if (fits(table, groups)) {
        return true;
    }
    table->long_titles = false;
    measure_columns(table);
    size_t dispensable_count = sizeof(dispensable) / sizeof(dispensable[0]);
    dispensable_count -= groups > SIDE_BY_SIDE;
    for (size_t i = 0; !fits(table, groups); i++) {
        if (i == dispensable_count) {
            return false;
        }
        table->show[dispensable[i]] = false;
    }
    return true;
}

/* As many groups side by side as fit; the others go below. */
static size_t groups_in_a_block(struct table *table)
{
    size_t groups = table->grid.group_count;
    while (groups > 1 && !choose_columns(table, groups)) {
        groups--;
    }
    if (groups == 1) {
        (void)choose_columns(table, 1);
    }
    return groups;
}

/* ---- printing ---- */

/* "------ 2 workers ------" over the columns of a group. */
static void put_group_title(const struct table *table, size_t group)
{
    char title[GRID_TITLE_SIZE];
    grid_group_title(&table->grid.groups[group], title);
    size_t width = group_width(table);
    char *hosts = strstr(title, " on ");
    if (hosts != NULL && strlen(title) > width) {
        *hosts = '\0'; /* a line below the table has them too */
    }
    size_t dashes = width > strlen(title) + 2 ? width - strlen(title) - 2 : 0;
    for (size_t i = 0; i < dashes / 2; i++) {
        (void)fputc('-', table->stream);
    }
    (void)fprintf(table->stream, "%s%s%s", dashes > 0 ? " " : "", title, dashes > 0 ? " " : "");
    for (size_t i = dashes / 2; i < dashes; i++) {
        (void)fputc('-', table->stream);
    }
}

static void put_column_titles(const struct table *table)
{
    bool first = true;
    for (int column = 0; column < COLUMN_COUNT; column++) {
        if (table->show[column]) {
            (void)fprintf(table->stream,
                          "%*s%*s%*s",
                          first ? 0 : GAP,
                          "",
                          (int)table->column_width[column],
                          column_title(table, (enum column)column),
                          (int)mark_width(table, (enum column)column),
                          "");
            first = false;
        }
    }
}

static void put_head(const struct table *table, size_t first, size_t count)
{
    begin(table, FAINT);
    put_spaces(table, table->label_width);
    for (size_t group = first; group < first + count; group++) {
        put_spaces(table, GROUP_GAP);
        put_group_title(table, group);
    }
    (void)fprintf(table->stream, "\n%-*s", (int)table->label_width, "strategy");
    for (size_t group = first; group < first + count; group++) {
        put_spaces(table, GROUP_GAP);
        put_column_titles(table);
    }
    end(table, FAINT);
    (void)fputc('\n', table->stream);
}

/* The fastest cell of all stands out most, the fastest at the other place less. */
static enum emphasis time_emphasis(const struct table *table, size_t index)
{
    const struct verdict *verdict = &table->judged.verdict;
    const struct cell *cell = &table->judged.comparison->cells[index];
    if (cell != verdict->best_local && cell != verdict->best_distributed) {
        return PLAIN;
    }
    const struct cell *other = cell == verdict->best_local ? verdict->best_distributed
                                                           : verdict->best_local;
    const struct cell_summary *summaries = table->judged.summaries;
    const struct cell *cells = table->judged.comparison->cells;
    bool fastest = other == NULL || summaries[index].median_s <= summaries[other - cells].median_s;
    return fastest ? GOOD : BOLD;
}

static void put_cell(const struct table *table, size_t index)
{
    bool first = true;
    for (int column = 0; column < COLUMN_COUNT; column++) {
        char text[CELL_SIZE] = "";
        if (!table->show[column]) {
            continue;
        }
        if (index != SIZE_MAX) {
            cell_text(table, index, (enum column)column, text);
        }
        put_spaces(table, (first ? 0 : GAP) + table->column_width[column] - strlen(text));
        bool is_time = column == COLUMN_TIME && index != SIZE_MAX;
        put(table, is_time ? time_emphasis(table, index) : PLAIN, text);
        if (mark_width(table, (enum column)column) > 0) {
            (void)fprintf(table->stream, " %c", index != SIZE_MAX ? table->marks[index] : ' ');
        }
        first = false;
    }
}

static void put_block(const struct table *table, size_t first, size_t count)
{
    put_head(table, first, count);
    for (size_t row = 0; row < table->grid.row_count; row++) {
        char label[CELL_SIZE];
        row_label(table, row, label);
        (void)fprintf(table->stream, "%-*s", (int)table->label_width, label);
        for (size_t group = first; group < first + count; group++) {
            put_spaces(table, GROUP_GAP);
            put_cell(table, grid_cell(&table->grid, table->judged.comparison, row, group));
        }
        (void)fputc('\n', table->stream);
    }
}

/* "lead" emphasised, then `text`, wrapped to the width with the lines after the first below the
 * text's begin. */
static void put_line(const struct table *table,
                     enum emphasis emphasis,
                     const char *lead,
                     const char *text)
{
    if (text[0] == '\0') {
        return;
    }
    size_t column = text_columns(lead);
    size_t indent = column < table->width / 2 ? column : 2;
    put(table, emphasis, lead);
    /* Longer lines than this are hard to read, however wide the terminal is. */
    size_t width = table->width < TEXT_WIDTH_MAX ? table->width : TEXT_WIDTH_MAX;
    text_wrap(table->stream, text, column, indent, width);
}

static void put_title(const struct table *table)
{
    char lead[128];
    char line[REPORT_LINE_SIZE];
    const struct comparison *comparison = table->judged.comparison;
    (void)snprintf(lead, sizeof(lead), "%s: ", comparison->workload);
    report_subject_line(comparison, line);
    put_line(table, BOLD, lead, line);
    report_rounds_line(comparison, line);
    if (table->show[COLUMN_SPAN]) {
        text_append(line, sizeof(line), "; span: range/median");
    }
    put_line(table, PLAIN, "", line);
    (void)fputc('\n', table->stream);
}

static void put_notes(const struct table *table)
{
    char line[2 * REPORT_LINE_SIZE];
    for (size_t i = 0; i < table->notes.count; i++) {
        const struct note *note = &table->notes.list[i];
        char lead[] = {(char)('a' + i), ' ', ' ', '\0'};
        (void)snprintf(line,
                       sizeof(line),
                       "%s%s%s",
                       note->text,
                       note->detail[0] != '\0' ? "; " : "",
                       note->detail);
        put_line(table, BOLD, lead, line);
    }
    report_cooperative_line(table->judged.comparison, line);
    put_line(table, BOLD, "*  ", line);
    report_baseline_line(&table->judged, line);
    put_line(table, BOLD, "-  ", line);
}

static void put_scaling(const struct table *table)
{
    char line[REPORT_LINE_SIZE];
    if (report_scaling_line(&table->judged, &table->grid, line)) {
        (void)fputc('\n', table->stream);
        put_line(table, PLAIN, "more workers: ", line);
        report_scaling_table(&table->judged, &table->grid, table->width, table->stream);
    }
}

static void put_conclusions(const struct table *table)
{
    char line[REPORT_LINE_SIZE];
    (void)fputc('\n', table->stream);
    report_agreement_line(&table->judged, line);
    begin(table, table->judged.verdict.agree ? PLAIN : BAD);
    put_line(table, PLAIN, "", line);
    end(table, table->judged.verdict.agree ? PLAIN : BAD);
    report_bound_line(&table->judged, line);
    put_line(table, PLAIN, "", line);
    report_startup_line(&table->judged, line);
    put_line(table, PLAIN, "start-up: ", line);
    put_line(table, BOLD, "verdict: ", table->judged.verdict.text);
}

static void mark_cells(struct table *table)
{
    char note[REPORT_LINE_SIZE];
    char detail[REPORT_LINE_SIZE];
    for (size_t row = 0; row < table->grid.row_count; row++) {
        for (size_t group = 0; group < table->grid.group_count; group++) {
            size_t index = grid_cell(&table->grid, table->judged.comparison, row, group);
            if (index != SIZE_MAX) {
                report_cell_note(&table->judged, index, note, detail);
                table->marks[index] = notes_mark(&table->notes, note, detail);
                table->has_marks = table->has_marks || table->marks[index] != ' ';
            }
        }
    }
}

static int table_init(struct table *table, const struct comparison *comparison)
{
    table->marks = malloc(comparison->cell_count + 1);
    if (table->marks == NULL || judged_init(&table->judged, comparison) != 0 ||
        grid_init(&table->grid, comparison) != 0) {
        return ERR_NOMEM;
    }
    table->unit = report_time_unit(&table->judged);
    mark_cells(table);
    return 0;
}

static void table_free(struct table *table)
{
    judged_deinit(&table->judged);
    grid_deinit(&table->grid);
    free(table->marks);
    free(table);
}

static int write_comparison(const struct comparison *comparison,
                            FILE *stream,
                            bool color,
                            size_t width)
{
    struct table *table = calloc(1, sizeof(*table));
    if (table == NULL) {
        return ERR_NOMEM;
    }
    table->stream = stream;
    table->color = color;
    table->width = width;
    int rc = table_init(table, comparison);
    if (rc != 0) {
        goto out;
    }
    size_t block = groups_in_a_block(table);
    put_title(table);
    for (size_t first = 0; first < table->grid.group_count; first += block) {
        size_t left = table->grid.group_count - first;
        if (first > 0) {
            (void)fputc('\n', stream);
        }
        put_block(table, first, left < block ? left : block);
    }
    put_notes(table);
    put_scaling(table);
    put_conclusions(table);
out:
    table_free(table);
    return rc;
}

static void put_footer(FILE *stream, const char *lead, const char *text, size_t columns)
{
    if (text[0] != '\0') {
        (void)fputs(lead, stream);
        text_wrap(stream, text, strlen(lead), strlen(lead), columns);
    }
}

int report_write_table(const struct report *report, FILE *stream, bool color, int width)
{
    size_t columns = width <= 0 ? WIDTH_DEFAULT : width < WIDTH_MIN ? WIDTH_MIN : (size_t)width;
    for (size_t i = 0; i < report->comparison_count; i++) {
        int rc = write_comparison(&report->comparisons[i], stream, color, columns);
        if (rc != 0) {
            return rc;
        }
        (void)fputc('\n', stream);
    }
    char line[REPORT_LINE_SIZE];
    report_hosts_line(report, line);
    put_footer(stream, "workers: ", line, columns);
    report_each_host_line(report, line);
    put_footer(stream, "hosts: ", line, columns);
    report_machine_line(&report->environment, line);
    put_footer(stream, "machine: ", line, columns);
    return report_finish(stream);
}
