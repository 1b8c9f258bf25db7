#include "common/base/interval.h"

#include "common/base/err.h"

#include <stdlib.h>
#include <string.h>

enum { INTERVAL_CAPACITY_MIN = 16 };

void interval_init(struct interval_set *set)
{
    *set = (struct interval_set){0};
}

void interval_deinit(struct interval_set *set)
{
    free(set->spans);
    interval_init(set);
}

int interval_reserve(struct interval_set *set, size_t spans)
{
    if (spans <= set->capacity) {
        return 0;
    }
    size_t capacity = set->capacity > 0 ? set->capacity : INTERVAL_CAPACITY_MIN;
    while (capacity < spans) {
        if (capacity > SIZE_MAX / 2 / sizeof(struct interval)) {
            return ERR_NOMEM;
        }
        capacity *= 2;
    }
    struct interval *grown = realloc(set->spans, capacity * sizeof(*grown));
    if (grown == NULL) {
        return ERR_NOMEM;
    }
    set->spans = grown;
    set->capacity = capacity;
    return 0;
}

/* Is `index` the number of spans that begin at or before `value`? */
static bool is_rank(const struct interval_set *set, size_t index, uint64_t value)
{
    return index <= set->count && (index == 0 || set->spans[index - 1].first <= value) &&
           (index == set->count || set->spans[index].first > value);
}

/* How many spans begin at or before `value`: where a span that begins there would go. */
static size_t rank_of(const struct interval_set *set, uint64_t value)
{
    size_t low = 0;
    size_t high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (set->spans[middle].first <= value) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* As rank_of, but looks beside the last addition first: work that is done nearly in order, or in
 * order by each of a few workers, lands there. */
static size_t rank_near_hint(const struct interval_set *set, uint64_t value)
{
    size_t start = set->hint > 0 ? set->hint - 1 : 0;
    for (size_t index = start; index <= set->hint + 2; index++) {
        if (is_rank(set, index, value)) {
            return index;
        }
    }
    return rank_of(set, value);
}

static void remove_span(struct interval_set *set, size_t index)
{
    set->count--;
    memmove(
        &set->spans[index], &set->spans[index + 1], (set->count - index) * sizeof(struct interval));
}

static int insert_span(struct interval_set *set, size_t index, struct interval span)
{
    int rc = interval_reserve(set, set->count + 1);
    if (rc != 0) {
        return rc;
    }
    memmove(
        &set->spans[index + 1], &set->spans[index], (set->count - index) * sizeof(struct interval));
    set->spans[index] = span;
    set->count++;
    return 0;
}

int interval_add(struct interval_set *set, uint64_t first, uint64_t end)
{
    if (end <= first) {
        return ERR_INVALID;
    }
    size_t at = rank_near_hint(set, first);
    struct interval *left = at > 0 ? &set->spans[at - 1] : NULL;
    struct interval *right = at < set->count ? &set->spans[at] : NULL;
    if ((left != NULL && left->end > first) || (right != NULL && right->first < end)) {
        return ERR_INVALID;
    }
    bool touches_left = left != NULL && left->end == first;
    bool touches_right = right != NULL && right->first == end;
    if (touches_left && touches_right) {
        left->end = right->end;
        remove_span(set, at);
    } else if (touches_left) {
        left->end = end;
    } else if (touches_right) {
        right->first = first;
    } else {
        int rc = insert_span(set, at, (struct interval){first, end});
        if (rc != 0) {
            return rc;
        }
    }
    set->hint = at;
    set->members += end - first;
    return 0;
}

bool interval_contains(const struct interval_set *set, uint64_t value)
{
    size_t rank = rank_of(set, value);
    return rank > 0 && set->spans[rank - 1].end > value;
}

bool interval_covers(const struct interval_set *set, uint64_t first, uint64_t end)
{
    if (end <= first) {
        return true;
    }
    size_t rank = rank_of(set, first);
    return rank > 0 && set->spans[rank - 1].end >= end;
}
