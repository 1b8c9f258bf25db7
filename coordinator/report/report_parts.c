/* The parts of a report that more than one format uses. Numbers and words only; nothing here knows how a format looks. */
#include "coordinator/report/report_parts.h"

#include "common/base/units.h"
#include "common/io/text.h"
#include "worker/workloads/params.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *placement_name(enum placement placement)
{
    return placement == PLACEMENT_LOCAL ? "local" : "distributed";
}

int judged_init(struct judged *judged, const struct comparison *comparison)
{
    /* One more than needed, so that no cells at all is not mistaken for no memory. */
    struct cell_summary *summaries = calloc(comparison->cell_count + 1, sizeof(*summaries));
    if (summaries == NULL) {
        return ERR_NOMEM;
    }
    judged->comparison = comparison;
    judged->summaries = summaries;
    comparison_judge(comparison, summaries, &judged->verdict);
    return 0;
}

void judged_deinit(struct judged *judged)
{
    free(judged->summaries);
    judged->summaries = NULL;
}

uint32_t report_at_once(const struct cell *cell)
{
    if (!cell->cooperative) {
        return cell->concurrency;
    }
    return cell->workers > 0 ? cell->workers : 1;
}

double report_span(const struct cell *cell, const struct cell_summary *summary)
{
    if (!summary->has_time || cell->sample_count < 2 || summary->median_s <= 0) {
        return 0;
    }
    return (summary->max_s - summary->min_s) / summary->median_s;
}

int report_finish(FILE *stream)
{
    int flushed = fflush(stream);
    return flushed != 0 || ferror(stream) ? ERR_IO : 0;
}

struct time_unit report_time_unit(const struct judged *judged)
{
    double smallest = INFINITY;
    for (size_t i = 0; i < judged->comparison->cell_count; i++) {
        if (judged->summaries[i].has_time && judged->summaries[i].median_s > 0) {
            smallest = fmin(smallest, judged->summaries[i].median_s);
        }
    }
    struct time_unit unit = {"seconds", 1, 3};
    if (smallest < 50e-6) {
        unit = (struct time_unit){"us", 1e-6, 3};
    } else if (smallest < 50e-3) {
        unit = (struct time_unit){"ms", 1e-3, 3};
    }
    if (isfinite(smallest)) {
        double decimals = 2 - floor(log10(smallest / unit.seconds));
        unit.decimals = (int)fmax(0, fmin(3, decimals));
    }
    return unit;
}

/* ---- lines ---- */

static bool is_default(const struct comparison *comparison, const struct param *param)
{
    for (size_t i = 0; i < comparison->spec_count; i++) {
        const struct param_spec *spec = &comparison->specs[i];
        if (strcmp(spec->name, param->name) == 0) {
            return spec->default_value != NULL && strcmp(spec->default_value, param->value) == 0;
        }
    }
    return false;
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

void report_subject_line(const struct comparison *comparison, char *buf)
{
    char items[UNITS_TEXT_SIZE];
    (void)snprintf(buf,
                   REPORT_LINE_SIZE,
                   "%s item%s",
                   units_format_exact(comparison->items, items),
                   plural(comparison->items));
    for (size_t i = 0; comparison->params != NULL && i < comparison->params->count; i++) {
        const struct param *param = &comparison->params->list[i];
        if (!is_default(comparison, param)) {
            text_append(buf, REPORT_LINE_SIZE, ", %s=%s", param->name, param->value);
        }
    }
}

void report_rounds_line(const struct comparison *comparison, char *buf)
{
    (void)snprintf(buf,
                   REPORT_LINE_SIZE,
                   "medians of %" PRIu32 " round%s after %" PRIu32
                   " warm-up%s; speed-up over serial",
                   comparison->rounds,
                   plural(comparison->rounds),
                   comparison->warmup,
                   plural(comparison->warmup));
}

/* A sample that has the answer all cells were held against; NULL when no cell has it. */
static const struct sample *reference_sample(const struct judged *judged)
{
    for (size_t i = 0; i < judged->comparison->cell_count; i++) {
        if (judged->summaries[i].has_time) {
            return &judged->comparison->cells[i].samples[0];
        }
    }
    return NULL;
}

static bool has_complete_sample(const struct cell *cell)
{
    for (size_t k = 0; k < cell->sample_count; k++) {
        if (cell->samples[k].complete) {
            return true;
        }
    }
    return false;
}

static size_t cells_with_answer(const struct comparison *comparison)
{
    size_t count = 0;
    for (size_t i = 0; i < comparison->cell_count; i++) {
        count += has_complete_sample(&comparison->cells[i]);
    }
    return count;
}

static void say_agreement(const struct judged *judged, char *buf)
{
    const struct comparison *comparison = judged->comparison;
    const struct sample *sample = reference_sample(judged);
    size_t answers = cells_with_answer(comparison);
    char items[UNITS_TEXT_SIZE];
    char failed[UNITS_TEXT_SIZE];
    text_append(buf,
                REPORT_LINE_SIZE,
                "%s: %s item%s",
                comparison->cell_count > 1 ? "results agree" : "result",
                units_format_exact(comparison->items, items),
                plural(comparison->items));
    if (sample != NULL && sample->failed > 0) {
        text_append(buf,
                    REPORT_LINE_SIZE,
                    ", %s of them FAILED",
                    units_format_exact(sample->failed, failed));
    }
    text_append(buf, REPORT_LINE_SIZE, ", checksum %016" PRIx64, judged->verdict.checksum);
    if (comparison->has_expected) {
        text_append(buf, REPORT_LINE_SIZE, " as it must be");
    }
    if (answers == comparison->cell_count && answers > 1) {
        text_append(buf, REPORT_LINE_SIZE, ", in all %zu cells", answers);
    } else if (answers < comparison->cell_count) {
        text_append(buf,
                    REPORT_LINE_SIZE,
                    ", in %zu of %zu cells; the rest did not run to the end",
                    answers,
                    comparison->cell_count);
    }
}

void report_agreement_line(const struct judged *judged, char *buf)
{
    const struct verdict *verdict = &judged->verdict;
    buf[0] = '\0';
    if (!verdict->has_answer) {
        text_append(buf, REPORT_LINE_SIZE, "no results to compare: no cell ran to its end");
    } else if (verdict->agree) {
        say_agreement(judged, buf);
    } else {
        text_append(buf,
                    REPORT_LINE_SIZE,
                    "results DISAGREE: %zu of %zu cells differ%s from %s checksum %016" PRIx64
                    ", no time shown",
                    verdict->odd_ones,
                    cells_with_answer(judged->comparison),
                    verdict->odd_ones == 1 ? "s" : "",
                    judged->comparison->has_expected ? "the right" : "the others'",
                    verdict->checksum);
    }
}

void report_bound_line(const struct judged *judged, char *buf)
{
    const struct verdict *verdict = &judged->verdict;
    const struct cell *cell = verdict->bound_cell;
    buf[0] = '\0';
    if (cell == NULL) {
        if (verdict->best_local != NULL) {
            text_append(buf, REPORT_LINE_SIZE, "bound: unknown, it is over too soon to tell");
        }
        return;
    }
    text_append(buf,
                REPORT_LINE_SIZE,
                "bound: %s (%.3g %% of ",
                verdict->bound,
                verdict->cpu_per_wall * 100);
    if (cell->strategy == STRATEGY_SERIAL) {
        text_append(buf, REPORT_LINE_SIZE, "a core while running serially)");
    } else {
        text_append(buf,
                    REPORT_LINE_SIZE,
                    "the cores that local %s could use; serial has no time)",
                    strategy_name(cell->strategy));
    }
}

static double longest_startup(const struct judged *judged, enum placement placement)
{
    double longest = 0;
    for (size_t i = 0; i < judged->comparison->cell_count; i++) {
        if (judged->comparison->cells[i].placement == placement && judged->summaries[i].has_time) {
            longest = fmax(longest, judged->summaries[i].startup_s);
        }
    }
    return longest;
}

void report_startup_line(const struct judged *judged, char *buf)
{
    double local = longest_startup(judged, PLACEMENT_LOCAL);
    double distributed = longest_startup(judged, PLACEMENT_DISTRIBUTED);
    char seconds[UNITS_TEXT_SIZE];
    buf[0] = '\0';
    if (local > 0) {
        text_append(buf, REPORT_LINE_SIZE, "local %s", units_format_seconds(local, seconds));
    }
    if (distributed > 0) {
        text_append(buf,
                    REPORT_LINE_SIZE,
                    "%sworkers %s",
                    local > 0 ? ", " : "",
                    units_format_seconds(distributed, seconds));
    }
    if (buf[0] != '\0') {
        text_append(buf, REPORT_LINE_SIZE, " at most, not part of these times");
    }
}

void report_cooperative_line(const struct comparison *comparison, char *buf)
{
    buf[0] = '\0';
    for (size_t i = 0; i < comparison->cell_count; i++) {
        if (comparison->cells[i].cooperative) {
            text_append(buf,
                        REPORT_LINE_SIZE,
                        "one at a time: %s has no asynchronous form, so its items take turns on "
                        "the loop",
                        comparison->workload);
            return;
        }
    }
}

void report_baseline_line(const struct judged *judged, char *buf)
{
    buf[0] = '\0';
    for (size_t i = 0; i < judged->comparison->cell_count; i++) {
        if (judged->summaries[i].speedup > 0) {
            return;
        }
    }
    if (reference_sample(judged) != NULL && judged->comparison->cell_count > 1) {
        text_append(buf, REPORT_LINE_SIZE, "no speed-up is shown: local serial has no time");
    }
}

void report_machine_line(const struct environment *environment, char *buf)
{
    buf[0] = '\0';
    if (environment->cores_usable == 0) {
        return;
    }
    if (environment->cpu[0] != '\0') {
        text_append(buf, REPORT_LINE_SIZE, "%s, ", environment->cpu);
    }
    text_append(buf,
                REPORT_LINE_SIZE,
                "%" PRIu32 " of %" PRIu32 " cores usable",
                environment->cores_usable,
                environment->cores_online);
    if (environment->os[0] != '\0') {
        text_append(buf, REPORT_LINE_SIZE, ", %s", environment->os);
    }
    text_append(buf, REPORT_LINE_SIZE, ", load %.2f before", environment->load_before);
    if (environment->load_before > environment->cores_usable * 0.5) {
        text_append(buf, REPORT_LINE_SIZE, " (busy: expect times to scatter)");
    }
}

/* ---- notes ---- */

static void join(char *buf)
{
    if (buf[0] != '\0') {
        text_append(buf, REPORT_LINE_SIZE, "; ");
    }
}

static void note_failures(const struct cell *cell, char *buf)
{
    const struct sample *sample = &cell->samples[0];
    char failed[UNITS_TEXT_SIZE];
    char items[UNITS_TEXT_SIZE];
    if (sample->failed == 0) {
        return;
    }
    text_append(buf,
                REPORT_LINE_SIZE,
                "%s of %s items failed%s",
                units_format_exact(sample->failed, failed),
                units_format_exact(sample->items, items),
                cell->sample_count > 1 ? " in every round" : "");
}

static void note_count(uint64_t count, const char *one, const char *many, char *buf)
{
    char text[UNITS_TEXT_SIZE];
    if (count > 0) {
        join(buf);
        text_append(buf,
                    REPORT_LINE_SIZE,
                    "%s %s",
                    units_format_exact(count, text),
                    count == 1 ? one : many);
    }
}

static void note_outliers(const struct cell *cell, const struct cell_summary *summary, char *buf)
{
    /* Beyond the score, a twentieth of the median: a value that is out by less is of no use to a reader. */
    for (size_t k = 0; k < cell->sample_count; k++) {
        double off = fabs(cell->samples[k].wall_s - summary->median_s);
        char seconds[UNITS_TEXT_SIZE];
        if (summary->outlier[k] && off > 0.05 * summary->median_s) {
            join(buf);
            text_append(buf,
                        REPORT_LINE_SIZE,
                        "round %zu is an outlier: %s",
                        k + 1,
                        units_format_seconds(cell->samples[k].wall_s, seconds));
        }
    }
}

/* Of a number of workers that was to be compared, some could not run this or had left. */
static void note_missing_workers(const struct cell *cell, char *buf)
{
    if (cell->sweeps > cell->workers) {
        join(buf);
        text_append(buf,
                    REPORT_LINE_SIZE,
                    "only %" PRIu32 " of %" PRIu32 " workers could take part",
                    cell->workers,
                    cell->sweeps);
    }
}

/* What was run beside an attempt that was late, and what that brought. */
static void note_speculation(const struct cell_summary *summary, char *buf)
{
    char saved[UNITS_TEXT_SIZE];
    note_count(summary->speculated, "late chunk run twice", "late chunks run twice", buf);
    if (summary->speculations_won > 0) {
        text_append(buf, REPORT_LINE_SIZE, " (%" PRIu64 " came first", summary->speculations_won);
        if (summary->saved_s > 0) {
            text_append(buf,
                        REPORT_LINE_SIZE,
                        ", saving at least %s",
                        units_format_seconds(summary->saved_s, saved));
        }
        text_append(buf, REPORT_LINE_SIZE, ")");
    }
}

static void note_losses(const struct cell_summary *summary, char *buf)
{
    note_count(summary->workers_lost, "worker lost", "workers lost", buf);
    note_count(summary->retried, "chunk run again", "chunks run again", buf);
    note_count(summary->adopted,
               "chunk gone on with after a reconnect",
               "chunks gone on with after a reconnect",
               buf);
    note_speculation(summary, buf);
    note_count(summary->duplicates, "duplicate result dropped", "duplicate results dropped", buf);
    note_count(summary->late, "late result dropped", "late results dropped", buf);
}

static const struct sample *first_incomplete(const struct cell *cell)
{
    for (size_t k = 0; k < cell->sample_count; k++) {
        if (!cell->samples[k].complete) {
            return &cell->samples[k];
        }
    }
    return NULL;
}

/* The first sample whose answer is not the reference's; the cell is known to have one. */
static const struct sample *first_odd(const struct cell *cell,
                                      const struct sample *reference,
                                      uint64_t checksum)
{
    for (size_t k = 0; k < cell->sample_count; k++) {
        const struct sample *sample = &cell->samples[k];
        if (sample->checksum != checksum ||
            (reference != NULL &&
             (sample->ok != reference->ok || sample->failed != reference->failed))) {
            return sample;
        }
    }
    return &cell->samples[0];
}

static void note_no_time(const struct judged *judged, const struct cell *cell, char *buf)
{
    char done[UNITS_TEXT_SIZE];
    char items[UNITS_TEXT_SIZE];
    const struct sample *sample = first_incomplete(cell);
    if (cell->trouble[0] != '\0') {
        text_append(buf, REPORT_LINE_SIZE, "no time: %s", cell->trouble);
    } else if (cell->sample_count == 0) {
        text_append(buf, REPORT_LINE_SIZE, "no time: no round was run to its end");
    } else if (sample != NULL) {
        text_append(buf,
                    REPORT_LINE_SIZE,
                    "no time: ended with %s of %s items done",
                    units_format_exact(sample->ok + sample->failed, done),
                    units_format_exact(sample->items, items));
    } else {
        sample = first_odd(cell, reference_sample(judged), judged->verdict.checksum);
        text_append(buf,
                    REPORT_LINE_SIZE,
                    "no time: its results differ: %s ok, ",
                    units_format_exact(sample->ok, done));
        text_append(buf,
                    REPORT_LINE_SIZE,
                    "%s failed, checksum %016" PRIx64,
                    units_format_exact(sample->failed, items),
                    sample->checksum);
    }
}

static void find_first_error(const struct cell *cell, char *ret_detail)
{
    for (size_t k = 0; k < cell->sample_count; k++) {
        if (cell->samples[k].first_error[0] != '\0') {
            (void)snprintf(
                ret_detail, REPORT_LINE_SIZE, "first error: %s", cell->samples[k].first_error);
            return;
        }
    }
}

void report_cell_note(const struct judged *judged, size_t cell_index, char *buf, char *ret_detail)
{
    const struct cell *cell = &judged->comparison->cells[cell_index];
    const struct cell_summary *summary = &judged->summaries[cell_index];
    buf[0] = '\0';
    ret_detail[0] = '\0';
    if (summary->has_time) {
        note_failures(cell, buf);
        note_missing_workers(cell, buf);
        note_losses(summary, buf);
        note_outliers(cell, summary, buf);
    } else {
        note_no_time(judged, cell, buf);
        note_losses(summary, buf);
    }
    find_first_error(cell, ret_detail);
}

char notes_mark(struct notes *notes, const char *text, const char *detail)
{
    if (text[0] == '\0') {
        return ' ';
    }
    for (size_t i = 0; i < notes->count; i++) {
        if (strcmp(notes->list[i].text, text) == 0) {
            return (char)('a' + i);
        }
    }
    if (notes->count == NOTES_MAX) {
        return '?';
    }
    struct note *note = &notes->list[notes->count];
    (void)snprintf(note->text, sizeof(note->text), "%s", text);
    (void)snprintf(note->detail, sizeof(note->detail), "%s", detail);
    return (char)('a' + notes->count++);
}
