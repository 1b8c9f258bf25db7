/* The cells of a comparison as rows and groups of columns, for the formats that are tables. */
#include "common/io/text.h"
#include "coordinator/report/report_parts.h"

#include <inttypes.h>
#include <stdlib.h>

static bool in_group(const struct cell *cell, const struct grid_group *group)
{
    return cell->placement == group->placement && cell->workers == group->workers;
}

static void add_group(struct grid *grid, const struct cell *cell)
{
    for (size_t i = 0; i < grid->group_count; i++) {
        if (in_group(cell, &grid->groups[i])) {
            grid->groups[i].hosts = cell->hosts > grid->groups[i].hosts ? cell->hosts
                                                                        : grid->groups[i].hosts;
            return;
        }
    }
    grid->groups[grid->group_count++] = (struct grid_group){
        .placement = cell->placement, .workers = cell->workers, .hosts = cell->hosts};
}

static void add_row(struct grid *grid, enum strategy strategy, size_t nth)
{
    for (size_t i = 0; i < grid->row_count; i++) {
        if (grid->rows[i].strategy == strategy && grid->rows[i].nth == nth) {
            return;
        }
    }
    grid->rows[grid->row_count++] = (struct grid_row){strategy, nth};
}

/* How many cells before this one stand in the same group with the same strategy. */
static size_t nth_of(const struct comparison *comparison, size_t index)
{
    const struct cell *cell = &comparison->cells[index];
    size_t nth = 0;
    for (size_t i = 0; i < index; i++) {
        const struct cell *other = &comparison->cells[i];
        nth += other->strategy == cell->strategy && other->placement == cell->placement &&
               other->workers == cell->workers;
    }
    return nth;
}

static int compare_rows(const void *left, const void *right)
{
    const struct grid_row *a = left;
    const struct grid_row *b = right;
    if (a->strategy != b->strategy) {
        return a->strategy < b->strategy ? -1 : 1;
    }
    return (a->nth > b->nth) - (a->nth < b->nth);
}

/* Local first, then by number of workers. */
static int compare_groups(const void *left, const void *right)
{
    const struct grid_group *a = left;
    const struct grid_group *b = right;
    if (a->placement != b->placement) {
        return a->placement < b->placement ? -1 : 1;
    }
    return (a->workers > b->workers) - (a->workers < b->workers);
}

int grid_init(struct grid *grid, const struct comparison *comparison)
{
    size_t count = comparison->cell_count + 1;
    *grid = (struct grid){.groups = calloc(count, sizeof(*grid->groups)),
                          .rows = calloc(count, sizeof(*grid->rows))};
    if (grid->groups == NULL || grid->rows == NULL) {
        grid_deinit(grid);
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < comparison->cell_count; i++) {
        add_group(grid, &comparison->cells[i]);
        add_row(grid, comparison->cells[i].strategy, nth_of(comparison, i));
    }
    qsort(grid->groups, grid->group_count, sizeof(*grid->groups), compare_groups);
    qsort(grid->rows, grid->row_count, sizeof(*grid->rows), compare_rows);
    return 0;
}

void grid_deinit(struct grid *grid)
{
    free(grid->groups);
    free(grid->rows);
    *grid = (struct grid){0};
}

size_t grid_cell(const struct grid *grid,
                 const struct comparison *comparison,
                 size_t row,
                 size_t group)
{
    for (size_t i = 0; i < comparison->cell_count; i++) {
        if (comparison->cells[i].strategy == grid->rows[row].strategy &&
            in_group(&comparison->cells[i], &grid->groups[group]) &&
            nth_of(comparison, i) == grid->rows[row].nth) {
            return i;
        }
    }
    return SIZE_MAX;
}

void grid_group_title(const struct grid_group *group, char buf[GRID_TITLE_SIZE])
{
    if (group->placement == PLACEMENT_LOCAL) {
        (void)snprintf(buf, GRID_TITLE_SIZE, "local");
    } else {
        (void)snprintf(buf,
                       GRID_TITLE_SIZE,
                       "%" PRIu32 " worker%s",
                       group->workers,
                       group->workers == 1 ? "" : "s");
    }
    if (group->placement == PLACEMENT_DISTRIBUTED && group->hosts > 1) {
        text_append(buf, GRID_TITLE_SIZE, " on %" PRIu32 " hosts", group->hosts);
    }
}
