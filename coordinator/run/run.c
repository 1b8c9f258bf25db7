/* What is opened for a run, and the run itself; see run_internal.h. */
#include "common/base/units.h"
#include "coordinator/commands.h"
#include "coordinator/report/output.h"
#include "coordinator/run/run_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct run *run_new(void)
{
    struct run *run = calloc(1, sizeof(*run));
    if (run != NULL) {
        run->work.items.fd = -1;
    }
    return run;
}

void run_free(struct run *run)
{
    if (run == NULL) {
        return;
    }
    session_close(run->session);
    journal_close(run->journal);
    journal_state_deinit(&run->state);
    job_record_deinit(&run->record);
    work_deinit(&run->work);
    options_deinit(&run->options);
    free(run->positional);
    free(run->merged); /* options pointed into these */
    free(run);
}

static int open_sink(struct run *run, struct err_text *ret_error)
{
    struct options *options = &run->options;
    const struct items_spec *items = &run->work.items;
    if (!options_want_results(options)) {
        return 0;
    }
    unsigned traits = run->work.workload->traits;
    options->sink.raw_lines = (traits & WORKLOAD_LINES) != 0;
    /* What answers in lines does not end with each item. */
    options->sink.exits = (traits & (WORKLOAD_COMMAND | WORKLOAD_LINES)) == WORKLOAD_COMMAND;
    options->sink.separator = items->separator;
    options->sink.is_range = items->is_range;
    options->sink.range_first = items->is_range ? items->range_first : 0;
    options->sink.items = items->is_range        ? NULL
                          : run->work.items_kept ? run->kept_items
                                                 : items->path;
    options->sink.json = run_is_stdout(options->json) ? NULL : options->json;
    options->sink.command = params_get(&run->work.params, "command");
    options->sink.wake = session_kick;
    options->sink.wake_arg = run->session;
    run_prepare_sink(run);
    return sink_open(&options->sink, ret_error, &run->sink);
}

static struct job make_job(struct run *run)
{
    const struct options *options = &run->options;
    struct job job = work_job(&run->work);
    job.id = run->job_id;
    job.strategy = options->strategies[0];
    job.slots = options_slots(options, options->strategies[0]);
    job.chunk_items = options->chunk_items;
    job.credit = (uint32_t)options->credit;
    job.records = run->sink != NULL || options->retries > 0;
    job.sink = run->sink;
    job.journal = run->journal;
    job.state = run->resumed ? &run->state : NULL;
    job.retries = (uint32_t)options->retries;
    job.crash_limit = (uint32_t)options->crash_limit;
    job.speculate = options->speculate;
    job.halt = options->halt;
    job.label = run->work.workload->name;
    job.keep_bar = true;
    return job;
}

const char *run_command(const struct run *run)
{
    return run->resumed ? "quartet resume" : "quartet run";
}

void run_say(const struct run *run, const char *format, ...)
{
    char line[ERR_TEXT_SIZE + RUN_PATH_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "%s: %s\n", run_command(run), line);
}

void run_say_done(const struct run *run)
{
    char done[UNITS_TEXT_SIZE];
    if (run->resumed && !run->options.quiet) {
        run_say(run,
                "goes on; %s items are done already",
                units_format_exact(run->state.done.members, done));
    }
}

static int play(struct run *run, struct zygote *zygote, struct err_text *ret_error)
{
    const char *url = NULL;
    int rc = session_open(&run->options, zygote, ret_error, &run->session);
    if (rc == 0 && run->work.needs_origin) {
        rc = session_origin(run->session, ret_error, &url);
    }
    rc = rc != 0 ? rc : work_resolve(&run->work, url, ret_error);
    rc = rc != 0 ? rc : open_sink(run, ret_error);
    rc = rc != 0 ? rc : run_put_waiting(run, ret_error);
    if (rc != 0) {
        return rc;
    }
    run_say_done(run);
    const struct job job = make_job(run);
    session_run(run->session, &job, run->placement, &run->result);
    return 0;
}

int run_perform(struct run *run, int word_count, char **words, struct zygote *zygote)
{
    struct err_text error = {{0}};
    run->words = words;
    run->word_count = word_count;
    int status = run_settle(run);
    if (status >= 0) {
        run_drop_journal(run);
        return status;
    }
    environment_read(&run->environment);
    output_now(run->started, sizeof(run->started));
    if (run_is_complete(run)) {
        return run_finish_again(run);
    }
    int rc = run_begin_journal(run, &error);
    rc = rc != 0 ? rc : play(run, zygote, &error);
    if (rc == 0) {
        return run_finish(run);
    }
    run_say(run, "%s", error.s);
    run_drop_journal(run);
    if (session_signal(run->session) != 0) {
        return EXIT_BY_SIGNAL + session_signal(run->session);
    }
    return rc == ERR_INVALID ? EXIT_WRONG_USAGE : EXIT_CANNOT_GO_ON;
}
