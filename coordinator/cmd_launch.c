/* quartet launch: start workers by way of mpirun, Slurm and others, for a coordinator that runs elsewhere. */
#include "common/io/access.h"
#include "common/io/secret_file.h"
#include "common/io/zsock.h"
#include "coordinator/commands.h"
#include "coordinator/launchers/ask.h"
#include "coordinator/launchers/launcher.h"
#include "coordinator/launchers/perform.h"
#include "coordinator/options/options.h"
#include "coordinator/session/program.h"
#include "worker/engine/engine.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ACCESS_POLL_MS = 100, ASK_MS = 10000, ANSWER_SIZE = 256 };

struct launch_command {
    const struct launcher_ops *launcher;
    struct launcher_request request;
    void *own; /* options of the launcher */
    struct cli_table table;
    double wait_access_s;
    bool dry_run;
    char worker_here[PATH_MAX]; /* what request.worker_here borrows */
    char *access_path;          /* what request.access borrows */
    char *access_text;          /* and request.access_text */
    char endpoints[ACCESS_ENDPOINTS_MAX][ACCESS_ENDPOINT_SIZE];
    const char *endpoint_list[ACCESS_ENDPOINTS_MAX]; /* and request.endpoints */
    char answer[ANSWER_SIZE];                        /* and request.answer */
};

/* --- the command line --- */

static void add_where(struct launch_command *command)
{
    struct launcher_request *request = &command->request;
    const struct cli_option list[] = {
        {.name = "access",
         .kind = CLI_TEXT,
         .value = "FILE",
         .target = &request->access,
         .help = "the access file that the coordinator writes ('quartet run --keys DIR --listen "
                 "ENDPOINT --access FILE'); nobody else may be able to read it"},
        {.name = "wait-access",
         .kind = CLI_SECONDS,
         .value = "SECONDS",
         .target = &command->wait_access_s,
         .max = 1e9,
         .default_text = "0",
         .help = "wait so long for that file to be there"},
        {.name = "connect",
         .kind = CLI_TEXT,
         .value = "ENDPOINT",
         .target = &request->connect,
         .help = "where a coordinator without keys listens: tcp://ADDRESS:PORT"},
        {.name = "insecure",
         .kind = CLI_FLAG,
         .target = &request->insecure,
         .help = "allow that on another machine: nothing is encrypted or authenticated"},
    };
    cli_table_head(&command->table, "Coordinator");
    cli_table_add(&command->table, list, sizeof(list) / sizeof(list[0]));
}

static void add_workers(struct launch_command *command)
{
    struct launcher_request *request = &command->request;
    const struct cli_option list[] = {
        {.name = "workers",
         .kind = CLI_COUNT,
         .value = "N",
         .target = &request->workers,
         .min = 1,
         .max = WORKERS_MAX,
         .help = "how many to start"},
        {.name = "slots",
         .kind = CLI_COUNT,
         .value = "N",
         .target = &request->slots,
         .min = 1,
         .max = ENGINE_SLOTS_MAX,
         .default_text = "as the job says",
         .help = "items at once in each"},
        {.name = "worker-path",
         .kind = CLI_TEXT,
         .value = "PATH",
         .target = &request->worker_path,
         .default_text = "quartet-worker",
         .help = "of quartet-worker there; without a '/' it is looked for in PATH"},
        {.name = "allow-exec",
         .kind = CLI_FLAG,
         .target = &request->allow_exec,
         .help = "workers run the commands that jobs bring (exec, pipe)"},
        {.name = "allow-plugins",
         .kind = CLI_FLAG,
         .target = &request->allow_plugins,
         .help = "workers load the shared objects that jobs bring"},
    };
    cli_table_head(&command->table, "Workers");
    cli_table_add(&command->table, list, sizeof(list) / sizeof(list[0]));
}

static void add_ends(struct launch_command *command)
{
    struct launcher_request *request = &command->request;
    const struct cli_option list[] = {
        {.name = "give-up",
         .kind = CLI_SECONDS,
         .value = "SECONDS",
         .target = &request->give_up_s,
         .max = 1e9,
         .default_text = "600",
         .help = "a worker ends after so long without a coordinator; 0: never"},
        {.name = "drain-limit",
         .kind = CLI_SECONDS,
         .value = "SECONDS",
         .target = &request->drain_limit_s,
         .min = 1,
         .max = 1e9,
         .default_text = "30",
         .help = "a worker that is to go leaves after so long even when items still run"},
        {.name = "dry-run",
         .kind = CLI_FLAG,
         .target = &command->dry_run,
         .help = "check everything, print what would be run, and run nothing"},
        {.name = "quiet",
         .kind = CLI_FLAG,
         .target = &request->quiet,
         .help = "workers say errors only"},
    };
    cli_table_head(&command->table, "Leaving, and others");
    cli_table_add(&command->table, list, sizeof(list) / sizeof(list[0]));
}

/* Returns -1 to go on, or the exit status. `words` keeps what stands behind `--`. */
static int parse(struct launch_command *command, int argc, char **argv, const char **words)
{
    const struct launcher_ops *launcher = command->launcher;
    char program[64];
    (void)snprintf(program, sizeof(program), "quartet launch %s", launcher->name);
    command->request.give_up_s = 600;
    command->request.drain_limit_s = 30;
    command->request.worker_path = "quartet-worker";
    program_find("quartet-worker", command->worker_here, sizeof(command->worker_here));
    command->request.worker_here = command->worker_here[0] == '/' ? command->worker_here : NULL;
    command->request.env = getenv;
    if (launcher->defaults != NULL) {
        launcher->defaults(command->own);
    }
    add_where(command);
    add_workers(command);
    launcher->add_options(&command->table, command->own);
    add_ends(command);
    const struct cli cli = {
        .program = program,
        .usage = "--access FILE [--workers N] ...",
        .summary = launcher->summary,
        .examples = launcher->examples,
        .options = command->table.list,
        .option_count = command->table.count,
        .rest = launcher->rest,
    };
    size_t count = 0;
    command->request.rest = words;
    return command_parse(&cli, argc, argv, words, &count, &command->request.rest_count);
}

/* --- who lets them in --- */

static int check_connect(const struct launcher_request *request, struct err_text *ret_error)
{
    if (!zsock_endpoint_has_form(request->connect)) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--connect: '%.200s' is not an endpoint such as tcp://HOST:5555",
                       request->connect);
    }
    if (!request->insecure && !zsock_endpoint_is_local(request->connect)) {
        return err_set(
            ret_error,
            ERR_INVALID,
            "refusing to send workers to '%.200s' without keys: it is on another machine; "
            "use the coordinator's access file (--access FILE), or --insecure",
            request->connect);
    }
    return 0;
}

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The coordinator writes it whole or not at all: once it is there it can be read. */
static int read_when_there(const struct launch_command *command,
                           struct err_text *ret_error,
                           struct access *ret_access)
{
    const struct timespec pause = {.tv_nsec = ACCESS_POLL_MS * 1000000L};
    double until_s = now_s() + command->wait_access_s;
    int rc = access_read(command->request.access, false, ret_error, ret_access);
    while (rc == ERR_NOT_FOUND && now_s() < until_s) {
        (void)nanosleep(&pause, NULL);
        rc = access_read(command->request.access, false, ret_error, ret_access);
    }
    return rc;
}

static void keep_endpoints(struct launch_command *command, const struct access *access)
{
    memcpy(command->endpoints, access->endpoints, sizeof(command->endpoints));
    for (size_t i = 0; i < access->endpoint_count; i++) {
        command->endpoint_list[i] = command->endpoints[i];
    }
    command->request.endpoints = command->endpoint_list;
    command->request.endpoint_count = access->endpoint_count;
}

static int read_access(struct launch_command *command, struct err_text *ret_error)
{
    struct access access;
    struct launcher_request *request = &command->request;
    if (strcmp(request->access, "-") == 0) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--access: '-' is no file: launchers need one that is there later too");
    }
    int rc = read_when_there(command, ret_error, &access);
    if (rc != 0) {
        return rc;
    }
    command->access_path = realpath(request->access, NULL);
    command->access_text = access_format(&access, true);
    keep_endpoints(command, &access);
    access_wipe(&access);
    if (command->access_path == NULL || command->access_text == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for '%.300s'", request->access);
    }
    request->access = command->access_path;
    request->access_text = command->access_text;
    return 0;
}

/* It gets into scripts, which have a largest size. */
static int check_worker_path(const struct launcher_request *request, struct err_text *ret_error)
{
    if (strlen(request->worker_path) >= PATH_MAX) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--worker-path: '%.60s...' is longer than a path can be",
                       request->worker_path);
    }
    return 0;
}

static int check_coordinator(struct launch_command *command, struct err_text *ret_error)
{
    struct launcher_request *request = &command->request;
    if ((request->access == NULL) == (request->connect == NULL)) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "%s",
                       request->access == NULL
                           ? "--access FILE or --connect ENDPOINT is missing: where does the "
                             "coordinator listen?"
                           : "--access says where to connect, and so does --connect: give one of "
                             "them");
    }
    return request->access != NULL ? read_access(command, ret_error)
                                   : check_connect(request, ret_error);
}

/* --- what is done --- */

static int show(const struct plan *plan, struct err_text *ret_error)
{
    struct script script = {.text = NULL};
    plan_show(plan, &script);
    bool complete = !script.incomplete && script.text != NULL;
    (void)fputs(complete ? script.text : "", stdout);
    script_deinit(&script);
    return complete ? 0 : err_set(ret_error, ERR_NOMEM, "no memory to show what would be run");
}

/* Put the launcher's question, if it has one, to whom it names. Without an answer there is a plan, too, but not as good a one:
 * `ret_silent` then says who did not answer, else it is "". */
static int answer(struct launch_command *command,
                  struct err_text *ret_error,
                  char ret_silent[ANSWER_SIZE])
{
    struct words question = {.list = NULL};
    ret_silent[0] = '\0';
    if (command->launcher->question != NULL) {
        command->launcher->question(&command->request, &question);
    }
    int rc = question.count == 0 ? ERR_NOT_FOUND
                                 : ask(&question, ASK_MS, command->answer, sizeof(command->answer));
    if (rc == 0) {
        command->request.answer = command->answer;
    } else if (question.count > 0) {
        (void)snprintf(ret_silent, ANSWER_SIZE, "%s", question.list[0]);
    }
    words_deinit(&question);
    return rc == ERR_NOMEM ? err_set(ret_error, rc, "no memory to ask") : 0;
}

static int launch(struct launch_command *command, struct err_text *ret_error, int *ret_signal)
{
    struct plan plan = {.count = 0};
    char silent[ANSWER_SIZE];
    int rc = check_worker_path(&command->request, ret_error);
    rc = rc != 0 ? rc : check_coordinator(command, ret_error);
    rc = rc != 0 ? rc : answer(command, ret_error, silent);
    rc = rc != 0 ? rc : command->launcher->plan(&command->request, command->own, ret_error, &plan);
    if (rc == 0 && !plan_is_complete(&plan)) {
        rc = err_set(ret_error, ERR_NOMEM, "no memory to work out what to run");
    }
    if (rc == 0 && silent[0] != '\0' && !command->request.quiet) {
        (void)fprintf(stderr,
                      "quartet launch %s: '%s' did not answer; going on without\n",
                      command->launcher->name,
                      silent);
    }
    if (rc == 0) {
        rc = command->dry_run ? show(&plan, ret_error) : perform(&plan, ret_error, ret_signal);
    }
    plan_deinit(&plan);
    return rc;
}

/* --- the command --- */

static void list_launchers(struct script *script)
{
    for (size_t i = 0; launchers[i] != NULL; i++) {
        script_add(script, "quartet launch %-8s %s\n", launchers[i]->name, launchers[i]->title);
    }
    script_add(script,
               "\n'quartet launch LAUNCHER --help' lists the flags of a launcher.\n"
               "Workers over ssh need none: 'quartet run --hosts'.\n\n"
               "Exit status: 0 the workers have ended, or have been submitted; 2 wrong usage;\n"
               "3 a program that was needed could not be run, or failed; 128+N signal N.");
}

/* The command line begins with no launcher. */
static int help(int argc, char **argv)
{
    struct script list = {.text = NULL};
    list_launchers(&list);
    const struct cli cli = {
        .program = "quartet launch",
        .usage = "LAUNCHER --access FILE [--workers N] ...",
        .summary =
            "Starts workers by way of another program, for a coordinator that runs elsewhere "
            "and waits for them: 'quartet run ... --keys DIR --listen ENDPOINT --access FILE "
            "--wait N'. With --dry-run it prints what it would run.",
        .examples = list.text,
    };
    const char *words[1];
    size_t count = 0;
    int status = command_parse(&cli, argc < 2 ? argc : 2, argv, words, &count, NULL);
    if (status < 0) {
        (void)fputs("quartet launch: which LAUNCHER? 'quartet launch --help' lists them\n", stderr);
        status = EXIT_WRONG_USAGE;
    }
    script_deinit(&list);
    return status;
}

static int refuse_launcher(const char *name)
{
    struct err_text error;
    const char *near = launcher_nearest(name);
    (void)err_set(&error,
                  ERR_NOT_FOUND,
                  "'%.64s' is not a launcher%s%s%s; 'quartet launch --help' lists them",
                  name,
                  near == NULL ? "" : ", did you mean '",
                  near == NULL ? "" : near,
                  near == NULL ? "" : "'?");
    (void)fprintf(stderr, "quartet launch: %s\n", error.s);
    return EXIT_WRONG_USAGE;
}

static int status_of(int rc, int signal)
{
    return rc == ERR_CANCELLED ? EXIT_BY_SIGNAL + signal : command_asked_status(rc);
}

static int launch_main(struct launch_command *command, int argc, char **argv, const char **words)
{
    struct err_text error = {{0}};
    int signal = 0;
    int status = parse(command, argc, argv, words);
    if (status >= 0) {
        return status;
    }
    int rc = launch(command, &error, &signal);
    if (rc != 0) {
        (void)fprintf(stderr, "quartet launch %s: %s\n", command->launcher->name, error.s);
    }
    return status_of(rc, signal);
}

int cmd_launch(int argc, char **argv, struct zygote *zygote)
{
    (void)zygote;
    if (argc < 2 || argv[1][0] == '-') {
        return help(argc, argv);
    }
    const struct launcher_ops *launcher = launcher_find(argv[1]);
    if (launcher == NULL) {
        return refuse_launcher(argv[1]);
    }
    struct launch_command *command = calloc(1, sizeof(*command));
    void *own = calloc(1, launcher->options_size);
    const char **words = calloc((size_t)argc, sizeof(*words));
    int status = EXIT_CANNOT_GO_ON;
    if (command == NULL || own == NULL || words == NULL) {
        (void)fputs("quartet launch: no memory\n", stderr);
    } else {
        command->launcher = launcher;
        command->own = own;
        status = launch_main(command, argc - 1, argv + 1, words);
        secret_free(command->access_text);
        free(command->access_path);
    }
    free(words);
    free(own);
    free(command);
    return status;
}
