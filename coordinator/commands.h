/* The commands of `quartet`, one file each. Each gets argv from its own name on and returns the
 * program's exit status: 0 all items succeeded; 1 some failed (or results disagree); 2 wrong
 * usage or input; 3 the run could not go on; 128 + n ended by signal n. */
#ifndef QUARTET_COORDINATOR_COMMANDS_H
#define QUARTET_COORDINATOR_COMMANDS_H

#include "common/io/cli.h"

#include <stddef.h>

struct zygote;

enum exit_status {
    EXIT_ALL_OK = 0,
    EXIT_ITEMS_FAILED = 1,
    EXIT_WRONG_USAGE = 2,
    EXIT_CANNOT_GO_ON = 3,
    EXIT_BY_SIGNAL = 128,
};

/* Parse the command line of a command. Returns -1 to go on, or the exit status: --help was
 * printed, or the refusal was. `ret_words` has room for argc; `ret_rest_count`
 * as of cli_parse. */
int command_parse(const struct cli *cli,
                  int argc,
                  char **argv,
                  const char **ret_words,
                  size_t *ret_word_count,
                  size_t *ret_rest_count);

/* The exit status of a command that asked a running one: what was wrong with the question, or with
 * the one who was asked. */
int command_asked_status(int error);

int cmd_compare(int argc, char **argv, struct zygote *zygote);
int cmd_run(int argc, char **argv, struct zygote *zygote);
int cmd_resume(int argc, char **argv, struct zygote *zygote);
int cmd_status(int argc, char **argv, struct zygote *zygote);
int cmd_doctor(int argc, char **argv, struct zygote *zygote);
int cmd_drain(int argc, char **argv, struct zygote *zygote);
int cmd_keygen(int argc, char **argv, struct zygote *zygote);
int cmd_workloads(int argc, char **argv, struct zygote *zygote);
int cmd_launch(int argc, char **argv, struct zygote *zygote);
int cmd_origin(int argc, char **argv, struct zygote *zygote);

#endif
