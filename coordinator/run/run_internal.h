/* A run of one workload, from its command line to its exit status. `quartet run` begins one, `quartet
 * resume` goes on with one; what they share is here:
 *
 *   run_settle.c   the command line, checked; nothing is begun
 *   run.c          what is opened for it, and the run itself
 *   run_journal.c  the journal: begun, or taken over
 *   run_end.c      results closed, what came of it said and judged */
#ifndef QUARTET_COORDINATOR_RUN_RUN_INTERNAL_H
#define QUARTET_COORDINATOR_RUN_RUN_INTERNAL_H

#include "coordinator/journal/journal.h"
#include "coordinator/options/options.h"
#include "coordinator/report/report.h"
#include "coordinator/run/job_record.h"
#include "coordinator/run/work.h"
#include "coordinator/session/session.h"

enum { RUN_PATH_SIZE = 4096 };

struct zygote;

struct run {
    char **words; /* of the command line, from "run" on */
    int word_count;
    size_t rest_count;       /* of them behind `--` */
    const char **positional; /* words that are no options, and those behind `--` */
    struct options options;
    struct work work;
    struct session *session;
    struct sink *sink; /* NULL: nobody wants results of single items */
    struct environment environment;
    char started[40];
    struct job_result result;
    enum placement placement;

    /* The journal, if there is one. */
    const char *journal_path; /* NULL: none */
    struct journal *journal;
    bool resumed;
    bool items_named; /* anew, in the command line of `quartet resume` */
    bool items_gone;  /* of a run that is complete: they cannot be read any more, and need not be */
    struct journal_state state; /* with `resumed`: where it was, */
    struct job_record record;   /* what the job is, */
    char **merged;              /* and the command line that comes of it; owned */
    uint64_t job_id;
    char kept_items
        [RUN_PATH_SIZE]; /* where items that can be read once only are kept; anybody's file, if they can be read again */
};

/* NULL without memory. */
struct run *run_new(void);
void run_free(struct run *run);

/* Settle, play, finish what the words of a command line, from "run" on, say; they outlive the run.
 * Returns the exit status. */
int run_perform(struct run *run, int word_count, char **words, struct zygote *zygote);

const char *run_command(const struct run *run);

/* One line to standard error, under the name of the command: quartet run, or quartet resume. */
__attribute__((format(printf, 2, 3))) void run_say(const struct run *run, const char *format, ...);

/* Say how much of a run that goes on is done already; of another one nothing. */
void run_say_done(const struct run *run);

/* --- run_settle.c --- */

/* Parse and check the command line. Returns -1 to go on, or the exit status: all was said. */
int run_settle(struct run *run);

/* Does the journal say that there is nothing left to run? */
bool run_is_complete(const struct run *run);

/* Is this path standard output? */
bool run_is_stdout(const char *path);

/* Parse the command line of `quartet resume`: a journal, and options of a run. Returns -1 with the
 * journal's path, or the exit status: all was said. */
int run_parse_resume(int argc, char **argv, const char **ret_path);

/* The words of run->record with `extra` ones (borrowed) before what stands behind `--`; options that
 * these give replace those of the record. Into run->merged, NULL-terminated, `*ret_count` of them.
 * Returns 0 or ERR_NOMEM. */
int run_merge_words(struct run *run, int extra_count, char **extra, int *ret_count);

/* --- run_journal.c --- */

/* Open the journal at `path`, which outlives the run, to go on with it. Returns 0, or as
 * journal_open. Before run_settle: the command line is in it. */
int run_read_journal(struct run *run, const char *path, struct err_text *ret_error);

/* Is the journal that was read of this job? ERR_INVALID says what differs; ERR_NOMEM. */
int run_check_job(struct run *run, struct err_text *ret_error);

/* Begin a new journal, or go on with the one that was read. Nothing happens without one. */
int run_begin_journal(struct run *run, struct err_text *ret_error);

/* What the sink has to know of the journal, before it is opened; and the results that waited. */
void run_prepare_sink(struct run *run);
int run_put_waiting(struct run *run, struct err_text *ret_error);

/* Nothing was run: a journal that was begun for it goes, and a copy of the items. */
void run_drop_journal(struct run *run);

/* The copy of the items, if one was made, has done its duty. */
void run_drop_kept_items(const struct run *run);

/* --- run_end.c --- */

/* Close the results, say what came of the run, and judge it: returns the exit status. */
int run_finish(struct run *run);

/* A run that is complete, but whose coordinator may have died before it said so: say what came of it,
 * write its reports (unless --dry-run), from the journal alone. Returns the exit status. */
int run_finish_again(struct run *run);

#endif
