/* The flags around who may be a worker, and how a worker learns where to go. */
#include "coordinator/options/options.h"
#include "coordinator/options/options_internal.h"

#include <string.h>

int options_add_advertised(const char *value, void *target, struct err_text *ret_error)
{
    struct options *options = target;
    if (options->advertise_count == ADVERTISE_MAX) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--advertise '%.100s' is one too many: %d at most",
                       value,
                       ADVERTISE_MAX);
    }
    options->advertise[options->advertise_count++] = value;
    return 0;
}

void options_add_keys(struct cli_table *table, struct options *options)
{
    const struct cli_option list[] = {
        {.name = "keys",
         .kind = CLI_TEXT,
         .value = "DIR",
         .target = &options->keys,
         .help = "encrypt all that is said to workers, and let in only those whose key is in "
                 "DIR/authorized ('quartet keygen DIR' makes them); removing a file there shuts "
                 "its worker out at once"},
        {.name = "access",
         .kind = CLI_TEXT,
         .value = "FILE",
         .target = &options->access,
         .help = "with --keys and --listen: write all that a worker needs to come, its secret key "
                 "included, to FILE, for 'quartet-worker --access FILE'"},
        {.name = "access-for",
         .kind = CLI_TEXT,
         .value = "NAME",
         .target = &options->access_for,
         .default_text = "the first by name",
         .help = "with --access: whose key goes into it"},
        {.name = "advertise",
         .kind = CLI_CALL,
         .value = "HOST[:PORT]",
         .target = options,
         .call = options_add_advertised,
         .repeatable = true,
         .help = "with --access: where workers find this machine first, as behind a NAT, a tunnel "
                 "or a name; repeatable"},
    };
    cli_table_add(table, list, sizeof(list) / sizeof(list[0]));
}

int options_check_keys(const struct options *options, struct err_text *ret_error)
{
    if (options->keys != NULL && options->insecure) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--keys '%.200s' and --insecure contradict each other: give one of them",
                       options->keys);
    }
    if (options->access == NULL) {
        bool idle = options->advertise_count > 0 && options->hosts_text == NULL;
        return options->access_for == NULL && !idle
                   ? 0
                   : err_set(ret_error,
                             ERR_INVALID,
                             "%s says what is in an access file: say where with --access FILE",
                             options->access_for != NULL ? "--access-for" : "--advertise");
    }
    if (options->keys == NULL || options->listen == NULL) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--access '%.200s' needs %s",
                       options->access,
                       options->keys == NULL ? "--keys DIR: 'quartet keygen DIR' makes them"
                                             : "--listen ENDPOINT: where do workers come?");
    }
    if (strcmp(options->access, "-") == 0) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--access '-': it holds a secret and is not printed, name a file");
    }
    return 0;
}
