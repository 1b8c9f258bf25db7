/* quartet run: run the items of one workload with one strategy, in this process or across workers, and say what came of it. */
#include "common/io/versions.h"
#include "coordinator/commands.h"
#include "coordinator/dry_run.h"
#include "coordinator/output.h"
#include "coordinator/run_summary.h"
#include "coordinator/session.h"
#include "coordinator/work.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS_DEFAULT = 0 };

struct run {
    struct options options;
    struct work work;
    struct session *session;
    struct sink *sink; /* NULL: nobody wants results of single items */
    struct environment environment;
    char started[40];
    struct job_result result;
    enum placement placement;
};

/* --- the end --- */

static int write_report(struct run *run, char **command)
{
    struct cell cell = {
        .strategy = run->options.strategies[0],
        .placement = run->placement,
        .workers = run->result.workers,
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
        .cells = &cell,
        .cell_count = 1,
    };
    struct report report = {
        .version = versions_quartet(),
        .commit = versions_commit(),
        .command = command,
        .environment = run->environment,
        .comparisons = &comparison,
        .comparison_count = 1,
    };
    report.environment.load_after = environment_load();
    memcpy(report.started, run->started, sizeof(report.started));
    return output_files(&report, &run->options);
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
    (void)fprintf(stderr, "quartet run: %s\n", error.s);
    return EXIT_CANNOT_GO_ON;
}

static bool is_stdout(const char *path)
{
    return path != NULL && strcmp(path, "-") == 0;
}

static void say_summary(const struct run *run)
{
    const struct options *options = &run->options;
    bool results_on_stdout = options->sink.print || is_stdout(options->sink.out) ||
                             is_stdout(options->json);
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
        (void)fprintf(
            stderr, "quartet run: stopped by --halt; not run: items %s\n", run->result.missing);
    }
    bool wanted = run->options.halt.why == HALT_SUCCESS;
    return wanted || run->result.sample.failed == 0 ? EXIT_ALL_OK : EXIT_ITEMS_FAILED;
}

static int judge(const struct run *run)
{
    const struct job_result *result = &run->result;
    int number = session_signal(run->session);
    if (number != 0) {
        (void)fprintf(stderr, "quartet run: stopped by signal %d\n", number);
        return EXIT_BY_SIGNAL + number;
    }
    switch (result->outcome) {
    case RUNNER_HALTED:
        return judge_halted(run);
    case RUNNER_STALLED:
        (void)fprintf(
            stderr, "quartet run: %s; not run: items %s\n", result->error, result->missing);
        return EXIT_CANNOT_GO_ON;
    case RUNNER_FAILED:
        (void)fprintf(stderr, "quartet run: %s\n", result->error);
        return EXIT_CANNOT_GO_ON;
    default:
        return result->sample.failed > 0 ? EXIT_ITEMS_FAILED : EXIT_ALL_OK;
    }
}

static int finish(struct run *run, char **command)
{
    const struct job_result *result = &run->result;
    int written = close_sink(run);
    if (written > EXIT_BY_SIGNAL && session_signal(run->session) == 0) {
        return written;
    }
    if (result->outcome == RUNNER_FAILED && result->sample.items == 0) {
        return written != EXIT_ALL_OK ? written : judge(run); /* nothing was run */
    }
    if (result->outcome == RUNNER_DONE && result->sample.items == 0) {
        (void)fputs("quartet run: there are no items: standard input is empty\n", stderr);
        return EXIT_WRONG_USAGE;
    }
    say_summary(run);
    int reported = write_report(run, command);
    /* What could not be written was said: the runner failed for that reason. */
    int status = written != EXIT_ALL_OK && result->outcome == RUNNER_FAILED ? written : judge(run);
    if (status <= EXIT_ITEMS_FAILED && (written != EXIT_ALL_OK || reported != 0)) {
        return EXIT_CANNOT_GO_ON;
    }
    return status;
}

/* --- running --- */

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
    options->sink.command = params_get(&run->work.params, "command");
    options->sink.wake = session_kick;
    options->sink.wake_arg = run->session;
    return sink_open(&options->sink, ret_error, &run->sink);
}

/* Where it would run; what, says dry_run. */
static int play_dry(struct run *run)
{
    const struct options *options = &run->options;
    struct err_text error = {{0}};
    int rc = work_resolve(&run->work, "http://ORIGIN", &error);
    if (rc == 0 && !options->quiet) {
        uint64_t workers = options->workers + options->wait_count;
        (void)fprintf(stderr,
                      "quartet run: would run with strategy %s, ",
                      strategy_name(options->strategies[0]));
        if (run->placement == PLACEMENT_LOCAL) {
            (void)fputs("in this process:\n", stderr);
        } else {
            (void)fprintf(stderr, "on %llu workers:\n", (unsigned long long)workers);
        }
    }
    rc = rc != 0 ? rc : dry_run(&run->work, stdout, &error);
    if (rc != 0) {
        (void)fprintf(stderr, "quartet run: %s\n", error.s);
        return EXIT_WRONG_USAGE;
    }
    return EXIT_ALL_OK;
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
    if (rc != 0) {
        return rc;
    }
    struct job job = work_job(&run->work);
    job.strategy = run->options.strategies[0];
    job.slots = options_slots(&run->options, run->options.strategies[0]);
    job.chunk_items = run->options.chunk_items;
    job.credit = (uint32_t)run->options.credit;
    job.records = run->sink != NULL || run->options.retries > 0;
    job.sink = run->sink;
    job.retries = (uint32_t)run->options.retries;
    job.crash_limit = (uint32_t)run->options.crash_limit;
    job.speculate = run->options.speculate;
    job.halt = run->options.halt;
    job.label = run->work.workload->name;
    job.keep_bar = true;
    session_run(run->session, &job, run->placement, &run->result);
    return 0;
}

/* What a command prints is seen, unless it is written somewhere else. */
static int settle_printing(struct run *run, struct err_text *ret_error)
{
    struct sink_options *sink = &run->options.sink;
    sink->print = (run->work.workload->traits & WORKLOAD_PRINTS) != 0 && sink->out == NULL &&
                  sink->results == NULL;
    if (sink->tag && !sink->print) {
        return err_set(
            ret_error, ERR_INVALID, "--tag marks what items print, but nothing is printed here");
    }
    if (is_stdout(run->options.json) && (sink->print || is_stdout(sink->out))) {
        return err_set(
            ret_error,
            ERR_INVALID,
            "--json '-' and the results of items both go to standard output: give one of "
            "them a file (--out FILE)");
    }
    return 0;
}

static int settle(struct run *run, int argc, char **argv, const char **words)
{
    struct options *options = &run->options;
    struct option_table table = {.count = 0};
    options_init(options, WORKERS_DEFAULT);
    options->argv = argv;
    options_add_items(&table, options);
    options_add_command(&table, options);
    options_add_results(&table, options);
    options_add_policy(&table, options);
    options_add_one_strategy(&table, options);
    options_add_placement(&table, options, "0: in this process");
    options_add_chunks(&table, options);
    options_add_recovery(&table, options, true);
    options_add_control(&table, options);
    options_add_output(&table, options, false);
    const struct cli cli = {
        .program = "quartet run",
        .usage = "WORKLOAD [-- COMMAND...]",
        .summary = "Runs the items of one workload with one strategy, in this process or across "
                   "workers, prints what they came to, and a summary. WORKLOAD is one of 'quartet "
                   "workloads', or the path of a plugin. exec runs COMMAND once for each item, "
                   "with {} in it replaced by the item ({.} {/} {//} {/.} {#} as GNU Parallel has "
                   "them); pipe starts COMMAND once in each slot and gives it one item a line.",
        .examples = "quartet run exec --items files.txt -- gzip -9k {}\n"
                    "seq 1000 | quartet run pipe --items - --workers 2 -- python3 square.py\n"
                    "quartet run download --items urls.txt --strategy async --out results.ndjson\n"
                    "quartet run squares --range 1:1000000000 --workers 2\n"
                    "quartet run noop --listen tcp://127.0.0.1:5555 --wait 4\n\n"
                    "Exit status: 0 all items succeeded; 1 some failed; 2 wrong usage or input;\n"
                    "3 the run could not go on; 128+N stopped by signal N.",
        .options = table.list,
        .option_count = table.count,
        .positional_max = 1,
        .rest = "COMMAND...",
    };
    size_t word_count = 0;
    int status = command_parse(&cli, argc, argv, words, &word_count, &options->command_count);
    options->command = words + word_count;
    struct err_text error = {{0}};
    if (status >= 0) {
        return status;
    }
    if (word_count == 0) {
        (void)fputs("quartet run: which WORKLOAD? 'quartet workloads' lists them\n", stderr);
        return EXIT_WRONG_USAGE;
    }
    if (options_check(options, &error) != 0 || options_check_outputs(options, &error) != 0 ||
        work_choose(&run->work, words[0], options, true, &error) != 0 ||
        work_check_items(&run->work, options, false, &error) != 0) {
        (void)fprintf(stderr, "quartet run: %s\n", error.s);
        return EXIT_WRONG_USAGE;
    }
    run->placement = options_distributed(options) ? PLACEMENT_DISTRIBUTED : PLACEMENT_LOCAL;
    if (settle_printing(run, &error) != 0) {
        (void)fprintf(stderr, "quartet run: %s\n", error.s);
        return EXIT_WRONG_USAGE;
    }
    return options->dry_run ? play_dry(run) : -1;
}

int cmd_run(int argc, char **argv, struct zygote *zygote)
{
    struct run *run = calloc(1, sizeof(*run));
    const char **words = calloc((size_t)argc, sizeof(*words));
    if (run == NULL || words == NULL) {
        (void)fputs("quartet run: no memory\n", stderr);
        free(run);
        free(words);
        return EXIT_CANNOT_GO_ON;
    }
    run->work.items.fd = -1;
    int status = settle(run, argc, argv, words);
    if (status < 0) {
        struct err_text error = {{0}};
        environment_read(&run->environment);
        output_now(run->started, sizeof(run->started));
        int rc = play(run, zygote, &error);
        if (rc == 0) {
            status = finish(run, argv);
        } else {
            (void)fprintf(stderr, "quartet run: %s\n", error.s);
            status = session_signal(run->session) != 0
                         ? EXIT_BY_SIGNAL + session_signal(run->session)
                     : rc == ERR_INVALID ? EXIT_WRONG_USAGE
                                         : EXIT_CANNOT_GO_ON;
        }
    }
    session_close(run->session);
    work_deinit(&run->work);
    options_deinit(&run->options);
    free(run);
    free(words);
    return status;
}
