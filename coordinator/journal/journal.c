/* The journal as its owner sees it; see journal.h. What touches the file is in journal_store.c and
 * done by a thread, journal_thread.c. */
#include "coordinator/journal/journal.h"

#include "common/base/check.h"
#include "coordinator/journal/journal_internal.h"
#include "coordinator/sink/background.h"

#include <stdlib.h>
#include <string.h>

/* Free what the journal is made of; the thread has ended, or was never there. */
static void destroy(struct journal *journal)
{
    interval_deinit(&journal->noted);
    journal_group_deinit(&journal->open);
    journal_group_deinit(&journal->closed);
    journal_mark_deinit(&journal->mark);
    (void)pthread_mutex_destroy(&journal->lock);
    (void)pthread_cond_destroy(&journal->changed);
    free(journal);
}

static struct journal *new_journal(const struct journal_options *options)
{
    struct journal *journal = calloc(1, sizeof(*journal));
    if (journal == NULL) {
        return NULL;
    }
    journal->wake = options->wake;
    journal->wake_arg = options->wake_arg;
    journal->number = 1;
    (void)pthread_mutex_init(&journal->lock, NULL);
    (void)pthread_cond_init(&journal->changed, NULL);
    return journal;
}

/* Start the thread and wait until it has opened the file. */
static int begin(struct journal *journal, const struct journal_beginning *beginning)
{
    journal->beginning = beginning;
    int reason = background_start(&journal->thread, journal_thread_run, journal);
    if (reason != 0) {
        return err_set(beginning->error,
                       ERR_NOMEM,
                       "no thread could be had for the journal '%s': %s",
                       beginning->path,
                       strerror(reason));
    }
    (void)pthread_mutex_lock(&journal->lock);
    while (!journal->begun) {
        (void)pthread_cond_wait(&journal->changed, &journal->lock);
    }
    int code = journal->code;
    (void)pthread_mutex_unlock(&journal->lock);
    if (code != 0) {
        (void)pthread_join(journal->thread, NULL);
    }
    return code;
}

static int open_journal(const struct journal_options *options,
                        const struct journal_beginning *beginning,
                        struct journal **ret_journal)
{
    struct journal *journal = new_journal(options);
    int code = journal != NULL ? begin(journal, beginning)
                               : err_set(beginning->error, ERR_NOMEM, "no memory for a journal");
    if (code != 0) {
        if (journal != NULL) {
            destroy(journal);
        }
        return code;
    }
    *ret_journal = journal;
    return 0;
}

int journal_create(const struct journal_options *options,
                   const char *job,
                   uint64_t job_id,
                   struct err_text *ret_error,
                   struct journal **ret_journal)
{
    const struct journal_beginning beginning = {
        .path = options->path, .job = job, .job_id = job_id, .error = ret_error};
    return open_journal(options, &beginning, ret_journal);
}

/* What was done before is not to be noted again. */
static int copy_done(const struct interval_set *from, struct interval_set *to)
{
    int code = interval_reserve(to, from->count);
    for (size_t i = 0; i < from->count && code == 0; i++) {
        code = interval_add(to, from->spans[i].first, from->spans[i].end);
    }
    return code;
}

int journal_open(const struct journal_options *options,
                 struct err_text *ret_error,
                 struct journal **ret_journal,
                 struct journal_state *ret_state)
{
    struct journal *journal;
    struct journal_state state;
    const struct journal_beginning beginning = {
        .path = options->path, .state = &state, .error = ret_error};
    int code = open_journal(options, &beginning, &journal);
    if (code != 0) {
        return code;
    }
    if (copy_done(&state.done, &journal->noted) != 0) {
        journal_state_deinit(&state);
        journal_close(journal);
        return err_set(ret_error, ERR_NOMEM, "no memory for the journal '%s'", options->path);
    }
    *ret_journal = journal;
    *ret_state = state;
    return 0;
}

void journal_state_deinit(struct journal_state *state)
{
    free(state->job);
    interval_deinit(&state->done);
    journal_places_free(state->cuts, state->cut_count);
    for (size_t i = 0; i < state->waiting_count; i++) {
        journal_batch_deinit(&state->waiting[i]);
    }
    free(state->waiting);
    *state = (struct journal_state){0};
}

/* Two sets: of the group, to be written, and of all, so that what was done before is refused. */
void journal_expect_marks(struct journal *journal)
{
    journal->has_sink = true;
}

int journal_note_done(struct journal *journal, uint64_t first, uint64_t count)
{
    if (count > INT64_MAX || first > INT64_MAX - count) {
        return ERR_INVALID;
    }
    struct interval_set *group = &journal->open.done;
    int code = interval_reserve(group, group->count + 1);
    if (code == 0) {
        code = interval_add(&journal->noted, first, first + count);
    }
    if (code == 0) {
        CHECK(interval_add(group, first, first + count) == 0);
    }
    return code;
}

int journal_note_failed(struct journal *journal,
                        uint64_t index,
                        uint32_t attempt,
                        const char *reason,
                        size_t reason_len)
{
    if (!interval_contains(&journal->noted, index)) {
        return ERR_INVALID;
    }
    return journal_group_add_failed(&journal->open, index, attempt, reason, reason_len);
}

uint64_t journal_group(const struct journal *journal)
{
    return journal->number;
}

static bool is_failed(const struct journal *journal)
{
    return atomic_load_explicit(&journal->has_failed, memory_order_acquire);
}

/* Is every group that was closed committed? */
static bool is_settled(const struct journal *journal)
{
    return journal_durable(journal) == journal->number - 1;
}

bool journal_can_close(const struct journal *journal)
{
    return !journal_group_is_empty(&journal->open) && is_settled(journal) && !is_failed(journal);
}

void journal_close_group(struct journal *journal,
                         const struct journal_counts *counts,
                         const struct journal_input *input,
                         bool last)
{
    struct journal_group *group = &journal->open;
    const struct interval_set *noted = &journal->noted;
    if (is_failed(journal)) {
        return;
    }
    CHECK(is_settled(journal) && (last || !journal_group_is_empty(group)));
    CHECK(counts->tally.ok + counts->tally.failed == noted->members);
    CHECK(noted->count == 0 || noted->spans[noted->count - 1].end <= input->items);
    group->counts = *counts;
    group->input = *input;
    group->last = last;
    (void)pthread_mutex_lock(&journal->lock);
    struct journal_group cleared = journal->closed;
    journal->closed = *group;
    journal->stage = journal->has_sink ? JOURNAL_CLOSED : JOURNAL_READY;
    (void)pthread_cond_signal(&journal->changed);
    (void)pthread_mutex_unlock(&journal->lock);
    *group = cleared;
    journal->number++;
}

void journal_marked(struct journal *journal, const struct sink_mark *mark)
{
    struct journal_mark copy = {0};
    int code = journal_mark_copy(mark, &copy);
    (void)pthread_mutex_lock(&journal->lock);
    CHECK(journal->stage == JOURNAL_CLOSED);
    CHECK(mark->number == atomic_load_explicit(&journal->durable, memory_order_relaxed) + 1);
    journal->mark = copy;
    if (code == 0) {
        journal->stage = JOURNAL_READY;
        (void)pthread_cond_signal(&journal->changed);
    } else {
        struct err_text error;
        (void)err_set(&error, code, "no memory to note in the journal what was written");
        journal_fail(journal, code, &error);
    }
    (void)pthread_mutex_unlock(&journal->lock);
}

uint64_t journal_durable(const struct journal *journal)
{
    return atomic_load_explicit(&journal->durable, memory_order_acquire);
}

int journal_error(struct journal *journal, struct err_text *ret_error)
{
    (void)pthread_mutex_lock(&journal->lock);
    int code = journal->code;
    if (code != 0 && ret_error != NULL) {
        *ret_error = journal->error;
    }
    (void)pthread_mutex_unlock(&journal->lock);
    return code;
}

void journal_close(struct journal *journal)
{
    if (journal == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&journal->lock);
    journal->closing = true;
    (void)pthread_cond_signal(&journal->changed);
    (void)pthread_mutex_unlock(&journal->lock);
    (void)pthread_join(journal->thread, NULL);
    destroy(journal);
}
