/* The flags around what goes wrong with workers, and around asking how a command is doing. */
#include "coordinator/options/options.h"
#include "coordinator/options/options_internal.h"

#include <stdio.h>
#include <string.h>

enum { CRASH_LIMIT_DEFAULT = 3, CRASH_LIMIT_MAX = 255 };

static int set_speculate(const char *value, void *target, struct err_text *ret_error)
{
    struct options *options = target;
    options->speculate = strcmp(value, "on") == 0;
    if (!options->speculate && strcmp(value, "off") != 0) {
        return err_set(ret_error, ERR_INVALID, "'%.64s' is neither 'on' nor 'off'", value);
    }
    return 0;
}

void options_add_recovery(struct cli_table *table, struct options *options, bool speculate)
{
    options->crash_limit = CRASH_LIMIT_DEFAULT;
    options->speculate = speculate;
    cli_table_head(table, "When workers die or are late");
    const struct cli_option list[] = {
        {.name = "crash-limit",
         .kind = CLI_COUNT,
         .value = "N",
         .target = &options->crash_limit,
         .min = 1,
         .max = CRASH_LIMIT_MAX,
         .default_text = "3",
         .help = "give an item up, as failed, when it took N workers down that ran nothing else"},
        {.name = "speculate",
         .kind = CLI_CALL,
         .value = "on|off",
         .target = options,
         .call = set_speculate,
         .default_text = speculate ? "on" : "off: every cell then runs each item once",
         .help = "run what is far behind once more on an idle worker; the first result counts. "
                 "off: for items that must not run twice while their worker lives"},
    };
    cli_table_add(table, list, sizeof(list) / sizeof(list[0]));
}

static int set_control(const char *value, void *target, struct err_text *ret_error)
{
    struct options *options = target;
    if (value[0] == '\0') {
        return err_set(ret_error, ERR_INVALID, "'' names no file");
    }
    options->control_off = strcmp(value, "none") == 0;
    options->control = options->control_off ? NULL : value;
    return 0;
}

void options_add_control(struct cli_table *table, struct options *options)
{
    cli_table_head(table, "Asking how it is doing");
    const struct cli_option option = {
        .name = "control",
        .kind = CLI_CALL,
        .value = "PATH|none",
        .target = options,
        .call = set_control,
        .default_text = "quartet/PID.sock in XDG_RUNTIME_DIR, or in /tmp/quartet-UID",
        .help = "the socket at which 'quartet status' and 'quartet drain' ask",
    };
    cli_table_add(table, &option, 1);
}
