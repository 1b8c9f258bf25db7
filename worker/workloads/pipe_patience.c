/* Waiting for a program; see pipe_patience.h. */
#include "worker/workloads/pipe_patience.h"

enum {
    FLUSHING_FACTOR = 20, /* a program that is known to answer gets so much more time */
    SLOW_FACTOR = 4,      /* than the slowest answer took */
    PROMPT_DIVISOR = 4,   /* of our wait: an answer so soon after the end was waiting for it */
    BURST_DIVISOR = 4,
    VOTES_NEEDED = 3,
    LOOK_AGAIN_US = 1000,
};

void pipe_habit_init(struct pipe_habit *habit, uint64_t stall_us, uint64_t timeout_us)
{
    habit->stall_us = stall_us;
    habit->timeout_us = timeout_us;
    habit->silence_us = PIPE_SILENCE_US;
    atomic_init(&habit->slowest_us, 0);
    atomic_init(&habit->flushes, false);
    atomic_init(&habit->holds_back, false);
    atomic_init(&habit->doubted, false);
    atomic_init(&habit->votes, 0);
}

void pipe_patience_init(struct pipe_patience *patience, struct pipe_habit *habit, uint64_t now_us)
{
    *patience = (struct pipe_patience){.habit = habit, .answer_us = now_us, .moved_us = now_us};
}

void pipe_patience_begin(struct pipe_patience *patience, uint64_t now_us)
{
    patience->answer_us = now_us;
    patience->moved_us = now_us;
}

void pipe_patience_moved(struct pipe_patience *patience, uint64_t now_us)
{
    patience->moved_us = now_us;
}

static void note_flush(struct pipe_patience *patience)
{
    struct pipe_habit *habit = patience->habit;
    patience->flushed = true;
    if (!atomic_load_explicit(&habit->flushes, memory_order_relaxed) ||
        atomic_load_explicit(&habit->holds_back, memory_order_relaxed)) {
        atomic_store(&habit->flushes, true);
        atomic_store(&habit->holds_back, false);
        atomic_store(&habit->votes, 0);
    }
}

static void note_silence(struct pipe_habit *habit, uint64_t silence_us)
{
    uint64_t slowest = atomic_load_explicit(&habit->slowest_us, memory_order_relaxed);
    while (silence_us > slowest &&
           !atomic_compare_exchange_weak(&habit->slowest_us, &slowest, silence_us)) {
    }
}

static void note_late(struct pipe_patience *patience,
                      uint64_t now_us,
                      const struct pipe_piece *piece,
                      bool early)
{
    if (patience->late_answers == 0) {
        patience->first_us = now_us;
        patience->silence_us = now_us - patience->moved_us;
        patience->late_early = early && piece->left > 0;
    }
    patience->late_answers += piece->count;
    patience->last_us = now_us;
}

void pipe_patience_answers(struct pipe_patience *patience,
                           uint64_t now_us,
                           const struct pipe_piece *piece)
{
    patience->answer_bytes += piece->bytes;
    /* Who flushes does so behind an answer. */
    bool early = !piece->cut && patience->answer_bytes < PIPE_BUFFER_MIN &&
                 piece->given < PIPE_BLOCK_MIN;
    if (patience->ended) {
        note_late(patience, now_us, piece, early);
    } else {
        note_silence(patience->habit, now_us - patience->moved_us);
        if (early || piece->left == 0) {
            note_flush(patience);
        }
    }
    patience->answer_us = now_us;
    patience->moved_us = now_us;
}

void pipe_patience_ended(struct pipe_patience *patience, uint64_t now_us, bool deaf)
{
    patience->ended = true;
    patience->deaf = deaf;
    patience->ended_us = now_us;
    patience->waited_us = now_us > patience->moved_us ? now_us - patience->moved_us : 0;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Silence after which a program is suspected to hold its answers back. */
static uint64_t stall_us(const struct pipe_habit *habit)
{
    uint64_t stall = habit->stall_us;
    if (atomic_load_explicit(&habit->flushes, memory_order_relaxed)) {
        stall *= FLUSHING_FACTOR;
    }
    uint64_t slowest = atomic_load_explicit(&habit->slowest_us, memory_order_relaxed);
    return larger(stall, smaller(slowest, PIPE_SILENCE_US) * SLOW_FACTOR);
}

/* Silence after which a program is given up that was told everything, or takes nothing in;
 * UINT64_MAX: never. With a limit of the user's, that one serves. One that is known to answer is
 * slow, which is not ours to limit. */
static uint64_t silence_us(const struct pipe_patience *patience)
{
    const struct pipe_habit *habit = patience->habit;
    bool slow = !patience->deaf && atomic_load_explicit(&habit->flushes, memory_order_relaxed);
    return slow || habit->timeout_us != UINT64_MAX ? UINT64_MAX : habit->silence_us;
}

static uint64_t after(uint64_t start_us, uint64_t span_us)
{
    return span_us > UINT64_MAX - start_us ? UINT64_MAX : start_us + span_us;
}

enum pipe_deed pipe_patience_ask(const struct pipe_patience *patience,
                                 uint64_t now_us,
                                 uint64_t *ret_due_us)
{
    const struct pipe_habit *habit = patience->habit;
    uint64_t limit_us = after(patience->answer_us, habit->timeout_us);
    if (now_us >= limit_us) {
        return PIPE_TIMED_OUT;
    }
    uint64_t span_us = patience->ended ? silence_us(patience) : stall_us(habit);
    uint64_t look_us = larger(after(patience->moved_us, span_us), patience->look_us);
    if (now_us >= look_us) {
        return PIPE_LOOK;
    }
    *ret_due_us = smaller(limit_us, look_us);
    return PIPE_WAIT;
}

static enum pipe_deed wait_on(struct pipe_patience *patience, uint64_t now_us)
{
    patience->look_us = now_us + larger(patience->habit->stall_us, LOOK_AGAIN_US);
    return PIPE_WAIT;
}

enum pipe_deed pipe_patience_look(struct pipe_patience *patience,
                                  uint64_t now_us,
                                  const struct pipe_sight *sight)
{
    if (sight->busy) {
        patience->moved_us = now_us;
        return wait_on(patience, now_us);
    }
    if (patience->ended) {
        return PIPE_SILENT;
    }
    if (sight->unread == 0 && sight->pending == 0) {
        return PIPE_END_INPUT;
    }
    /* It has input that it did not even read: it is starting, or slow, or never will read. */
    uint64_t limit_us = silence_us(patience);
    if (limit_us == UINT64_MAX || now_us - patience->moved_us < limit_us) {
        return wait_on(patience, now_us);
    }
    return sight->pending > 0 ? PIPE_SILENT : PIPE_END_INPUT;
}

/* Did its answers wait for the end of its input? Prompt is what comes soon compared to how long
 * we waited in vain: whatever time the program needs to leave, waits that grow because we err
 * make it prompt in the end. `*ret_sure`: one answer alone may have been ready just then. */
static bool held_back(const struct pipe_patience *patience, bool *ret_sure)
{
    uint64_t prompt_us = larger(patience->habit->stall_us, patience->waited_us) / PROMPT_DIVISOR;
    uint64_t burst_us = (patience->first_us - patience->ended_us) / BURST_DIVISOR;
    *ret_sure = patience->late_answers > 1;
    return patience->last_us - patience->ended_us <= prompt_us ||
           (*ret_sure && patience->last_us - patience->first_us <= burst_us);
}

/* It is taken for one that holds back, was told the end at once, and answers one by one at its
 * leisure. Most likely it would have done so anyway; but it may be one that collects its input
 * rather than its answers. So it is tried without the end once more, and only once. */
static void doubt(struct pipe_habit *habit)
{
    if (!atomic_exchange(&habit->doubted, true)) {
        atomic_store(&habit->holds_back, false);
        atomic_store(&habit->votes, 0);
    }
}

bool pipe_patience_learn(const struct pipe_patience *patience)
{
    struct pipe_habit *habit = patience->habit;
    if (patience->deaf || patience->late_answers == 0) {
        return false;
    }
    bool sure = false;
    bool held = held_back(patience, &sure);
    if (atomic_load(&habit->holds_back)) {
        if (!held && sure && patience->late_early) {
            doubt(habit);
        }
        return false;
    }
    if (!held) {
        note_silence(habit, patience->silence_us);
        return false;
    }
    sure = sure && !patience->flushed; /* it may do now one, now the other */
    if (!sure && atomic_fetch_add(&habit->votes, 1) + 1 < VOTES_NEEDED) {
        return false;
    }
    atomic_store(&habit->flushes, false);
    return !atomic_exchange(&habit->holds_back, true);
}
