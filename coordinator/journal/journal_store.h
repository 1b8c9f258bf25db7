/* The file of a journal: made, opened, read with every value checked, and written to, one group a
 * transaction. Everything blocks; one thread. */
#ifndef QUARTET_COORDINATOR_JOURNAL_JOURNAL_STORE_H
#define QUARTET_COORDINATOR_JOURNAL_JOURNAL_STORE_H

#include "coordinator/journal/journal_batch.h"
#include "coordinator/journal/journal_group.h"
#include "coordinator/journal/journal_progress.h"
#include "coordinator/journal/journal_seal.h"

#include <sqlite3.h>

/* What a commit does. */
enum journal_statement {
    JOURNAL_BEGIN,
    JOURNAL_COMMIT,
    JOURNAL_PUT_DONE,
    JOURNAL_DROP_DONE,
    JOURNAL_PUT_FAILED,
    JOURNAL_PUT_OUTPUT,
    JOURNAL_PUT_WAITING,
    JOURNAL_DROP_WAITING,
    JOURNAL_PUT_PROGRESS,
    JOURNAL_STATEMENTS
};

/* The rest is what the file has, as of the last commit. After a commit that failed nothing is to be
 * done with it any more but closing it. */
struct journal_store {
    sqlite3 *db;
    char *path; /* absolute */
    sqlite3_stmt *statements[JOURNAL_STATEMENTS];
    struct journal_progress progress;
    struct interval_set done;
    struct sink_place *places;
    size_t place_count;
    struct journal_seal_sums sums;
};

/* As journal_create and journal_open. */
int journal_store_create(const char *path,
                         const char *job,
                         uint64_t job_id,
                         struct err_text *ret_error,
                         struct journal_store **ret_store);
int journal_store_open(const char *path,
                       struct err_text *ret_error,
                       struct journal_store **ret_store,
                       struct journal_state *ret_state);

/* Write the group, and what the sink's mark (NULL: there is no sink) says, and make it durable. */
int journal_store_commit(struct journal_store *store,
                         const struct journal_group *group,
                         const struct journal_mark *mark,
                         struct err_text *ret_error);

/* `orderly`: also bring everything into the one file and remove those beside it; false: leave all as
 * it is, for when the disk has failed. NULL is allowed. */
void journal_store_close(struct journal_store *store, bool orderly);

/* --- for the files of the store only --- */

/* Read and check all that `store->db` has, an open database with the right tables, into the store and
 * into `ret_state`. ERR_INVALID, what is wrong; ERR_NOMEM; ERR_IO. On error the state is empty, and
 * the store may be half filled. */
int journal_read_all(struct journal_store *store,
                     struct err_text *ret_error,
                     struct journal_state *ret_state);

/* Write the row of `progress`, as store->progress is and with the seal. Returns SQLite's code. */
int journal_write_progress(struct journal_store *store);

/* Do a statement that gives no rows, and make it ready for the next time. Returns SQLite's code. */
int journal_store_run(struct journal_store *store, enum journal_statement which);

#endif
