/* What more workers brought, where a comparison had several numbers of them: in numbers, and in words.
 * Strong scaling: the same items for all of them. Pure. */
#include "coordinator/report/report_parts.h"

#include <stddef.h>

static bool is_swept(const struct cell *cell)
{
    return cell->placement == PLACEMENT_DISTRIBUTED && cell->sweeps > 0;
}

/* The cell with the fewest workers that has a time, of a strategy; NULL: none has. */
static const struct cell *find_base(const struct comparison *comparison,
                                    const struct cell_summary *summaries,
                                    enum strategy strategy)
{
    const struct cell *base = NULL;
    for (size_t i = 0; i < comparison->cell_count; i++) {
        const struct cell *cell = &comparison->cells[i];
        if (is_swept(cell) && cell->strategy == strategy && summaries[i].has_time &&
            (base == NULL || cell->workers < base->workers)) {
            base = cell;
        }
    }
    return base;
}

void scaling_judge(const struct comparison *comparison, struct cell_summary *summaries)
{
    for (size_t i = 0; i < comparison->cell_count; i++) {
        const struct cell *cell = &comparison->cells[i];
        struct cell_summary *summary = &summaries[i];
        const struct cell *base = find_base(comparison, summaries, cell->strategy);
        if (!is_swept(cell) || base == NULL || cell->workers == 0 || !summary->has_time ||
            summary->median_s <= 0) {
            continue;
        }
        summary->scaling = summaries[base - comparison->cells].median_s / summary->median_s;
        summary->scaling_efficiency = summary->scaling * base->workers / cell->workers;
    }
}

/* --- in words --- */

static const char *plural(uint32_t count)
{
    return count == 1 ? "" : "s";
}

/* The fastest cell of so many workers; NULL: none has a time. */
static const struct cell *fastest_of(const struct judge *judge, uint32_t workers)
{
    const struct cell *fastest = NULL;
    for (size_t i = 0; i < judge->comparison->cell_count; i++) {
        const struct cell *cell = &judge->comparison->cells[i];
        const struct cell_summary *summary = &judge->summaries[i];
        if (is_swept(cell) && cell->workers == workers && summary->has_time &&
            (fastest == NULL || summary->median_s < judge_summary(judge, fastest)->median_s)) {
            fastest = cell;
        }
    }
    return fastest;
}

/* The next larger number of workers that was compared; 0: there is none. */
static uint32_t next_count(const struct judge *judge, uint32_t count)
{
    uint32_t next = 0;
    for (size_t i = 0; i < judge->comparison->cell_count; i++) {
        const struct cell *cell = &judge->comparison->cells[i];
        if (is_swept(cell) && cell->workers > count && (next == 0 || cell->workers < next)) {
            next = cell->workers;
        }
    }
    return next;
}

static bool beats(const struct judge *judge, const struct cell *cell, const struct cell *other)
{
    return judge_summary(judge, cell)->median_s < judge_summary(judge, other)->median_s &&
           !judge_alike(judge, cell, other);
}

static void say_gain(const struct judge *judge, const struct cell *best)
{
    const struct cell *base = find_base(judge->comparison, judge->summaries, best->strategy);
    const struct cell_summary *summary = judge_summary(judge, best);
    if (base == NULL || base == best || !beats(judge, best, base)) {
        return;
    }
    verdict_add(judge->verdict,
                " With %s, %u workers were %.3g times as fast as %u (efficiency %.2f).",
                strategy_name(best->strategy),
                best->workers,
                summary->scaling,
                base->workers,
                summary->scaling_efficiency);
}

/* From how many workers on the best of them beats the best local strategy, whatever more there are. */
static void say_break_even(const struct judge *judge)
{
    const struct cell *local = judge->verdict->best_local;
    uint32_t from = 0;
    for (uint32_t count = next_count(judge, 0); count > 0; count = next_count(judge, count)) {
        const struct cell *cell = fastest_of(judge, count);
        bool won = cell != NULL && local != NULL && beats(judge, cell, local);
        from = !won ? 0 : from == 0 ? count : from;
    }
    if (from > 0) {
        verdict_add(judge->verdict,
                    " Distribution paid from %u worker%s on%s.",
                    from,
                    plural(from),
                    from == next_count(judge, 0) ? ", the fewest that were tried" : "");
    }
}

/* Where the next workers brought nothing any more. */
static void say_end_of_gain(const struct judge *judge, const struct cell *best)
{
    for (uint32_t count = next_count(judge, 0); count > 0; count = next_count(judge, count)) {
        const struct cell *cell = fastest_of(judge, count);
        if (cell != NULL && next_count(judge, count) > 0 && !beats(judge, best, cell)) {
            verdict_add(judge->verdict,
                        " More than %u worker%s brought nothing measurable.",
                        count,
                        plural(count));
            return;
        }
    }
}

void scaling_say(const struct judge *judge)
{
    const struct cell *best = judge->verdict->best_distributed;
    if (best == NULL || !is_swept(best)) {
        return;
    }
    say_gain(judge, best);
    say_break_even(judge);
    say_end_of_gain(judge, best);
}
