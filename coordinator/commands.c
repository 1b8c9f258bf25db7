#include "coordinator/commands.h"

#include <stdio.h>

int command_parse(const struct cli *cli,
                  int argc,
                  char **argv,
                  const char **ret_words,
                  size_t *ret_word_count,
                  size_t *ret_rest_count)
{
    struct err_text error = {{0}};
    int rc = cli_parse(cli, argc, argv, &error, ret_words, ret_word_count, ret_rest_count, NULL);
    if (rc == 1) {
        cli_help(cli, stdout);
        return EXIT_ALL_OK;
    }
    if (rc != 0) {
        (void)fprintf(stderr, "%s: %s\n", cli->program, error.s);
        return EXIT_WRONG_USAGE;
    }
    return -1;
}

int command_asked_status(int error)
{
    switch (error) {
    case 0:
        return EXIT_ALL_OK;
    case ERR_INVALID:
    case ERR_NOT_FOUND:
        return EXIT_WRONG_USAGE;
    default:
        return EXIT_CANNOT_GO_ON;
    }
}
