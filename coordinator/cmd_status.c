/* quartet status: ask a running coordinator how it is doing. */
#include "coordinator/commands.h"
#include "coordinator/status/control_client.h"
#include "coordinator/status/status.h"

#include <stdio.h>
#include <stdlib.h>

static void print(const json_t *status, bool as_json)
{
    if (as_json) {
        (void)json_dumpf(status, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
        (void)fputc('\n', stdout);
    } else {
        status_print(status, stdout);
    }
}

/* `pid` NULL: the only one. */
static int ask(const char *path, const char *pid, bool as_json)
{
    const struct control_request request = {.kind = CONTROL_STATUS};
    struct err_text error = {{0}};
    char place[CONTROL_PATH_SIZE];
    json_t *status = NULL;
    int rc = control_choose("quartet status", path, pid, &error, place);
    rc = rc != 0 ? rc : control_ask(place, &request, &error, &status);
    if (rc != 0) {
        (void)fprintf(stderr, "quartet status: %s\n", error.s);
        return command_asked_status(rc);
    }
    print(status, as_json);
    json_decref(status);
    return EXIT_ALL_OK;
}

int cmd_status(int argc, char **argv, struct zygote *zygote)
{
    (void)zygote;
    bool as_json = false;
    const char *path = NULL;
    const struct cli_option options[] = {
        {.name = "json",
         .kind = CLI_FLAG,
         .target = &as_json,
         .help = "print JSON, schema quartet.status/1"},
        {.name = "control",
         .kind = CLI_TEXT,
         .value = "PATH",
         .target = &path,
         .default_text = "that of the only one that runs",
         .help = "the control socket that the coordinator was given"},
    };
    const struct cli cli = {
        .program = "quartet status",
        .usage = "[PID]",
        .summary = "Asks a running 'quartet run' or 'quartet compare' of this user how it is "
                   "doing: what is done and left, how fast, each worker, and the reason when "
                   "nothing moves. With several running, PID says which.",
        .examples = "quartet status\n"
                    "quartet status --json | jq .items\n\n"
                    "Exit status: 0 it answered; 2 wrong usage, or several are running;\n"
                    "3 none is running, or it does not answer.",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
        .positional_max = 1,
    };
    const char **words = calloc((size_t)argc, sizeof(*words));
    size_t word_count = 0;
    if (words == NULL) {
        (void)fputs("quartet status: no memory\n", stderr);
        return EXIT_CANNOT_GO_ON;
    }
    int status = command_parse(&cli, argc, argv, words, &word_count, NULL);
    if (status < 0) {
        status = ask(path, word_count > 0 ? words[0] : NULL, as_json);
    }
    free(words);
    return status;
}
