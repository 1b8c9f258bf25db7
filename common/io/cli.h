/* The command line: one table of options per command gives parsing, --help and the refusal of what is not known.
 *
 * Long options only, as `--name VALUE` or `--name=VALUE`; `--` ends them; positional words may stand anywhere. Every refusal quotes the value
 * that it refuses and offers the nearest name. */
#ifndef QUARTET_COMMON_IO_CLI_H
#define QUARTET_COMMON_IO_CLI_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum cli_kind {
    CLI_FLAG,    /* bool */
    CLI_COUNT,   /* uint64_t, `min` to `max` */
    CLI_SECONDS, /* double, `min` to `max` */
    CLI_TEXT,    /* const char *, borrowed from argv */
    CLI_CALL,    /* call(value, target): what needs more than a kind: lists, ranges */
};

struct cli_option {
    const char *name; /* without the dashes; NULL: a heading for --help, its text in `help` */
    enum cli_kind kind;
    const char
        *value;      /* what to call the value in --help: "N", "FILE", "SECONDS"; NULL for a flag */
    void *target;    /* where the value goes, by kind; or the argument of `call` */
    double min, max; /* of COUNT and SECONDS; exact below 2^53; max 0: UINT64_MAX / no limit */
    int (*call)(const char *value, void *target, struct err_text *ret_error);
    bool repeatable;          /* may be given more than once, as --param; a flag always may */
    const char *default_text; /* for --help: "8 or the usable cores"; NULL: none shown */
    const char *help;         /* what it does, with the unit; wrapped by cli_help */
};

/* The table of options of one program, put together from groups. */
enum { CLI_TABLE_MAX = 80 };

struct cli_table {
    struct cli_option list[CLI_TABLE_MAX];
    size_t count;
};

/* Append options (copied), or a heading for --help. More than the table can have: aborts. */
void cli_table_add(struct cli_table *table, const struct cli_option *list, size_t count);
void cli_table_head(struct cli_table *table, const char *text);

struct cli {
    const char *program;  /* "quartet compare" */
    const char *usage;    /* "[WORKLOAD...]" */
    const char *summary;  /* one paragraph */
    const char *examples; /* lines for the end of --help; may be NULL */
    const struct cli_option *options;
    size_t option_count;
    size_t positional_max; /* SIZE_MAX: any number */
    const char *rest;      /* what all behind `--` is: "COMMAND..."; NULL: words like others */
};

/* Parse argv[1..]. Positional words go to `ret_words` (at least argc entries), and behind them, with cli->rest, `*ret_rest_count` words
 * that stood behind `--` (ret_rest_count may be NULL without cli->rest). Returns 0; ERR_INVALID with the text; or 1 when --help
 * was asked for (print it and exit 0). Values are checked here: kind, range. `*ret_given` may be NULL; otherwise it has option_count entries
 * and says which options were given. */
int cli_parse(const struct cli *cli,
              int argc,
              char **argv,
              struct err_text *ret_error,
              const char **ret_words,
              size_t *ret_word_count,
              size_t *ret_rest_count,
              bool *ret_given);

/* The whole --help, wrapped at 80 columns. */
void cli_help(const struct cli *cli, FILE *stream);

#endif
