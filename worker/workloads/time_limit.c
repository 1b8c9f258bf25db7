#include "worker/workloads/time_limit.h"

#include "common/base/check.h"
#include "common/base/units.h"

#include <stdio.h>
#include <string.h>

enum { QUOTED_MAX = 60, PERCENT_MAX = 1000000, DIGITS_MAX = 15 };

static const double seconds_max = 86400.0 * 365;

/* "150%" as 1.5. False: not a percentage above zero. */
static bool read_percent(const char *text, double *ret_factor)
{
    char digits[DIGITS_MAX + 1];
    double percent = 0;
    size_t len = strlen(text);
    if (len < 2 || len > DIGITS_MAX || text[len - 1] != '%') {
        return false;
    }
    memcpy(digits, text, len - 1);
    digits[len - 1] = '\0';
    /* No unit may be in between: "2m%". */
    if (strspn(digits, "0123456789.") != len - 1 ||
        units_parse_seconds(digits, PERCENT_MAX, &percent) != 0 || percent <= 0) {
        return false;
    }
    *ret_factor = percent / 100;
    return true;
}

int time_limit_init(struct time_limit *limit, const char *text, struct err_text *ret_error)
{
    double seconds = 0;
    double factor = 0;
    if (text != NULL && !read_percent(text, &factor) &&
        units_parse_seconds(text, seconds_max, &seconds) != 0) {
        return err_set(
            ret_error,
            ERR_INVALID,
            "timeout '%.*s': give seconds (2.5, 500ms, 2m) or a percentage of the median "
            "(150%%)",
            QUOTED_MAX,
            text);
    }
    memset(limit, 0, sizeof(*limit));
    limit->of_median = factor;
    atomic_init(&limit->limit_ns, seconds > 0 ? (uint64_t)(seconds * 1e9) : UINT64_MAX);
    CHECK(pthread_mutex_init(&limit->lock, NULL) == 0);
    return 0;
}

void time_limit_deinit(struct time_limit *limit)
{
    CHECK(pthread_mutex_destroy(&limit->lock) == 0);
}

uint64_t time_limit_ns(const struct time_limit *limit)
{
    return atomic_load_explicit(&limit->limit_ns, memory_order_relaxed);
}

bool time_limit_moves(const struct time_limit *limit)
{
    return limit->of_median > 0;
}

/* Buckets: one for each microsecond up to TIME_LIMIT_STEPS, then so many for each doubling. */
static size_t bucket_of(uint64_t us)
{
    if (us < TIME_LIMIT_STEPS) {
        return us;
    }
    unsigned shift = 63U - (unsigned)__builtin_clzll(us) - 5U; /* 2^5 is TIME_LIMIT_STEPS */
    return (size_t)shift * TIME_LIMIT_STEPS + (us >> shift);
}

/* The middle of what belongs there. */
static double us_of(size_t bucket)
{
    if (bucket < 2 * (size_t)TIME_LIMIT_STEPS) {
        return (double)bucket + 0.5;
    }
    unsigned shift = (unsigned)(bucket / TIME_LIMIT_STEPS) - 1;
    uint64_t low = (bucket - (size_t)shift * TIME_LIMIT_STEPS);
    return ((double)low + 0.5) * (double)(UINT64_C(1) << shift);
}

static double median_us(const struct time_limit *limit)
{
    uint64_t before = 0;
    for (size_t i = 0; i < TIME_LIMIT_BUCKETS; i++) {
        before += limit->counts[i];
        if (2 * before >= limit->finished) {
            return us_of(i);
        }
    }
    check_failed(__FILE__, __LINE__, "a median of what was counted");
}

void time_limit_finished(struct time_limit *limit, uint64_t took_ns)
{
    pthread_mutex_lock(&limit->lock);
    limit->counts[bucket_of(took_ns / 1000)]++;
    limit->finished++;
    if (limit->finished >= TIME_LIMIT_AT_LEAST && limit->of_median > 0) {
        double ns = median_us(limit) * 1e3 * limit->of_median;
        uint64_t whole = ns < 0x1p63 ? (uint64_t)ns : UINT64_MAX;
        atomic_store_explicit(&limit->limit_ns, whole, memory_order_relaxed);
    }
    pthread_mutex_unlock(&limit->lock);
}
