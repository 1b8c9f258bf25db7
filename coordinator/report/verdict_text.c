/* The verdict in plain words: who won, by how much, what distribution cost or brought, and what the times do not show. Pure. */
#include "common/base/units.h"
#include "common/io/text.h"
#include "coordinator/report/report_parts.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Below this share of the smaller time two medians count as equal, however steady the rounds were: the next run on the same
 * machine differs by as much. */
static const double alike_share = 0.03;

/* Rounds that scatter by more than this are worth a word when a difference drowns in them. */
static const double scatter_share = 0.10;

/* Below this, what a strategy takes to hand items over is a good part of the time. */
static const double small_work_s = 0.1;

const struct cell_summary *judge_summary(const struct judge *judge, const struct cell *cell)
{
    return &judge->summaries[cell - judge->comparison->cells];
}

const struct cell *judge_find(const struct judge *judge,
                              enum placement placement,
                              enum strategy strategy)
{
    for (size_t i = 0; i < judge->comparison->cell_count; i++) {
        const struct cell *cell = &judge->comparison->cells[i];
        if (cell->placement == placement && cell->strategy == strategy &&
            judge_summary(judge, cell)->has_time) {
            return cell;
        }
    }
    return NULL;
}

void verdict_add(struct verdict *verdict, const char *format, ...)
{
    char sentence[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    text_append(verdict->text, sizeof(verdict->text), "%s", sentence);
}

static bool intervals_overlap(const struct cell_summary *a, const struct cell_summary *b)
{
    return a->ci95_low_s <= b->ci95_high_s && b->ci95_low_s <= a->ci95_high_s;
}

static bool medians_close(const struct cell_summary *a, const struct cell_summary *b, double share)
{
    return fabs(a->median_s - b->median_s) <= share * fmin(a->median_s, b->median_s);
}

/* No measurable difference. */
static bool alike(const struct cell_summary *a, const struct cell_summary *b)
{
    return intervals_overlap(a, b) || medians_close(a, b, alike_share);
}

bool judge_alike(const struct judge *judge, const struct cell *a, const struct cell *b)
{
    return alike(judge_summary(judge, a), judge_summary(judge, b));
}

static const char *seconds(double value, char buf[UNITS_TEXT_SIZE])
{
    return units_format_seconds(value, buf);
}

/* Is some cell at `placement` measurably faster than this one? A cell whose rounds scatter is like many others; that must not
 * make those others alike among themselves, so each pair is looked at for itself. */
static bool is_beaten(const struct judge *judge, const struct cell *cell, enum placement placement)
{
    const struct cell_summary *own = judge_summary(judge, cell);
    for (size_t i = 0; i < judge->comparison->cell_count; i++) {
        const struct cell_summary *other = &judge->summaries[i];
        if (judge->comparison->cells[i].placement == placement && other->has_time &&
            other->median_s < own->median_s && !alike(other, own)) {
            return true;
        }
    }
    return false;
}

/* The local cells that no other measurably beats, the fastest first. */
static size_t local_leaders(const struct judge *judge, const struct cell **ret_leaders, size_t max)
{
    const struct cell *best = judge->verdict->best_local;
    size_t count = 0;
    ret_leaders[count++] = best;
    for (size_t i = 0; i < judge->comparison->cell_count && count < max; i++) {
        const struct cell *cell = &judge->comparison->cells[i];
        if (cell != best && cell->placement == PLACEMENT_LOCAL &&
            judge_summary(judge, cell)->has_time && !is_beaten(judge, cell, PLACEMENT_LOCAL)) {
            ret_leaders[count++] = cell;
        }
    }
    return count;
}

static void say_speedup_over_serial(const struct judge *judge, const struct cell *cell)
{
    const struct cell_summary *summary = judge_summary(judge, cell);
    if (judge->baseline == NULL || summary->speedup <= 0) {
        return;
    }
    char buf[UNITS_TEXT_SIZE];
    verdict_add(judge->verdict,
                ", %.3g times as fast as serial (%s)",
                summary->speedup,
                seconds(judge_summary(judge, judge->baseline)->median_s, buf));
}

/* When two medians are apart and still no difference was measured, say why. */
static bool say_scatter(const struct judge *judge, const struct cell *a, const struct cell *b)
{
    if (medians_close(judge_summary(judge, a), judge_summary(judge, b), scatter_share)) {
        return false;
    }
    verdict_add(
        judge->verdict,
        " (the rounds scatter more than that: repeat with more of them, on a quiet machine)");
    return true;
}

static void say_equal_leaders(const struct judge *judge, const struct cell **leaders, size_t count)
{
    bool with_serial = false;
    const struct cell *slowest = leaders[0];
    verdict_add(judge->verdict, "Locally there is no measurable difference between");
    for (size_t i = 0; i < count; i++) {
        char buf[UNITS_TEXT_SIZE];
        const char *joint = i == 0 ? "" : i + 1 == count ? " and" : ",";
        verdict_add(judge->verdict,
                    "%s %s (%s)",
                    joint,
                    strategy_name(leaders[i]->strategy),
                    seconds(judge_summary(judge, leaders[i])->median_s, buf));
        with_serial = with_serial || leaders[i] == judge->baseline;
        if (judge_summary(judge, leaders[i])->median_s > judge_summary(judge, slowest)->median_s) {
            slowest = leaders[i];
        }
    }
    bool scattered = say_scatter(judge, leaders[0], slowest);
    if (with_serial && !scattered) {
        verdict_add(judge->verdict, ": running items at the same time gains nothing here");
    } else if (!with_serial) {
        say_speedup_over_serial(judge, leaders[0]);
    }
    verdict_add(judge->verdict, ".");
}

/* Of one cell alone nobody can say that it is fastest. */
static const char *first_of(const struct judge *judge, enum placement placement)
{
    size_t count = 0;
    for (size_t i = 0; i < judge->comparison->cell_count; i++) {
        count += judge->comparison->cells[i].placement == placement;
    }
    return count > 1 ? "is fastest:" : "took";
}

static void say_local(const struct judge *judge)
{
    const struct cell *best = judge->verdict->best_local;
    if (best == NULL) {
        return;
    }
    const struct cell *leaders[STRATEGY_COUNT * 2];
    size_t count = local_leaders(judge, leaders, STRATEGY_COUNT * 2);
    if (count > 1) {
        say_equal_leaders(judge, leaders, count);
        return;
    }
    char buf[UNITS_TEXT_SIZE];
    verdict_add(judge->verdict,
                "Locally %s %s %s",
                strategy_name(best->strategy),
                first_of(judge, PLACEMENT_LOCAL),
                seconds(judge_summary(judge, best)->median_s, buf));
    if (judge->comparison->cell_count == 1) {
        verdict_add(judge->verdict, ".");
        return;
    }
    if (best == judge->baseline) {
        verdict_add(judge->verdict, "; handing items over costs more than it brings here.");
        return;
    }
    say_speedup_over_serial(judge, best);
    verdict_add(judge->verdict, ".");
}

/* What a faster distributed run owes to more items at once alone. */
static void say_items_at_once(const struct judge *judge)
{
    const struct cell *local = judge->verdict->best_local;
    const struct cell *distributed = judge->verdict->best_distributed;
    if (strcmp(judge->verdict->bound, "io") == 0 &&
        report_at_once(distributed) > report_at_once(local)) {
        verdict_add(
            judge->verdict,
            " They had %u items at once, not %u: work that waits gains from that wherever it runs.",
            report_at_once(distributed),
            report_at_once(local));
    }
}

static void say_distribution_brought(const struct judge *judge)
{
    const struct cell *local = judge->verdict->best_local;
    const struct cell *distributed = judge->verdict->best_distributed;
    double local_s = judge_summary(judge, local)->median_s;
    double distributed_s = judge_summary(judge, distributed)->median_s;
    char buf[2][UNITS_TEXT_SIZE];
    verdict_add(
        judge->verdict,
        " %u worker%s (%s) finished in %s, %.3g times as fast as the best local strategy (%s, %s).",
        distributed->workers,
        distributed->workers == 1 ? "" : "s",
        strategy_name(distributed->strategy),
        seconds(distributed_s, buf[0]),
        local_s / distributed_s,
        strategy_name(local->strategy),
        seconds(local_s, buf[1]));
    say_items_at_once(judge);
}

static void say_distribution_cost(const struct judge *judge)
{
    const struct cell *distributed = judge->verdict->best_distributed;
    double local_s = judge_summary(judge, judge->verdict->best_local)->median_s;
    double distributed_s = judge_summary(judge, distributed)->median_s;
    char buf[3][UNITS_TEXT_SIZE];
    verdict_add(judge->verdict,
                " Distribution cost %s: %s became %s with %u worker%s (%s); ",
                seconds(distributed_s - local_s, buf[0]),
                seconds(local_s, buf[1]),
                seconds(distributed_s, buf[2]),
                distributed->workers,
                distributed->workers == 1 ? "" : "s",
                strategy_name(distributed->strategy));
    const char *why = "sending the work took more than it brought";
    if (local_s < small_work_s) {
        why = "this work is too small to be worth sending";
    } else if (!judge->comparison->workers_elsewhere && strcmp(judge->verdict->bound, "cpu") == 0) {
        why = "the workers had no cores that the local strategies lacked";
    }
    verdict_add(judge->verdict, "%s.", why);
}

static void say_distributed(const struct judge *judge)
{
    const struct cell *local = judge->verdict->best_local;
    const struct cell *distributed = judge->verdict->best_distributed;
    if (distributed == NULL) {
        return;
    }
    char buf[2][UNITS_TEXT_SIZE];
    const struct cell_summary *far = judge_summary(judge, distributed);
    if (local == NULL) {
        verdict_add(judge->verdict,
                    "With %u worker%s %s %s %s.",
                    distributed->workers,
                    distributed->workers == 1 ? "" : "s",
                    strategy_name(distributed->strategy),
                    first_of(judge, PLACEMENT_DISTRIBUTED),
                    seconds(far->median_s, buf[0]));
        return;
    }
    const struct cell_summary *near = judge_summary(judge, local);
    if (alike(near, far) && !is_beaten(judge, distributed, PLACEMENT_LOCAL)) {
        verdict_add(
            judge->verdict,
            " There is no measurable difference between %s with %u worker%s (%s) and local %s (%s)",
            strategy_name(distributed->strategy),
            distributed->workers,
            distributed->workers == 1 ? "" : "s",
            seconds(far->median_s, buf[0]),
            strategy_name(local->strategy),
            seconds(near->median_s, buf[1]));
        (void)say_scatter(judge, local, distributed);
        verdict_add(judge->verdict, ".");
    } else if (far->median_s < near->median_s) {
        say_distribution_brought(judge);
    } else {
        say_distribution_cost(judge);
    }
}

/* Who comes from Python expects processes to win on CPU work. */
static void say_no_interpreter_lock(const struct judge *judge)
{
    const struct cell *threads = judge_find(judge, PLACEMENT_LOCAL, STRATEGY_THREADS);
    const struct cell *processes = judge_find(judge, PLACEMENT_LOCAL, STRATEGY_PROCESSES);
    if (judge->comparison->elsewhere || threads == NULL || processes == NULL ||
        strcmp(judge->verdict->bound, "cpu") != 0 ||
        !alike(judge_summary(judge, threads), judge_summary(judge, processes))) {
        return;
    }
    verdict_add(judge->verdict,
                " Threads do as well as processes on CPU work here: C has no interpreter "
                "lock, which is what holds Python's threads back.");
}

static void say_failures(const struct judge *judge)
{
    struct verdict *verdict = judge->verdict;
    char failed[UNITS_TEXT_SIZE];
    char all[UNITS_TEXT_SIZE];
    if (verdict->failed > 0) {
        verdict_add(verdict,
                    " %s of %s items failed: the times have these in them.",
                    units_format_exact(verdict->failed, failed),
                    units_format_exact(verdict->ok + verdict->failed, all));
    }
}

static void say_caveats(const struct judge *judge)
{
    const struct verdict *verdict = judge->verdict;
    if (verdict->best_distributed != NULL && !judge->comparison->workers_elsewhere) {
        verdict_add(judge->verdict,
                    " The workers shared this machine's cores, and loopback is not a "
                    "network: with hosts of their own, expect more cores and more delay.");
    } else if (verdict->best_distributed != NULL && judge->comparison->worker_hosts == 1 &&
               verdict->best_distributed->workers > 1) {
        verdict_add(judge->verdict,
                    " All workers were on one other machine, and shared its cores.");
    }
    const struct cell *any = verdict->best_local != NULL ? verdict->best_local
                                                         : verdict->best_distributed;
    if (any->sample_count == 1 && judge->comparison->cell_count > 1) {
        verdict_add(judge->verdict, " One round cannot show how steady these times are.");
    }
}

void verdict_say(const struct judge *judge)
{
    struct verdict *verdict = judge->verdict;
    if (verdict->ok == 0 && verdict->failed > 0) {
        verdict_add(verdict,
                    "Every item failed: the times say how soon, and not which way of running them "
                    "is best.");
        return;
    }
    if (verdict->best_local == NULL && verdict->best_distributed == NULL) {
        verdict_add(verdict, "No cell has a time, so there is nothing to compare.");
        return;
    }
    say_local(judge);
    say_distributed(judge);
    scaling_say(judge);
    say_no_interpreter_lock(judge);
    say_failures(judge);
    say_caveats(judge);
}
