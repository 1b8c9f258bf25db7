/* The journal's thread: opens the file, commits one group after the other, closes it. */
#include "coordinator/journal/journal_internal.h"

static void tell(const struct journal *journal)
{
    if (journal->wake != NULL) {
        journal->wake(journal->wake_arg);
    }
}

void journal_fail(struct journal *journal, int code, const struct err_text *error)
{
    if (journal->code == 0) {
        journal->code = code;
        journal->error = *error;
        atomic_store_explicit(&journal->has_failed, true, memory_order_release);
        tell(journal);
    }
}

/* Open the file and say how that went; false: it could not be opened. */
static bool begin(struct journal *journal)
{
    const struct journal_beginning *beginning = journal->beginning;
    int code = beginning->job != NULL
                   ? journal_store_create(beginning->path,
                                          beginning->job,
                                          beginning->job_id,
                                          beginning->error,
                                          &journal->store)
                   : journal_store_open(
                         beginning->path, beginning->error, &journal->store, beginning->state);
    (void)pthread_mutex_lock(&journal->lock);
    journal->begun = true;
    journal->beginning = NULL;
    journal->code = code;
    (void)pthread_cond_signal(&journal->changed);
    (void)pthread_mutex_unlock(&journal->lock);
    return code == 0;
}

/* Wait for a group that is ready; false: the journal is being closed, and there is none. */
static bool next_group(struct journal *journal)
{
    (void)pthread_mutex_lock(&journal->lock);
    while (journal->stage != JOURNAL_READY && !journal->closing) {
        (void)pthread_cond_wait(&journal->changed, &journal->lock);
    }
    bool ready = journal->stage == JOURNAL_READY && journal->code == 0;
    (void)pthread_mutex_unlock(&journal->lock);
    return ready;
}

/* Returns false when that failed: a file of which one write failed is not written to again, as the
 * kernel may have dropped what it could not write and call the next fsync a success. */
static bool commit(struct journal *journal)
{
    struct err_text error;
    const struct journal_mark *mark = journal->has_sink ? &journal->mark : NULL;
    int code = journal_store_commit(journal->store, &journal->closed, mark, &error);
    journal_mark_deinit(&journal->mark);
    journal_group_clear(&journal->closed);
    (void)pthread_mutex_lock(&journal->lock);
    journal->stage = JOURNAL_IDLE;
    if (code == 0) {
        (void)atomic_fetch_add_explicit(&journal->durable, 1, memory_order_release);
        tell(journal);
    } else {
        journal_fail(journal, code, &error);
    }
    (void)pthread_mutex_unlock(&journal->lock);
    return code == 0;
}

void *journal_thread_run(void *arg)
{
    struct journal *journal = arg;
    if (!begin(journal)) {
        return NULL;
    }
    bool is_good = true;
    while (is_good && next_group(journal)) {
        is_good = commit(journal);
    }
    journal_store_close(journal->store, !atomic_load(&journal->has_failed));
    return NULL;
}
