/* One batch through the slot's program.
 *
 * Each turn: frame items while the window admits them and the pipe may take them, ask how long
 * to wait, then write, sleep and read. When it flows, a turn moves hundreds of items with three
 * system calls. */
#include "worker/workloads/mark.h"
#include "worker/workloads/pipe_internal.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { WIDEN_US = 5000 }; /* silence, with a full window, after which it opens further */

static bool cancelled(const struct pipe_run *run)
{
    return run->state->host->cancelled(run->state->host);
}

/* As pipe_program_finish asks. */
static bool in_hurry(void *arg)
{
    return cancelled(arg);
}

/* --- items in, answers out --- */

static size_t frame_size(const struct pipe_run *run, size_t position)
{
    char digits[PIPE_DIGITS_SIZE];
    size_t len;
    (void)pipe_item_text(&run->batch->items[position], digits, &len);
    return pipe_frame_size(run->state->framing, len);
}

/* Frame the next item. False: the window does not admit it now. */
static bool begin_item(struct pipe_run *run)
{
    struct pipe_window *window = &run->slot->window;
    enum pipe_framing framing = run->state->framing;
    char digits[PIPE_DIGITS_SIZE];
    size_t len;
    const char *text = pipe_item_text(&run->batch->items[window->begun], digits, &len);
    size_t size = pipe_frame_size(framing, len);
    if (!pipe_window_admits(window, size)) {
        return false;
    }
    char *frame = pipe_frame_holds(framing, text, len)
                      ? pipe_program_frame(&run->slot->program, size)
                      : NULL;
    if (frame == NULL) {
        pipe_window_refuse(window);
        return true;
    }
    pipe_frame_write(framing, text, len, frame);
    pipe_window_begin(window, size);
    return true;
}

static void report_refused(struct pipe_run *run)
{
    while (pipe_window_oldest_refused(&run->slot->window)) {
        pipe_fail_refused(run);
    }
}

static void feed(struct pipe_run *run)
{
    struct pipe_slot *slot = run->slot;
    const struct pipe_window *window = &slot->window;
    bool idle = pipe_window_in_flight(window) == 0;
    run->more = false;
    while (!run->stop && window->begun < window->count) {
        run->more = pipe_program_pending(&slot->program) >= PIPE_PENDING_ENOUGH;
        if (run->more || !begin_item(run)) {
            break;
        }
    }
    report_refused(run);
    if (idle && pipe_window_in_flight(window) > 0) {
        pipe_patience_begin(&slot->patience, run->now_us);
    }
}

static void report_answer(struct pipe_run *run, const struct pipe_answer *answer)
{
    struct pipe_window *window = &run->slot->window;
    const struct workload_item *item = &run->batch->items[window->reported];
    struct workload_outcome outcome;
    /* As the engine does it: to clear the error too would cost more than the rest. */
    memset(&outcome, 0, offsetof(struct workload_outcome, error) + 1);
    outcome.ok = true;
    outcome.flags = answer->len < answer->whole_len ? WORKLOAD_OUT_TRUNCATED : 0;
    outcome.checksum = mark_output(item, answer->bytes, answer->len);
    outcome.bytes = answer->whole_len;
    outcome.out = answer->bytes;
    outcome.out_len = answer->len;
    if (window->reported + 1 == window->count) {
        outcome.cpu_us = pipe_program_cpu_us(&run->slot->program);
    }
    pipe_window_answer(window, frame_size(run, window->reported));
    if (!run->batch->done(run->batch, &outcome)) {
        run->stop = true;
    }
    report_refused(run);
}

static void on_progress(struct pipe_run *run, const struct pipe_piece *piece)
{
    struct pipe_slot *slot = run->slot;
    pipe_patience_answers(&slot->patience, run->now_us, piece);
    pipe_window_learn(&slot->window, piece->count, piece->bytes);
    uint64_t since_ns = (run->now_us - slot->progress_us) * 1000 / piece->count;
    slot->pace_ns = slot->pace_ns == 0 ? since_ns : (3 * slot->pace_ns + since_ns) / 4;
    slot->progress_us = run->now_us;
    slot->barren = 0;
    slot->backoff_us = PIPE_BACKOFF_FIRST_US;
    atomic_store_explicit(&run->state->answered, true, memory_order_relaxed);
    atomic_store_explicit(&run->state->hopeless, false, memory_order_relaxed);
}

/* What was read at once. */
static void take_answers(struct pipe_run *run)
{
    struct pipe_slot *slot = run->slot;
    struct pipe_splitter *answers = &slot->program.answers;
    struct pipe_answer answer;
    struct pipe_piece piece = {.given = slot->program.written};
    enum pipe_found found = PIPE_FOUND_NONE;
    while (pipe_window_in_flight(&slot->window) > 0 &&
           (found = pipe_splitter_next(answers, &answer)) == PIPE_FOUND_ANSWER) {
        report_answer(run, &answer);
        piece.count++;
        piece.bytes += pipe_frame_size(answers->framing, answer.len);
    }
    piece.left = pipe_window_in_flight(&slot->window);
    piece.cut = !pipe_splitter_is_empty(answers);
    if (piece.count > 0) {
        on_progress(run, &piece);
    }
    if (found == PIPE_FOUND_NONSENSE) {
        pipe_fault(run, PIPE_FAULT_NONSENSE);
    } else if (piece.left == 0 && piece.cut) {
        pipe_fault_out_of_turn(run);
    }
}

/* --- the program's life --- */

static void tell_first_words(const struct pipe_run *run)
{
    struct pipe_state *state = run->state;
    const struct pipe_program *program = &run->slot->program;
    if (!pipe_words_any(&program->words) ||
        atomic_load_explicit(&state->words_told, memory_order_relaxed)) {
        return;
    }
    const char *words = pipe_words_first(&program->words, program->errors < 0);
    if (words != NULL && !atomic_exchange(&state->words_told, true)) {
        char text[WORKLOAD_ERROR_SIZE];
        (void)snprintf(text, sizeof(text), "the program says: %s", words);
        pipe_note(state, text);
    }
}

static void start_program(struct pipe_run *run)
{
    struct pipe_slot *slot = run->slot;
    struct pipe_state *state = run->state;
    if (run->now_us < slot->not_before_us) {
        uint64_t wait_us = slot->not_before_us - run->now_us;
        uint64_t slice_us = PIPE_SLICE_MS * UINT64_C(1000);
        wait_us = wait_us < slice_us ? wait_us : slice_us;
        struct timespec wait = {.tv_nsec = (long)(wait_us * 1000)};
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &wait, NULL);
        return;
    }
    struct err_text error = {""};
    if (pipe_program_start(&slot->program, &state->command, &error) != 0) {
        pipe_fault_no_start(run, &error);
        return;
    }
    slot->busy = (struct pipe_busy){0};
    pipe_patience_init(&slot->patience, &state->habit, run->now_us);
}

/* When nobody says how many items may be in the program: the whole batch, if it is started anew
 * for every window. */
static void choose_bound(struct pipe_run *run)
{
    if (run->state->items_max == 0) {
        bool whole = atomic_load(&run->state->habit.holds_back);
        pipe_window_bound(&run->slot->window, whole ? PIPE_BATCH_MAX : PIPE_ITEMS_MAX);
    }
}

static void note_bad_end(const struct pipe_run *run)
{
    const struct pipe_program *program = &run->slot->program;
    char end[80] = "did not end when its input did, and was killed";
    char text[WORKLOAD_ERROR_SIZE];
    if (!program->killed) {
        pipe_program_describe_end(program, end, sizeof(end));
    }
    (void)snprintf(text,
                   sizeof(text),
                   "the program has answered everything, but then it %s; its answers are used",
                   end);
    pipe_note(run->state, text);
}

/* It was told that no more comes, and has answered everything: let it leave. */
static void see_off(struct pipe_run *run)
{
    struct pipe_slot *slot = run->slot;
    uint64_t said = pipe_program_finish(&slot->program, PIPE_LEAVE_MS, in_hurry, run);
    tell_first_words(run);
    if (cancelled(run)) {
        return;
    }
    if (said > 0) {
        pipe_fault_out_of_turn(run);
    } else if (!pipe_program_ended_well(&slot->program)) {
        note_bad_end(run);
    } else if (pipe_patience_learn(&slot->patience)) {
        pipe_note(run->state,
                  "the program holds its answers back until its input ends; it is started anew for "
                  "each batch of items. Let it flush after each answer to avoid that (python3 -u, "
                  "stdbuf -oL, fflush)");
        choose_bound(run);
    }
}

/* It has ended, and all that it said was read. */
static void on_over(struct pipe_run *run)
{
    struct pipe_slot *slot = run->slot;
    struct pipe_answer answer;
    if (pipe_window_in_flight(&slot->window) > 0 && pipe_program_ended_well(&slot->program) &&
        pipe_splitter_last(&slot->program.answers, &answer)) {
        report_answer(run, &answer);
        struct pipe_piece piece = {
            .count = 1,
            .bytes = answer.len,
            .left = pipe_window_in_flight(&slot->window),
            .given = slot->program.written,
        };
        on_progress(run, &piece);
    }
    if (pipe_window_in_flight(&slot->window) > 0) {
        pipe_fault(run, PIPE_FAULT_ENDED);
    } else if (slot->patience.ended && !slot->patience.deaf) {
        see_off(run);
    } else {
        pipe_program_kill(&slot->program);
    }
}

/* `written_us`: when it took in what it did, which is before we waited for it. */
static void on_events(struct pipe_run *run, unsigned events, uint64_t written_us)
{
    struct pipe_slot *slot = run->slot;
    tell_first_words(run);
    if ((events & PIPE_TOOK) != 0) {
        pipe_patience_moved(&slot->patience, written_us);
    }
    if ((events & PIPE_CLOSED) != 0) {
        pipe_patience_ended(&slot->patience, written_us, (events & PIPE_DEAF) != 0);
    }
    if ((events & PIPE_SAID) != 0) {
        take_answers(run);
    }
    if (!slot->program.runs) {
        return; /* a fault */
    }
    if ((events & PIPE_OVER) != 0) {
        on_over(run);
    } else if ((events & PIPE_NOMEM) != 0) {
        pipe_fault(run, PIPE_FAULT_NOMEM);
    }
}

/* --- a turn --- */

/* Is there nothing more to come, in this batch or, after a crash, in this program? */
static bool has_all(const struct pipe_run *run)
{
    const struct pipe_window *window = &run->slot->window;
    return run->stop || window->begun == window->count || window->careful;
}

static enum pipe_deed look(struct pipe_run *run)
{
    struct pipe_slot *slot = run->slot;
    struct pipe_sight sight = {
        .unread = pipe_program_unread(&slot->program),
        .pending = pipe_program_pending(&slot->program),
        .busy = pipe_busy_look(&slot->busy, slot->program.child.pid),
    };
    return pipe_patience_look(&slot->patience, run->now_us, &sight);
}

/* Items are in flight: what to do about it but to wait? Returns how many microseconds to wait, or
 * 0 when it did something. */
static uint64_t consider(struct pipe_run *run)
{
    struct pipe_slot *slot = run->slot;
    bool listens = pipe_program_listens(&slot->program);
    if (listens && has_all(run) &&
        atomic_load_explicit(&run->state->habit.holds_back, memory_order_relaxed)) {
        pipe_program_end_input(&slot->program);
    }
    uint64_t wait_us = PIPE_SLICE_MS * UINT64_C(1000);
    if (listens && !has_all(run)) {
        bool written = pipe_program_pending(&slot->program) == 0;
        uint64_t quiet_us = written ? run->now_us - slot->patience.moved_us : 0;
        if (quiet_us < WIDEN_US) {
            wait_us = WIDEN_US - quiet_us;
        } else if (pipe_window_widen(&slot->window)) {
            return 0;
        }
    }
    uint64_t due_us = UINT64_MAX;
    enum pipe_deed deed = pipe_patience_ask(&slot->patience, run->now_us, &due_us);
    if (deed == PIPE_LOOK) {
        deed = look(run);
    }
    switch (deed) {
    case PIPE_END_INPUT:
        pipe_program_end_input(&slot->program);
        return 1;
    case PIPE_TIMED_OUT:
        pipe_fault(run, PIPE_FAULT_TIMED_OUT);
        return 0;
    case PIPE_SILENT:
        pipe_fault(run, PIPE_FAULT_SILENT);
        return 0;
    default:
        break;
    }
    uint64_t left_us = due_us == UINT64_MAX ? wait_us : due_us - run->now_us;
    return left_us < wait_us ? left_us : wait_us;
}

static int to_ms(uint64_t us)
{
    return (int)((us + 999) / 1000);
}

/* Everything is reported, or nothing further is to be begun and all that was is reported. */
static bool is_done(const struct pipe_run *run)
{
    const struct pipe_window *window = &run->slot->window;
    return pipe_window_done(window) || (run->stop && pipe_window_in_flight(window) == 0);
}

/* To be woken for each answer would cost more than a small item. Only of a program that is known to
 * answer: the silence of another one has to be seen. */
static void nap(const struct pipe_run *run)
{
    struct pipe_slot *slot = run->slot;
    if (!slot->patience.flushed || !pipe_program_listens(&slot->program) ||
        pipe_program_pending(&slot->program) > 0) {
        return;
    }
    struct timespec pause = {.tv_nsec = (long)pipe_window_nap_ns(&slot->window, slot->pace_ns)};
    if (pause.tv_nsec > 0) {
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    }
}

static void turn(struct pipe_run *run)
{
    struct pipe_slot *slot = run->slot;
    if (!slot->program.runs) {
        start_program(run);
        return;
    }
    if (pipe_program_listens(&slot->program)) {
        feed(run);
    } else if (pipe_window_in_flight(&slot->window) == 0) {
        see_off(run);
    }
    if (pipe_window_in_flight(&slot->window) == 0) {
        return;
    }
    uint64_t wait_us = consider(run);
    if (wait_us > 0) {
        uint64_t begin_us = run->now_us;
        nap(run);
        unsigned events = pipe_program_turn(&slot->program, to_ms(wait_us), run->more);
        run->now_us = pipe_now_us();
        on_events(run, events, begin_us);
    }
}

/* What the program did since the last batch: it may have ended, or spoken without being asked. */
static void greet(struct pipe_run *run)
{
    if (run->slot->program.runs) {
        unsigned events = pipe_program_turn(&run->slot->program, 0, false);
        on_events(run, events, run->now_us);
    }
}

/* A batch that took a program of its own, because that holds its answers back: what the smallest of
 * them take is about what any of them takes beside its items. A little more, because of noise: to
 * take it for the cost of items would keep batches small for ever. */
static void tell_overhead(struct pipe_run *run, uint64_t begin_us)
{
    struct pipe_state *state = run->state;
    uint64_t took_us = pipe_now_us() - begin_us;
    uint64_t own_us = atomic_load(&state->own_us);
    size_t count = run->batch->count;
    size_t own_count = atomic_load(&state->own_count);
    if (own_us == 0 || count <= own_count) {
        own_us = own_us == 0 || count < own_count ? took_us : (7 * own_us + took_us) / 8;
        atomic_store(&state->own_us, own_us);
        atomic_store(&state->own_count, count);
    }
    uint64_t overhead_us = own_us + own_us / 4;
    run->batch->overhead_us = overhead_us < took_us ? overhead_us : took_us;
}

void pipe_run_batch(struct pipe_slot *slot, struct workload_batch *batch)
{
    struct pipe_state *state = slot->state;
    struct pipe_run run = {.slot = slot, .state = state, .batch = batch, .now_us = pipe_now_us()};
    uint64_t begin_us = run.now_us;
    pipe_window_batch(&slot->window, batch->count);
    slot->progress_us = run.now_us;
    choose_bound(&run);
    greet(&run);
    while (!is_done(&run)) {
        if (cancelled(&run)) {
            pipe_program_kill(&slot->program);
            return;
        }
        run.now_us = pipe_now_us();
        turn(&run);
    }
    if (slot->program.runs && !pipe_program_listens(&slot->program)) {
        see_off(&run);
    }
    if (!slot->program.runs && slot->patience.ended) {
        tell_overhead(&run, begin_us);
    }
}
