/* quartet resume: go on with a run whose coordinator died, from its journal. */
#include "common/base/units.h"
#include "coordinator/commands.h"
#include "coordinator/run_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* There is nothing to go on with. */
static int say_complete(const struct journal_state *state, const char *path)
{
    char ok[UNITS_TEXT_SIZE];
    char failed[UNITS_TEXT_SIZE];
    (void)fprintf(stderr,
                  "quartet resume: the run of %s is complete: %s items succeeded, %s failed\n",
                  path,
                  units_format_exact(state->counts.tally.ok, ok),
                  units_format_exact(state->counts.tally.failed, failed));
    return state->counts.tally.failed > 0 ? EXIT_ITEMS_FAILED : EXIT_ALL_OK;
}

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

/* Go on as `record` says, in the directory where it was begun. */
static int go_on(struct run *run,
                 const struct job_record *record,
                 int extra_count,
                 char **extra,
                 struct zygote *zygote)
{
    struct err_text error = {{0}};
    char **words = NULL;
    int count = 0;
    if (chdir(record->directory) != 0) {
        (void)fprintf(stderr,
                      "quartet resume: cannot enter '%s', where the run was begun: %s\n",
                      record->directory,
                      strerror(errno));
        return EXIT_CANNOT_GO_ON;
    }
    if (run_merge_words(record, extra_count, extra, &error, &words, &count) != 0) {
        (void)fprintf(stderr, "quartet resume: %s\n", error.s);
        return EXIT_CANNOT_GO_ON;
    }
    int status = run_perform(run, count, words, zygote);
    run_free(run); /* its options point into the words */
    free(words);
    return status;
}

static int resume(struct run *run,
                  const char *path,
                  int extra_count,
                  char **extra,
                  struct zygote *zygote)
{
    struct err_text error = {{0}};
    struct job_record record = {.directory = NULL};
    int rc = run_read_journal(run, path, &error);
    if (rc == 0 && run->state.complete) {
        int status = say_complete(&run->state, path);
        run_free(run);
        return status;
    }
    rc = rc != 0 ? rc : job_record_read(run->state.job, &error, &record);
    if (rc != 0) {
        (void)fprintf(stderr, "quartet resume: %s\n", error.s);
        run_free(run);
        return rc == ERR_INVALID || rc == ERR_NOT_FOUND ? EXIT_WRONG_USAGE : EXIT_CANNOT_GO_ON;
    }
    int status = go_on(run, &record, extra_count, extra, zygote);
    job_record_deinit(&record);
    return status;
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
    if (run == NULL || extra == NULL) {
        (void)fputs("quartet resume: no memory\n", stderr);
        run_free(run);
        free(extra);
        return EXIT_CANNOT_GO_ON;
    }
    int extra_count = pick_extra(argc, argv, given, extra);
    status = resume(run, path, extra_count, extra, zygote);
    free(extra);
    return status;
}
