/* quartet compare: time the four strategies on the same items, in this process and across
 * workers. Rounds are interleaved: each runs every cell once, in an order shuffled from the
 * seed, so that drift of the machine hits all cells alike. */
#include "common/base/check.h"
#include "common/base/rng.h"
#include "common/io/cli.h"
#include "common/io/cores.h"
#include "common/io/versions.h"
#include "coordinator/commands.h"
#include "coordinator/report/output.h"
#include "coordinator/run/work.h"
#include "coordinator/session/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORKERS_DEFAULT = 2, WORKS_MAX = 16, PLACES_MAX = SWEEP_MAX + 2 };

struct compare {
    struct options options;
    struct environment environment;
    char started[40];
    struct work works[WORKS_MAX];
    size_t work_count;
    struct session *session;
    struct report_host *hosts; /* that the workers are on */
    size_t host_count;
    struct comparison comparisons[WORKS_MAX];
    size_t comparison_count; /* begun; later ones were not reached */
    struct err_text trouble; /* why the comparison could not go on; empty: it could */
};

/* --- the grid --- */

/* The numbers of workers to run with, each a place of its own: 0 is the local one. */
static size_t list_places(const struct options *options, uint32_t ret_workers[PLACES_MAX])
{
    size_t count = 0;
    if (!options->no_local) {
        ret_workers[count++] = 0;
    }
    if (options_distributed(options) && options->sweep_count == 0) {
        ret_workers[count++] = (uint32_t)options_workers(options);
    }
    for (size_t i = 0; i < options->sweep_count; i++) {
        ret_workers[count++] = (uint32_t)options->sweep[i];
    }
    return count;
}

/* What a cell will have as far as is known beforehand; its runs say what there really was. */
static void expect(const struct options *options, uint32_t workers, struct cell *cell)
{
    uint32_t slots = options_slots(options, cell->strategy);
    slots = slots > 0 ? slots : strategy_default_slots(cell->strategy, cores_usable());
    cell->placement = workers == 0 ? PLACEMENT_LOCAL : PLACEMENT_DISTRIBUTED;
    cell->workers = workers;
    cell->concurrency = slots * (workers == 0 ? 1 : workers);
}

static int make_cells(const struct compare *compare, struct comparison *comparison)
{
    const struct options *options = &compare->options;
    uint32_t workers[PLACES_MAX];
    size_t places = list_places(options, workers);
    comparison->cells = calloc(options->strategy_count * places, sizeof(struct cell));
    if (comparison->cells == NULL) {
        return ERR_NOMEM;
    }
    for (size_t p = 0; p < places; p++) {
        for (size_t s = 0; s < options->strategy_count; s++) {
            struct cell *cell = &comparison->cells[comparison->cell_count++];
            cell->strategy = options->strategies[s];
            cell->sweeps = workers[p] > 0 && options->sweep_count > 0 ? workers[p] : 0;
            expect(options, workers[p], cell);
            cell->samples = calloc(options->rounds, sizeof(struct sample));
            if (cell->samples == NULL) {
                return ERR_NOMEM;
            }
        }
    }
    return 0;
}

static int begin_comparison(struct compare *compare, const struct work *work)
{
    struct comparison *comparison = &compare->comparisons[compare->comparison_count++];
    const struct items_spec *items = &work->items;
    *comparison = (struct comparison){
        .workload = work->workload->name,
        .params = &work->params,
        .specs = work->workload->params,
        .spec_count = work->workload->param_count,
        .elsewhere = (work->workload->traits & WORKLOAD_COMMAND) != 0,
        .items = work->count,
        .rounds = (uint32_t)compare->options.rounds,
        .warmup = (uint32_t)compare->options.warmup,
        .seed = compare->options.seed,
    };
    if (items->is_range && work->workload->expected_checksum != NULL) {
        comparison->has_expected = true;
        comparison->expected_checksum = work->workload->expected_checksum(items->range_first,
                                                                          items->range_last);
    }
    return make_cells(compare, comparison);
}

/* --- running it --- */

/* Returns false when the whole comparison has to end here. */
static bool run_cell(struct compare *compare,
                     const struct work *work,
                     struct cell *cell,
                     uint32_t round)
{
    const struct options *options = &compare->options;
    bool timed = round >= options->warmup;
    char label[128];
    (void)snprintf(label,
                   sizeof(label),
                   "%s %s %s %s %" PRIu64 "/%" PRIu64,
                   work->workload->name,
                   placement_name(cell->placement),
                   strategy_name(cell->strategy),
                   timed ? "round" : "warm-up",
                   timed ? round - options->warmup + 1 : round + 1,
                   timed ? options->rounds : options->warmup);
    struct job job = work_job(work);
    job.strategy = cell->strategy;
    job.slots = options_slots(options, cell->strategy);
    job.chunk_items = options->chunk_items;
    job.credit = (uint32_t)options->credit;
    job.crash_limit = (uint32_t)options->crash_limit;
    job.speculate = options->speculate;
    job.workers = cell->sweeps;
    job.label = label;
    job.keep_bar = round + 1 == options->warmup + options->rounds;
    struct job_result result;
    session_run(compare->session, &job, cell->placement, &result);
    if (result.outcome == RUNNER_FAILED) {
        (void)snprintf(cell->trouble, sizeof(cell->trouble), "%s", result.error);
        return true;
    }
    cell->workers = result.workers;
    cell->hosts = result.hosts;
    cell->concurrency = result.concurrency;
    cell->cooperative = result.cooperative;
    struct comparison *comparison = &compare->comparisons[compare->comparison_count - 1];
    comparison->workers_elsewhere |= result.elsewhere;
    if (result.hosts > comparison->worker_hosts) {
        comparison->worker_hosts = result.hosts;
    }
    if (timed || result.outcome != RUNNER_DONE) {
        CHECK(cell->sample_count < options->rounds);
        cell->samples[cell->sample_count++] = result.sample;
    }
    if (result.outcome == RUNNER_STALLED) {
        (void)err_set(&compare->trouble,
                      ERR_GONE,
                      "%s: %s; %" PRIu64 " of %" PRIu64 " items were done; not done: %s",
                      label,
                      result.error,
                      result.sample.ok + result.sample.failed,
                      work->count,
                      result.missing);
    }
    return result.outcome == RUNNER_DONE;
}

static int run_comparison(struct compare *compare, const struct work *work)
{
    int rc = begin_comparison(compare, work);
    struct comparison *comparison = &compare->comparisons[compare->comparison_count - 1];
    size_t *order = calloc(comparison->cell_count + 1, sizeof(*order));
    if (rc != 0 || order == NULL) {
        free(order);
        return err_set(&compare->trouble, ERR_NOMEM, "no memory for the comparison");
    }
    struct rng rng;
    rng_init(&rng, compare->options.seed);
    uint32_t rounds = (uint32_t)(compare->options.warmup + compare->options.rounds);
    bool going = true;
    for (uint32_t round = 0; going && round < rounds; round++) {
        for (size_t i = 0; i < comparison->cell_count; i++) {
            order[i] = i;
        }
        rng_shuffle(&rng, order, comparison->cell_count);
        for (size_t i = 0; going && i < comparison->cell_count; i++) {
            struct cell *cell = &comparison->cells[order[i]];
            going = cell->trouble[0] != '\0' || run_cell(compare, work, cell, round);
            going = going && session_signal(compare->session) == 0;
        }
    }
    free(order);
    return going ? 0 : ERR_CANCELLED;
}

/* --- settling what to run --- */

static int choose_works(struct compare *compare,
                        const char **words,
                        size_t word_count,
                        struct err_text *ret_error)
{
    static const char *const defaults[] = {"download", "squares"};
    bool given = word_count > 0;
    size_t count = given ? word_count : sizeof(defaults) / sizeof(defaults[0]);
    if (count > WORKS_MAX) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "%zu workloads are too many to compare: %d at most",
                       count,
                       WORKS_MAX);
    }
    if (!given && compare->options.has_items) {
        return err_set(
            ret_error,
            ERR_INVALID,
            "%s needs a workload: 'quartet compare WORKLOAD ...', one of 'quartet workloads'",
            compare->options.range_text != NULL ? "--range" : "--items");
    }
    for (size_t i = 0; i < count; i++) {
        struct work *work = &compare->works[compare->work_count++];
        int rc = work_choose(
            work, given ? words[i] : defaults[i], &compare->options, count == 1, ret_error);
        rc = rc != 0 ? rc
                     : work_check_items(work, &compare->options, WORK_STREAM_COPY, NULL, ret_error);
        if (rc != 0) {
            return rc;
        }
    }
    return work_check_params(compare->works, compare->work_count, &compare->options, ret_error);
}

/* Every item is run many times: in each cell, in each round. */
static int check_idempotent(const struct compare *compare, struct err_text *ret_error)
{
    const struct options *options = &compare->options;
    uint32_t workers[PLACES_MAX];
    uint64_t times = (options->rounds + options->warmup) * options->strategy_count *
                     list_places(options, workers);
    for (size_t i = 0; i < compare->work_count; i++) {
        const struct workload_ops *workload = compare->works[i].workload;
        if (options->yes || (workload->traits & WORKLOAD_IDEMPOTENT) != 0) {
            continue;
        }
        if (isatty(STDIN_FILENO) != 0) {
            return err_set(ret_error,
                           ERR_INVALID,
                           "compare runs every item of %s %" PRIu64
                           " times, and %s does not say that this does no "
                           "harm: add --yes if it does none",
                           workload->name,
                           times,
                           workload->name);
        }
        if (!options->quiet) {
            (void)fprintf(stderr,
                          "quartet compare: every item of %s is run %" PRIu64 " times\n",
                          workload->name,
                          times);
        }
    }
    return 0;
}

static int resolve_works(struct compare *compare, struct err_text *ret_error)
{
    for (size_t i = 0; i < compare->work_count; i++) {
        const char *url = NULL;
        int rc = 0;
        if (compare->works[i].needs_origin) {
            rc = session_origin(compare->session, ret_error, &url);
        }
        rc = rc != 0 ? rc : work_resolve(&compare->works[i], url, ret_error);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* --- the end --- */

static bool has_failures(const struct comparison *comparison)
{
    for (size_t i = 0; i < comparison->cell_count; i++) {
        const struct cell *cell = &comparison->cells[i];
        for (size_t k = 0; k < cell->sample_count; k++) {
            if (cell->samples[k].failed > 0 || !cell->samples[k].complete) {
                return true;
            }
        }
        if (cell->trouble[0] != '\0') {
            return true;
        }
    }
    return false;
}

static int judge(const struct compare *compare)
{
    bool failed = false;
    for (size_t i = 0; i < compare->comparison_count; i++) {
        const struct comparison *comparison = &compare->comparisons[i];
        struct cell_summary *summaries = calloc(comparison->cell_count + 1,
                                                sizeof(struct cell_summary));
        struct verdict *verdict = calloc(1, sizeof(*verdict));
        if (summaries != NULL && verdict != NULL) {
            comparison_judge(comparison, summaries, verdict);
            failed |= !verdict->agree || has_failures(comparison);
        }
        free(summaries);
        free(verdict);
    }
    return failed ? EXIT_ITEMS_FAILED : EXIT_ALL_OK;
}

/* `rc`: what ended the work. */
static int finish(struct compare *compare, char **command, int rc)
{
    int number = compare->session == NULL ? 0 : session_signal(compare->session);
    struct report report = {
        .version = versions_quartet(),
        .commit = versions_commit(),
        .command = command,
        .environment = compare->environment,
        .comparisons = compare->comparisons,
        .comparison_count = compare->comparison_count,
        .hosts = compare->hosts,
        .host_count = compare->host_count,
    };
    report.environment.load_after = environment_load();
    memcpy(report.started, compare->started, sizeof(report.started));
    int status = EXIT_ALL_OK;
    if (compare->comparison_count > 0) {
        status = output_report(&report, &compare->options) == 0 ? judge(compare)
                                                                : EXIT_CANNOT_GO_ON;
    }
    if (number != 0) {
        (void)fprintf(
            stderr,
            "quartet compare: stopped by signal %d; what was measured until then is shown\n",
            number);
        return EXIT_BY_SIGNAL + number;
    }
    if (compare->trouble.s[0] != '\0') {
        (void)fprintf(stderr, "quartet compare: %s\n", compare->trouble.s);
        return rc == ERR_INVALID ? EXIT_WRONG_USAGE : EXIT_CANNOT_GO_ON;
    }
    return status;
}

static void deinit(struct compare *compare)
{
    session_close(compare->session);
    free(compare->hosts);
    for (size_t i = 0; i < compare->comparison_count; i++) {
        struct comparison *comparison = &compare->comparisons[i];
        for (size_t k = 0; k < comparison->cell_count; k++) {
            free(comparison->cells[k].samples);
        }
        free(comparison->cells);
    }
    for (size_t i = 0; i < compare->work_count; i++) {
        work_deinit(&compare->works[i]);
    }
    options_deinit(&compare->options);
}

static int run_all(struct compare *compare, struct zygote *zygote)
{
    int rc = session_open(&compare->options, zygote, &compare->trouble, &compare->session);
    rc = rc != 0 ? rc : resolve_works(compare, &compare->trouble);
    for (size_t i = 0; rc == 0 && i < compare->work_count; i++) {
        rc = run_comparison(compare, &compare->works[i]);
    }
    session_list_hosts(compare->session, &compare->hosts, &compare->host_count);
    return rc;
}

static int settle(struct compare *compare, int argc, char **argv, const char **words)
{
    struct options *options = &compare->options;
    struct cli_table table = {.count = 0};
    options_init(options, WORKERS_DEFAULT);
    options->argv = argv;
    options_add_items(&table, options);
    options_add_command(&table, options);
    options_add_yes(&table, options);
    options_add_strategies(&table, options);
    options_add_placement(&table, options, "2", true);
    options_add_chunks(&table, options);
    /* A copy of a late chunk would be work that the other cells do not have: its CPU time is counted,
     * and the bound is judged by that; and what keeps a strategy waiting is to be seen, not mended. */
    options_add_recovery(&table, options, false);
    options_add_control(&table, options);
    options_add_measuring(&table, options);
    options_add_output(&table, options, true);
    const struct cli cli = {
        .program = "quartet compare",
        .usage = "[WORKLOAD...] [-- COMMAND...]",
        .summary =
            "Times the four strategies (serial, threads, async, processes) on the same items, in "
            "this process "
            "and across workers, and says which is best, by how much, and what distribution costs. "
            "Without a "
            "WORKLOAD: download of 64 items that take 0.1 s each, then squares of 1 to 10000000.",
        .examples = "quartet compare\n"
                    "quartet compare squares --range 1:1000000 --workers 4 --rounds 10\n"
                    "quartet compare download --items urls.txt --json report.json\n"
                    "quartet compare exec --items files.txt -- gzip -9c {}\n\n"
                    "Exit status: 0 all items succeeded and all results agree; 1 not so;\n"
                    "2 wrong usage or input; 3 the comparison could not go on;\n"
                    "128+N stopped by signal N.",
        .options = table.list,
        .option_count = table.count,
        .positional_max = SIZE_MAX,
        .rest = "COMMAND...",
    };
    size_t word_count = 0;
    int status = command_parse(&cli, argc, argv, words, &word_count, &options->command_count);
    options->command = words + word_count;
    struct err_text error = {{0}};
    if (status < 0 &&
        (options_check(options, &error) != 0 || options_check_outputs(options, &error) != 0 ||
         choose_works(compare, words, word_count, &error) != 0 ||
         check_idempotent(compare, &error) != 0)) {
        (void)fprintf(stderr, "quartet compare: %s\n", error.s);
        status = EXIT_WRONG_USAGE;
    }
    return status;
}

int cmd_compare(int argc, char **argv, struct zygote *zygote)
{
    struct compare *compare = calloc(1, sizeof(*compare));
    const char **words = calloc((size_t)argc, sizeof(*words));
    if (compare == NULL || words == NULL) {
        (void)fputs("quartet compare: no memory\n", stderr);
        free(compare);
        free(words);
        return EXIT_CANNOT_GO_ON;
    }
    int status = settle(compare, argc, argv, words);
    if (status < 0) {
        environment_read(&compare->environment);
        output_now(compare->started, sizeof(compare->started));
        int rc = run_all(compare, zygote);
        status = finish(compare, argv, rc);
    }
    deinit(compare);
    free(compare);
    free(words);
    return status;
}
