/* The flags around single items: their command, their results, what happens when some fail. */
#include "coordinator/options/options.h"
#include "coordinator/options/options_internal.h"

#include <stdio.h>
#include <string.h>

/* --- a command's parameters as flags --- */

/* `target` of such a flag is the options; which parameter it is stands in the call's name. */
#define PARAM_FLAG(function, param)                                                                \
    static int function(const char *value, void *target, struct err_text *ret_error)               \
    {                                                                                              \
        struct options *options = target;                                                          \
        int rc = params_set(&options->params, param, value);                                       \
        return rc == 0 ? 0 : err_set(ret_error, rc, "'%.64s' is too long", value);                 \
    }

PARAM_FLAG(set_timeout, "timeout")
PARAM_FLAG(set_kill_after, "kill-after")
PARAM_FLAG(set_max_output, "max-output")
PARAM_FLAG(set_cwd, "cwd")
PARAM_FLAG(set_colsep, "colsep")

void options_add_command(struct cli_table *table, struct options *options)
{
    cli_table_head(table, "Commands (exec, pipe)");
    const struct cli_option list[] = {
        {.name = "colsep",
         .kind = CLI_CALL,
         .value = "TEXT",
         .target = options,
         .call = set_colsep,
         .help = "exec: split each item at TEXT into columns: {1} {2} ...; \\t is a tab"},
        {.name = "shell",
         .kind = CLI_FLAG,
         .target = &options->shell,
         .help = "exec: give the command to /bin/sh, with items quoted"},
        {.name = "stdin",
         .kind = CLI_FLAG,
         .target = &options->give_stdin,
         .help = "exec: the item is the command's standard input instead of an argument"},
        {.name = "cwd",
         .kind = CLI_CALL,
         .value = "DIR",
         .target = options,
         .call = set_cwd,
         .default_text = "that of the engine",
         .help = "working directory of the command"},
        {.name = "timeout",
         .kind = CLI_CALL,
         .value = "SECONDS|N%",
         .target = options,
         .call = set_timeout,
         .default_text = "none",
         .help = "end an item that takes longer; N%: of the median so far (exec)"},
        {.name = "kill-after",
         .kind = CLI_CALL,
         .value = "SECONDS",
         .target = options,
         .call = set_kill_after,
         .default_text = "1",
         .help = "exec: from SIGTERM to SIGKILL for what took too long"},
        {.name = "max-output",
         .kind = CLI_CALL,
         .value = "BYTES",
         .target = options,
         .call = set_max_output,
         .default_text = "1MiB",
         .help = "keep at most so much of an item's output, and of its errors; at most 4MiB"},
    };
    cli_table_add(table, list, sizeof(list) / sizeof(list[0]));
}

/* --- results --- */

static int set_format(const char *value, void *target, struct err_text *ret_error)
{
    struct options *options = target;
    options->has_format = true;
    return sink_format_from_name(value, &options->sink.format, ret_error);
}

void options_add_results(struct cli_table *table, struct options *options)
{
    cli_table_head(table, "Results of single items");
    struct sink_options *sink = &options->sink;
    const struct cli_option list[] = {
        {.name = "out",
         .kind = CLI_TEXT,
         .value = "FILE",
         .target = &sink->out,
         .help = "write one record for each item; '-' is standard output"},
        {.name = "format",
         .kind = CLI_CALL,
         .value = "NAME",
         .target = options,
         .call = set_format,
         .default_text = "ndjson",
         .help = "of --out: ndjson, tsv, csv, or raw (the items' output alone)"},
        {.name = "keep-order",
         .kind = CLI_FLAG,
         .target = &sink->keep_order,
         .help = "results in the order of the items instead of as they finish"},
        {.name = "tag",
         .kind = CLI_FLAG,
         .target = &sink->tag,
         .help = "begin each printed line with its item and a tab"},
        {.name = "results",
         .kind = CLI_TEXT,
         .value = "DIR",
         .target = &sink->results,
         .help = "write one NDJSON file for each worker into DIR"},
        {.name = "joblog",
         .kind = CLI_TEXT,
         .value = "FILE",
         .target = &sink->joblog,
         .help = "write a log with GNU Parallel's columns"},
        {.name = "failures",
         .kind = CLI_TEXT,
         .value = "FILE",
         .target = &sink->failures,
         .help = "write the items that failed, ready to be given back to --items"},
        {.name = "dry-run",
         .kind = CLI_FLAG,
         .target = &options->dry_run,
         .help = "print what would be run, and run nothing"},
    };
    cli_table_add(table, list, sizeof(list) / sizeof(list[0]));
}

bool options_want_results(const struct options *options)
{
    const struct sink_options *sink = &options->sink;
    return sink->out != NULL || sink->failures != NULL || sink->joblog != NULL ||
           sink->results != NULL || sink->print;
}

/* --- failures --- */

static int set_halt(const char *value, void *target, struct err_text *ret_error)
{
    struct options *options = target;
    return halt_parse(value, &options->halt, ret_error);
}

void options_add_policy(struct cli_table *table, struct options *options)
{
    cli_table_head(table, "When items fail");
    const struct cli_option list[] = {
        {.name = "retries",
         .kind = CLI_COUNT,
         .value = "N",
         .target = &options->retries,
         .min = 0,
         .max = 1000,
         .default_text = "0",
         .help = "run an item that failed up to N times more, after a while that doubles (from 0.1 "
                 "s), on another worker where there is one"},
        {.name = "halt",
         .kind = CLI_CALL,
         .value = "WHEN,WHY=N",
         .target = options,
         .call = set_halt,
         .default_text = "never",
         .help = "stop early: soon (begin nothing more) or now (end what runs), when N or N% of "
                 "the items are fail, success or done, as in soon,fail=3"},
    };
    cli_table_add(table, list, sizeof(list) / sizeof(list[0]));
}

void options_add_journal(struct cli_table *table, struct options *options)
{
    cli_table_head(table, "When this process dies");
    const struct cli_option option = {
        .name = "journal",
        .kind = CLI_TEXT,
        .value = "FILE",
        .target = &options->journal,
        .help =
            "keep in FILE (new) what is done, so that 'quartet resume FILE' can go on: a result "
            "counts for its worker only when it is on disk; items from a pipe are copied to "
            "FILE-items first"};
    cli_table_add(table, &option, 1);
}

void options_add_yes(struct cli_table *table, struct options *options)
{
    const struct cli_option option = {
        .name = "yes",
        .kind = CLI_FLAG,
        .target = &options->yes,
        .help = "run items many times although the workload does not say that this does no harm"};
    cli_table_add(table, &option, 1);
}
