/* Parsing of a command line by its table of options. The help that the same table gives is in cli_help.c. */
#include "common/io/cli.h"

#include "common/base/check.h"
#include "common/base/nearest.h"
#include "common/base/units.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

/* The name of an option as it stands in an argument: "--name" or "--name=value". */
struct argument {
    const char *name; /* not NUL-terminated */
    size_t name_len;
    const char *value; /* NULL: no '=' */
};

/* A parse under way. */
struct parser {
    const struct cli *cli;
    int argc;
    char **argv;
    int next; /* index of the argument to read next */
    struct err_text *error;
    const char **values; /* of each option, the value last given; NULL: not given */
};

static struct argument split_argument(const char *text)
{
    const char *name = text + 2;
    const char *equals = strchr(name, '=');
    if (equals == NULL) {
        return (struct argument){name, strlen(name), NULL};
    }
    return (struct argument){name, (size_t)(equals - name), equals + 1};
}

static const struct cli_option *find_option(const struct cli *cli, const struct argument *argument)
{
    for (size_t i = 0; i < cli->option_count; i++) {
        const char *name = cli->options[i].name;
        if (name != NULL && strlen(name) == argument->name_len &&
            memcmp(name, argument->name, argument->name_len) == 0) {
            return &cli->options[i];
        }
    }
    return NULL;
}

/* ---- what is not known ---- */

/* The only option that begins with `word`; NULL when none or several do. */
static const char *find_by_prefix(const struct cli *cli, const char *word)
{
    const char *found = NULL;
    for (size_t i = 0; i < cli->option_count; i++) {
        const char *name = cli->options[i].name;
        if (name == NULL || word[0] == '\0' || strncmp(name, word, strlen(word)) != 0) {
            continue;
        }
        if (found != NULL) {
            return NULL;
        }
        found = name;
    }
    return found;
}

static const char *suggest(const struct cli *cli, const char *word)
{
    const char *found = find_by_prefix(cli, word);
    const char **names = calloc(cli->option_count + 1, sizeof(*names));
    if (found != NULL || names == NULL) {
        free(names);
        return found;
    }
    size_t count = 0;
    for (size_t i = 0; i < cli->option_count; i++) {
        if (cli->options[i].name != NULL) {
            names[count++] = cli->options[i].name;
        }
    }
    names[count++] = "help";
    found = nearest_name(word, names, count);
    free(names);
    return found;
}

/* `text` is the whole argument, with one dash or two. */
static int refuse_unknown(const struct parser *parser, const char *text)
{
    char word[64];
    const char *name = text + strspn(text, "-");
    (void)snprintf(word, sizeof(word), "%.*s", (int)strcspn(name, "="), name);
    const char *found = suggest(parser->cli, word);
    int shown = (int)strcspn(text, "=");
    if (found != NULL) {
        return err_set(parser->error,
                       ERR_INVALID,
                       "unknown option '%.*s'; did you mean '--%s'?",
                       shown,
                       text,
                       found);
    }
    return err_set(parser->error,
                   ERR_INVALID,
                   "unknown option '%.*s'; '%s --help' lists all",
                   shown,
                   text,
                   parser->cli->program);
}

/* ---- values ---- */

/* "a whole number from 1 to 1000", "seconds, at least 0.1": what a value must be. */
static void describe_range(const struct cli_option *option, char *buf, size_t size)
{
    const char *kind = option->kind == CLI_COUNT ? "a whole number" : "a number of seconds";
    if (option->max > 0) {
        (void)snprintf(buf, size, "%s from %.16g to %.16g", kind, option->min, option->max);
    } else {
        (void)snprintf(buf, size, "%s, at least %.16g", kind, option->min);
    }
}

static int refuse_value(const struct cli_option *option,
                        const char *value,
                        struct err_text *ret_error)
{
    char range[128];
    describe_range(option, range, sizeof(range));
    bool negative = value[0] == '-' && value[1] != '\0';
    return err_set(ret_error,
                   ERR_INVALID,
                   "--%s: '%s' is %s; give %s",
                   option->name,
                   value,
                   negative ? "negative" : "not accepted",
                   range);
}

static int store_count(const struct cli_option *option,
                       const char *value,
                       struct err_text *ret_error)
{
    uint64_t count = 0;
    if (units_parse_u64(value, UINT64_MAX, &count) != 0 || (double)count < option->min ||
        (option->max > 0 && (double)count > option->max)) {
        return refuse_value(option, value, ret_error);
    }
    *(uint64_t *)option->target = count;
    return 0;
}

static int store_seconds(const struct cli_option *option,
                         const char *value,
                         struct err_text *ret_error)
{
    double seconds = 0;
    double max = option->max > 0 ? option->max : DBL_MAX;
    if (units_parse_seconds(value, max, &seconds) != 0 || seconds < option->min) {
        return refuse_value(option, value, ret_error);
    }
    *(double *)option->target = seconds;
    return 0;
}

/* The refusal is the option's own; it gets the option's name in front. */
static int store_call(const struct cli_option *option,
                      const char *value,
                      struct err_text *ret_error)
{
    struct err_text text = {{0}};
    int rc = option->call(value, option->target, &text);
    if (rc == 0) {
        return 0;
    }
    if (text.s[0] == '\0') {
        return err_set(ret_error, rc, "--%s: '%s': %s", option->name, value, err_name(rc));
    }
    return err_set(ret_error, rc, "--%s: %s", option->name, text.s);
}

static int store(const struct cli_option *option, const char *value, struct err_text *ret_error)
{
    switch (option->kind) {
    case CLI_FLAG:
        *(bool *)option->target = true;
        return 0;
    case CLI_COUNT:
        return store_count(option, value, ret_error);
    case CLI_SECONDS:
        return store_seconds(option, value, ret_error);
    case CLI_TEXT:
        *(const char **)option->target = value;
        return 0;
    case CLI_CALL:
        return store_call(option, value, ret_error);
    }
    check_failed(__FILE__, __LINE__, "a kind of option that is in the list");
}

/* ---- arguments ---- */

/* The value of an option that takes one: behind '=', or the next argument. An argument that begins with two dashes is not taken
 * for a value: far more often the value was forgotten. */
static int read_value(struct parser *parser,
                      const struct cli_option *option,
                      const struct argument *argument,
                      const char **ret_value)
{
    const char *value = argument->value;
    if (value == NULL && parser->next < parser->argc) {
        value = parser->argv[parser->next];
        if (strncmp(value, "--", 2) == 0) {
            return err_set(parser->error,
                           ERR_INVALID,
                           "--%s needs a value (%s), but '%s' follows; write --%s=%s if it is one",
                           option->name,
                           option->value,
                           value,
                           option->name,
                           value);
        }
        parser->next++;
    }
    if (value == NULL || value[0] == '\0') {
        return err_set(parser->error,
                       ERR_INVALID,
                       "--%s needs a value: --%s %s",
                       option->name,
                       option->name,
                       option->value);
    }
    *ret_value = value;
    return 0;
}

static int parse_option(struct parser *parser, const char *text)
{
    struct argument argument = split_argument(text);
    const struct cli_option *option = find_option(parser->cli, &argument);
    if (option == NULL) {
        return refuse_unknown(parser, text);
    }
    const char *value = "";
    const char **given = &parser->values[option - parser->cli->options];
    if (option->kind == CLI_FLAG && argument.value != NULL) {
        return err_set(parser->error,
                       ERR_INVALID,
                       "--%s takes no value, but was given '%s'",
                       option->name,
                       argument.value);
    }
    if (option->kind != CLI_FLAG) {
        int rc = read_value(parser, option, &argument, &value);
        if (rc != 0) {
            return rc;
        }
    }
    if (*given != NULL && option->kind != CLI_FLAG && !option->repeatable) {
        return err_set(parser->error,
                       ERR_INVALID,
                       "--%s is given twice, as '%s' and as '%s'",
                       option->name,
                       *given,
                       value);
    }
    *given = value;
    return store(option, value, parser->error);
}

static int add_word(const struct parser *parser,
                    const char *word,
                    const char **ret_words,
                    size_t *count)
{
    size_t max = parser->cli->positional_max;
    if (*count < max) {
        ret_words[(*count)++] = word;
        return 0;
    }
    if (max == 0) {
        return err_set(parser->error,
                       ERR_INVALID,
                       "'%s' is one word too many: %s takes options only",
                       word,
                       parser->cli->program);
    }
    return err_set(parser->error,
                   ERR_INVALID,
                   "'%s' is one word too many: %s takes %zu",
                   word,
                   parser->cli->program,
                   max);
}

static bool is_help(const char *text)
{
    return strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0;
}

static size_t take_rest(struct parser *parser, const char **ret_words)
{
    size_t count = 0;
    while (parser->next < parser->argc) {
        ret_words[count++] = parser->argv[parser->next++];
    }
    return count;
}

static int parse(struct parser *parser,
                 const char **ret_words,
                 size_t *ret_word_count,
                 size_t *ret_rest_count)
{
    size_t count = 0;
    size_t rest = 0;
    bool options = true;
    while (parser->next < parser->argc) {
        const char *text = parser->argv[parser->next++];
        int rc = 0;
        if (!options || text[0] != '-' || text[1] == '\0') {
            rc = add_word(parser, text, ret_words, &count);
        } else if (strcmp(text, "--") == 0 && parser->cli->rest != NULL) {
            rest = take_rest(parser, ret_words + count);
        } else if (strcmp(text, "--") == 0) {
            options = false;
        } else if (is_help(text)) {
            return 1;
        } else if (text[1] == '-') {
            rc = parse_option(parser, text);
        } else {
            rc = refuse_unknown(parser, text);
        }
        if (rc != 0) {
            return rc;
        }
    }
    *ret_word_count = count;
    if (ret_rest_count != NULL) {
        *ret_rest_count = rest;
    }
    return 0;
}

int cli_parse(const struct cli *cli,
              int argc,
              char **argv,
              struct err_text *ret_error,
              const char **ret_words,
              size_t *ret_word_count,
              size_t *ret_rest_count,
              bool *ret_given)
{
    const char **values = calloc(cli->option_count + 1, sizeof(*values));
    if (values == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory to read the command line");
    }
    struct parser parser = {
        .cli = cli, .argc = argc, .argv = argv, .next = 1, .error = ret_error, .values = values};
    int rc = parse(&parser, ret_words, ret_word_count, ret_rest_count);
    for (size_t i = 0; rc == 0 && ret_given != NULL && i < cli->option_count; i++) {
        ret_given[i] = values[i] != NULL;
    }
    free(values);
    return rc;
}

void cli_table_add(struct cli_table *table, const struct cli_option *list, size_t count)
{
    CHECK(count <= CLI_TABLE_MAX - table->count);
    memcpy(table->list + table->count, list, count * sizeof(*list));
    table->count += count;
}

void cli_table_head(struct cli_table *table, const char *text)
{
    const struct cli_option heading = {.help = text};
    cli_table_add(table, &heading, 1);
}
