/* What the formats of a report share: the judged comparison, and its lines in words. Only for
 * verdict.c, report*.c and their tests; everybody else uses report.h. */
#ifndef QUARTET_COORDINATOR_REPORT_REPORT_PARTS_H
#define QUARTET_COORDINATOR_REPORT_REPORT_PARTS_H

#include "coordinator/report/report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Memory that may be used: the machine's, or the cgroup's limit when that is less; 0: not known.
 * `root` stands for "" in tests. */
uint64_t environment_memory_at(const char *root);

/* comparison_judge on a machine of `cores` usable cores. Pure. */
void verdict_judge(const struct comparison *comparison,
                   uint32_t cores,
                   struct cell_summary *ret_summaries,
                   struct verdict *ret_verdict);

/* A comparison under judgement: what the words of the verdict are made from. */
struct judge {
    const struct comparison *comparison;
    const struct cell_summary *summaries;
    const struct cell *baseline; /* NULL: local serial has no time */
    struct verdict *verdict;
};

const struct cell_summary *judge_summary(const struct judge *judge, const struct cell *cell);

/* The first cell of a kind that has a time, or NULL. */
const struct cell *judge_find(const struct judge *judge,
                              enum placement placement,
                              enum strategy strategy);

/* Is there no measurable difference between two cells that have times: do the intervals of their
 * medians overlap, or are these too close to mean anything? */
bool judge_alike(const struct judge *judge, const struct cell *a, const struct cell *b);

/* Write verdict->text; everything else of the verdict is there. */
void verdict_say(const struct judge *judge);

/* A sentence more for it. */
void verdict_add(struct verdict *verdict, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* --- verdict_scaling.c: what more workers brought --- */

/* scaling and scaling_efficiency of all cells; nothing unless numbers of workers were compared. */
void scaling_judge(const struct comparison *comparison, struct cell_summary *summaries);

/* What came of it, in words: the most that it brought, from how many workers on it paid, and where it
 * ended. */
void scaling_say(const struct judge *judge);

/* A comparison with what was made of it. */
struct judged {
    const struct comparison *comparison;
    struct cell_summary *summaries; /* owned; one per cell */
    struct verdict verdict;
};

/* Returns 0 or ERR_NOMEM. */
int judged_init(struct judged *judged, const struct comparison *comparison);
void judged_deinit(struct judged *judged);

/* Items that the cell really has in flight: one a worker when async has to run them in turn. */
uint32_t report_at_once(const struct cell *cell);

/* (max - min) / median; 0 below two rounds or without a time. */
double report_span(const struct cell *cell, const struct cell_summary *summary);

enum { REPORT_LINE_SIZE = 2048 };

/* The lines around a table. Each fills `buf` of REPORT_LINE_SIZE bytes and leaves it empty when
 * there is nothing to say. The subject: "64 items, delay=0.1, url=...", with the parameters that
 * differ from the workload's defaults. */
void report_subject_line(const struct comparison *comparison, char *buf);
void report_rounds_line(const struct comparison *comparison, char *buf);
void report_agreement_line(const struct judged *judged, char *buf);
void report_bound_line(const struct judged *judged, char *buf);
void report_startup_line(const struct judged *judged, char *buf);
void report_cooperative_line(const struct comparison *comparison, char *buf);
void report_baseline_line(const struct judged *judged, char *buf);
void report_machine_line(const struct environment *environment, char *buf);
/* "4 workers on 4 hosts; round trip 0.12 ms (h2) to 0.31 ms (h4)"; of a network only, empty otherwise. */
void report_hosts_line(const struct report *report, char *buf);
/* "h1: 1 core, 0.12 ms away, 26 % of the items; h2: ...", when there are several, and few enough to name. */
void report_each_host_line(const struct report *report, char *buf);

/* What went wrong in the timed part of a cell, or why it has no time. `ret_detail` is an example
 * (the first error) that cells with the same note need not share. */
void report_cell_note(const struct judged *judged, size_t cell, char *buf, char *ret_detail);

/* Flush, and say whether all of the stream was written: 0 or ERR_IO. */
int report_finish(FILE *stream);

/* One unit for all times of a table: the one in which the smallest has three digits. */
struct time_unit {
    const char *name; /* "seconds", "ms", "us" */
    double seconds;   /* one of it */
    int decimals;
};

struct time_unit report_time_unit(const struct judged *judged);

/* The cells as a table: a row per strategy, a group of columns per place to run. */
struct grid_group {
    enum placement placement;
    uint32_t workers;
    uint32_t hosts; /* that they were on, at most; not what tells groups apart */
};

struct grid_row {
    enum strategy strategy;
    size_t
        nth; /* of the cells with this strategy in a group: above 0 only where the items at once were varied */
};

struct grid {
    struct grid_group *groups; /* owned; local first */
    size_t group_count;
    struct grid_row *rows; /* owned */
    size_t row_count;
};

/* Returns 0 or ERR_NOMEM. */
int grid_init(struct grid *grid, const struct comparison *comparison);
void grid_deinit(struct grid *grid);

/* Index of the cell at a row and group; SIZE_MAX: there is none. */
size_t grid_cell(const struct grid *grid,
                 const struct comparison *comparison,
                 size_t row,
                 size_t group);

enum { GRID_TITLE_SIZE = 32 };

/* "local", "2 workers", "4 workers on 4 hosts". */
void grid_group_title(const struct grid_group *group, char buf[GRID_TITLE_SIZE]);

/* --- report_scaling.c: what more workers brought --- */

/* What the table below it shows; false, and nothing to show, unless several numbers of workers were
 * compared. */
bool report_scaling_line(const struct judged *judged, const struct grid *grid, char *buf);
void report_scaling_table(const struct judged *judged,
                          const struct grid *grid,
                          size_t width,
                          FILE *stream);
void report_scaling_markdown(const struct judged *judged, const struct grid *grid, FILE *stream);

/* Footnotes, marked a, b, c... Cells with the same note share a mark. */
enum { NOTES_MAX = 26 };

struct notes {
    struct note {
        char text[REPORT_LINE_SIZE];
        char detail[REPORT_LINE_SIZE];
    } list[NOTES_MAX];

    size_t count;
};

/* The mark of a note, which is added when it is new; ' ' for an empty one, '?' when there are
 * too many. */
char notes_mark(struct notes *notes, const char *text, const char *detail);

#endif
