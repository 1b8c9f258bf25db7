/* quartet keygen: make the keys of a coordinator and of its workers. */
#include "coordinator/commands.h"
#include "coordinator/server/keyring.h"

#include <stdio.h>
#include <stdlib.h>

enum { WORKERS_MAX = 1024 };

struct keygen {
    const char *names[WORKERS_MAX];
    size_t name_count;
    bool quiet;
};

static int add_name(const char *value, void *target, struct err_text *ret_error)
{
    struct keygen *keygen = target;
    if (!key_name_is_valid(value)) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "'%.100s' cannot be the name of a key: letters, digits, '-', '_' and '.', "
                       "at most %d",
                       value,
                       KEY_NAME_MAX);
    }
    if (keygen->name_count == WORKERS_MAX) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "more than %d names at once: call it several times",
                       WORKERS_MAX);
    }
    keygen->names[keygen->name_count++] = value;
    return 0;
}

static void say(const struct keygen *keygen, bool made, const char *directory, const char *file)
{
    if (!keygen->quiet) {
        (void)printf("%s %s/%s\n", made ? "made" : "kept", directory, file);
    }
}

static int make(struct keygen *keygen, const char *directory, struct err_text *ret_error)
{
    bool made = false;
    int rc = keyring_make(directory, &made, ret_error);
    if (rc != 0) {
        return rc;
    }
    say(keygen, made, directory, "coordinator.key");
    if (keygen->name_count == 0 && !keyring_has_workers(directory)) {
        keygen->names[keygen->name_count++] = "worker";
    }
    for (size_t i = 0; rc == 0 && i < keygen->name_count; i++) {
        rc = keyring_add_worker(directory, keygen->names[i], &made, ret_error);
        if (rc == 0) {
            char file[KEY_NAME_SIZE + sizeof("authorized/.pub")];
            (void)snprintf(file, sizeof(file), "authorized/%s.pub", keygen->names[i]);
            say(keygen, made, directory, file);
        }
    }
    return rc;
}

static int keygen_main(struct keygen *keygen, int argc, char **argv, const char **words)
{
    const struct cli_option options[] = {
        {.name = "worker",
         .kind = CLI_CALL,
         .value = "NAME",
         .target = keygen,
         .call = add_name,
         .repeatable = true,
         .default_text = "'worker', when there is none",
         .help = "make a key for a worker called NAME, and authorize it; repeatable"},
        {.name = "quiet", .kind = CLI_FLAG, .target = &keygen->quiet, .help = "errors only"},
    };
    const struct cli cli = {
        .program = "quartet keygen",
        .usage = "DIR",
        .summary =
            "Makes the directory DIR, the coordinator's key in it, and a key for each worker: "
            "DIR/authorized/NAME.pub says that the worker may come, DIR/workers/NAME.key is its "
            "secret, which an access file carries to it. What is there already is kept: called "
            "again it adds workers. Removing DIR/authorized/NAME.pub shuts that worker out, also "
            "while it is connected. DIR is for this user alone; whoever reads a secret in it can "
            "be that worker, or the coordinator.",
        .examples = "quartet keygen keys\n"
                    "quartet keygen keys --worker alpha --worker beta\n"
                    "quartet run noop --keys keys --listen 'tcp://*:5555' --access worker.json\n\n"
                    "Exit status: 0 the keys are there; 2 wrong usage, or a directory that others\n"
                    "can write in; 3 they could not be written.",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
        .positional_max = 1,
    };
    size_t count = 0;
    struct err_text error = {{0}};
    int status = command_parse(&cli, argc, argv, words, &count, NULL);
    if (status >= 0) {
        return status;
    }
    if (count == 0) {
        (void)fputs("quartet keygen: which DIR is for the keys?\n", stderr);
        return EXIT_WRONG_USAGE;
    }
    int rc = make(keygen, words[0], &error);
    if (rc != 0) {
        (void)fprintf(stderr, "quartet keygen: %s\n", error.s);
    }
    return command_asked_status(rc);
}

int cmd_keygen(int argc, char **argv, struct zygote *zygote)
{
    (void)zygote;
    struct keygen *keygen = calloc(1, sizeof(*keygen));
    const char **words = calloc((size_t)argc, sizeof(*words));
    int status = EXIT_CANNOT_GO_ON;
    if (keygen == NULL || words == NULL) {
        (void)fputs("quartet keygen: no memory\n", stderr);
    } else {
        status = keygen_main(keygen, argc, argv, words);
    }
    free(keygen);
    free(words);
    return status;
}
