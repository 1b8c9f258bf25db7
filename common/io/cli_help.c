/* --help, printed from the same table of options that cli.c parses by. */
#include "common/io/cli.h"
#include "common/io/text.h"

#include <string.h>

enum {
    WIDTH = 80,
    LABEL_INDENT = 2,
    HELP_COLUMN_MAX = 30, /* a longer option has its help on the next line */
    LABEL_SIZE = 128,
    HELP_SIZE = 1024,
};

static void option_label(const struct cli_option *option, char label[LABEL_SIZE])
{
    (void)snprintf(label,
                   LABEL_SIZE,
                   "--%s%s%s",
                   option->name,
                   option->value != NULL ? " " : "",
                   option->value != NULL ? option->value : "");
}

/* Where the help texts begin: two spaces behind the longest label that is not too long. */
static size_t help_column(const struct cli *cli)
{
    size_t column = LABEL_INDENT + strlen("--help") + 2;
    for (size_t i = 0; i < cli->option_count; i++) {
        char label[LABEL_SIZE];
        if (cli->options[i].name == NULL) {
            continue;
        }
        option_label(&cli->options[i], label);
        size_t wanted = LABEL_INDENT + text_columns(label) + 2;
        if (wanted > column && wanted <= HELP_COLUMN_MAX) {
            column = wanted;
        }
    }
    return column;
}

/* The range and the default go behind the help in parentheses: "(1 to 1000; default: 3)". */
static void option_help(const struct cli_option *option, char text[HELP_SIZE])
{
    bool ranged = (option->kind == CLI_COUNT || option->kind == CLI_SECONDS) && option->max > 0;
    (void)snprintf(text, HELP_SIZE, "%s", option->help);
    if (!ranged && option->default_text == NULL) {
        return;
    }
    text_append(text, HELP_SIZE, " (");
    if (ranged) {
        text_append(text, HELP_SIZE, "%.16g to %.16g", option->min, option->max);
    }
    if (option->default_text != NULL) {
        text_append(text, HELP_SIZE, "%sdefault: %s", ranged ? "; " : "", option->default_text);
    }
    text_append(text, HELP_SIZE, ")");
}

static void print_entry(FILE *stream, const char *label, const char *text, size_t column)
{
    size_t at = LABEL_INDENT + text_columns(label);
    (void)fprintf(stream, "%*s%s", LABEL_INDENT, "", label);
    if (at + 2 > column) {
        (void)fputc('\n', stream);
        at = 0;
    }
    (void)fprintf(stream, "%*s", (int)(column - at), "");
    text_wrap(stream, text, column, column, WIDTH);
}

static void print_options(const struct cli *cli, FILE *stream)
{
    size_t column = help_column(cli);
    if (cli->option_count == 0 || cli->options[0].name != NULL) {
        (void)fputs("\nOptions:\n", stream);
    }
    for (size_t i = 0; i < cli->option_count; i++) {
        const struct cli_option *option = &cli->options[i];
        if (option->name == NULL) {
            (void)fprintf(stream, "\n%s:\n", option->help);
            continue;
        }
        char label[LABEL_SIZE];
        char text[HELP_SIZE];
        option_label(option, label);
        option_help(option, text);
        print_entry(stream, label, text, column);
    }
    print_entry(stream, "--help", "Print this and exit.", column);
}

void cli_help(const struct cli *cli, FILE *stream)
{
    char usage[HELP_SIZE];
    (void)snprintf(usage,
                   sizeof(usage),
                   "%s [OPTION...]%s%s",
                   cli->program,
                   cli->usage[0] != '\0' ? " " : "",
                   cli->usage);
    (void)fputs("Usage: ", stream);
    text_wrap(stream, usage, strlen("Usage: "), strlen("Usage: "), WIDTH);
    (void)fputc('\n', stream);
    text_wrap(stream, cli->summary, 0, 0, WIDTH);
    print_options(cli, stream);
    if (cli->examples != NULL) {
        (void)fprintf(stream, "\nExamples:\n%s", cli->examples);
        size_t len = strlen(cli->examples);
        if (len > 0 && cli->examples[len - 1] != '\n') {
            (void)fputc('\n', stream);
        }
    }
}
