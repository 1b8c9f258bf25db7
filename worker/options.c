#include "worker/options.h"

#include "common/base/units.h"
#include "common/io/cli.h"
#include "common/io/zsock.h"
#include "worker/client.h"
#include "worker/engine/engine.h"

#include <stdio.h>
#include <stdlib.h>

enum { CREDIT_MAX = 8192, EXIT_USAGE = 2, EXIT_CANNOT_GO_ON = 3 };

static const double time_limit_s_max = 1e9;

static int set_time_limit(const char *value, void *target, struct err_text *ret_error)
{
    double *seconds = target;
    if (units_parse_wall_time(value, time_limit_s_max, seconds) != 0 || *seconds <= 0) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "'%.100s' is no time: give seconds, MM:SS, H:MM:SS or "
                       "D-HH:MM:SS",
                       value);
    }
    return 0;
}

/* Parse with a table of options whose targets are in `arguments`. Returns -1 to go on, or the exit status. */
static int parse_with(const struct cli_option *options, size_t option_count, int argc, char **argv)
{
    const struct cli cli = {
        .program = "quartet-worker",
        .usage = "--access FILE | --connect ENDPOINT [--doctor] | --describe FILE",
        .summary = "Connects to a quartet coordinator, runs the chunks of items that it sends, and "
                   "exits when the "
                   "coordinator is done. SIGTERM: gives back what is not begun, finishes the rest, "
                   "leaves.",
        .examples = "quartet-worker --access worker.json\n"
                    "ssh host quartet-worker --access - < worker.json\n"
                    "quartet-worker --connect tcp://127.0.0.1:5555\n"
                    "quartet-worker --doctor --access worker.json\n\n"
                    "Exit status: 0 done or left on request; 2 wrong usage, or a plugin that\n"
                    "cannot be used; 3 no coordinator, or this machine refused (open files,\n"
                    "memory); 4 refused by the coordinator (another protocol version, a key that\n"
                    "it does not accept). With --doctor: 0 all is well; 1 something fails;\n"
                    "2 wrong usage; 3 it could not look.",
        .options = options,
        .option_count = option_count,
    };
    struct err_text error = {{0}};
    const char **words = calloc((size_t)argc, sizeof(*words));
    size_t word_count = 0;
    if (words == NULL) {
        return EXIT_CANNOT_GO_ON;
    }
    int rc = cli_parse(&cli, argc, argv, &error, words, &word_count, NULL, NULL);
    free(words);
    if (rc == 1) {
        cli_help(&cli, stdout);
        return EXIT_SUCCESS;
    }
    if (rc != 0) {
        (void)fprintf(stderr, "quartet-worker: %s\n", error.s);
        return EXIT_USAGE;
    }
    return -1;
}

/* Where to go, and whom to obey. */
static void add_where(struct cli_table *table, struct worker_options *to)
{
    const struct cli_option list[] = {
        {.name = "access",
         .kind = CLI_TEXT,
         .value = "FILE",
         .target = &to->access,
         .help =
             "where to go and whom to obey, with this worker's key, as the coordinator wrote it "
             "('quartet run --keys DIR --access FILE'); nobody else may be able to read it. "
             "'-' reads it from standard input"},
        {.name = "connect",
         .kind = CLI_TEXT,
         .value = "ENDPOINT",
         .target = &to->connect,
         .help = "where a coordinator without keys listens: tcp://ADDRESS:PORT or ipc://PATH"},
        {.name = "insecure",
         .kind = CLI_FLAG,
         .target = &to->insecure,
         .help = "allow an endpoint on another machine: nothing is encrypted or authenticated"},
        {.name = "give-up",
         .kind = CLI_SECONDS,
         .value = "SECONDS",
         .target = &to->give_up_s,
         .max = 1e9,
         .default_text = "600",
         .help = "exit after so long without a coordinator; 0: never"},
        {.name = "spread",
         .kind = CLI_SECONDS,
         .value = "SECONDS",
         .target = &to->spread_s,
         .max = 3600,
         .default_text = "0",
         .help = "wait at random up to so long before the first attempt to connect: for many "
                 "workers that start in one instant"},
    };
    cli_table_head(table, "Coordinator");
    cli_table_add(table, list, sizeof(list) / sizeof(list[0]));
}

/* What it does there. */
static void add_work(struct cli_table *table, struct worker_options *to)
{
    const struct cli_option list[] = {
        {.name = "name",
         .kind = CLI_TEXT,
         .value = "NAME",
         .target = &to->name,
         .default_text = "worker-PID, or KEY-PID after the key's name in --access, with the rank "
                         "or task between them where there is one",
         .help = "what to be called in notes and reports"},
        {.name = "slots",
         .kind = CLI_COUNT,
         .value = "N",
         .target = &to->slots,
         .min = 1,
         .max = ENGINE_SLOTS_MAX,
         .default_text = "as the job says",
         .help = "items at once, for every strategy but serial"},
        {.name = "credit-max",
         .kind = CLI_COUNT,
         .value = "N",
         .target = &to->credit_max,
         .min = 4,
         .max = 65536,
         .default_text = "8192",
         .help = "most chunks to hold at a time"},
        {.name = "allow-exec",
         .kind = CLI_FLAG,
         .target = &to->allow_exec,
         .help =
             "run the commands that jobs bring (exec, pipe): whoever is the coordinator can run "
             "anything as this user"},
        {.name = "allow-plugins",
         .kind = CLI_FLAG,
         .target = &to->allow_plugins,
         .help = "load the shared objects that jobs bring (plugins), fetched from the coordinator: "
                 "its code runs as this user"},
    };
    cli_table_head(table, "Work");
    cli_table_add(table, list, sizeof(list) / sizeof(list[0]));
}

/* When it goes. */
static void add_leave(struct cli_table *table, struct worker_options *to)
{
    const struct cli_option list[] = {
        {.name = "time-limit",
         .kind = CLI_CALL,
         .value = "TIME",
         .target = &to->time_limit_s,
         .call = set_time_limit,
         .default_text = "none",
         .help = "be gone after so long (seconds, MM:SS, H:MM:SS or D-HH:MM:SS), as before a batch "
                 "system's wall time: drain early enough that --drain-limit fits in"},
        {.name = "drain-limit",
         .kind = CLI_SECONDS,
         .value = "SECONDS",
         .target = &to->drain_limit_s,
         .max = 1e9,
         .default_text = "30",
         .help =
             "on SIGTERM or before --time-limit: leave after so long even when items still run; "
             "0: wait for them"},
        {.name = "drained-status",
         .kind = CLI_COUNT,
         .value = "N",
         .target = &to->drained_status,
         .max = 125,
         .default_text = "0",
         .help = "exit status after SIGTERM, when all was finished or given back: for whoever "
                 "replaces workers unless they end with 0, as a Job of Kubernetes does"},
        {.name = "idle-timeout",
         .kind = CLI_SECONDS,
         .value = "SECONDS",
         .target = &to->idle_limit_s,
         .max = 1e9,
         .default_text = "0",
         .help = "leave after so long without work; 0: never"},
        {.name = "parent",
         .kind = CLI_COUNT,
         .value = "PID",
         .target = &to->parent,
         .help = "end when this process, which must be the parent, ends"},
        {.name = "end-with-stdin",
         .kind = CLI_FLAG,
         .target = &to->end_with_stdin,
         .help =
             "leave at once when standard input ends, as it does with the ssh that brought this "
             "worker"},
    };
    cli_table_head(table, "Leaving");
    cli_table_add(table, list, sizeof(list) / sizeof(list[0]));
}

/* What it does instead. */
static void add_doctor(struct cli_table *table, struct worker_options *to)
{
    const struct cli_option list[] = {
        {.name = "doctor",
         .kind = CLI_FLAG,
         .target = &to->doctor,
         .help = "be no worker: look, step by step, whether one on this host gets through to the "
                 "coordinator, and say what to change; as 'quartet doctor'"},
    };
    cli_table_head(table, "Looking whether it would work");
    cli_table_add(table, list, sizeof(list) / sizeof(list[0]));
    doctor_options_init(&to->doctor_options, "quartet-worker");
    doctor_add_options(table, &to->doctor_options);
}

static void add_others(struct cli_table *table, struct worker_options *to)
{
    const struct cli_option list[] = {
        {.name = "describe",
         .kind = CLI_TEXT,
         .value = "FILE",
         .target = &to->describe,
         .help = "do nothing but print what the plugin in FILE is, as JSON"},
        {.name = "quiet",
         .kind = CLI_FLAG,
         .target = &to->quiet,
         .help = "errors only, and what workloads have to say"},
        {.name = "version",
         .kind = CLI_FLAG,
         .target = &to->version,
         .help = "print the versions of quartet and its libraries"},
    };
    cli_table_head(table, "Others");
    cli_table_add(table, list, sizeof(list) / sizeof(list[0]));
}

int worker_options_parse(int argc, char **argv, struct worker_options *ret_options)
{
    struct cli_table table = {.count = 0};
    *ret_options = (struct worker_options){
        .credit_max = CREDIT_MAX, .give_up_s = 600, .drain_limit_s = 30};
    add_where(&table, ret_options);
    add_work(&table, ret_options);
    add_leave(&table, ret_options);
    add_doctor(&table, ret_options);
    add_others(&table, ret_options);
    int status = parse_with(table.list, table.count, argc, argv);
    ret_options->doctor_options.access = ret_options->access;
    ret_options->doctor_options.connect = ret_options->connect;
    ret_options->doctor_options.one_line = ret_options->end_with_stdin;
    return status;
}

/* Returns -1 or EXIT_USAGE. */
static int check_time_limit(const struct worker_options *options)
{
    if (options->time_limit_s <= 0) {
        return -1;
    }
    if (options->drain_limit_s <= 0) {
        (void)fputs("quartet-worker: --time-limit cannot be kept with --drain-limit 0, which waits "
                    "for items however long they take: give a --drain-limit above 0\n",
                    stderr);
        return EXIT_USAGE;
    }
    if (client_drain_from_s(options->time_limit_s, options->drain_limit_s) <= 0) {
        (void)fprintf(stderr,
                      "quartet-worker: --time-limit is %.1f s, of which --drain-limit takes %.1f s "
                      "and leaving %d s: nothing is left to work in; give more time or a smaller "
                      "--drain-limit\n",
                      options->time_limit_s,
                      options->drain_limit_s,
                      CLIENT_LEAVING_S);
        return EXIT_USAGE;
    }
    return -1;
}

/* One that a coordinator has started is on its machine, and that has said so itself. */
static void warn_of_plaintext(const struct worker_options *options)
{
    if (options->parent == 0 && !zsock_endpoint_is_local(options->connect)) {
        (void)fprintf(
            stderr,
            "quartet-worker: warning: nothing that is said to %s is encrypted, and whoever "
            "answers there is obeyed (--insecure); --access FILE ends that\n",
            options->connect);
    }
}

static int check_endpoint(const struct worker_options *options)
{
    if (!zsock_endpoint_has_form(options->connect)) {
        (void)fprintf(stderr,
                      "quartet-worker: cannot connect to '%.200s': not an endpoint such as "
                      "tcp://HOST:5555 or ipc:///run/quartet\n",
                      options->connect);
        return EXIT_USAGE;
    }
    if (!options->insecure && !zsock_endpoint_is_local(options->connect)) {
        (void)fprintf(
            stderr,
            "quartet-worker: refusing to connect to '%s' without keys: it is on another machine; "
            "use "
            "the coordinator's access file (--access FILE), or --insecure to obey whoever answers "
            "there\n",
            options->connect);
        return EXIT_USAGE;
    }
    warn_of_plaintext(options);
    return -1;
}

static int check_doctor(const struct worker_options *options)
{
    struct err_text error = {{0}};
    if (doctor_check(&options->doctor_options, options->insecure, &error) != 0) {
        (void)fprintf(stderr, "quartet-worker: %s\n", error.s);
        return EXIT_USAGE;
    }
    return -1;
}

int worker_options_check(const struct worker_options *options)
{
    if (options->doctor) {
        return check_doctor(options);
    }
    if (options->doctor_options.json != NULL) {
        (void)fprintf(
            stderr,
            "quartet-worker: --json '%.200s' is for --doctor, and a worker writes no report\n",
            options->doctor_options.json);
        return EXIT_USAGE;
    }
    if ((options->connect == NULL) == (options->access == NULL)) {
        (void)fprintf(
            stderr,
            "quartet-worker: %s\n",
            options->connect == NULL
                ? "--access FILE or --connect ENDPOINT is missing: where does the "
                  "coordinator listen?"
                : "--access says where to connect, and so does --connect: give one of them");
        return EXIT_USAGE;
    }
    if (check_time_limit(options) >= 0) {
        return EXIT_USAGE;
    }
    return options->access != NULL ? -1 : check_endpoint(options);
}
