/* quartet resume: go on with a run whose coordinator died, from its journal. */
#include "coordinator/commands.h"
#include "coordinator/run/run_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The options given here: everything but the command's name and the journal. */
static int pick_extra(int argc, char **argv, const char *path, char **ret_extra)
{
    int count = 0;
    for (int i = 1; i < argc; i++) {
        if (argv[i] != path) {
            ret_extra[count++] = argv[i];
        }
    }
    return count;
}

/* Go on as the journal says, in the directory where the run was begun. */
static int go_on(struct run *run, int extra_count, char **extra, struct zygote *zygote)
{
    int count = 0;
    if (chdir(run->record.directory) != 0) {
        (void)fprintf(stderr,
                      "quartet resume: cannot enter '%s', where the run was begun: %s\n",
                      run->record.directory,
                      strerror(errno));
        return EXIT_CANNOT_GO_ON;
    }
    if (run_merge_words(run, extra_count, extra, &count) != 0) {
        (void)fputs("quartet resume: no memory for the command line\n", stderr);
        return EXIT_CANNOT_GO_ON;
    }
    return run_perform(run, count, run->merged, zygote);
}

static int resume(struct run *run,
                  const char *path,
                  int extra_count,
                  char **extra,
                  struct zygote *zygote)
{
    struct err_text error = {{0}};
    int rc = run_read_journal(run, path, &error);
    if (rc != 0) {
        (void)fprintf(stderr, "quartet resume: %s\n", error.s);
        return rc == ERR_INVALID || rc == ERR_NOT_FOUND ? EXIT_WRONG_USAGE : EXIT_CANNOT_GO_ON;
    }
    return go_on(run, extra_count, extra, zygote);
}

int cmd_resume(int argc, char **argv, struct zygote *zygote)
{
    const char *given = NULL;
    int status = run_parse_resume(argc, argv, &given);
    if (status >= 0) {
        return status;
    }
    char path[PATH_MAX];
    if (realpath(given, path) == NULL) {
        (void)fprintf(
            stderr, "quartet resume: cannot open the journal '%s': %s\n", given, strerror(errno));
        return EXIT_WRONG_USAGE;
    }
    struct run *run = run_new();
    char **extra = calloc((size_t)argc, sizeof(*extra));
    if (run != NULL && extra != NULL) {
        status = resume(run, path, pick_extra(argc, argv, given, extra), extra, zygote);
    } else {
        (void)fputs("quartet resume: no memory\n", stderr);
        status = EXIT_CANNOT_GO_ON;
    }
    run_free(run);
    free(extra);
    return status;
}
