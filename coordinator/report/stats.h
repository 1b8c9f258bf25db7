/* Statistics of a few timed rounds. Pure arithmetic on arrays; knows nothing of cells or
 * reports.
 *
 * Timings are skewed and seldom normal, so everything here rests on ranks: the median in place
 * of the mean, an interval from order statistics in place of a standard error, the median
 * absolute deviation in place of a standard deviation. Why, and what to print: Hoefler and
 * Belli, "Scientific Benchmarking of Parallel Computing Systems" (SC 2015), rules 4 to 6. */
#ifndef QUARTET_COORDINATOR_REPORT_STATS_H
#define QUARTET_COORDINATOR_REPORT_STATS_H

#include <stdbool.h>
#include <stddef.h>

/* The most values that one call takes; more is a programmer's error. */
enum { STATS_VALUES_MAX = 1000 };

struct stats_summary {
    double median;
    double min;
    double max;
    double ci95_low; /* of the median: see stats_median_interval */
    double ci95_high;
};

/* The median; of an even count the mean of the two in the middle. `count` is at least 1;
 * `values` stay as they are. */
double stats_median(const double *values, size_t count);

/* All of the summary. `count` is at least 1. */
void stats_summarise(const double *values, size_t count, struct stats_summary *ret_summary);

/* The ranks, from 0, of the two sorted values between which the true median lies with a
 * probability of 95 % or more, whatever the distribution: the narrowest symmetric pair [k, count
 * - 1 - k] with 1 - 2 P(Binomial(count, 1/2) <= k) >= 0.95. Below 6 values no pair reaches that,
 * and the ranks are those of the minimum and the maximum (at 5 they reach 93.8 %, at 3, 75 %).
 * Source: David and Nagaraja, "Order Statistics", 3rd edition (2003), section 7.1. */
void stats_median_interval(size_t count, size_t *ret_low, size_t *ret_high);

/* Flag the values whose modified Z-score, 0.6745 (x - median) / MAD, is beyond 3.5 either way,
 * and return how many. Where the MAD is 0 (more than half of the values are equal) the mean
 * absolute deviation takes its place, with the factor 1 / 1.2533. Below 5 values nothing is
 * flagged: at 3 the rule would flag 29 % of perfectly normal triples, as the MAD is then no more
 * than the smaller of two gaps. Source: Iglewicz and Hoaglin, "How to Detect and Handle
 * Outliers" (1993), chapter 3. */
size_t stats_outliers(const double *values, size_t count, bool *ret_flags);

#endif
