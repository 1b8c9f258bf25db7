/* A program that ended badly. The items that were in it are begun again in another one; the
 * oldest is the one that it was working on, if it answers as it works, and has used up one of its
 * tries. pipe_window_crash then lets it be alone in the next program, so that the blame is right
 * at the latest when it counts. */
#include "worker/workloads/pipe_internal.h"

#include <stdio.h>
#include <string.h>

enum { BARREN_FACTOR = 4, HEAD_SHOWN = 4 };

static void report_failed(struct pipe_run *run, struct workload_outcome *outcome)
{
    struct pipe_window *window = &run->slot->window;
    err_one_line(outcome->error);
    pipe_window_fail(window);
    if (!run->batch->done(run->batch, outcome)) {
        run->stop = true;
    }
}

void pipe_fail_refused(struct pipe_run *run)
{
    const struct pipe_state *state = run->state;
    const struct workload_item *item = &run->batch->items[run->slot->window.reported];
    struct workload_outcome outcome = {.ok = false};
    if (pipe_frame_holds(state->framing, item->bytes, item->bytes_len)) {
        (void)snprintf(outcome.error, sizeof(outcome.error), "no memory to write the item");
    } else {
        (void)snprintf(outcome.error,
                       sizeof(outcome.error),
                       "the item holds a %s, which ends an item with framing=%s (use "
                       "framing=%s): '%.60s'",
                       state->framing == PIPE_LINES ? "newline" : "NUL byte",
                       state->framing == PIPE_LINES ? "lines" : "null",
                       state->framing == PIPE_LINES ? "null or length" : "length",
                       item->bytes);
    }
    report_failed(run, &outcome);
}

static void append_last_words(char text[WORKLOAD_ERROR_SIZE], const struct pipe_program *program)
{
    static const char between[] = ": ";
    size_t len = strlen(text);
    if (pipe_words_any(&program->words) && len + sizeof(between) < WORKLOAD_ERROR_SIZE) {
        memcpy(text + len, between, sizeof(between));
        len += sizeof(between) - 1;
        pipe_words_last(&program->words, text + len, WORKLOAD_ERROR_SIZE - len);
    }
}

static void describe_nonsense(const struct pipe_program *program, char text[WORKLOAD_ERROR_SIZE])
{
    const struct pipe_splitter *answers = &program->answers;
    const unsigned char *head = (const unsigned char *)answers->bytes + answers->start;
    (void)snprintf(text,
                   WORKLOAD_ERROR_SIZE,
                   "the program's answer begins with %02x %02x %02x %02x ('%.*s'), which as a "
                   "length is more than 128 MiB: with framing=length an answer is its length in "
                   "four bytes, little-endian, and its bytes",
                   head[0],
                   head[1],
                   head[2],
                   head[3],
                   HEAD_SHOWN,
                   (const char *)head);
}

static void describe(const struct pipe_run *run,
                     enum pipe_fault fault,
                     char text[WORKLOAD_ERROR_SIZE])
{
    const struct pipe_slot *slot = run->slot;
    char end[80];
    switch (fault) {
    case PIPE_FAULT_ENDED:
        pipe_program_describe_end(&slot->program, end, sizeof(end));
        (void)snprintf(
            text, WORKLOAD_ERROR_SIZE, "the program %s instead of answering this item", end);
        append_last_words(text, &slot->program);
        return;
    case PIPE_FAULT_NONSENSE:
        describe_nonsense(&slot->program, text);
        return;
    case PIPE_FAULT_NOMEM:
        (void)snprintf(text, WORKLOAD_ERROR_SIZE, "no memory for the program's answer");
        return;
    case PIPE_FAULT_TIMED_OUT:
        (void)snprintf(text,
                       WORKLOAD_ERROR_SIZE,
                       "the program gave no answer for %g s and was killed",
                       (double)run->state->habit.timeout_us / 1e6);
        append_last_words(text, &slot->program);
        return;
    case PIPE_FAULT_SILENT:
        (void)snprintf(text,
                       WORKLOAD_ERROR_SIZE,
                       "the program did nothing for %g s, %s, and was killed (if an item may take "
                       "so long, say so with timeout)",
                       (double)run->state->habit.silence_us / 1e6,
                       slot->patience.ended ? "not even at the end of its input"
                                            : "nor did it read its input");
        append_last_words(text, &slot->program);
        return;
    }
}

/* When the next program may be started; an answer sets the wait back. */
static void back_off(struct pipe_run *run)
{
    struct pipe_slot *slot = run->slot;
    slot->not_before_us = pipe_now_us() + slot->backoff_us;
    slot->backoff_us *= 2;
    if (slot->backoff_us > PIPE_BACKOFF_MAX_US) {
        slot->backoff_us = PIPE_BACKOFF_MAX_US;
    }
}

static void fail_items(struct pipe_run *run, size_t count, struct workload_outcome *outcome)
{
    for (size_t i = 0; i < count && !run->stop; i++) {
        report_failed(run, outcome);
    }
}

static bool is_silence(enum pipe_fault fault)
{
    return fault == PIPE_FAULT_TIMED_OUT || fault == PIPE_FAULT_SILENT;
}

/* Programs in a row that answered nothing: how many until that is no single item's doing any
 * more? Few, when they do not even read, or have never answered in this job however long they
 * were given, or when it was found so before. */
static uint32_t barren_max(const struct pipe_run *run, enum pipe_fault fault)
{
    const struct pipe_state *state = run->state;
    bool certain = run->slot->program.read_nothing || atomic_load(&state->hopeless) ||
                   (is_silence(fault) && !atomic_load(&state->answered));
    return certain ? state->crash_limit : state->crash_limit * BARREN_FACTOR;
}

static size_t items_left(const struct pipe_run *run)
{
    return run->slot->window.count - run->slot->window.reported;
}

/* Which of the items that were in flight are to fail now? From the oldest. */
static size_t count_failing(struct pipe_run *run, enum pipe_fault fault)
{
    struct pipe_slot *slot = run->slot;
    size_t in_flight = pipe_window_in_flight(&slot->window);
    uint32_t crashes = pipe_window_crash(&slot->window);
    if (slot->barren >= barren_max(run, fault)) {
        atomic_store(&run->state->hopeless, true);
        return items_left(run);
    }
    if (is_silence(fault)) {
        if (in_flight == 1 || atomic_load(&run->state->habit.flushes)) {
            return 1; /* to wait as long for it again would be no better */
        }
        if (!atomic_load(&run->state->answered)) {
            return in_flight;
        }
    }
    return crashes >= run->state->crash_limit ? 1 : 0;
}

void pipe_fault(struct pipe_run *run, enum pipe_fault fault)
{
    struct pipe_slot *slot = run->slot;
    struct workload_outcome outcome = {.ok = false};
    pipe_program_kill(&slot->program);
    describe(run, fault, outcome.error);
    if (is_silence(fault)) {
        outcome.flags = WORKLOAD_TIMED_OUT;
    } else if (fault == PIPE_FAULT_ENDED) {
        outcome.flags = WORKLOAD_CRASHED;
        outcome.exit_status = slot->program.end.exit_status;
        outcome.signal = slot->program.end.signal;
    }
    slot->barren = slot->patience.answer_bytes > 0 ? 0 : slot->barren + 1;
    fail_items(run, count_failing(run, fault), &outcome);
    back_off(run);
}

void pipe_note_out_of_turn(const struct pipe_state *state)
{
    pipe_note(state,
              "the program gives more answers than it gets items, so that answers may have been "
              "taken for those of other items: it must write exactly one for each item, and "
              "nothing else, on its standard output");
}

void pipe_fault_out_of_turn(struct pipe_run *run)
{
    pipe_program_kill(&run->slot->program);
    pipe_note_out_of_turn(run->state);
    back_off(run);
}

void pipe_fault_no_start(struct pipe_run *run, const struct err_text *error)
{
    struct pipe_slot *slot = run->slot;
    slot->barren++;
    if (slot->barren >= run->state->crash_limit) {
        struct workload_outcome outcome = {.ok = false, .flags = WORKLOAD_CRASHED};
        (void)snprintf(outcome.error, sizeof(outcome.error), "%.200s", error->s);
        fail_items(run, items_left(run), &outcome);
    }
    back_off(run);
}
