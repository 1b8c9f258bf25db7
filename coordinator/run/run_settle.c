/* The command line of a run, checked before anything is begun; see run_internal.h. */
#include "common/base/units.h"
#include "coordinator/commands.h"
#include "coordinator/run/dry_run.h"
#include "coordinator/run/run_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WORKERS_DEFAULT = 0 };

bool run_is_complete(const struct run *run)
{
    return run->resumed && run->state.complete;
}

bool run_is_stdout(const char *path)
{
    return path != NULL && strcmp(path, "-") == 0;
}

static void fill_table(struct cli_table *table, struct options *options)
{
    table->count = 0;
    options_init(options, WORKERS_DEFAULT);
    options_add_items(table, options);
    options_add_command(table, options);
    options_add_results(table, options);
    options_add_policy(table, options);
    options_add_one_strategy(table, options);
    options_add_placement(table, options, "0: in this process", false);
    options_add_chunks(table, options);
    options_add_recovery(table, options, true);
    options_add_journal(table, options);
    options_add_control(table, options);
    options_add_output(table, options, false);
}

/* Where it would run, and what pipe would run once; what would be run for each item, says dry_run. */
static void say_where(const struct run *run)
{
    char workers[UNITS_TEXT_SIZE];
    const struct options *options = &run->options;
    const char *command = (run->work.workload->traits & WORKLOAD_LINES) != 0
                              ? params_get(&run->work.params, "command")
                              : NULL;
    bool here = run->placement == PLACEMENT_LOCAL;
    run_say(run,
            "would run with strategy %s, %s%s%s%s%s:",
            strategy_name(options->strategies[0]),
            here ? "in this process" : "on ",
            here ? "" : units_format_exact(options_workers(options), workers),
            here ? "" : " workers",
            command != NULL ? ", as lines for " : "",
            command != NULL ? command : "");
}

static int play_dry(struct run *run)
{
    struct err_text error = {{0}};
    int rc = work_resolve(&run->work, "http://ORIGIN", &error);
    run_say_done(run);
    if (rc == 0 && !run->options.quiet) {
        say_where(run);
    }
    const struct interval_set *done = run->resumed ? &run->state.done : NULL;
    rc = rc != 0 ? rc : dry_run(&run->work, done, stdout, &error);
    if (rc != 0) {
        run_say(run, "%s", error.s);
        return EXIT_WRONG_USAGE;
    }
    return EXIT_ALL_OK;
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
    if (run_is_stdout(run->options.json) && (sink->print || run_is_stdout(sink->out))) {
        return err_set(
            ret_error,
            ERR_INVALID,
            "--json '-' and the results of items both go to standard output: give one of "
            "them a file (--out FILE)");
    }
    return 0;
}

/* Nothing that is there is overwritten. Asked before the items beside it are kept. */
static int check_journal_is_new(const char *path, struct err_text *ret_error)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return 0;
    }
    if (!S_ISREG(status.st_mode)) {
        return err_set(ret_error, ERR_INVALID, "the journal '%.200s' is no regular file", path);
    }
    return err_set(ret_error,
                   ERR_INVALID,
                   "the journal '%.200s' exists already: 'quartet resume' goes on with it; remove "
                   "it to begin anew",
                   path);
}

/* With a journal, items that can be read once only are kept beside it. */
static int check_journaled_items(struct run *run, struct err_text *ret_error)
{
    struct work *work = &run->work;
    int len = snprintf(run->kept_items, sizeof(run->kept_items), "%s-items", run->journal_path);
    if (len < 0 || (size_t)len >= sizeof(run->kept_items)) {
        return err_set(ret_error, ERR_INVALID, "the path of the journal is too long");
    }
    if (run->resumed) {
        bool kept = run->record.items_kept && !run->items_named;
        return work_check_items(work,
                                &run->options,
                                kept ? WORK_STREAM_KEPT : WORK_STREAM_COPY,
                                run->kept_items,
                                ret_error);
    }
    int rc = check_journal_is_new(run->journal_path, ret_error);
    return rc != 0 ? rc
                   : work_check_items(
                         work, &run->options, WORK_STREAM_KEEP, run->kept_items, ret_error);
}

static int check_items(struct run *run, struct err_text *ret_error)
{
    if (run->journal_path == NULL) {
        return work_check_items(&run->work, &run->options, WORK_STREAM_ONCE, NULL, ret_error);
    }
    int rc = check_journaled_items(run, ret_error);
    run->items_gone = rc != 0 && run_is_complete(run) && !run->items_named;
    return run->items_gone ? 0 : rc;
}

static int check(struct run *run, struct err_text *ret_error)
{
    struct options *options = &run->options;
    int rc = options_check(options, ret_error);
    rc = rc != 0 ? rc : options_check_outputs(options, ret_error);
    rc = rc != 0 ? rc : work_choose(&run->work, run->positional[0], options, true, ret_error);
    if (rc == 0 && !options->dry_run && run->journal_path == NULL) {
        run->journal_path = options->journal;
    }
    rc = rc != 0 ? rc : check_items(run, ret_error);
    rc = rc != 0 || !run->resumed ? rc : run_check_job(run, ret_error);
    run->placement = options_distributed(options) ? PLACEMENT_DISTRIBUTED : PLACEMENT_LOCAL;
    return rc != 0 ? rc : settle_printing(run, ret_error);
}

int run_settle(struct run *run)
{
    struct cli_table table;
    fill_table(&table, &run->options);
    run->options.argv = run->words;
    const struct cli cli = {
        .program = run_command(run),
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
    size_t count = 0;
    run->positional = calloc((size_t)run->word_count + 1, sizeof(*run->positional));
    if (run->positional == NULL) {
        run_say(run, "no memory");
        return EXIT_CANNOT_GO_ON;
    }
    int status = command_parse(
        &cli, run->word_count, run->words, run->positional, &count, &run->rest_count);
    run->options.command = run->positional + count;
    run->options.command_count = run->rest_count;
    if (status >= 0) {
        return status;
    }
    if (count == 0) {
        run_say(run, "which WORKLOAD? 'quartet workloads' lists them");
        return EXIT_WRONG_USAGE;
    }
    struct err_text error = {{0}};
    if (check(run, &error) != 0) {
        run_say(run, "%s", error.s);
        return EXIT_WRONG_USAGE;
    }
    return run->options.dry_run && !run_is_complete(run) ? play_dry(run) : -1;
}

/* --- the command line of a run that goes on --- */

int run_parse_resume(int argc, char **argv, const char **ret_path)
{
    struct options scratch;
    struct cli_table table;
    fill_table(&table, &scratch);
    const struct cli cli = {
        .program = "quartet resume",
        .usage = "JOURNAL",
        .summary = "Goes on with a run that was begun with --journal and whose coordinator has "
                   "died or was stopped: what is done is not run again, and files of results are "
                   "extended. The command line is that of the run; options given here replace its "
                   "own, where results stay the same: other workers, another strategy, but not "
                   "other items, parameters or files of results. Workers that are still up "
                   "come back by themselves, with what they have done meanwhile, if the run "
                   "listens where it did.",
        .examples = "quartet resume run.journal\n"
                    "quartet resume run.journal --workers 4 --strategy processes\n\n"
                    "Exit status: as of quartet run, for the whole of it.",
        .options = table.list,
        .option_count = table.count,
        .positional_max = 1,
    };
    const char **words = calloc((size_t)argc + 1, sizeof(*words));
    size_t count = 0;
    int status = words == NULL ? EXIT_CANNOT_GO_ON
                               : command_parse(&cli, argc, argv, words, &count, NULL);
    if (status < 0 && count == 0) {
        (void)fputs("quartet resume: which JOURNAL? It is the file that was given to 'quartet run "
                    "--journal'\n",
                    stderr);
        status = EXIT_WRONG_USAGE;
    }
    if (status < 0) {
        *ret_path = words[0];
    }
    free(words);
    options_deinit(&scratch);
    return status;
}

static const struct cli_option *find_option(const struct cli_table *table,
                                            const char *name,
                                            size_t len)
{
    for (size_t i = 0; i < table->count; i++) {
        const char *known = table->list[i].name;
        if (known != NULL && strlen(known) == len && memcmp(known, name, len) == 0) {
            return &table->list[i];
        }
    }
    return NULL;
}

/* How many of the words at `words` are one option or one other word, and which option it is; NULL:
 * none. */
static size_t measure(const struct cli_table *table,
                      char **words,
                      size_t left,
                      const struct cli_option **ret_option)
{
    *ret_option = NULL;
    if (strncmp(words[0], "--", 2) != 0) {
        return 1;
    }
    size_t len = strcspn(words[0] + 2, "=");
    *ret_option = find_option(table, words[0] + 2, len);
    bool apart = words[0][2 + len] == '\0' && *ret_option != NULL &&
                 (*ret_option)->kind != CLI_FLAG;
    return apart && left > 1 ? 2 : 1;
}

/* Does one of the words give this option? */
static bool gives(const struct cli_table *table,
                  int count,
                  char **words,
                  const struct cli_option *wanted)
{
    const struct cli_option *option = NULL;
    for (size_t i = 0; i < (size_t)count;) {
        i += measure(table, words + i, (size_t)count - i, &option);
        if (option == wanted) {
            return true;
        }
    }
    return false;
}

int run_merge_words(struct run *run, int extra_count, char **extra, int *ret_count)
{
    const struct job_record *record = &run->record;
    struct options scratch;
    struct cli_table table;
    fill_table(&table, &scratch);
    options_deinit(&scratch);
    size_t own = record->word_count - record->rest_count;
    char **words = calloc(record->word_count + (size_t)extra_count + 1, sizeof(*words));
    if (words == NULL) {
        return ERR_NOMEM;
    }
    size_t count = 0;
    size_t behind = record->rest_count > 0 ? own - 1 : own; /* where `--` is */
    const struct cli_option *option = NULL;
    for (size_t i = 0; i < behind;) {
        size_t len = measure(&table, record->words + i, behind - i, &option);
        bool replaced = option != NULL && !option->repeatable &&
                        gives(&table, extra_count, extra, option);
        for (size_t k = 0; k < len && !replaced; k++) {
            words[count++] = record->words[i + k];
        }
        i += len;
    }
    run->items_named = gives(&table, extra_count, extra, find_option(&table, "items", 5)) ||
                       gives(&table, extra_count, extra, find_option(&table, "range", 5));
    for (int i = 0; i < extra_count; i++) {
        words[count++] = extra[i];
    }
    for (size_t i = behind; i < record->word_count; i++) {
        words[count++] = record->words[i];
    }
    run->merged = words;
    *ret_count = (int)count;
    return 0;
}
