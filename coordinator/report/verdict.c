/* What a comparison says, in numbers: first whether the cells agree, then how long each took and
 * which one won. The words are in verdict_text.c. Pure but for comparison_judge, which asks how
 * many cores there are. */
#include "common/base/check.h"
#include "common/io/cores.h"
#include "coordinator/report/report.h"
#include "coordinator/report/report_parts.h"
#include "coordinator/report/stats.h"

#include <math.h>
#include <string.h>

_Static_assert((int)SAMPLES_MAX <= (int)STATS_VALUES_MAX, "statistics take all samples of a cell");

static const double cpu_bound_from = 0.8;
static const double io_bound_to = 0.2;

/* In less than this, waking threads is most of what is measured. */
static const double bound_measurable_s = 0.001;

/* ---- agreement ---- */

struct answer {
    uint64_t ok;
    uint64_t failed;
    uint64_t checksum;
};

static struct answer answer_of(const struct sample *sample)
{
    return (struct answer){sample->ok, sample->failed, sample->checksum};
}

static bool answers_equal(const struct answer *a, const struct answer *b)
{
    return a->ok == b->ok && a->failed == b->failed && a->checksum == b->checksum;
}

static bool is_serial_local(const struct cell *cell)
{
    return cell->strategy == STRATEGY_SERIAL && cell->placement == PLACEMENT_LOCAL;
}

static size_t votes_for(const struct comparison *comparison, const struct answer *answer)
{
    size_t votes = 0;
    for (size_t i = 0; i < comparison->cell_count; i++) {
        const struct cell *cell = &comparison->cells[i];
        for (size_t k = 0; k < cell->sample_count; k++) {
            struct answer other = answer_of(&cell->samples[k]);
            votes += cell->samples[k].complete && answers_equal(answer, &other);
        }
    }
    return votes;
}

/* Let the answers of one cell stand for election. */
static void elect_from(const struct comparison *comparison,
                       const struct cell *cell,
                       struct answer *best,
                       size_t *best_votes)
{
    for (size_t k = 0; k < cell->sample_count; k++) {
        struct answer answer = answer_of(&cell->samples[k]);
        if (!cell->samples[k].complete || (*best_votes > 0 && answers_equal(&answer, best))) {
            continue;
        }
        size_t votes = votes_for(comparison, &answer);
        if (votes > *best_votes) {
            *best = answer;
            *best_votes = votes;
        }
    }
}

/* The answer that cells are held against: the known one, or the one that most samples gave.
 * Serial stands first, so that it wins a tie: it is the program that everything else is compared
 * with. Returns false when no sample is complete. */
static bool find_answer(const struct comparison *comparison, struct answer *ret_answer)
{
    struct answer best = {0};
    size_t best_votes = 0;
    for (int serial = 1; serial >= 0; serial--) {
        for (size_t i = 0; i < comparison->cell_count; i++) {
            if (is_serial_local(&comparison->cells[i]) == (serial == 1)) {
                elect_from(comparison, &comparison->cells[i], &best, &best_votes);
            }
        }
    }
    if (best_votes > 0 && comparison->has_expected) {
        best = (struct answer){comparison->items, 0, comparison->expected_checksum};
    }
    *ret_answer = best;
    return best_votes > 0;
}

static bool cell_is_complete(const struct cell *cell)
{
    for (size_t k = 0; k < cell->sample_count; k++) {
        if (!cell->samples[k].complete) {
            return false;
        }
    }
    return cell->sample_count > 0;
}

static bool cell_is_odd(const struct cell *cell, const struct answer *answer)
{
    for (size_t k = 0; k < cell->sample_count; k++) {
        struct answer own = answer_of(&cell->samples[k]);
        if (cell->samples[k].complete && !answers_equal(&own, answer)) {
            return true;
        }
    }
    return false;
}

/* ---- numbers of one cell ---- */

enum sample_field { FIELD_WALL, FIELD_CPU, FIELD_STARTUP };

static void collect(const struct cell *cell, enum sample_field field, double *values)
{
    CHECK(cell->sample_count <= SAMPLES_MAX);
    for (size_t k = 0; k < cell->sample_count; k++) {
        const struct sample *sample = &cell->samples[k];
        values[k] = field == FIELD_WALL  ? sample->wall_s
                    : field == FIELD_CPU ? sample->cpu_s
                                         : sample->startup_s;
    }
}

static double median_of(const struct cell *cell, enum sample_field field)
{
    double values[SAMPLES_MAX];
    collect(cell, field, values);
    return stats_median(values, cell->sample_count);
}

static void add_up_troubles(const struct cell *cell, struct cell_summary *summary)
{
    for (size_t k = 0; k < cell->sample_count; k++) {
        summary->failed += cell->samples[k].failed;
        summary->retried += cell->samples[k].retried;
        summary->duplicates += cell->samples[k].duplicates;
        summary->workers_lost += cell->samples[k].workers_lost;
        summary->speculated += cell->samples[k].speculated;
        summary->speculations_won += cell->samples[k].speculations_won;
        summary->saved_s += cell->samples[k].saved_s;
        summary->adopted += cell->samples[k].adopted;
        summary->late += cell->samples[k].late;
    }
}

static void summarise_times(const struct cell *cell, struct cell_summary *summary)
{
    double walls[SAMPLES_MAX];
    struct stats_summary stats;
    collect(cell, FIELD_WALL, walls);
    stats_summarise(walls, cell->sample_count, &stats);
    summary->median_s = stats.median;
    summary->min_s = stats.min;
    summary->max_s = stats.max;
    summary->ci95_low_s = stats.ci95_low;
    summary->ci95_high_s = stats.ci95_high;
    summary->outliers = stats_outliers(walls, cell->sample_count, summary->outlier);
    summary->cpu_s = median_of(cell, FIELD_CPU);
    summary->startup_s = median_of(cell, FIELD_STARTUP);
}

/* The ratio of the two medians that stand beside it, not the median of the rounds' own ratios:
 * that one can say "slower" of a cell whose median is the smaller. Summarise costs, not ratios:
 * Hoefler and Belli (see stats.h), rule 4. */
static void compare_with_baseline(const struct cell *baseline,
                                  const struct cell *cell,
                                  struct cell_summary *summary)
{
    double baseline_s = median_of(baseline, FIELD_WALL);
    summary->speedup = summary->median_s > 0 ? baseline_s / summary->median_s : 0;
    uint32_t at_once = report_at_once(cell);
    summary->efficiency = at_once > 0 ? summary->speedup / at_once : 0;
}

/* ---- the comparison ---- */

static const struct cell *find_fastest(const struct judge *judge, enum placement placement)
{
    const struct cell *fastest = NULL;
    for (size_t i = 0; i < judge->comparison->cell_count; i++) {
        const struct cell *cell = &judge->comparison->cells[i];
        if (cell->placement == placement && judge_summary(judge, cell)->has_time &&
            (fastest == NULL ||
             judge_summary(judge, cell)->median_s < judge_summary(judge, fastest)->median_s)) {
            fastest = cell;
        }
    }
    return fastest;
}

/* How many cores the cell can keep busy. Async runs all its items on the one thread of its loop. */
static double cores_in_use(const struct cell *cell, uint32_t cores)
{
    if (cell->strategy == STRATEGY_SERIAL || cell->strategy == STRATEGY_ASYNC) {
        return 1;
    }
    uint32_t busy = cell->concurrency < cores ? cell->concurrency : cores;
    return busy > 0 ? busy : 1;
}

static double cpu_share(const struct cell *cell, uint32_t cores)
{
    double shares[SAMPLES_MAX];
    size_t count = 0;
    for (size_t k = 0; k < cell->sample_count; k++) {
        const struct sample *sample = &cell->samples[k];
        if (sample->wall_s >= bound_measurable_s) {
            shares[count++] = sample->cpu_s / (sample->wall_s * cores_in_use(cell, cores));
        }
    }
    return count > 0 ? stats_median(shares, count) : NAN;
}

static void judge_bound(const struct judge *judge, uint32_t cores)
{
    struct verdict *verdict = judge->verdict;
    const struct cell *cell = judge->baseline;
    if (cell == NULL) {
        cell = verdict->best_local;
    }
    double share = cell != NULL ? cpu_share(cell, cores) : NAN;
    if (!isfinite(share)) {
        return;
    }
    verdict->bound_cell = cell;
    verdict->cpu_per_wall = share;
    verdict->bound = share >= cpu_bound_from ? "cpu" : share <= io_bound_to ? "io" : "mixed";
}

/* ---- all of it ---- */

static void summarise_cells(const struct comparison *comparison,
                            const struct answer *answer,
                            struct cell_summary *summaries,
                            struct verdict *verdict)
{
    for (size_t i = 0; i < comparison->cell_count; i++) {
        const struct cell *cell = &comparison->cells[i];
        struct cell_summary *summary = &summaries[i];
        bool odd = cell_is_odd(cell, answer);
        memset(summary, 0, sizeof(*summary));
        verdict->odd_ones += odd;
        summary->has_time = !odd && cell->trouble[0] == '\0' && cell_is_complete(cell);
        add_up_troubles(cell, summary);
        if (summary->has_time) {
            summarise_times(cell, summary);
        }
    }
}

void verdict_judge(const struct comparison *comparison,
                   uint32_t cores,
                   struct cell_summary *ret_summaries,
                   struct verdict *ret_verdict)
{
    struct answer answer;
    memset(ret_verdict, 0, sizeof(*ret_verdict));
    ret_verdict->has_answer = find_answer(comparison, &answer);
    summarise_cells(comparison, &answer, ret_summaries, ret_verdict);
    ret_verdict->agree = ret_verdict->has_answer && ret_verdict->odd_ones == 0;
    ret_verdict->ok = answer.ok;
    ret_verdict->failed = answer.failed;
    ret_verdict->checksum = answer.checksum;

    struct judge judge = {.comparison = comparison, .summaries = ret_summaries};
    judge.verdict = ret_verdict;
    judge.baseline = judge_find(&judge, PLACEMENT_LOCAL, STRATEGY_SERIAL);
    for (size_t i = 0; i < comparison->cell_count; i++) {
        if (judge.baseline != NULL && ret_summaries[i].has_time) {
            compare_with_baseline(judge.baseline, &comparison->cells[i], &ret_summaries[i]);
        }
    }
    scaling_judge(comparison, ret_summaries);
    ret_verdict->bound = "unknown";
    if (ret_verdict->ok > 0) {
        ret_verdict->best_local = find_fastest(&judge, PLACEMENT_LOCAL);
        ret_verdict->best_distributed = find_fastest(&judge, PLACEMENT_DISTRIBUTED);
        judge_bound(&judge, cores);
    }
    verdict_say(&judge);
}

void comparison_judge(const struct comparison *comparison,
                      struct cell_summary *ret_summaries,
                      struct verdict *ret_verdict)
{
    verdict_judge(comparison, cores_usable(), ret_summaries, ret_verdict);
}
