/* quartet run: run the items of one workload with one strategy, in this process or across workers, and say what came of it. */
#include "common/base/units.h"
#include "common/io/versions.h"
#include "coordinator/commands.h"
#include "coordinator/output.h"
#include "coordinator/session.h"
#include "coordinator/work.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS_DEFAULT = 0 };

struct run {
    struct options options;
    struct work work;
    struct session *session;
    struct environment environment;
    char started[40];
    struct job_result result;
    enum placement placement;
};

/* --- saying what came of it --- */

static void print_how(const struct run *run, FILE *stream)
{
    const struct job_result *result = &run->result;
    if (run->placement == PLACEMENT_LOCAL) {
        (void)fprintf(stream,
                      "local, %s, %u at once",
                      strategy_name(run->options.strategies[0]),
                      result->concurrency);
    } else {
        (void)fprintf(stream,
                      "%u worker%s, %s, %u at once",
                      result->workers,
                      result->workers == 1 ? "" : "s",
                      strategy_name(run->options.strategies[0]),
                      result->concurrency);
    }
}

static void print_counts(const struct sample *sample, FILE *stream)
{
    char ok[UNITS_TEXT_SIZE];
    char failed[UNITS_TEXT_SIZE];
    char bytes[UNITS_TEXT_SIZE];
    (void)fprintf(stream,
                  "items      %s succeeded, %s failed",
                  units_format_exact(sample->ok, ok),
                  units_format_exact(sample->failed, failed));
    if (!sample->complete) {
        char left[UNITS_TEXT_SIZE];
        (void)fprintf(stream,
                      ", %s not run",
                      units_format_exact(sample->items - sample->ok - sample->failed, left));
    }
    (void)fprintf(stream,
                  "\nresults    checksum %016" PRIx64 ", %s\n",
                  sample->checksum,
                  units_format_bytes(sample->bytes_out, bytes));
}

static void print_time(const struct sample *sample, FILE *stream)
{
    char wall[UNITS_TEXT_SIZE];
    char cpu[UNITS_TEXT_SIZE];
    char startup[UNITS_TEXT_SIZE];
    char rate[UNITS_TEXT_SIZE];
    double done = (double)(sample->ok + sample->failed);
    double per_second = sample->wall_s > 0 ? done / sample->wall_s : 0;
    (void)fprintf(stream,
                  "time       %s (%s items/s), CPU %s, start-up %s apart from it\n",
                  units_format_seconds(sample->wall_s, wall),
                  units_format_count((uint64_t)per_second, rate),
                  units_format_seconds(sample->cpu_s, cpu),
                  units_format_seconds(sample->startup_s, startup));
}

static void print_trouble(const struct sample *sample, FILE *stream)
{
    if (sample->retried + sample->duplicates + sample->workers_lost > 0) {
        (void)fprintf(stream,
                      "trouble    %" PRIu64 " workers lost, %" PRIu64 " chunks run again, %" PRIu64
                      " results that came twice dropped\n",
                      sample->workers_lost,
                      sample->retried,
                      sample->duplicates);
    }
}

static void print_failures(const struct job_result *result, FILE *stream)
{
    for (size_t i = 0; i < result->failure_count; i++) {
        (void)fprintf(stream,
                      "%s item %" PRIu64 ": %s\n",
                      i == 0 ? "failed    " : "          ",
                      result->failures[i].index,
                      result->failures[i].text);
    }
    uint64_t shown = result->failure_count;
    if (result->sample.failed > shown && shown > 0) {
        (void)fprintf(
            stream, "           ... and more, %" PRIu64 " in all\n", result->sample.failed);
    }
}

static void print_summary(const struct run *run, FILE *stream)
{
    (void)fprintf(stream, "%s: ", run->work.workload->name);
    print_how(run, stream);
    (void)fputc('\n', stream);
    print_counts(&run->result.sample, stream);
    print_time(&run->result.sample, stream);
    print_trouble(&run->result.sample, stream);
    print_failures(&run->result, stream);
    if (!run->result.sample.complete && run->result.missing[0] != '\0') {
        (void)fprintf(stream, "not run    items %s\n", run->result.missing);
    }
}

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

static int finish(struct run *run, char **command)
{
    const struct job_result *result = &run->result;
    if (result->outcome == RUNNER_FAILED) {
        (void)fprintf(stderr, "quartet run: %s\n", result->error);
        return EXIT_CANNOT_GO_ON;
    }
    if (result->outcome == RUNNER_DONE && result->sample.items == 0) {
        (void)fputs("quartet run: there are no items: standard input is empty\n", stderr);
        return EXIT_WRONG_USAGE;
    }
    bool taken = run->options.json != NULL && strcmp(run->options.json, "-") == 0;
    print_summary(run, taken ? stderr : stdout);
    int rc = write_report(run, command);
    int number = session_signal(run->session);
    if (number != 0) {
        (void)fprintf(stderr, "quartet run: stopped by signal %d\n", number);
        return EXIT_BY_SIGNAL + number;
    }
    if (result->outcome == RUNNER_STALLED) {
        (void)fprintf(
            stderr, "quartet run: %s; not run: items %s\n", result->error, result->missing);
        return EXIT_CANNOT_GO_ON;
    }
    if (rc != 0) {
        return EXIT_CANNOT_GO_ON;
    }
    return result->sample.failed > 0 ? EXIT_ITEMS_FAILED : EXIT_ALL_OK;
}

/* --- running --- */

static int play(struct run *run, struct zygote *zygote, struct err_text *ret_error)
{
    const char *url = NULL;
    int rc = session_open(&run->options, zygote, ret_error, &run->session);
    if (rc == 0 && run->work.needs_origin) {
        rc = session_origin(run->session, ret_error, &url);
    }
    rc = rc != 0 ? rc : work_resolve(&run->work, url, ret_error);
    if (rc != 0) {
        return rc;
    }
    struct job job = {
        .workload = run->work.workload,
        .params = &run->work.params,
        .items = run->work.items,
        .strategy = run->options.strategies[0],
        .slots = options_slots(&run->options, run->options.strategies[0]),
        .chunk_items = run->options.chunk_items,
        .credit = (uint32_t)run->options.credit,
        .label = run->work.workload->name,
        .keep_bar = true,
    };
    session_run(run->session, &job, run->placement, &run->result);
    return 0;
}

static int settle(struct run *run, int argc, char **argv, const char **words)
{
    struct options *options = &run->options;
    struct option_table table = {.count = 0};
    options_init(options, WORKERS_DEFAULT);
    options_add_items(&table, options);
    options_add_one_strategy(&table, options);
    options_add_placement(&table, options, "0: in this process");
    options_add_chunks(&table, options);
    options_add_output(&table, options, false);
    const struct cli cli = {
        .program = "quartet run",
        .usage = "WORKLOAD",
        .summary = "Runs the items of one workload with one strategy, in this process or across "
                   "workers, and prints "
                   "a summary.",
        .examples = "quartet run download --items urls.txt --strategy async\n"
                    "quartet run squares --range 1:1000000000 --workers 2\n"
                    "quartet run noop --listen tcp://127.0.0.1:5555 --wait 4\n\n"
                    "Exit status: 0 all items succeeded; 1 some failed; 2 wrong usage or input;\n"
                    "3 the run could not go on; 128+N stopped by signal N.",
        .options = table.list,
        .option_count = table.count,
        .positional_max = 1,
    };
    size_t word_count = 0;
    int status = command_parse(&cli, argc, argv, words, &word_count);
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
    return -1;
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
