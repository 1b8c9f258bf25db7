#include "coordinator/report/stats.h"

#include "common/base/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OUTLIER_VALUES_MIN = 5 };

static const double outlier_score = 3.5;
static const double confidence = 0.95;

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

static void sort_into(double *sorted, const double *values, size_t count)
{
    CHECK(count >= 1 && count <= STATS_VALUES_MAX);
    memcpy(sorted, values, count * sizeof(*values));
    qsort(sorted, count, sizeof(*sorted), compare_doubles);
}

static double median_of_sorted(const double *sorted, size_t count)
{
    if (count % 2 == 1) {
        return sorted[count / 2];
    }
    return (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

double stats_median(const double *values, size_t count)
{
    double sorted[STATS_VALUES_MAX];
    sort_into(sorted, values, count);
    return median_of_sorted(sorted, count);
}

void stats_median_interval(size_t count, size_t *ret_low, size_t *ret_high)
{
    CHECK(count >= 1 && count <= STATS_VALUES_MAX);
    /* P(X = k) by its recurrence. 2^-1000 is a normal double, so nothing underflows at
     * STATS_VALUES_MAX. */
    double probability = ldexp(1.0, -(int)count);
    double below_or_at = probability;
    size_t low = 0;
    for (size_t k = 1; k < count / 2; k++) {
        probability *= (double)(count - k + 1) / (double)k;
        below_or_at += probability;
        if (1 - 2 * below_or_at < confidence) {
            break;
        }
        low = k;
    }
    *ret_low = low;
    *ret_high = count - 1 - low;
}

void stats_summarise(const double *values, size_t count, struct stats_summary *ret_summary)
{
    double sorted[STATS_VALUES_MAX];
    sort_into(sorted, values, count);
    size_t low = 0;
    size_t high = 0;
    stats_median_interval(count, &low, &high);
    ret_summary->median = median_of_sorted(sorted, count);
    ret_summary->min = sorted[0];
    ret_summary->max = sorted[count - 1];
    ret_summary->ci95_low = sorted[low];
    ret_summary->ci95_high = sorted[high];
}

/* What one unit of modified Z-score is in the unit of the values; 0 when all are equal. */
static double score_unit(const double *values, size_t count, double median)
{
    double deviations[STATS_VALUES_MAX];
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        deviations[i] = fabs(values[i] - median);
        sum += deviations[i];
    }
    double mad = stats_median(deviations, count);
    return mad > 0 ? mad / 0.6745 : 1.2533 * sum / (double)count;
}

size_t stats_outliers(const double *values, size_t count, bool *ret_flags)
{
    memset(ret_flags, 0, count * sizeof(*ret_flags));
    if (count < OUTLIER_VALUES_MIN) {
        return 0;
    }
    double median = stats_median(values, count);
    double unit = score_unit(values, count, median);
    size_t outliers = 0;
    for (size_t i = 0; i < count; i++) {
        ret_flags[i] = fabs(values[i] - median) > outlier_score * unit;
        outliers += ret_flags[i];
    }
    return outliers;
}
