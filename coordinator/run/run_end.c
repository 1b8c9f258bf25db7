/* The end of a run: its results are closed, what came of it is said and judged; see run_internal.h. */
#include "common/base/units.h"
#include "common/io/versions.h"
#include "coordinator/commands.h"
#include "coordinator/journal/journal.h"
#include "coordinator/report/output.h"
#include "coordinator/run/run_internal.h"
#include "coordinator/run/run_summary.h"

#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int write_report(struct run *run)
{
    struct cell cell = {
        .strategy = run->options.strategies[0],
        .placement = run->placement,
        .workers = run->result.workers,
        .hosts = run->result.hosts,
        .concurrency = run->result.concurrency,
        .cooperative = run->result.cooperative,
        .samples = &run->result.sample,
        .sample_count = 1,
    };
    struct comparison comparison = {
        .workload = run->work.workload->name,
        .params = &run->work.params,
        .specs = run->work.workload->params,
        .spec_count = run->work.workload->param_count,
        .items = run->result.sample.items,
        .rounds = 1,
        .seed = run->options.seed,
        .workers_elsewhere = run->result.elsewhere,
        .worker_hosts = run->result.hosts,
        .cells = &cell,
        .cell_count = 1,
    };
    struct report report = {
        .version = versions_quartet(),
        .commit = versions_commit(),
        .command = run->words,
        .environment = run->environment,
        .comparisons = &comparison,
        .comparison_count = 1,
    };
    struct report_host *hosts = NULL;
    session_list_hosts(run->session, &hosts, &report.host_count);
    report.hosts = hosts;
    report.environment.load_after = environment_load();
    memcpy(report.started, run->started, sizeof(report.started));
    int rc = output_files(&report, &run->options);
    free(hosts);
    return rc;
}

/* Close what results are written to. Returns 0, or an exit status after saying what went wrong. */
static int close_sink(struct run *run)
{
    struct err_text error = {{0}};
    bool reader_left = false;
    if (run->sink == NULL) {
        return EXIT_ALL_OK;
    }
    atomic_bool abandon = !session_await_sink(run->session, run->sink);
    int rc = sink_close(run->sink, &abandon, &error, &reader_left);
    run->sink = NULL;
    if (rc == 0) {
        return EXIT_ALL_OK;
    }
    if (reader_left) {
        return EXIT_BY_SIGNAL + SIGPIPE; /* as any program whose reader has had enough */
    }
    run_say(run, "%s", error.s);
    return EXIT_CANNOT_GO_ON;
}

static void say_summary(const struct run *run)
{
    const struct options *options = &run->options;
    bool results_on_stdout = options->sink.print || run_is_stdout(options->sink.out) ||
                             run_is_stdout(options->json);
    const struct run_summary summary = {
        .workload = run->work.workload->name,
        .strategy = options->strategies[0],
        .placement = run->placement,
        .result = &run->result,
    };
    if (!results_on_stdout) {
        run_summary_print(&summary, stdout);
    } else if (!options->quiet) {
        run_summary_print(&summary, stderr);
    }
}

/* A run that was halted has done what was asked when it waited for successes. */
static int judge_halted(const struct run *run)
{
    if (!run->options.quiet) {
        run_say(run, "stopped by --halt; not run: items %s", run->result.missing);
    }
    bool wanted = run->options.halt.why == HALT_SUCCESS;
    return wanted || run->result.sample.failed == 0 ? EXIT_ALL_OK : EXIT_ITEMS_FAILED;
}

static int judge(const struct run *run)
{
    const struct job_result *result = &run->result;
    int number = session_signal(run->session);
    if (number != 0) {
        run_say(run, "stopped by signal %d", number);
        return EXIT_BY_SIGNAL + number;
    }
    switch (result->outcome) {
    case RUNNER_HALTED:
        return judge_halted(run);
    case RUNNER_STALLED:
        run_say(run, "%s; not run: items %s", result->error, result->missing);
        return EXIT_CANNOT_GO_ON;
    case RUNNER_FAILED:
        run_say(run, "%s", result->error);
        return EXIT_CANNOT_GO_ON;
    default:
        return result->sample.failed > 0 ? EXIT_ITEMS_FAILED : EXIT_ALL_OK;
    }
}

/* The journal of a job that is complete has done its duty; that of others says how to go on. */
static void close_journal(struct run *run)
{
    if (run->journal == NULL) {
        return;
    }
    journal_close(run->journal);
    run->journal = NULL;
    if (run->result.outcome == RUNNER_DONE) {
        run_drop_kept_items(run);
    } else if (!run->options.quiet) {
        run_say(run, "'quartet resume %s' goes on with it", run->journal_path);
    }
}

int run_finish(struct run *run)
{
    const struct job_result *result = &run->result;
    int written = close_sink(run);
    close_journal(run);
    if (written > EXIT_BY_SIGNAL && session_signal(run->session) == 0) {
        return written;
    }
    if (result->outcome == RUNNER_FAILED && result->sample.items == 0) {
        return written != EXIT_ALL_OK ? written : judge(run); /* nothing was run */
    }
    if (result->outcome == RUNNER_DONE && result->sample.items == 0) {
        run_say(run, "there are no items: standard input is empty");
        return EXIT_WRONG_USAGE;
    }
    say_summary(run);
    int reported = write_report(run);
    /* What could not be written was said: the runner failed for that reason. */
    int status = written != EXIT_ALL_OK && result->outcome == RUNNER_FAILED ? written : judge(run);
    if (status <= EXIT_ITEMS_FAILED && (written != EXIT_ALL_OK || reported != 0)) {
        return EXIT_CANNOT_GO_ON;
    }
    return status;
}

/* --- a run that was complete before --- */

static void fill_from_journal(const struct journal_state *state, struct sample *ret_sample)
{
    const struct journal_counts *counts = &state->counts;
    *ret_sample = (struct sample){
        .wall_s = (double)counts->elapsed_us / 1e6,
        .items = state->done.members,
        .items_before = state->done.members,
        .ok = counts->tally.ok,
        .failed = counts->tally.failed,
        .retried = counts->retried,
        .items_retried = counts->items_retried,
        .duplicates = counts->duplicates,
        .workers_lost = counts->workers_lost,
        .chunks = counts->chunks,
        .checksum = counts->tally.checksum,
        .bytes_out = counts->tally.bytes_out,
        .complete = true,
    };
    if (state->failure_count > 0) {
        (void)snprintf(ret_sample->first_error,
                       sizeof(ret_sample->first_error),
                       "item %" PRIu64 ": %s",
                       state->failures[0].index,
                       state->failures[0].reason);
    }
}

int run_finish_again(struct run *run)
{
    char ok[UNITS_TEXT_SIZE];
    char failed[UNITS_TEXT_SIZE];
    struct sample *sample = &run->result.sample;
    struct err_text error = {{0}};
    if (!run->work.needs_origin && work_resolve(&run->work, NULL, &error) != 0) {
        (void)fprintf(stderr, "quartet resume: %s\n", error.s);
        return EXIT_CANNOT_GO_ON;
    }
    fill_from_journal(&run->state, sample);
    run->result.outcome = RUNNER_DONE;
    close_journal(run);
    (void)fprintf(stderr,
                  "quartet resume: the run of %s is complete: %s items succeeded, %s failed\n",
                  run->journal_path,
                  units_format_exact(sample->ok, ok),
                  units_format_exact(sample->failed, failed));
    bool reported = run->options.dry_run || write_report(run) == 0;
    return reported ? judge(run) : EXIT_CANNOT_GO_ON;
}
