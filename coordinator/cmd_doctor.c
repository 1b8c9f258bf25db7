/* quartet doctor: find out why a worker does not reach its coordinator, from either side. */
#include "common/doctor/doctor.h"
#include "coordinator/commands.h"
#include "coordinator/doctor/doctor_hosts.h"
#include "coordinator/doctor/doctor_listen.h"
#include "coordinator/options/options.h"
#include "coordinator/options/options_internal.h"
#include "coordinator/report/terminal.h"

#include <stdio.h>
#include <stdlib.h>

enum { WIDTH_MIN = 60, WIDTH_MAX = 120 };

struct doctor_command {
    struct options options; /* of the coordinator's side, and of hosts */
    struct doctor_options doctor;
    double wait_s;
};

/* --- flags --- */

static void add_worker_side(struct cli_table *table, struct doctor_command *command)
{
    const struct cli_option list[] = {
        {.name = "access",
         .kind = CLI_TEXT,
         .value = "FILE",
         .target = &command->options.access,
         .help = "look from this host as a worker with this access file would; '-' is standard "
                 "input. With --listen: write one there, as 'quartet run' does"},
        {.name = "connect",
         .kind = CLI_TEXT,
         .value = "ENDPOINT",
         .target = &command->doctor.connect,
         .help = "look as a worker without keys would"},
        {.name = "insecure",
         .kind = CLI_FLAG,
         .target = &command->options.insecure,
         .help = "without keys: also to or for other machines"},
    };
    cli_table_head(table, "From the worker's side");
    cli_table_add(table, list, sizeof(list) / sizeof(list[0]));
}

static void add_coordinator_side(struct cli_table *table, struct doctor_command *command)
{
    const struct cli_option list[] = {
        {.name = "listen",
         .kind = CLI_TEXT,
         .value = "ENDPOINT",
         .target = &command->options.listen,
         .help = "look whether a coordinator can listen here, and answer doctors and workers that "
                 "come. With --hosts: listen here for them"},
        {.name = "wait",
         .kind = CLI_SECONDS,
         .value = "SECONDS",
         .target = &command->wait_s,
         .max = 1e6,
         .default_text = "until Ctrl-C",
         .help = "with --listen: answer for so long; when nobody came that is a failure"},
        {.name = "keys",
         .kind = CLI_TEXT,
         .value = "DIR",
         .target = &command->options.keys,
         .help = "with --listen or --hosts: the keys of 'quartet keygen DIR'"},
        {.name = "access-for",
         .kind = CLI_TEXT,
         .value = "NAME",
         .target = &command->options.access_for,
         .default_text = "the first by name",
         .help = "with --listen and --access: whose key goes into it"},
        {.name = "advertise",
         .kind = CLI_CALL,
         .value = "HOST[:PORT]",
         .target = &command->options,
         .call = options_add_advertised,
         .repeatable = true,
         .help = "with --listen or --hosts: where workers find this machine first; repeatable"},
    };
    cli_table_head(table, "From the coordinator's side");
    cli_table_add(table, list, sizeof(list) / sizeof(list[0]));
}

static int parse(struct doctor_command *command, int argc, char **argv)
{
    struct cli_table table = {.count = 0};
    doctor_options_init(&command->doctor, "quartet doctor");
    add_worker_side(&table, command);
    add_coordinator_side(&table, command);
    cli_table_head(&table, "From hosts, over ssh");
    options_add_hosts(&table, &command->options);
    cli_table_head(&table, "Looking");
    doctor_add_options(&table, &command->doctor);
    const struct cli cli = {
        .program = "quartet doctor",
        .usage = "--access FILE | --connect ENDPOINT | --listen ENDPOINT | --hosts FILE|LIST",
        .summary =
            "Finds out whether a worker gets through to a coordinator, at which step it ends, and "
            "what to change there: name, route, port, firewall, who answers, handshake, keys, "
            "protocol, round trip, clock, bandwidth, limits. It is no worker and is given no work, "
            "so a run that is going on can be looked at. On hosts that have only the worker: "
            "'quartet-worker --doctor'.",
        .examples =
            "quartet doctor --access worker.json\n"
            "quartet doctor --listen 'tcp://*:5555' --keys keys --access worker.json\n"
            "quartet doctor --hosts h1,h2\n\n"
            "Exit status: 0 all is well, or there are warnings; 1 something fails; 2 wrong\n"
            "usage; 3 it could not look.",
        .options = table.list,
        .option_count = table.count,
    };
    size_t count = 0;
    const char **words = calloc((size_t)argc, sizeof(*words));
    if (words == NULL) {
        (void)fputs("quartet doctor: no memory\n", stderr);
        return EXIT_CANNOT_GO_ON;
    }
    int status = command_parse(&cli, argc, argv, words, &count, NULL);
    free(words);
    return status;
}

/* --- which side --- */

static int check_sides(const struct doctor_command *command, struct err_text *ret_error)
{
    const struct options *options = &command->options;
    if (command->doctor.connect != NULL &&
        (options->listen != NULL || options->hosts_text != NULL)) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--connect '%.100s' looks from the worker's side, and %s from the "
                       "coordinator's: give one of them",
                       command->doctor.connect,
                       options->listen != NULL ? "--listen" : "--hosts");
    }
    if (options->access != NULL && options->hosts_text != NULL) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--access '%.100s' is not for --hosts: each of them gets a key of its own",
                       options->access);
    }
    if (command->wait_s > 0 && (options->listen == NULL || options->hosts_text != NULL)) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--wait is how long --listen answers; how long all may take is --timeout");
    }
    return 0;
}

/* What only means something to one who listens. */
static int check_worker_side(const struct doctor_command *command, struct err_text *ret_error)
{
    const struct options *options = &command->options;
    const char *lost = options->keys != NULL          ? "--keys"
                       : options->access_for != NULL  ? "--access-for"
                       : options->advertise_count > 0 ? "--advertise"
                       : options->push                ? "--push"
                       : options->tunnel              ? "--tunnel"
                                                      : NULL;
    if (lost != NULL) {
        return err_set(
            ret_error,
            ERR_INVALID,
            "%s is for the coordinator's side: --listen ENDPOINT, or --hosts, is missing",
            lost);
    }
    if (options->access == NULL && command->doctor.connect == NULL) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "what is to be looked at? --access FILE or --connect ENDPOINT as a worker "
                       "does, --listen ENDPOINT "
                       "as a coordinator, --hosts LIST from hosts over ssh");
    }
    return doctor_check(&command->doctor, options->insecure, ret_error);
}

static int check_coordinator_side(struct doctor_command *command, struct err_text *ret_error)
{
    struct options *options = &command->options;
    if (options->hosts_text == NULL && options->advertise_count > 0 && options->access == NULL) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--advertise says what is in an access file: say where with --access FILE");
    }
    int rc = options->hosts_text != NULL ? 0 : options_check_keys(options, ret_error);
    if (rc == 0 && options->hosts_text != NULL && options->keys != NULL && options->insecure) {
        rc = err_set(ret_error,
                     ERR_INVALID,
                     "--keys '%.200s' and --insecure contradict each other: give one of them",
                     options->keys);
    }
    return rc != 0 ? rc : options_check_hosts(options, ret_error);
}

static int doctor(struct doctor_command *command)
{
    struct options *options = &command->options;
    struct err_text error = {{0}};
    bool worker_side = options->listen == NULL && options->hosts_text == NULL;
    command->doctor.access = worker_side ? options->access : NULL;
    int rc = check_sides(command, &error);
    if (rc == 0) {
        rc = worker_side ? check_worker_side(command, &error)
                         : check_coordinator_side(command, &error);
    }
    if (rc != 0) {
        (void)fprintf(stderr, "quartet doctor: %s\n", error.s);
        return command_asked_status(rc);
    }
    if (worker_side) {
        return doctor_run(&command->doctor);
    }
    return options->hosts_text != NULL ? doctor_hosts(options, &command->doctor)
                                       : doctor_listen(options, command->wait_s, &command->doctor);
}

static void look_at_terminal(struct print_options *print)
{
    int width = terminal_width(stdout);
    print->color = terminal_wants_color(stdout);
    if (width > 0) {
        print->width = width < WIDTH_MIN   ? WIDTH_MIN
                       : width > WIDTH_MAX ? WIDTH_MAX
                                           : (size_t)width;
    }
}

int cmd_doctor(int argc, char **argv, struct zygote *zygote)
{
    (void)zygote;
    struct doctor_command *command = calloc(1, sizeof(*command));
    if (command == NULL) {
        (void)fputs("quartet doctor: no memory\n", stderr);
        return EXIT_CANNOT_GO_ON;
    }
    options_init(&command->options, 0);
    int status = parse(command, argc, argv);
    if (status < 0) {
        look_at_terminal(&command->doctor.print);
        status = doctor(command);
    }
    options_deinit(&command->options);
    free(command);
    return status;
}
