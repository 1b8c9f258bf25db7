/* The items in the program; see pipe_window.h. */
#include "worker/workloads/pipe_window.h"

#include "common/base/check.h"

enum { BITS = 64 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

void pipe_window_init(struct pipe_window *window, size_t items_max, size_t bytes_max)
{
    CHECK(items_max > 0 && bytes_max > 0);
    window->items_max = items_max;
    window->bytes_max = bytes_max;
    window->limit = smaller(PIPE_WINDOW_FIRST, items_max);
    window->answered = 0;
    window->answer_len = 0;
    window->careful = false;
    pipe_window_batch(window, 0);
}

void pipe_window_batch(struct pipe_window *window, size_t count)
{
    CHECK(count <= PIPE_BATCH_MAX);
    window->count = count;
    window->begun = 0;
    window->reported = 0;
    window->bytes = 0;
    window->crashes = 0;
    window->crashed_at = 0;
}

static void open_to(struct pipe_window *window, size_t limit)
{
    window->limit = smaller(limit, window->items_max);
    window->answered = 0;
    window->careful = window->careful && window->limit < window->items_max;
}

void pipe_window_bound(struct pipe_window *window, size_t items_max)
{
    bool wider = items_max > window->items_max;
    window->items_max = items_max;
    if (!window->careful) {
        open_to(window, wider ? items_max : window->limit);
    }
}

bool pipe_window_admits(const struct pipe_window *window, size_t bytes)
{
    size_t in_flight = window->begun - window->reported;
    return in_flight == 0 ||
           (in_flight < window->limit && window->bytes + bytes <= window->bytes_max &&
            (in_flight + 1) * window->answer_len <= window->bytes_max);
}

static void mark(struct pipe_window *window, bool refused)
{
    uint64_t bit = UINT64_C(1) << (window->begun % BITS);
    uint64_t *word = &window->refused[window->begun / BITS];
    *word = refused ? *word | bit : *word & ~bit;
    window->begun++;
}

void pipe_window_begin(struct pipe_window *window, size_t bytes)
{
    mark(window, false);
    window->bytes += bytes;
}

void pipe_window_refuse(struct pipe_window *window)
{
    mark(window, true);
}

bool pipe_window_oldest_refused(const struct pipe_window *window)
{
    return window->reported < window->begun &&
           (window->refused[window->reported / BITS] >> (window->reported % BITS) & 1) != 0;
}

void pipe_window_answer(struct pipe_window *window, size_t bytes)
{
    window->reported++;
    window->bytes -= bytes;
    if (++window->answered >= window->limit) {
        open_to(window, window->limit * 2);
    }
}

void pipe_window_learn(struct pipe_window *window, size_t count, size_t bytes)
{
    /* Half of what was known, half of what is new: it only has to have the right size. */
    window->answer_len = (window->answer_len + bytes / count + 1) / 2;
}

void pipe_window_fail(struct pipe_window *window)
{
    if (window->begun == window->reported) {
        window->begun++;
    }
    window->reported++;
}

bool pipe_window_widen(struct pipe_window *window)
{
    if (window->careful || window->limit == window->items_max) {
        return false;
    }
    open_to(window, window->limit * 2);
    return true;
}

uint32_t pipe_window_crash(struct pipe_window *window)
{
    window->crashes = window->crashed_at == window->reported ? window->crashes + 1 : 1;
    window->crashed_at = window->reported;
    window->begun = window->reported;
    window->bytes = 0;
    window->limit = 1;
    window->answered = 0;
    window->careful = window->items_max > 1;
    return window->crashes;
}

size_t pipe_window_in_flight(const struct pipe_window *window)
{
    return window->begun - window->reported;
}

bool pipe_window_done(const struct pipe_window *window)
{
    return window->reported == window->count;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t pipe_window_nap_ns(const struct pipe_window *window, uint64_t pace_ns)
{
    uint64_t answers = pipe_window_in_flight(window) / 4;
    answers = least(answers, PIPE_NAP_BYTES_MAX / (window->answer_len + 1));
    if (pace_ns == 0 || window->careful || answers < PIPE_NAP_ANSWERS_MIN) {
        return 0;
    }
    uint64_t nap_ns = pace_ns < PIPE_NAP_NS_MAX ? least(answers * pace_ns, PIPE_NAP_NS_MAX) : 0;
    return nap_ns / pace_ns >= PIPE_NAP_ANSWERS_MIN ? nap_ns : 0;
}
