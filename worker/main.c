/* quartet-worker: connects to a coordinator and runs what it is sent. */
#include "common/io/access.h"
#include "common/io/descriptors.h"
#include "common/io/first_process.h"
#include "common/io/parent.h"
#include "common/io/versions.h"
#include "worker/client.h"
#include "worker/describe.h"
#include "worker/engine/zygote.h"
#include "worker/name.h"
#include "worker/options.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, EXIT_CANNOT_GO_ON = 3, PLUGIN_LOAD_LIMIT_S = 10 };

/* The access file is read here, after the zygote was forked: what runs items in processes of its own
 * has never had the key. */
static int work(const struct worker_options *asked, struct zygote *zygote)
{
    struct access access;
    struct err_text error = {{0}};
    char name[WORKER_NAME_SIZE];
    bool keys = asked->access != NULL;
    if (keys && access_read(asked->access, asked->end_with_stdin, &error, &access) != 0) {
        (void)fprintf(stderr, "quartet-worker: %s\n", error.s);
        return EXIT_USAGE;
    }
    worker_name_make(keys ? access.name : NULL, getpid(), getenv, name);
    struct client_options options = {
        .endpoint = asked->connect,
        .access = keys ? &access : NULL,
        .name = asked->name != NULL ? asked->name : name,
        .slots = (uint32_t)asked->slots,
        .credit_max = (uint32_t)asked->credit_max,
        .give_up_s = asked->give_up_s,
        .spread_s = asked->spread_s,
        .idle_limit_s = asked->idle_limit_s,
        .drain_limit_s = asked->drain_limit_s,
        .time_limit_s = asked->time_limit_s,
        .drained_status = (uint32_t)asked->drained_status,
        .load_limit_s = PLUGIN_LOAD_LIMIT_S,
        .allow_exec = asked->allow_exec,
        .allow_plugins = asked->allow_plugins,
        .end_with_stdin = asked->end_with_stdin,
        .quiet = asked->quiet,
    };
    int status = client_run(&options, zygote);
    if (keys) {
        access_wipe(&access);
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
        (void)fprintf(stderr, "quartet-worker: %s\n", error.s);
        return EXIT_CANNOT_GO_ON;
    }
    (void)prctl(PR_SET_NAME,
                "quartet-worker"); /* in a bundle the loader's name would stand for it */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a plugin that may not be written is an error in words */
    struct worker_options asked;
    int status = worker_options_parse(argc, argv, &asked);
    if (status < 0 && asked.version) {
        versions_print(stdout, "quartet-worker");
        status = EXIT_SUCCESS;
    }
    parent_bind(asked.parent);
    if (status < 0 && asked.describe != NULL) {
        status = describe(asked.describe);
    }
    status = status < 0 ? worker_options_check(&asked) : status;
    if (status < 0) {
        status = asked.doctor ? doctor_run(&asked.doctor_options) : work(&asked, zygote);
    }
    zygote_stop(zygote);
    if (fflush(stdout) != 0 && status == EXIT_SUCCESS) {
        perror("quartet-worker: standard output");
        status = EXIT_CANNOT_GO_ON;
    }
    return status;
}
