/* quartet-worker: connects to a coordinator and runs what it is sent. */
#include "common/io/cli.h"
#include "common/io/descriptors.h"
#include "common/io/parent.h"
#include "common/io/versions.h"
#include "common/io/zsock.h"
#include "worker/client.h"
#include "worker/describe.h"
#include "worker/engine/engine.h"
#include "worker/engine/zygote.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CREDIT_MAX = 8192, EXIT_USAGE = 2, EXIT_CANNOT_GO_ON = 3 };

struct arguments {
    const char *connect;
    const char *name;
    const char *describe;
    uint64_t slots;
    uint64_t credit_max;
    double give_up_s;
    double idle_limit_s;
    double drain_limit_s;
    uint64_t parent;
    bool insecure;
    bool allow_exec;
    bool allow_plugins;
    bool quiet;
    bool version;
};

/* Parse with a table of options whose targets are in `arguments`. Returns -1 to go on, or the exit status. */
static int parse_with(const struct cli_option *options, size_t option_count, int argc, char **argv)
{
    const struct cli cli = {
        .program = "quartet-worker",
        .usage = "--connect ENDPOINT | --describe FILE",
        .summary = "Connects to a quartet coordinator, runs the chunks of items that it sends, and "
                   "exits when the "
                   "coordinator is done. SIGTERM: gives back what is not begun, finishes the rest, "
                   "leaves.",
        .examples = "quartet-worker --connect tcp://127.0.0.1:5555\n\n"
                    "Exit status: 0 done or left on request; 2 wrong usage, or a plugin that\n"
                    "cannot be used; 3 no coordinator, or this machine refused (open files,\n"
                    "memory); 4 refused by the coordinator (another protocol version).",
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

static int parse(int argc, char **argv, struct arguments *arguments)
{
    const struct cli_option options[] = {
        {.name = "connect",
         .kind = CLI_TEXT,
         .value = "ENDPOINT",
         .target = &arguments->connect,
         .help = "where the coordinator listens: tcp://ADDRESS:PORT or ipc://PATH"},
        {.name = "name",
         .kind = CLI_TEXT,
         .value = "NAME",
         .target = &arguments->name,
         .default_text = "worker-PID",
         .help = "what to be called in notes and reports"},
        {.name = "slots",
         .kind = CLI_COUNT,
         .value = "N",
         .target = &arguments->slots,
         .min = 1,
         .max = ENGINE_SLOTS_MAX,
         .default_text = "as the job says",
         .help = "items at once, for every strategy but serial"},
        {.name = "credit-max",
         .kind = CLI_COUNT,
         .value = "N",
         .target = &arguments->credit_max,
         .min = 4,
         .max = 65536,
         .default_text = "8192",
         .help = "most chunks to hold at a time"},
        {.name = "give-up",
         .kind = CLI_SECONDS,
         .value = "SECONDS",
         .target = &arguments->give_up_s,
         .max = 1e9,
         .default_text = "600",
         .help = "exit after so long without a coordinator; 0: never"},
        {.name = "idle-timeout",
         .kind = CLI_SECONDS,
         .value = "SECONDS",
         .target = &arguments->idle_limit_s,
         .max = 1e9,
         .default_text = "0",
         .help = "leave after so long without work; 0: never"},
        {.name = "drain-limit",
         .kind = CLI_SECONDS,
         .value = "SECONDS",
         .target = &arguments->drain_limit_s,
         .max = 1e9,
         .default_text = "30",
         .help = "on SIGTERM: leave after so long even when items still run; 0: wait for them"},
        {.name = "describe",
         .kind = CLI_TEXT,
         .value = "FILE",
         .target = &arguments->describe,
         .help = "do nothing but print what the plugin in FILE is, as JSON"},
        {.name = "insecure",
         .kind = CLI_FLAG,
         .target = &arguments->insecure,
         .help = "allow an endpoint on another machine: nothing is encrypted or authenticated"},
        {.name = "allow-exec",
         .kind = CLI_FLAG,
         .target = &arguments->allow_exec,
         .help =
             "run the commands that jobs bring (exec, pipe): whoever is the coordinator can run "
             "anything as this user"},
        {.name = "allow-plugins",
         .kind = CLI_FLAG,
         .target = &arguments->allow_plugins,
         .help = "load the shared objects that jobs bring (plugins), fetched from the coordinator: "
                 "its code runs as this user"},
        {.name = "parent",
         .kind = CLI_COUNT,
         .value = "PID",
         .target = &arguments->parent,
         .help = "end when this process, which must be the parent, ends"},
        {.name = "quiet",
         .kind = CLI_FLAG,
         .target = &arguments->quiet,
         .help = "errors only, and what workloads have to say"},
        {.name = "version",
         .kind = CLI_FLAG,
         .target = &arguments->version,
         .help = "print the versions of quartet and its libraries"},
    };
    return parse_with(options, sizeof(options) / sizeof(options[0]), argc, argv);
}

static int check(const struct arguments *arguments)
{
    if (arguments->connect == NULL) {
        (void)fputs(
            "quartet-worker: --connect ENDPOINT is missing: where does the coordinator listen?\n",
            stderr);
        return EXIT_USAGE;
    }
    if (!zsock_endpoint_has_form(arguments->connect)) {
        (void)fprintf(stderr,
                      "quartet-worker: cannot connect to '%.200s': not an endpoint such as "
                      "tcp://HOST:5555 or ipc:///run/quartet\n",
                      arguments->connect);
        return EXIT_USAGE;
    }
    if (!arguments->insecure && !zsock_endpoint_is_local(arguments->connect)) {
        (void)fprintf(
            stderr,
            "quartet-worker: refusing to connect to '%s': it is on another machine and nothing is "
            "encrypted or authenticated; add --insecure if that network is trusted\n",
            arguments->connect);
        return EXIT_USAGE;
    }
    return -1;
}

int main(int argc, char **argv)
{
    /* First of all: nothing exists yet that a fork could tear. */
    struct zygote *zygote = NULL;
    struct err_text error = {{0}};
    if (descriptors_prepare(&error) != 0 || zygote_start(&error, &zygote) != 0) {
        (void)fprintf(stderr, "quartet-worker: %s\n", error.s);
        return EXIT_CANNOT_GO_ON;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a plugin that may not be written is an error in words */
    struct arguments arguments = {.credit_max = CREDIT_MAX, .give_up_s = 600, .drain_limit_s = 30};
    int status = parse(argc, argv, &arguments);
    if (status < 0 && arguments.version) {
        versions_print(stdout, "quartet-worker");
        status = EXIT_SUCCESS;
    }
    parent_bind(arguments.parent);
    if (status < 0 && arguments.describe != NULL) {
        status = describe(arguments.describe);
    }
    status = status < 0 ? check(&arguments) : status;
    if (status < 0) {
        char name[64];
        (void)snprintf(name, sizeof(name), "worker-%ld", (long)getpid());
        struct client_options options = {
            .endpoint = arguments.connect,
            .name = arguments.name != NULL ? arguments.name : name,
            .slots = (uint32_t)arguments.slots,
            .credit_max = (uint32_t)arguments.credit_max,
            .give_up_s = arguments.give_up_s,
            .idle_limit_s = arguments.idle_limit_s,
            .drain_limit_s = arguments.drain_limit_s,
            .allow_exec = arguments.allow_exec,
            .allow_plugins = arguments.allow_plugins,
            .quiet = arguments.quiet,
        };
        status = client_run(&options, zygote);
    }
    zygote_stop(zygote);
    if (fflush(stdout) != 0 && status == EXIT_SUCCESS) {
        perror("quartet-worker: standard output");
        status = EXIT_CANNOT_GO_ON;
    }
    return status;
}
