/* Comparisons and reports made up for the tests of verdict and report formats. */
#ifndef QUARTET_TESTS_COORDINATOR_REPORT_REPORT_FIXTURE_H
#define QUARTET_TESTS_COORDINATOR_REPORT_REPORT_FIXTURE_H

#include "coordinator/report/report.h"

enum { FIXTURE_CELLS = 8, FIXTURE_ROUNDS = 3, FIXTURE_CHECKSUM = 0x5f0c };

struct fixture {
    struct sample samples[FIXTURE_CELLS][FIXTURE_ROUNDS];
    struct cell cells[FIXTURE_CELLS];
    struct params params;
    struct comparison comparison;
    char arguments[2][8];
    char *command[3];
    struct report report;
};

/* Cells 0 to 3 are the four strategies locally, 4 to 7 with two workers. All agree. */
enum fixture_cell {
    LOCAL_SERIAL,
    LOCAL_THREADS,
    LOCAL_ASYNC,
    LOCAL_PROCESSES,
    FAR_SERIAL,
    FAR_THREADS,
    FAR_ASYNC,
    FAR_PROCESSES,
};

/* Waiting work, 64 items: serial 6.43 s, threads 0.81 s, async 0.105 s; two workers halve serial, threads and processes. */
void fixture_init_io(struct fixture *fixture);

/* A little arithmetic: serial 4.1 ms, threads and processes 2.2 ms; with two workers all take four times as long. */
void fixture_init_cpu(struct fixture *fixture);

void fixture_deinit(struct fixture *fixture);

/* Give a cell three rounds around `wall_s`, 1 % apart. */
void fixture_set_wall(struct fixture *fixture, enum fixture_cell cell, double wall_s);

/* Run a writer into memory; the text is the caller's to free. Fails the test when the writer fails. */
char *fixture_render(const struct report *report,
                     int (*write)(const struct report *report, FILE *stream));
char *fixture_render_table(const struct report *report, bool color, int width);

/* Does the writer notice a full disk? */
void fixture_assert_full_disk_is_seen(const struct report *report,
                                      int (*write)(const struct report *report, FILE *stream));

void assert_contains(const char *text, const char *part);
void assert_lacks(const char *text, const char *part);

#endif
