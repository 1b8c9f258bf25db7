/* quartet: the coordinator. Finds the command and hands over. */
#include "common/base/nearest.h"
#include "common/io/descriptors.h"
#include "common/io/first_process.h"
#include "common/io/versions.h"
#include "coordinator/commands.h"
#include "worker/engine/zygote.h"

#include <errno.h>
#include <jansson.h>
#include <microhttpd.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv, struct zygote *zygote);
    const char *summary;
} commands[] = {
    {"compare", cmd_compare, "time the four strategies, local and distributed"},
    {"run", cmd_run, "run the items of one workload with one strategy"},
    {"resume", cmd_resume, "go on with a run whose coordinator died, from its journal"},
    {"status", cmd_status, "ask a running coordinator how it is doing"},
    {"drain", cmd_drain, "let a worker of a running coordinator finish and leave"},
    {"launch", cmd_launch, "start workers with mpirun, Slurm and others"},
    {"doctor", cmd_doctor, "find out why a worker does not reach its coordinator"},
    {"keygen", cmd_keygen, "make keys for a coordinator and its workers"},
    {"workloads", cmd_workloads, "list workloads, or describe one"},
    {"origin", cmd_origin, "serve HTTP to download from, for comparisons offline"},
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static void print_usage(FILE *stream)
{
    (void)fputs("quartet runs a list of work items on one machine or many, and measures which way\n"
                "of running them is best.\n\n",
                stream);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        (void)fprintf(stream, "  quartet %-10s %s\n", commands[i].name, commands[i].summary);
    }
    (void)fputs("\n'quartet COMMAND --help' lists the flags of a command.\n"
                "'quartet --version' prints versions.\n"
                "Workers on other machines: 'quartet-worker --help'.\n",
                stream);
}

static void print_versions(void)
{
    versions_print(stdout, "quartet");
    (void)printf("%-14s %s\n", "libmicrohttpd", MHD_get_version());
    (void)printf("%-14s %s\n", "jansson", jansson_version_str());
}

static int refuse(const char *word)
{
    const char *names[COMMAND_COUNT];
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        names[i] = commands[i].name;
    }
    const char *near = nearest_name(word, names, COMMAND_COUNT);
    struct err_text error;
    (void)err_set(&error,
                  ERR_NOT_FOUND,
                  "'%.64s' is not a command%s%s%s; 'quartet --help' lists them",
                  word,
                  near == NULL ? "" : ", did you mean '",
                  near == NULL ? "" : near,
                  near == NULL ? "" : "'?");
    (void)fprintf(stderr, "quartet: %s\n", error.s);
    return EXIT_WRONG_USAGE;
}

static int dispatch(int argc, char **argv, struct zygote *zygote)
{
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_WRONG_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0 ||
        strcmp(argv[1], "-h") == 0) {
        print_usage(stdout);
        return EXIT_ALL_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        print_versions();
        return EXIT_ALL_OK;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return commands[i].run(argc - 1, argv + 1, zygote);
        }
    }
    return refuse(argv[1]);
}

/* Has whoever read our standard output had enough of it? */
static bool reader_left(void)
{
    struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
}

/* What was to be printed is part of the work. A reader that has left makes an end of it without a word, as of any program. */
static int after_writing(int status)
{
    bool was_bad = ferror(stdout) != 0;
    if (fflush(stdout) == 0 && !was_bad) {
        return status;
    }
    int error = errno;
    if (status < EXIT_BY_SIGNAL && reader_left()) {
        return EXIT_BY_SIGNAL + SIGPIPE;
    }
    if (status == EXIT_ALL_OK) {
        (void)fprintf(stderr,
                      "quartet: standard output: %s\n",
                      was_bad ? "it could not be written" : strerror(error));
        return EXIT_CANNOT_GO_ON;
    }
    return status;
}

int main(int argc, char **argv)
{
    /* First of all: nothing exists yet that a fork could tear. */
    struct zygote *zygote = NULL;
    struct err_text error = {{0}};
    if (first_process_leave(&error) != 0 || descriptors_prepare(&error) != 0 ||
        zygote_start(&error, &zygote) != 0) {
        (void)fprintf(stderr, "quartet: %s\n", error.s);
        return EXIT_CANNOT_GO_ON;
    }
    /* A reader that leaves, a file that may not grow: the write fails, and that is said in words. */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    int status = dispatch(argc, argv, zygote);
    zygote_stop(zygote);
    return after_writing(status);
}
