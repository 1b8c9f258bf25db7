/* The flags of a comparison that asks where to run, and with how many workers: --placements and
 * --workers N,N,... */
#include "common/base/units.h"
#include "coordinator/options/options.h"
#include "coordinator/options/options_internal.h"

#include <stdio.h>
#include <string.h>

enum { WORD_SIZE = 32 };

/* The next word of a list separated by commas, cut to fit; returns what stands behind it, or NULL. */
static const char *next_word(const char *at, char ret_word[WORD_SIZE])
{
    size_t len = strcspn(at, ",");
    (void)snprintf(ret_word, WORD_SIZE, "%.*s", (int)(len < WORD_SIZE ? len : WORD_SIZE - 1), at);
    return at[len] == ',' ? at + len + 1 : NULL;
}

/* --- numbers of workers --- */

/* Where `count` belongs among the rising ones; false: it is there. */
static bool insert(struct options *options, uint64_t count)
{
    size_t at = options->sweep_count;
    while (at > 0 && options->sweep[at - 1] > count) {
        at--;
    }
    if (at > 0 && options->sweep[at - 1] == count) {
        return false;
    }
    memmove(&options->sweep[at + 1],
            &options->sweep[at],
            (options->sweep_count - at) * sizeof(options->sweep[0]));
    options->sweep[at] = count;
    options->sweep_count++;
    return true;
}

static int parse_workers(const char *value, void *target, struct err_text *ret_error)
{
    struct options *options = target;
    options->sweep_count = 0;
    for (const char *at = value; at != NULL;) {
        char word[WORD_SIZE];
        uint64_t count = 0;
        at = next_word(at, word);
        if (units_parse_u64(word, WORKERS_LOCAL_MAX, &count) != 0) {
            return err_set(
                ret_error,
                ERR_INVALID,
                "'%.64s' is neither a number of workers up to %d nor several, as in 1,2,4",
                value,
                WORKERS_LOCAL_MAX);
        }
        if (options->sweep_count == SWEEP_MAX) {
            return err_set(
                ret_error, ERR_INVALID, "'%.64s' has more than %d numbers", value, SWEEP_MAX);
        }
        if (!insert(options, count)) {
            return err_set(ret_error, ERR_INVALID, "'%.64s' has %s twice", value, word);
        }
    }
    if (options->sweep_count > 1 && options->sweep[0] == 0) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "'%.64s': without workers is what the local placement is; leave 0 out",
                       value);
    }
    options->workers = options->sweep[options->sweep_count - 1];
    return 0;
}

uint64_t options_sweep_most(const struct options *options)
{
    return options->sweep[options->sweep_count - 1];
}

/* --- placements --- */

static int parse_placements(const char *value, void *target, struct err_text *ret_error)
{
    struct options *options = target;
    bool named[2] = {false, false};
    for (const char *at = value; at != NULL;) {
        char word[WORD_SIZE];
        at = next_word(at, word);
        bool local = strcmp(word, placement_name(PLACEMENT_LOCAL)) == 0;
        if (!local && strcmp(word, placement_name(PLACEMENT_DISTRIBUTED)) != 0) {
            return err_set(ret_error,
                           ERR_INVALID,
                           "'%.64s': '%s' is neither local nor distributed",
                           value,
                           word);
        }
        if (named[local]) {
            return err_set(ret_error, ERR_INVALID, "'%.64s' names %s twice", value, word);
        }
        named[local] = true;
    }
    options->no_local = !named[true];
    options->local_only = !named[false];
    return 0;
}

void options_add_sweep(struct cli_table *table,
                       struct options *options,
                       const char *workers_default)
{
    const struct cli_option list[] = {
        {.name = "placements",
         .kind = CLI_CALL,
         .value = "LIST",
         .target = options,
         .call = parse_placements,
         .default_text = "local,distributed",
         .help = "where to run: in this process, across workers, or both"},
        {.name = "workers",
         .kind = CLI_CALL,
         .value = "N[,N...]",
         .target = options,
         .call = parse_workers,
         .default_text = workers_default,
         .help = "start N worker processes on this machine; 0 to 256. With several numbers, as in "
                 "1,2,4, each is a placement of its own that has so many workers: of this machine, "
                 "or of those that --hosts or --listen bring"},
    };
    cli_table_add(table, list, sizeof(list) / sizeof(list[0]));
}

/* --- afterwards --- */

int options_settle_workers(struct options *options, struct err_text *ret_error)
{
    bool others = options->listen != NULL || options->hosts_text != NULL;
    if (options->sweep_count == 1) {
        options->sweep_count = 0; /* no choice among those that are there */
    }
    if (options->workers == WORKERS_NOT_GIVEN) {
        options->workers = others || options->local_only ? 0 : options->workers_default;
    }
    if (options->local_only && options->workers > 0) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "only the local placement was asked for, and --workers %llu: leave one of "
                       "them out",
                       (unsigned long long)options->workers);
    }
    if (options->sweep_count > 0 && others) {
        options->workers = 0; /* the others are who is counted */
    }
    return 0;
}

int options_check_sweep(const struct options *options, struct err_text *ret_error)
{
    if (options->no_local && !options_distributed(options)) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--placements distributed needs workers: --workers, --hosts or --listen");
    }
    uint64_t there = options_workers(options);
    if (options->sweep_count > 0 && options_sweep_most(options) > there) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--workers asks for %llu workers, and %llu are expected: with --hosts and "
                       "--listen its numbers are of those that these bring",
                       (unsigned long long)options_sweep_most(options),
                       (unsigned long long)there);
    }
    return 0;
}
