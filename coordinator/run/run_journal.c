/* The journal of a run: begun, or taken over; see run_internal.h. */
#include "coordinator/run/run_internal.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* From the journal's thread. Groups are closed only while a session runs. */
static void on_durable(void *arg)
{
    const struct run *run = arg;
    session_kick(run->session);
}

static struct journal_options journal_options(struct run *run)
{
    return (struct journal_options){
        .path = run->journal_path,
        .wake = on_durable,
        .wake_arg = run,
    };
}

/* --- to go on --- */

int run_read_journal(struct run *run, const char *path, struct err_text *ret_error)
{
    run->journal_path = path;
    run->resumed = true;
    const struct journal_options options = journal_options(run);
    int rc = journal_open(&options, ret_error, &run->journal, &run->state);
    return rc != 0 ? rc : job_record_read(run->state.job, ret_error, &run->record);
}

int run_check_job(struct run *run, struct err_text *ret_error)
{
    struct err_text why = {{0}};
    json_t *identity = job_identity(&run->work, &run->options);
    if (identity == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory to compare the job with its journal");
    }
    if (run->items_gone) { /* then they are what they were */
        (void)json_object_set(identity, "items", json_object_get(run->record.identity, "items"));
    }
    int rc = job_record_compare(&run->record, identity, &why);
    json_decref(identity);
    return rc == 0 ? 0
                   : err_set(ret_error, rc, "cannot go on with %s: %s", run->journal_path, why.s);
}

/* --- a new one --- */

static int begin(struct run *run, struct err_text *ret_error)
{
    char directory[PATH_MAX];
    if (getcwd(directory, sizeof(directory)) == NULL) {
        return err_set(ret_error, ERR_IO, "where this is run cannot be found out: getcwd failed");
    }
    json_t *identity = job_identity(&run->work, &run->options);
    char *text = identity == NULL ? NULL
                                  : job_record_write(directory,
                                                     run->word_count,
                                                     (const char *const *)run->words,
                                                     run->rest_count,
                                                     run->work.items_kept,
                                                     identity);
    json_decref(identity);
    if (text == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory to begin the journal");
    }
    (void)!getrandom(&run->job_id, sizeof(run->job_id), 0);
    run->job_id = run->job_id >> 1 | 1;
    const struct journal_options options = journal_options(run);
    int rc = journal_create(&options, text, run->job_id, ret_error, &run->journal);
    free(text);
    return rc;
}

int run_begin_journal(struct run *run, struct err_text *ret_error)
{
    int rc = 0;
    if (run->journal_path == NULL) {
        return 0;
    }
    if (run->resumed) {
        run->job_id = run->state.job_id;
    } else {
        rc = begin(run, ret_error);
    }
    if (rc == 0 && options_want_results(&run->options)) {
        journal_expect_marks(run->journal);
    }
    return rc;
}

void run_drop_kept_items(const struct run *run)
{
    if (run->work.items_kept || run->record.items_kept) {
        (void)unlink(run->kept_items);
    }
}

void run_drop_journal(struct run *run)
{
    bool fresh = run->journal != NULL && !run->resumed;
    journal_close(run->journal);
    run->journal = NULL;
    if (fresh) {
        (void)unlink(run->journal_path);
    }
    if (!run->resumed) {
        run_drop_kept_items(run);
    }
}

/* --- together with results --- */

static void on_marked(void *arg, const struct sink_mark *mark)
{
    journal_marked(arg, mark);
}

void run_prepare_sink(struct run *run)
{
    struct sink_options *sink = &run->options.sink;
    if (run->journal != NULL) {
        sink->marked = on_marked;
        sink->marked_arg = run->journal;
        sink->journal = run->journal_path;
    }
    if (run->resumed) {
        sink->resume = true;
        sink->cuts = run->state.cuts;
        sink->cut_count = run->state.cut_count;
        sink->next = run->state.next;
    }
}

int run_put_waiting(struct run *run, struct err_text *ret_error)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && run->sink != NULL && i < run->state.waiting_count; i++) {
        rc = sink_put(run->sink, &run->state.waiting[i]);
    }
    return rc == 0 ? 0 : err_set(ret_error, rc, "no memory for results of earlier");
}
