/* quartet drain: let a worker of a running coordinator finish what it has begun, and leave. */
#include "coordinator/commands.h"
#include "coordinator/status/control_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int drain(const char *path, const char *pid, const char *worker)
{
    struct control_request request = {.kind = CONTROL_DRAIN};
    struct err_text error = {{0}};
    char place[CONTROL_PATH_SIZE];
    json_t *result = NULL;
    int len = snprintf(request.worker, sizeof(request.worker), "%s", worker);
    int rc = 0;
    if (len == 0 || (size_t)len >= sizeof(request.worker)) {
        rc = err_set(&error, ERR_INVALID, "'%.64s' is not the name of a worker", worker);
    }
    rc = rc != 0 ? rc : control_choose("quartet drain WORKER", path, pid, &error, place);
    rc = rc != 0 ? rc : control_ask(place, &request, &error, &result);
    if (rc != 0) {
        (void)fprintf(stderr, "quartet drain: %s\n", error.s);
        return command_asked_status(rc);
    }
    const char *text = json_string_value(json_object_get(result, "text"));
    (void)printf("%s\n", text != NULL ? text : "done");
    json_decref(result);
    return EXIT_ALL_OK;
}

int cmd_drain(int argc, char **argv, struct zygote *zygote)
{
    (void)zygote;
    const char *path = NULL;
    const struct cli_option option = {
        .name = "control",
        .kind = CLI_TEXT,
        .value = "PATH",
        .target = &path,
        .default_text = "that of the only one that runs",
        .help = "the control socket that the coordinator was given",
    };
    const struct cli cli = {
        .program = "quartet drain",
        .usage = "WORKER [PID]",
        .summary = "Asks a running coordinator of this user to let a worker go: it gives back what "
                   "it has not begun, finishes the rest, and leaves. WORKER is its name, or "
                   "NAME@HOST, as 'quartet status' lists them. With several coordinators running, "
                   "PID says which.",
        .examples =
            "quartet drain local-2\n\n"
            "Exit status: 0 the worker was told; 2 wrong usage, no such worker, or several\n"
            "of that name; 3 no coordinator is running, or it does not answer.",
        .options = &option,
        .option_count = 1,
        .positional_max = 2,
    };
    const char **words = calloc((size_t)argc, sizeof(*words));
    size_t word_count = 0;
    if (words == NULL) {
        (void)fputs("quartet drain: no memory\n", stderr);
        return EXIT_CANNOT_GO_ON;
    }
    int status = command_parse(&cli, argc, argv, words, &word_count, NULL);
    if (status < 0 && word_count == 0) {
        (void)fputs("quartet drain: which WORKER? 'quartet status' lists them\n", stderr);
        status = EXIT_WRONG_USAGE;
    } else if (status < 0) {
        status = drain(path, word_count > 1 ? words[1] : NULL, words[0]);
    }
    free(words);
    return status;
}
