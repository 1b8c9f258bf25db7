/* The report: plain values that a comparison or a run fills in, and that each format writes out.
 *
 * JSON follows schema quartet.report/1 (README, "The report file"): keys are only ever added. */
#ifndef QUARTET_COORDINATOR_REPORT_REPORT_H
#define QUARTET_COORDINATOR_REPORT_REPORT_H

#include "common/base/chunk.h"
#include "common/base/err.h"
#include "worker/workloads/params.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum placement { PLACEMENT_LOCAL = 0, PLACEMENT_DISTRIBUTED = 1 };

/* "local", "distributed". */
const char *placement_name(enum placement placement);

/* One timed run of one cell. */
struct sample {
    double wall_s;         /* from the first chunk sent to the last result accounted for */
    double startup_s;      /* apart from it: making the engines, until every one is ready */
    double cpu_s;          /* user and system time of all slots */
    uint64_t items;        /* that were to be run */
    uint64_t items_before; /* of these, done by an earlier run that this one goes on with */
    uint64_t ok;
    uint64_t failed;
    uint64_t retried;       /* chunks that were sent again */
    uint64_t items_retried; /* failed items that were run again */
    uint64_t duplicates;
    uint64_t speculated;       /* chunks that were run again because an attempt was late */
    uint64_t speculations_won; /* of these, whose result counted */
    double saved_s;            /* how much later the late attempts' results came, in sum */
    uint64_t adopted;          /* chunks that workers went on with in a new session */
    uint64_t late;             /* results of sessions that were over: dropped */
    uint64_t workers_lost;
    uint64_t chunks;
    uint64_t checksum;
    uint64_t bytes_out;
    bool
        complete; /* every item is accounted for; false after Ctrl-C or when all workers were lost */
    char first_error[CHUNK_ERROR_SIZE +
                     64]; /* of the first item that failed: "item 3 (...): why"; empty: none */
};

enum { SAMPLES_MAX = 1000 };

struct cell {
    enum strategy strategy;
    enum placement placement;
    uint32_t workers;     /* 0 for local */
    uint32_t sweeps;      /* so many were to take part, of those that were there; 0: all */
    uint32_t hosts;       /* machines that these are on; 0 for local, or not known */
    uint32_t concurrency; /* items at once, all workers together */
    bool cooperative; /* async without an asynchronous form: items run one at a time on the loop */
    struct sample *samples; /* owned; `sample_count` timed rounds, warm-up not among them */
    size_t sample_count;
    char trouble
        [ERR_TEXT_SIZE]; /* not empty: this cell could not be run, and why; it has no time then */
};

/* Statistics of one cell, computed from its samples by cell_summarise. */
struct cell_summary {
    bool has_time; /* false: no sample, incomplete, failed to agree, or trouble: show no time */
    double median_s, min_s, max_s;
    double ci95_low_s,
        ci95_high_s; /* of the median; equal to min and max below 6 samples (order statistics cannot say more) */
    double speedup;    /* the baseline cell's median over this one's; 0: no baseline */
    double efficiency; /* speedup / concurrency */
    /* Of a comparison of several numbers of workers: this cell's speed over that of the fewest
     * workers with the same strategy, and that per worker (1: each added worker brought what the
     * first ones did). 0: none. */
    double scaling;
    double scaling_efficiency;
    double cpu_s;     /* median */
    double startup_s; /* median */
    /* Sums over the samples. */
    uint64_t failed, retried, duplicates, workers_lost;
    uint64_t speculated, speculations_won, adopted, late;
    double saved_s;
    bool outlier
        [SAMPLES_MAX]; /* modified Z-score above 3.5 (Iglewicz and Hoaglin 1993); flagged, never dropped */
    size_t outliers;
};

struct comparison {
    const char *workload;
    const struct params *params;    /* resolved */
    const struct param_spec *specs; /* of the workload: what its defaults are */
    size_t spec_count;
    bool elsewhere; /* the work is done by processes of its own (exec, pipe), in every strategy */
    uint64_t items;
    uint32_t rounds;
    uint32_t warmup;
    uint64_t seed;
    bool has_expected; /* the checksum is known beforehand (squares) */
    uint64_t expected_checksum;
    bool
        workers_elsewhere; /* some worker ran on another machine; false: all of them shared this one's cores */
    uint32_t worker_hosts; /* most machines that the workers of a cell were on; 0: not known */
    struct cell *cells;
    size_t cell_count;
};

/* Do the cells agree, and on what; and what the comparison says. Computed by comparison_judge. */
struct verdict {
    bool agree;
    bool has_answer; /* false: no cell ran to its end, so there is no checksum and nothing agrees */
    uint64_t ok,
        failed; /* items, of the answer that most gave; when none is ok nothing is named the best */
    uint64_t checksum;
    size_t
        odd_ones; /* cells whose checksum, ok or failed differ from the majority's (or from the expected) */
    const char *
        bound; /* "io", "cpu", "mixed": from CPU time / wall time of the local serial cell; "unknown": no local time, under 1 ms, or all items failed */
    double cpu_per_wall;
    const struct cell *
        bound_cell; /* what bound was measured on: another local cell when serial has no time; NULL: unknown */
    const struct cell *best_local;       /* NULL: none has a time, or all items failed */
    const struct cell *best_distributed; /* NULL likewise */
    char text[1024]; /* plain words: who won, by how much, what distribution cost or brought */
};

struct environment {
    char host[256], os[256], kernel[256], cpu[256];
    uint32_t cores_online;
    uint32_t cores_usable;
    uint64_t memory_bytes;
    double load_before, load_after; /* 1-minute load average */
    char libraries[8][2][64];       /* name, version */
    size_t library_count;
};

/* A machine that workers were on at the end. */
struct report_host {
    char name[256];
    uint32_t workers;
    uint32_t cores;      /* usable, as the first of them says */
    uint64_t items;      /* that these workers ran, in all rounds */
    double round_trip_s; /* there and back, the shortest that was seen; 0: none was measured */
};

struct report {
    const char *version;
    const char *commit;
    char **command;   /* argv, NULL-terminated, borrowed */
    char started[40]; /* RFC 3339 */
    struct environment environment;
    struct comparison *comparisons;
    size_t comparison_count;
    const struct report_host *hosts; /* by name; borrowed */
    size_t host_count;
};

/* Fill in everything but load_after. Never fails: what cannot be read stays empty or 0. */
void environment_read(struct environment *ret_environment);
double environment_load(void);

/* Summaries of all cells (`ret_summaries` has cell_count entries) and the verdict. The baseline
 * is the local serial cell. A cell that disagrees has no time. */
void comparison_judge(const struct comparison *comparison,
                      struct cell_summary *ret_summaries,
                      struct verdict *ret_verdict);

/* Each format writes the whole report to `stream`. Returns 0, ERR_NOMEM, or ERR_IO (disk full,
 * closed pipe: also seen by fflush). */
int report_write_json(const struct report *report, FILE *stream);
int report_write_csv(const struct report *report, FILE *stream);
int report_write_markdown(const struct report *report, FILE *stream);

/* The table that a person reads at a glance, with the agreement line, the bound type and the
 * verdict. `color`: ANSI emphasis. `width`: columns of the terminal, 0: unknown (then 80). */
int report_write_table(const struct report *report, FILE *stream, bool color, int width);

#endif
