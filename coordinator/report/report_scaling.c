/* What more workers brought, as a table below the times: a row per strategy, a column per number of
 * workers, where several were compared. For a terminal and for Markdown. */
#include "common/io/text.h"
#include "coordinator/report/report_parts.h"

#include <inttypes.h>
#include <string.h>

enum { TEXT_SIZE = 32, GAP = 3 };

static const char label_title[] = "strategy";

/* "1.98 (99%)": speed over the fewest workers, and that per worker. */
static void scaling_text(const struct judged *judged, size_t index, char text[TEXT_SIZE])
{
    (void)snprintf(text, TEXT_SIZE, "-");
    if (index == SIZE_MAX) {
        return;
    }
    const struct cell_summary *summary = &judged->summaries[index];
    if (summary->scaling > 0) {
        (void)snprintf(
            text, TEXT_SIZE, "%.2f (%.0f%%)", summary->scaling, summary->scaling_efficiency * 100);
    }
}

static const struct grid_group *first_swept(const struct grid *grid)
{
    for (size_t i = 0; i < grid->group_count; i++) {
        if (grid->groups[i].placement == PLACEMENT_DISTRIBUTED) {
            return &grid->groups[i];
        }
    }
    return NULL;
}

static bool has_scaling(const struct judged *judged)
{
    for (size_t i = 0; i < judged->comparison->cell_count; i++) {
        if (judged->summaries[i].scaling > 0) {
            return true;
        }
    }
    return false;
}

/* Columns begin at the group after the fewest workers, which would say 1.00 throughout. */
static size_t first_column(const struct grid *grid)
{
    return (size_t)(first_swept(grid) - grid->groups) + 1;
}

bool report_scaling_line(const struct judged *judged, const struct grid *grid, char *buf)
{
    const struct grid_group *base = first_swept(grid);
    buf[0] = '\0';
    if (base == NULL || !has_scaling(judged) || first_column(grid) == grid->group_count) {
        return false;
    }
    text_append(buf,
                REPORT_LINE_SIZE,
                "speed-up over %" PRIu32 " worker%s with the same strategy (efficiency: "
                "that per worker)",
                base->workers,
                base->workers == 1 ? "" : "s");
    return true;
}

/* --- for a terminal --- */

static void cell_of(const struct judged *judged,
                    const struct grid *grid,
                    size_t row,
                    size_t group,
                    char text[TEXT_SIZE])
{
    scaling_text(judged, grid_cell(grid, judged->comparison, row, group), text);
}

static size_t column_width(const struct judged *judged, const struct grid *grid, size_t group)
{
    char text[GRID_TITLE_SIZE];
    grid_group_title(&grid->groups[group], text);
    size_t width = strlen(text);
    for (size_t row = 0; row < grid->row_count; row++) {
        char cell[TEXT_SIZE];
        cell_of(judged, grid, row, group, cell);
        width = strlen(cell) > width ? strlen(cell) : width;
    }
    return width;
}

static size_t label_width(const struct grid *grid)
{
    size_t width = strlen(label_title);
    for (size_t row = 0; row < grid->row_count; row++) {
        size_t len = strlen(strategy_name(grid->rows[row].strategy));
        width = len > width ? len : width;
    }
    return width;
}

/* The first group that does not fit beside `first` any more; one does always. */
static size_t end_of_block(const struct judged *judged,
                           const struct grid *grid,
                           size_t first,
                           size_t width)
{
    size_t used = label_width(grid);
    size_t group = first;
    while (group < grid->group_count) {
        used += GAP + column_width(judged, grid, group);
        if (used > width && group > first) {
            break;
        }
        group++;
    }
    return group;
}

static void put_block(const struct judged *judged,
                      const struct grid *grid,
                      size_t first,
                      size_t end,
                      FILE *stream)
{
    int label = (int)label_width(grid);
    (void)fprintf(stream, "%-*s", label, label_title);
    for (size_t group = first; group < end; group++) {
        char title[GRID_TITLE_SIZE];
        grid_group_title(&grid->groups[group], title);
        (void)fprintf(stream, "%*s%*s", GAP, "", (int)column_width(judged, grid, group), title);
    }
    (void)fputc('\n', stream);
    for (size_t row = 0; row < grid->row_count; row++) {
        (void)fprintf(stream, "%-*s", label, strategy_name(grid->rows[row].strategy));
        for (size_t group = first; group < end; group++) {
            char text[TEXT_SIZE];
            cell_of(judged, grid, row, group, text);
            (void)fprintf(stream, "%*s%*s", GAP, "", (int)column_width(judged, grid, group), text);
        }
        (void)fputc('\n', stream);
    }
}

void report_scaling_table(const struct judged *judged,
                          const struct grid *grid,
                          size_t width,
                          FILE *stream)
{
    size_t end = 0;
    for (size_t first = first_column(grid); first < grid->group_count; first = end) {
        end = end_of_block(judged, grid, first, width);
        put_block(judged, grid, first, end, stream);
    }
}

/* --- Markdown --- */

void report_scaling_markdown(const struct judged *judged, const struct grid *grid, FILE *stream)
{
    (void)fprintf(stream, "| %s |", label_title);
    for (size_t group = first_column(grid); group < grid->group_count; group++) {
        char title[GRID_TITLE_SIZE];
        grid_group_title(&grid->groups[group], title);
        (void)fprintf(stream, " %s |", title);
    }
    (void)fputs("\n| :--- |", stream);
    for (size_t group = first_column(grid); group < grid->group_count; group++) {
        (void)fputs(" ---: |", stream);
    }
    for (size_t row = 0; row < grid->row_count; row++) {
        (void)fprintf(stream, "\n| %s |", strategy_name(grid->rows[row].strategy));
        for (size_t group = first_column(grid); group < grid->group_count; group++) {
            char text[TEXT_SIZE];
            cell_of(judged, grid, row, group, text);
            (void)fprintf(stream, " %s |", text);
        }
    }
    (void)fputc('\n', stream);
}
